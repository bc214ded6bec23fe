//! Which traces are kept is decided when they are over: those that failed, those that took long, a part of
//! the others.
//!
//! Spans wait here, bounded in bytes and time, until their root has ended; the decision is remembered, so
//! that what comes late shares it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use aitrace_model::TraceId;

use super::plan::{mixed_bits, within};
use super::rules::Tail;

/// Decisions that are remembered.
const REMEMBERED: usize = 1 << 16;

/// What the buffer must know of something that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) trace_id: TraceId,
    /// Set when it is finished: a span's beginning and end in nanoseconds. Log records have their time twice.
    pub(crate) times: Option<(i64, i64)>,
    pub(crate) root: bool,
    pub(crate) failed: bool,
    pub(crate) bytes: usize,
}

/// What becomes of things: they go on, or not.
#[derive(Debug)]
pub(crate) struct Verdicts<T> {
    pub(crate) kept: Vec<T>,
    pub(crate) dropped: Vec<T>,
}

impl<T> Verdicts<T> {
    pub(crate) fn new() -> Self {
        Self { kept: Vec::new(), dropped: Vec::new() }
    }

    fn put(&mut self, keep: bool, things: impl IntoIterator<Item = T>) {
        if keep { self.kept.extend(things) } else { self.dropped.extend(things) }
    }
}

/// A trace that is not over.
#[derive(Debug)]
struct Waiting<T> {
    since: Instant,
    things: Vec<T>,
    bytes: usize,
    failed: bool,
    begin: i64,
    end: i64,
}

/// Holds the traces that are not decided.
#[derive(Debug)]
pub(crate) struct TailBuffer<T> {
    tail: Tail,
    waiting: BTreeMap<TraceId, Waiting<T>>,
    /// Oldest first; may name traces that are decided.
    order: VecDeque<TraceId>,
    bytes: usize,
    decided: BTreeMap<TraceId, bool>,
    decided_order: VecDeque<TraceId>,
}

impl<T> TailBuffer<T> {
    pub(crate) fn new(tail: Tail) -> Self {
        Self {
            tail,
            waiting: BTreeMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            decided: BTreeMap::new(),
            decided_order: VecDeque::new(),
        }
    }

