//! The line of a trace as a sum over its spans and log records, in any order.

use std::collections::BTreeSet;

use aitrace_model::{
    LogRecord, LostRules, Span, SpanId, SpanState, Timestamp, TraceId, TraceStatus, TraceSummary,
};
use serde::{Deserialize, Serialize};

use crate::usage::Usage;

/// What a summary needs to know of a set of spans and log records.
///
/// Adding and merging are commutative and associative, so that parts of a trace (sealed, hot) can
/// be summed apart; they are not idempotent, so each span and record is added once. Usage is no sum
/// over parts (see [`crate::UsageTree`]) and is set apart.
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
    /// Number of spans that have not ended.
    #[serde(default)]
    pub open: u64,
    /// Number of those whose sender has no heartbeats.
    #[serde(default)]
    pub quiet: u64,
    /// Last sign of life of those whose sender has.
    #[serde(default)]
    pub beat: Option<Timestamp>,
    /// Sum over model calls, each once.
    pub input_tokens: Option<u64>,
    /// Sum over model calls, each once.
    pub output_tokens: Option<u64>,
    /// Sum over model calls in picodollars, each once.
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
    }

    /// Counts spans as failed that were added as others.
    pub fn fail(&mut self, ids: &BTreeSet<SpanId>) {
        self.errors += ids.len() as u64;
        for head in [&mut self.root, &mut self.first].into_iter().flatten() {
            head.failed |= ids.contains(&head.span_id);
        }
    }

    /// Adds what makes a span that was added one that has not ended.
    pub fn add_open(&mut self, state: &SpanState) {
        self.open += 1;
        if state.has_heartbeats() {
            self.beat = self.beat.max(Some(state.last_seen()));
        } else {
            self.quiet += 1;
        }
    }

    /// Sets what its model calls used, each once.
    pub fn set_usage(&mut self, usage: Usage) {
        let Usage { input_tokens, output_tokens, cost_pico } = usage;
        (self.input_tokens, self.output_tokens, self.cost_pico) = (input_tokens, output_tokens, cost_pico);
    }

    /// How its spans that have not ended stand at `now`: running before lost; `None` when all ended.
    pub fn open_status(&self, now: Timestamp, rules: &LostRules) -> Option<TraceStatus> {
        let heard = self.heard.unwrap_or_default();
        let beats = self.beat.is_some_and(|beat| now.since(beat) < rules.heartbeat_ns);
        let runs = beats || (self.quiet > 0 && now.since(heard) < rules.silent_ns);
        let status = if runs { TraceStatus::Running } else { TraceStatus::Lost };
        (self.open > 0).then_some(status)
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
        self.open += other.open;
        self.quiet += other.quiet;
        self.beat = self.beat.max(other.beat);
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
            cost: Usage { cost_pico: self.cost_pico, ..Usage::default() }.cost(),
        }
    }
}

impl Head {
    fn key(&self) -> (Timestamp, SpanId) {
        (self.start, self.span_id)
    }
}

fn keep_least<T: Ord + Clone>(known: &mut Option<T>, other: Option<&T>) {
    if let Some(other) = other
        && known.as_ref().is_none_or(|known| other < known)
    {
        *known = Some(other.clone());
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
    fn parts_sum_to_the_whole() {
        let spans: Vec<Span> = (1..20)
            .map(|id| span(id, (id > 3).then_some(1), i64::from(id % 5), Some(i64::from(id))))
            .collect();
        let whole = line(&spans, None);
        let (mut left, mut right) = (Rollup::default(), Rollup::default());
        spans[..7].iter().for_each(|span| left.add_span(span));
        spans[7..].iter().rev().for_each(|span| right.add_span(span));
        right.merge(&left);
        assert_eq!(right.summary("p", whole.trace_id, None), whole);
    }

    #[test]
    fn open_spans_run_until_their_sender_is_silent() {
        let rules = LostRules { heartbeat_ns: 10, silent_ns: 100 };
        let state = |received, heartbeats| {
            let mut span = span(1, None, 0, None);
            (span.received, span.heartbeats) = (Timestamp::from_nanos(received), heartbeats);
            SpanState::new(span)
        };
        let mut rollup = Rollup { heard: Some(Timestamp::from_nanos(50)), ..Rollup::default() };
        let at = |rollup: &Rollup, now| rollup.open_status(Timestamp::from_nanos(now), &rules);
        assert_eq!(at(&rollup, 60), None);
        rollup.add_open(&state(40, true));
        assert_eq!((at(&rollup, 49), at(&rollup, 50)), (Some(TraceStatus::Running), Some(TraceStatus::Lost)));
        rollup.add_open(&state(20, false));
        assert_eq!(
            (at(&rollup, 149), at(&rollup, 150)),
            (Some(TraceStatus::Running), Some(TraceStatus::Lost))
        );
    }
}
