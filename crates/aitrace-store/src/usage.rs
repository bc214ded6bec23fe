//! Which model calls of a trace count: each once, whatever wraps it.

use std::collections::{HashMap, HashSet};

use aitrace_model::{Span, SpanId, SpanKind};

/// US dollars are summed in whole picodollars: sums of `f64` depend on their order.
const PICO: f64 = 1e12;

/// What one model call used. A field is `None` where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Input tokens.
    pub input_tokens: Option<u64>,
    /// Output tokens.
    pub output_tokens: Option<u64>,
    /// Cost in picodollars.
    pub cost_pico: Option<i64>,
}

impl Usage {
    /// From what is known; the cost is in US dollars.
    pub fn new(input_tokens: Option<u64>, output_tokens: Option<u64>, cost: Option<f64>) -> Self {
        let cost_pico = cost.map(|cost| (cost * PICO).round() as i64);
        Self { input_tokens, output_tokens, cost_pico }
    }

    /// What a span says it used; `None` unless it is a call of a model (language or embedding) that says anything.
    pub fn of(span: &Span) -> Option<Self> {
        if !matches!(span.kind, SpanKind::Llm | SpanKind::Embedding) {
            return None;
        }
        let usage = Self::new(span.input_tokens, span.output_tokens, span.cost);
        (usage != Self::default()).then_some(usage)
    }

    /// Adds another sum.
    pub fn add(&mut self, other: Self) {
        let tokens = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        self.input_tokens = tokens(self.input_tokens, other.input_tokens);
        self.output_tokens = tokens(self.output_tokens, other.output_tokens);
        self.cost_pico = match (self.cost_pico, other.cost_pico) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
    }

    /// The cost in US dollars.
    pub fn cost(&self) -> Option<f64> {
        self.cost_pico.map(|pico| pico as f64 / PICO)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    sum: i128,
    parts: u64,
}

impl Sum {
    fn add(&mut self, value: Option<i128>, sign: i8) {
        if let Some(value) = value {
            self.sum += value * i128::from(sign);
            self.parts = self.parts.wrapping_add_signed(i64::from(sign));
        }
    }

    fn get<T: TryFrom<i128>>(&self, most: T) -> Option<T> {
        (self.parts > 0).then(|| T::try_from(self.sum).unwrap_or(most))
    }
}

/// The spans of one trace as far as usage goes, in any order of their coming.
///
/// A model call counts unless one of its descendants is a model call that says what it used: then it is a
/// wrapper that repeats that. (Of calls that are each other's ancestors none counts.) Setting a span is
/// amortised constant time, except where it takes back what it said before.
#[derive(Debug, Clone, Default)]
pub struct UsageTree {
    // The parent of each span. Few spans are calls: what those used stands apart, so that large traces stay small.
    parents: HashMap<SpanId, Option<SpanId>>,
    calls: HashMap<SpanId, Usage>,
    // Ids of spans with a call below, also of spans that are not known (yet).
    above: HashSet<SpanId>,
    sums: [Sum; 3],
}

impl UsageTree {
    /// Adds a span, or replaces what was known of it.
    pub fn set(&mut self, span: &Span) {
        let parent = span.parent_span_id.filter(|parent| *parent != span.span_id);
        let (id, usage) = (span.span_id, Usage::of(span));
        let known_parent = self.parents.insert(id, parent);
        let known_usage = match usage {
            Some(usage) => self.calls.insert(id, usage),
            None => self.calls.remove(&id),
        };
        match known_parent {
            Some(known) if (known, known_usage) == (parent, usage) => {}
            Some(known) if known_usage.is_some() || self.above.contains(&id) && known != parent => {
                self.rebuild();
            }
            _ => self.connect(id, parent),
        }
    }

    /// Whether a span is known.
    pub fn contains(&self, id: &SpanId) -> bool {
        self.parents.contains_key(id)
    }

    /// Number of spans.
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Whether there is no span.
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// Bytes that it takes in memory, about.
    pub fn bytes(&self) -> usize {
        // Tables of the standard library have a byte of their own for each place, and up to half of the places empty.
        let table = |places: usize, size: usize| places * (size + 1) * 8 / 7;
        size_of::<Self>()
            + table(self.parents.capacity(), size_of::<(SpanId, Option<SpanId>)>())
            + table(self.calls.capacity(), size_of::<(SpanId, Usage)>())
            + table(self.above.capacity(), size_of::<SpanId>())
    }

    /// Whether a model call is known below a span: what the span says of usage does not count.
    pub fn wraps(&self, id: &SpanId) -> bool {
        self.above.contains(id)
    }

    /// The sum over calls that count.
    pub fn total(&self) -> Usage {
        Usage {
            input_tokens: self.sums[0].get(u64::MAX),
            output_tokens: self.sums[1].get(u64::MAX),
            cost_pico: self.sums[2].get(i64::MAX),
        }
    }

