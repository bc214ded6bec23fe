//! The line of a trace as a sum over its spans and log records, in any order.

use aitrace_model::{LogRecord, Span, SpanId, SpanKind, Timestamp, TraceId, TraceStatus, TraceSummary};
use serde::{Deserialize, Serialize};

/// US dollars are summed in whole picodollars: sums of `f64` depend on their order.
const PICO: f64 = 1e12;

/// What a summary needs to know of a set of spans and log records.
///
/// Adding and merging are commutative and associative, so that parts of a trace (sealed, hot) can
/// be summed apart; they are not idempotent, so each span and record is added once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rollup {
    /// Number of spans.
    pub spans: u64,
    /// Number of log records.
    pub events: u64,
    /// Number of spans that failed.
    pub errors: u64,
    /// The earliest root.
    pub root: Option<Head>,
    /// The earliest span.
    pub first: Option<Head>,
    /// Session of the earliest span that has one.
    pub session: Option<(Timestamp, SpanId, String)>,
    /// Time, id, event and session of the earliest log record.
    pub first_log: Option<(Timestamp, String, String, Option<String>)>,
    /// Latest end of a span.
    pub end: Option<Timestamp>,
    /// Latest time of a log record.
    pub last_log: Option<Timestamp>,
    /// Latest receipt of anything.
    pub heard: Option<Timestamp>,
    /// Sum over model calls.
    pub input_tokens: Option<u64>,
    /// Sum over model calls.
    pub output_tokens: Option<u64>,
    /// Sum over model calls in picodollars.
    pub cost_pico: Option<i64>,
}

/// What a trace takes from one of its spans. Ordered by start, then id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Head {
    /// Start.
    pub start: Timestamp,
    /// Id.
    pub span_id: SpanId,
    /// Name.
    pub name: String,
    /// Whether it failed.
    pub failed: bool,
    /// Session.
    pub session_id: Option<String>,
}

impl Rollup {
    /// Adds a merged span that was not added before.
    pub fn add_span(&mut self, span: &Span) {
        self.spans += 1;
        let failed = span.is_error();
        self.errors += u64::from(failed);
        let key = (span.start, span.span_id);
        let head = || Head {
            start: span.start,
            span_id: span.span_id,
            name: span.name.clone(),
            failed,
            session_id: span.session_id.clone(),
        };
        let earlier = |known: &Option<Head>| known.as_ref().is_none_or(|known| key < known.key());
        if earlier(&self.first) {
            self.first = Some(head());
        }
        if span.parent_span_id.is_none() && earlier(&self.root) {
            self.root = Some(head());
        }
        if let Some(session) = &span.session_id
            && self.session.as_ref().is_none_or(|(start, id, _)| key < (*start, *id))
        {
            self.session = Some((span.start, span.span_id, session.clone()));
        }
        self.end = self.end.max(span.end);
        self.heard = self.heard.max(Some(span.received));
        // Wrappers repeat the usage of the call they wrap: only the calls themselves count.
        if matches!(span.kind, SpanKind::Llm | SpanKind::Embedding) {
            self.input_tokens = sum(self.input_tokens, span.input_tokens, u64::saturating_add);
            self.output_tokens = sum(self.output_tokens, span.output_tokens, u64::saturating_add);
            let pico = span.cost.map(|cost| (cost * PICO).round() as i64);
            self.cost_pico = sum(self.cost_pico, pico, i64::saturating_add);
        }
    }

    /// Adds a log record that was not added before.
    pub fn add_log(&mut self, log: &LogRecord) {
        self.events += 1;
        let earlier =
            |(time, id, ..): &(Timestamp, String, _, _)| (log.time, log.id.as_str()) < (*time, id.as_str());
        if self.first_log.as_ref().is_none_or(earlier) {
            self.first_log = Some((log.time, log.id.clone(), log.event.clone(), log.session_id.clone()));
        }
        self.last_log = self.last_log.max(Some(log.time));
        self.heard = self.heard.max(Some(log.received));
    }

    /// Adds another part of the same trace.
    pub fn merge(&mut self, other: &Self) {
        self.spans += other.spans;
        self.events += other.events;
        self.errors += other.errors;
        keep_least(&mut self.root, other.root.as_ref());
        keep_least(&mut self.first, other.first.as_ref());
        keep_least(&mut self.session, other.session.as_ref());
        keep_least(&mut self.first_log, other.first_log.as_ref());
        self.end = self.end.max(other.end);
        self.last_log = self.last_log.max(other.last_log);
        self.heard = self.heard.max(other.heard);
        self.input_tokens = sum(self.input_tokens, other.input_tokens, u64::saturating_add);
        self.output_tokens = sum(self.output_tokens, other.output_tokens, u64::saturating_add);
        self.cost_pico = sum(self.cost_pico, other.cost_pico, i64::saturating_add);
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.spans == 0 && self.events == 0
    }