    /// Whether anything waits.
    pub(crate) fn holds(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes one thing. What tells of open spans is not kept waiting: it goes on if its trace is kept.
    pub(crate) fn take(&mut self, thing: T, about: About, now: Instant, out: &mut Verdicts<T>) {
        if let Some(keep) = self.decided.get(&about.trace_id) {
            return out.put(*keep, [thing]);
        }
        let Some((begin, end)) = about.times else {
            return out.put(false, [thing]);
        };
        let order = &mut self.order;
        let waiting = self.waiting.entry(about.trace_id).or_insert_with(|| {
            order.push_back(about.trace_id);
            Waiting { since: now, things: Vec::new(), bytes: 0, failed: false, begin, end }
        });
        waiting.things.push(thing);
        waiting.bytes += about.bytes;
        waiting.failed |= about.failed;
        waiting.begin = waiting.begin.min(begin);
        waiting.end = waiting.end.max(end);
        self.bytes += about.bytes;
        if about.root || (waiting.failed && self.tail.keep_errors) {
            self.decide(about.trace_id, now, out);
        }
        while self.bytes > self.tail.buffer {
            let Some(oldest) = self.order.pop_front() else { break };
            self.decide(oldest, now, out);
        }
    }

    /// Decides what has waited long enough, or everything.
    pub(crate) fn ripe(&mut self, now: Instant, everything: bool, out: &mut Verdicts<T>) {
        while let Some(oldest) = self.order.front().copied() {
            let old = |waiting: &Waiting<T>| now.saturating_duration_since(waiting.since) >= self.tail.wait;
            if !everything && self.waiting.get(&oldest).is_some_and(|waiting| !old(waiting)) {
                return;
            }
            self.order.pop_front();
            self.decide(oldest, now, out);
        }
    }

    fn decide(&mut self, trace_id: TraceId, now: Instant, out: &mut Verdicts<T>) {
        let Some(waiting) = self.waiting.remove(&trace_id) else { return };
        self.bytes -= waiting.bytes;
        let taken = u128::try_from(i128::from(waiting.end) - i128::from(waiting.begin)).unwrap_or(0);
        let slow = self.tail.keep_slower_than.is_some_and(|limit| {
            taken >= limit.as_nanos() || now.saturating_duration_since(waiting.since) >= limit
        });
        let keep = (waiting.failed && self.tail.keep_errors)
            || slow
            || within(mixed_bits(trace_id), self.tail.ratio.0);
        out.put(keep, waiting.things);
        if self.decided_order.len() >= REMEMBERED
            && let Some(oldest) = self.decided_order.pop_front()
        {
            self.decided.remove(&oldest);
        }
        self.decided.insert(trace_id, keep);
        self.decided_order.push_back(trace_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instant::instant;
    use crate::process::rules::Ratio;
    use proptest::prelude::*;
    use std::time::Duration;

    fn trace(number: u64) -> TraceId {
        TraceId::from_bytes((u128::from(number) + 1).to_be_bytes()).expect("not zero")
    }

    fn about(number: u64, root: bool) -> About {
        About { trace_id: trace(number), times: Some((0, 10)), root, failed: false, bytes: 100 }
    }

    fn buffer(ratio: f64) -> TailBuffer<u32> {
        let slow = Some(Duration::from_secs(2));
        TailBuffer::new(Tail { keep_slower_than: slow, ratio: Ratio(ratio), buffer: 1000, ..Tail::default() })
    }

    #[test]
    fn failed_and_slow_traces_are_kept_and_the_late_follow() {
        let (mut buffer, now) = (buffer(0.0), instant());
        let mut out = Verdicts::new();
        buffer.take(1, about(1, false), now, &mut out);
        buffer.take(2, About { failed: true, ..about(2, false) }, now, &mut out);
        assert_eq!((&out.kept[..], &out.dropped[..]), (&[2][..], &[][..]), "an error decides at once");
        buffer.take(3, about(1, true), now, &mut out);
        assert_eq!(out.dropped, [1, 3]);
        buffer.take(4, About { times: Some((0, 2_000_000_000)), ..about(3, true) }, now, &mut out);
        buffer.take(5, about(2, true), now, &mut out);
        buffer.take(6, About { failed: true, ..about(1, false) }, now, &mut out);
        assert_eq!((&out.kept[..], &out.dropped[..]), (&[2, 4, 5][..], &[1, 3, 6][..]));
        assert!(!buffer.holds());
    }

    #[test]
    fn open_spans_are_told_of_only_in_traces_that_are_kept() {
        let (mut buffer, now) = (buffer(0.0), instant());
        let mut out = Verdicts::new();
        let open = |number| About { times: None, ..about(number, true) };
        buffer.take(1, open(1), now, &mut out);
        assert_eq!(out.dropped, [1]);
        assert!(!buffer.holds());
        buffer.take(2, About { failed: true, ..about(1, false) }, now, &mut out);
        buffer.take(3, open(1), now, &mut out);
        assert_eq!(out.kept, [2, 3]);
    }

    #[test]
    fn bytes_and_time_are_bounded() {
        let (mut buffer, now) = (buffer(1.0), instant());
        let mut out = Verdicts::new();
        for number in 0..11 {
            buffer.take(number as u32, about(number, false), now, &mut out);
            assert!(buffer.bytes <= 1000);
        }
        assert_eq!(out.kept, [0], "the oldest is decided with what is known");
        buffer.ripe(now + Duration::from_secs(29), false, &mut out);
        assert_eq!(out.kept.len(), 1);
        buffer.ripe(now + Duration::from_secs(30), false, &mut out);
        assert_eq!(out.kept.len(), 11);
        buffer.take(99, about(99, false), now, &mut out);
        buffer.ripe(now, true, &mut out);
        assert_eq!(out.kept.last(), Some(&99));
        assert_eq!((buffer.bytes, buffer.order.len()), (0, 0));
    }

    #[test]
    fn a_ratio_keeps_about_that_part_independent_of_the_head() {
        let mut kept = 0;
        let mut both = 0;
        let mut generator = crate::ids::Random::seeded();
        for _ in 0..20_000 {
            let ids = crate::context::Ids { trace: generator.trace(), span: generator.span() };
            let id = ids.context().trace_id;
            let tail = within(mixed_bits(id), 0.25);
            kept += u32::from(tail);
            both += u32::from(tail && super::super::plan::tests::head(id, 0.25));
        }
        assert!((4_500..5_500).contains(&kept), "{kept}");
        assert!((1_000..1_500).contains(&both), "{both}");
    }

    proptest! {
        /// Whatever comes in comes out once, and a trace is never torn apart by time or bytes alone.
        #[test]
        fn nothing_is_lost(steps in prop::collection::vec((0_u64..6, any::<bool>(), any::<bool>()), 0..60)) {
            let (mut buffer, now) = (buffer(0.5), instant());
            let mut out = Verdicts::new();
            let mut traces = Vec::new();
            for (number, (id, root, failed)) in steps.iter().enumerate() {
                let about = About { failed: *failed, ..about(*id, *root) };
                buffer.take(number as u32, about, now, &mut out);
                traces.push(*id);
            }
            buffer.ripe(now, true, &mut out);
            let mut all: Vec<u32> = out.kept.iter().chain(&out.dropped).copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..steps.len() as u32).collect::<Vec<_>>());
            let of = |things: &[u32]| things.iter().map(|thing| traces[*thing as usize]).collect::<Vec<_>>();
            let (kept, dropped) = (of(&out.kept), of(&out.dropped));
            prop_assert!(kept.iter().all(|id| !dropped.contains(id)));
        }
    }
}