    fn connect(&mut self, id: SpanId, parent: Option<SpanId>) {
        let (covered, usage) = (self.above.contains(&id), self.calls.get(&id).copied());
        if let (Some(usage), false) = (usage, covered) {
            self.add(usage, 1);
        }
        if usage.is_some() || covered {
            self.mark(parent);
        }
    }

    /// Everything from `up` to the root has a call below. What is marked was walked before.
    fn mark(&mut self, mut up: Option<SpanId>) {
        while let Some(id) = up {
            if !self.above.insert(id) {
                return;
            }
            let Some(parent) = self.parents.get(&id).copied() else { return };
            if let Some(usage) = self.calls.get(&id).copied() {
                self.add(usage, -1);
            }
            up = parent;
        }
    }

    fn add(&mut self, usage: Usage, sign: i8) {
        self.sums[0].add(usage.input_tokens.map(i128::from), sign);
        self.sums[1].add(usage.output_tokens.map(i128::from), sign);
        self.sums[2].add(usage.cost_pico.map(i128::from), sign);
    }

    #[expect(clippy::iter_over_hash_type, reason = "the result does not depend on the order")]
    fn rebuild(&mut self) {
        let Self { parents, calls, .. } = std::mem::take(self);
        self.calls = calls;
        for (id, parent) in &parents {
            self.parents.insert(*id, *parent);
            self.connect(*id, *parent);
        }
    }
}

impl<'a> FromIterator<&'a Span> for UsageTree {
    fn from_iter<I: IntoIterator<Item = &'a Span>>(spans: I) -> Self {
        let mut tree = Self::default();
        spans.into_iter().for_each(|span| tree.set(span));
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aitrace_model::{Timestamp, TraceId};
    use proptest::prelude::*;

    fn span(id: u8, parent: Option<u8>, kind: SpanKind, tokens: Option<u64>) -> Span {
        let span_id = |id| SpanId::from_bytes([id; 8]).expect("not zero");
        let trace = TraceId::from_bytes([9; 16]).expect("not zero");
        let mut span = Span::new("p", trace, span_id(id), "s", Timestamp::from_nanos(0));
        (span.parent_span_id, span.kind, span.input_tokens) = (parent.map(span_id), kind, tokens);
        span
    }

    fn total(spans: &[Span]) -> Option<u64> {
        spans.iter().collect::<UsageTree>().total().input_tokens
    }

    /// Straight from the definition.
    fn naive(spans: &[Span]) -> Option<u64> {
        let known: HashMap<SpanId, &Span> = spans.iter().map(|span| (span.span_id, span)).collect();
        let mut above = HashSet::new();
        for span in known.values().filter(|span| Usage::of(span).is_some()) {
            let (mut up, mut seen) = (span.parent_span_id.filter(|up| *up != span.span_id), HashSet::new());
            while let Some(id) = up.filter(|id| seen.insert(*id)) {
                above.insert(id);
                up = known.get(&id).and_then(|span| span.parent_span_id.filter(|up| *up != span.span_id));
            }
        }
        let counted = known.values().filter(|span| !above.contains(&span.span_id));
        counted.filter_map(|span| Usage::of(span)?.input_tokens).reduce(|a, b| a + b)
    }

    #[test]
    fn a_wrapper_does_not_add_what_is_below_it() {
        let agent = span(1, None, SpanKind::Agent, Some(30));
        let outer = span(2, Some(1), SpanKind::Llm, Some(30));
        let step = span(3, Some(2), SpanKind::Chain, None);
        let (one, other) =
            (span(4, Some(3), SpanKind::Llm, Some(10)), span(5, Some(3), SpanKind::Llm, Some(20)));
        let alone = span(6, Some(1), SpanKind::Embedding, Some(7));
        let all = [one, agent, alone, other, outer.clone(), step];
        assert_eq!(total(&all), Some(37));
        assert_eq!(total(&[outer]), Some(30), "alone it is the call");
        assert_eq!(total(&all[1..2]), None, "an agent's own figure is nobody's call");
    }

    proptest! {
        #[test]
        fn the_order_and_repetition_do_not_matter(
            parts in proptest::collection::vec((1..9_u8, 0..9_u8, any::<bool>(), 0..4_u64), 1..30)
        ) {
            let make = |&(id, parent, llm, tokens): &(u8, u8, bool, u64)| {
                let kind = if llm { SpanKind::Llm } else { SpanKind::Chain };
                span(id, (parent > 0).then_some(parent), kind, (tokens > 0).then_some(tokens))
            };
            let spans: Vec<Span> = parts.iter().map(make).collect();
            let mut tree = UsageTree::default();
            for (index, span) in spans.iter().enumerate() {
                tree.set(span);
                prop_assert_eq!(tree.total().input_tokens, naive(&spans[..=index]));
            }
        }
    }
}