    /// The line of the trace that these are the parts of. `open` is the status of its spans that
    /// have not ended: running before lost; `None` when all ended.
    ///
    /// A trace of log records alone is named by its first record, spans their times and is ok.
    pub fn summary(&self, project: &str, trace_id: TraceId, open: Option<TraceStatus>) -> TraceSummary {
        let head = self.root.as_ref().or(self.first.as_ref());
        let log = self.first_log.as_ref();
        let failed = self.root.as_ref().map_or(self.errors > 0, |root| root.failed);
        let ended = if failed { TraceStatus::Error } else { TraceStatus::Ok };
        let end = if self.spans == 0 { self.last_log } else { self.end };
        let session = head
            .and_then(|head| head.session_id.as_ref())
            .or_else(|| self.session.as_ref().map(|(_, _, session)| session))
            .or_else(|| log.and_then(|(_, _, _, session)| session.as_ref()));
        TraceSummary {
            project: project.to_owned(),
            trace_id,
            name: head.map(|head| &head.name).or(log.map(|log| &log.2)).cloned().unwrap_or_default(),
            session_id: session.cloned(),
            start: self.first.as_ref().map(|first| first.start).or(log.map(|log| log.0)).unwrap_or_default(),
            end: end.filter(|_| open != Some(TraceStatus::Running)),
            status: open.unwrap_or(ended),
            spans: self.spans,
            events: self.events,
            errors: self.errors,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cost: self.cost_pico.map(|pico| pico as f64 / PICO),
        }
    }
}

impl Head {
    fn key(&self) -> (Timestamp, SpanId) {
        (self.start, self.span_id)
    }
}

/// The status of several open spans together: running before lost before none.
pub fn worst_open(one: Option<TraceStatus>, other: TraceStatus) -> Option<TraceStatus> {
    match (one, other) {
        (Some(TraceStatus::Running), _) | (_, TraceStatus::Running) => Some(TraceStatus::Running),
        (_, TraceStatus::Lost) => Some(TraceStatus::Lost),
        (one, _) => one,
    }
}

fn keep_least<T: Ord + Clone>(known: &mut Option<T>, other: Option<&T>) {
    if let Some(other) = other
        && known.as_ref().is_none_or(|known| other < known)
    {
        *known = Some(other.clone());
    }
}

fn sum<T: Copy>(one: Option<T>, other: Option<T>, add: impl Fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(add(one, other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aitrace_model::Status;

    fn span(id: u8, parent: Option<u8>, start: i64, end: Option<i64>) -> Span {
        let span_id = |id| SpanId::from_bytes([id; 8]).expect("not zero");
        let trace = TraceId::from_bytes([9; 16]).expect("not zero");
        let mut span = Span::new("p", trace, span_id(id), &format!("s{id}"), Timestamp::from_nanos(start));
        span.parent_span_id = parent.map(span_id);
        span.end = end.map(Timestamp::from_nanos);
        span
    }

    fn line(spans: &[Span], open: Option<TraceStatus>) -> TraceSummary {
        let mut rollup = Rollup::default();
        for span in spans {
            rollup.add_span(span);
        }
        rollup.summary("p", spans[0].trace_id, open)
    }

    #[test]
    fn the_root_names_and_judges() {
        let (root, mut child) = (span(2, None, 10, Some(50)), span(1, Some(2), 5, Some(60)));
        child.status = Some(Status::Error);
        child.session_id = Some("s".into());
        let summary = line(&[child.clone(), root.clone()], None);
        assert_eq!((summary.name.as_str(), summary.status, summary.errors), ("s2", TraceStatus::Ok, 1));
        assert_eq!((summary.start.nanos(), summary.end.map(Timestamp::nanos)), (5, Some(60)));
        assert_eq!(summary.session_id.as_deref(), Some("s"));
        assert_eq!(line(&[child.clone()], None).status, TraceStatus::Error);
        let running = line(&[child, root], Some(TraceStatus::Running));
        assert_eq!((running.status, running.end), (TraceStatus::Running, None));
    }

    #[test]
    fn parts_sum_to_the_whole_and_wrappers_do_not_count() {
        let spans: Vec<Span> = (1..20)
            .map(|id| {
                let mut one = span(id, (id > 3).then_some(1), i64::from(id % 5), Some(i64::from(id)));
                one.kind = if id % 2 == 0 { SpanKind::Llm } else { SpanKind::Agent };
                one.input_tokens = Some(10);
                one.cost = Some(0.1);
                one
            })
            .collect();
        let whole = line(&spans, None);
        assert_eq!((whole.input_tokens, whole.output_tokens, whole.cost), (Some(90), None, Some(0.9)));
        let (mut left, mut right) = (Rollup::default(), Rollup::default());
        spans[..7].iter().for_each(|span| left.add_span(span));
        spans[7..].iter().rev().for_each(|span| right.add_span(span));
        right.merge(&left);
        assert_eq!(right.summary("p", whole.trace_id, None), whole);
    }
}
