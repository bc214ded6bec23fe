//! What is current: one immutable value.

use std::sync::Arc;

use aitrace_model::{SpanId, TraceId};

/// The ids of a span, which may live in another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanContext {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
}

impl SpanContext {
    /// Ids of no span.
    pub(crate) fn invalid() -> Self {
        let trace_id = TraceId::from_bytes([0xff; 16]).expect("not zero");
        Self { trace_id, span_id: SpanId::from_bytes([0xff; 8]).expect("not zero") }
    }
}

/// Where an open span of this process is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The tracer's number and the fork epoch.
    pub(crate) key: u64,
    /// The shard among the tracer's.
    pub(crate) shard: u32,
    /// The slot in the shard.
    pub(crate) slot: u32,
    /// Which of the slot's spans.
    pub(crate) generation: u32,
    /// Lets optional places be as small as places: small things are what a start writes.
    pub(crate) mark: Mark,
}

/// The shard of spans that are not recorded. No thread gets as far.
const UNSAMPLED: u32 = u32::MAX;

/// Always the same. Its other values are the compiler's to say "none" with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u32)]
pub(crate) enum Mark {
    #[default]
    Set = 1,
}

/// The ids of a span as machine words, in the order of their bytes in memory.
///
/// Arrays of bytes are copied by wide loads, which have to wait for narrow stores just made; words go through
/// registers. None is zero: where it stands for an id, it came from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) trace: [u64; 2],
    pub(crate) span: u64,
}

impl Ids {
    /// The ids as others know them.
    #[inline]
    pub(crate) fn context(&self) -> SpanContext {
        let mut trace_id = [0; 16];
        trace_id[..8].copy_from_slice(&self.trace[0].to_ne_bytes());
        trace_id[8..].copy_from_slice(&self.trace[1].to_ne_bytes());
        let ids = (TraceId::from_bytes(trace_id), SpanId::from_bytes(self.span.to_ne_bytes()));
        match ids {
            (Some(trace_id), Some(span_id)) => SpanContext { trace_id, span_id },
            _ => SpanContext::invalid(),
        }
    }
}

impl From<SpanContext> for Ids {
    #[inline]
    fn from(context: SpanContext) -> Self {
        let (trace_id, span_id) = (context.trace_id.to_bytes(), context.span_id.to_bytes());
        let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
        Self { trace: [word(&trace_id[..8]), word(&trace_id[8..])], span: word(&span_id) }
    }
}

/// A span that can be a parent, and be found where it is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpanRef {
    pub(crate) ids: Ids,
    /// `None` for a span of another process.
    pub(crate) place: Option<Place>,
}

impl SpanRef {
    /// Its ids.
    #[inline]
    pub(crate) fn context(&self) -> SpanContext {
        self.ids.context()
    }

    /// A span of which nothing is recorded, because its trace is not; it still is a parent. `key` is that of
    /// its tracer in this process.
    pub(crate) fn unsampled(ids: Ids, key: Option<u64>) -> Self {
        let key = key.unwrap_or(u64::MAX);
        let place = Place { key, shard: UNSAMPLED, slot: 0, generation: 0, mark: Mark::Set };
        Self { ids, place: Some(place) }
    }

    /// Whether it is of a trace that is recorded.
    #[inline]
    pub(crate) fn is_sampled(&self) -> bool {
        self.place.as_ref().is_none_or(|place| place.shard != UNSAMPLED)
    }

    /// Whether it is a span of another process.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn is_remote(&self) -> bool {
        self.place.as_ref().is_none_or(|place| place.key == u64::MAX)
    }

    /// The number of the tracer, if the span is of this process.
    #[inline]
    pub(crate) fn tracer(&self) -> Option<u32> {
        self.place.as_ref().map(|place| (place.key >> 32) as u32)
    }
}

/// What travels with the context: these four keys and nothing else.
///
/// Project, source and session never travel: they are the tracer's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baggage {
    /// Evaluation run.
    pub run_id: Option<Arc<str>>,
    /// Evaluation dataset.
    pub dataset_id: Option<Arc<str>>,
    /// Evaluation datapoint.
    pub datapoint_id: Option<Arc<str>>,
    /// The tracer that free functions find where no span of this process is current.
    pub tracer_id: Option<Arc<str>>,
}

impl Baggage {
    /// Names of the keys, in the order of the fields.
    pub const KEYS: [&'static str; 4] = ["run_id", "dataset_id", "datapoint_id", "tracer_id"];

    /// The value of a key by its name; `None` for a name that does not travel.
    pub fn get(&self, key: &str) -> Option<&str> {
        match key {
            "run_id" => self.run_id.as_deref(),
            "dataset_id" => self.dataset_id.as_deref(),
            "datapoint_id" => self.datapoint_id.as_deref(),
            "tracer_id" => self.tracer_id.as_deref(),
            _ => None,
        }
    }

    /// Sets or clears the value of a key by its name. False for a name that does not travel.
    pub fn set(&mut self, key: &str, value: Option<&str>) -> bool {
        let place = match key {
            "run_id" => &mut self.run_id,
            "dataset_id" => &mut self.dataset_id,
            "datapoint_id" => &mut self.datapoint_id,
            "tracer_id" => &mut self.tracer_id,
            _ => return false,
        };
        *place = value.map(Arc::from);
        true
    }
}

/// The current span and the baggage. Cheap to clone, immutable: hand it to a thread, attach it there.
#[derive(Debug, Clone, Default)]
pub struct Context {
    pub(crate) span: Option<SpanRef>,
    /// The nearest enclosing spans of other tracers than `span`'s: made only where tracers nest.
    pub(crate) others: Option<Arc<[SpanRef]>>,
    pub(crate) baggage: Option<Arc<Baggage>>,
}

impl Context {
    /// The ids of the current span.
    pub fn span(&self) -> Option<SpanContext> {
        self.span.as_ref().map(SpanRef::context)
    }

    /// The baggage; `None` where nothing was set.
    pub fn baggage(&self) -> Option<&Arc<Baggage>> {
        self.baggage.as_ref()
    }

    /// This context with other baggage.
    pub fn with_baggage(mut self, baggage: Baggage) -> Self {
        self.baggage = (baggage != Baggage::default()).then(|| Arc::new(baggage));
        self
    }

    /// This context inside a span of another process.
    pub fn with_remote_span(self, span: SpanContext) -> Self {
        self.inside(SpanRef { ids: span.into(), place: None })
    }

    /// This context inside a span of another process whose trace is not recorded: spans in it are not either.
    pub fn with_unsampled_remote_span(self, span: SpanContext) -> Self {
        self.inside(SpanRef::unsampled(span.into(), None))
    }

    /// Whether spans that begin here are recorded, but for what rules say of new traces.
    pub fn is_sampled(&self) -> bool {
        self.span.as_ref().is_none_or(SpanRef::is_sampled)
    }

    /// This context inside `span`.
    #[inline]
    pub(crate) fn inside(&self, span: SpanRef) -> Self {
        let others = match self.span {
            Some(outer) if outer.tracer() != span.tracer() => Some(self.others_with(outer, span.tracer())),
            _ => self.others.clone(),
        };
        Self { span: Some(span), others, baggage: self.baggage.clone() }
    }

    #[cold]
    pub(crate) fn others_with(&self, outer: SpanRef, inner: Option<u32>) -> Arc<[SpanRef]> {
        let others = self.others.iter().flat_map(|others| others.iter()).copied();
        let kept = others.filter(|span| span.tracer() != inner && span.tracer() != outer.tracer());
        kept.chain(outer.place.map(|_| outer)).collect()
    }

    /// The nearest span of a tracer, by the tracer's number.
    pub(crate) fn span_of(&self, tracer: u32) -> Option<SpanRef> {
        let others = self.others.iter().flat_map(|others| others.iter());
        self.span.iter().chain(others).find(|span| span.tracer() == Some(tracer)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(tracer: u32, id: u8) -> SpanRef {
        SpanRef {
            ids: Ids { trace: [1, 1], span: u64::from(id) },
            place: Some(Place {
                key: u64::from(tracer) << 32,
                shard: 0,
                slot: 0,
                generation: 1,
                mark: Mark::Set,
            }),
        }
    }

    #[test]
    fn the_nearest_span_of_each_tracer_is_found() {
        let context = Context::default();
        for (inside, expected) in [
            (vec![(1, 1), (2, 2)], [Some(1), Some(2), None]),
            (vec![(1, 1), (2, 2), (1, 3)], [Some(3), Some(2), None]),
            (vec![(1, 1), (2, 2), (1, 3), (3, 4), (2, 5), (2, 6)], [Some(3), Some(6), Some(4)]),
        ] {
            let context = inside
                .iter()
                .fold(context.clone(), |context, (tracer, id)| context.inside(span(*tracer, *id)));
            for (tracer, id) in (1..).zip(expected) {
                assert_eq!(context.span_of(tracer), id.map(|id| span(tracer, id)), "{inside:?} {tracer}");
            }
        }
    }

    #[test]
    fn ids_survive_as_words() {
        let context = SpanContext {
            trace_id: TraceId::from_bytes(std::array::from_fn(|index| index as u8)).expect("not zero"),
            span_id: SpanId::from_bytes(std::array::from_fn(|index| 100 + index as u8)).expect("not zero"),
        };
        assert_eq!(Ids::from(context).context(), context);
        assert_eq!(Ids { trace: [0, 0], span: 1 }.context(), SpanContext::invalid());
        assert_eq!((size_of::<Option<SpanRef>>(), size_of::<Option<Place>>()), (48, 24));
    }

    #[test]
    fn baggage_knows_its_four_keys_only() {
        let mut baggage = Baggage::default();
        for key in Baggage::KEYS {
            assert!(baggage.set(key, Some(key)));
            assert_eq!(baggage.get(key), Some(key));
        }
        assert!(!baggage.set("project", Some("p")) && baggage.get("project").is_none());
        assert!(Context::default().with_baggage(Baggage::default()).baggage().is_none());
    }
}
