//! The sealed rows of a trace, read back: no more of them than sums need, so that a trace of a million is no burden.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aitrace_model::{Json, LogRecord, Span, SpanId, SpanState, Status, Timestamp, TraceId};
use aitrace_store::{Rollup, UsageTree};

/// What is sealed of a trace.
#[derive(Debug)]
pub(crate) struct Prior {
    trace_id: TraceId,
    /// Messages of those spans that were asked for.
    states: BTreeMap<SpanId, SpanState>,
    rows: Vec<Row>,
    texts: Texts,
    /// Log records that messages are besides, by their spans.
    orphans: Vec<(SpanId, LogRecord)>,
    logs: BTreeMap<String, LogRecord>,
    usage: UsageTree,
}

/// What the line of a trace takes from a span.
#[derive(Debug)]
struct Row {
    id: SpanId,
    root: bool,
    failed: bool,
    /// Whether it has not ended, and if so whether its sender sends heartbeats.
    open: Option<bool>,
    start: Timestamp,
    end: Option<Timestamp>,
    seen: Timestamp,
    name: u32,
    session: Option<u32>,
}

/// Texts that many rows share, each once.
#[derive(Debug, Default)]
struct Texts {
    known: HashMap<Arc<str>, u32>,
    all: Vec<Arc<str>>,
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.known.get(text) {
            return *number;
        }
        let (text, number) = (Arc::<str>::from(text), self.all.len() as u32);
        self.all.push(Arc::clone(&text));
        self.known.insert(text, number);
        number
    }

    fn get(&self, number: u32) -> &str {
        self.all.get(number as usize).map_or("", |text| text)
    }
}

impl Prior {
    pub(crate) fn new(trace_id: TraceId) -> Self {
        Self {
            trace_id,
            states: BTreeMap::new(),
            rows: Vec::new(),
            texts: Texts::default(),
            orphans: Vec::new(),
            logs: BTreeMap::new(),
            usage: UsageTree::default(),
        }
    }

    /// Whether a span was added.
    pub(crate) fn has(&self, id: SpanId) -> bool {
        self.usage.contains(&id)
    }

    /// Adds a span that was not added before, with its messages where they are more than the span itself.
    pub(crate) fn add(&mut self, span: &Span, state: Option<&SpanState>) {
        let ended = state.is_none_or(SpanState::is_ended);
        self.rows.push(Row {
            id: span.span_id,
            root: span.parent_span_id.is_none(),
            failed: span.is_error(),
            open: state.filter(|_| !ended).map(SpanState::has_heartbeats),
            start: span.start,
            end: span.end,
            seen: state.map_or(span.received, SpanState::last_seen),
            name: self.texts.number(&span.name),
            session: span.session_id.as_deref().map(|session| self.texts.number(session)),
        });
        let orphans = state.into_iter().flat_map(SpanState::orphan_logs);
        self.orphans.extend(orphans.map(|log| (span.span_id, without_data(log))));
        self.usage.set(span);
    }

    /// Keeps the messages of a span that was asked for.
    pub(crate) fn keep(&mut self, state: SpanState, id: SpanId) {
        self.states.insert(id, state);
    }

    /// Adds a log record.
    pub(crate) fn add_log(&mut self, log: &LogRecord) {
        self.logs.insert(log.id.clone(), without_data(log));
    }

    /// What was sealed of a span that was asked for.
    pub(crate) fn state(&self, id: SpanId) -> Option<&SpanState> {
        self.states.get(&id)
    }

    /// Its spans as far as usage goes.
    pub(crate) fn usage(&self) -> &UsageTree {
        &self.usage
    }

    /// The same alone.
    pub(crate) fn into_usage(self) -> UsageTree {
        self.usage
    }

    /// Ids of its log records.
    pub(crate) fn log_ids(&self) -> impl Iterator<Item = &String> {
        self.logs.keys()
    }

    /// The sum over the rows, without spans that do not count.
    pub(crate) fn rollup(&self, without: impl Fn(&SpanId) -> bool) -> Rollup {
        let mut rollup = Rollup::default();
        let Some(any) = self.rows.first().map(|row| row.id) else { return self.with_logs(rollup, without) };
        let mut span = Span::new("", self.trace_id, any, "", Timestamp::default());
        for row in self.rows.iter().filter(|row| !without(&row.id)) {
            row.show(&self.texts, &mut span);
            rollup.add_span(&span);
            if let Some(beats) = row.open {
                rollup.open += 1;
                if beats {
                    rollup.beat = rollup.beat.max(Some(row.seen));
                } else {
                    rollup.quiet += 1;
                }
            }
        }
        self.with_logs(rollup, without)
    }

    fn with_logs(&self, mut rollup: Rollup, without: impl Fn(&SpanId) -> bool) -> Rollup {
        let orphans = self.orphans.iter().filter(|(id, _)| !without(id)).map(|(_, log)| log);
        orphans.chain(self.logs.values()).for_each(|log| rollup.add_log(log));
        rollup.set_usage(self.usage.total());
        rollup
    }
}

impl Row {
    /// Makes `span` what a sum takes from this row.
    fn show(&self, texts: &Texts, span: &mut Span) {
        span.span_id = self.id;
        span.parent_span_id = (!self.root).then_some(self.id);
        span.status = self.failed.then_some(Status::Error);
        (span.start, span.end, span.received) = (self.start, self.end, self.seen);
        span.name.clear();
        span.name.push_str(texts.get(self.name));
        match (&mut span.session_id, self.session.map(|number| texts.get(number))) {
            (Some(known), Some(session)) => {
                known.clear();
                known.push_str(session);
            }
            (known, session) => *known = session.map(str::to_owned),
        }
    }
}

/// What sums take from a log record.
fn without_data(log: &LogRecord) -> LogRecord {
    LogRecord { attrs: Json::from_trusted("{}"), logger: None, code: None, ..log.clone() }
}

#[cfg(test)]
mod tests {
    use aitrace_store::conformance::{end, heartbeat, log, start, tentative};

    use super::super::add_state;
    use super::*;

    /// The sum straight from the messages.
    fn plain(states: &[SpanState], logs: &[LogRecord], without: SpanId) -> Rollup {
        let mut rollup = Rollup::default();
        let mut usage = UsageTree::default();
        for state in states {
            let merged = state.merged().expect("known");
            usage.set(&merged);
            if merged.span_id != without {
                add_state(&mut rollup, Some(&merged), Some(state));
            }
        }
        for log in logs {
            rollup.add_log(log);
        }
        rollup.set_usage(usage.total());
        rollup
    }

    #[test]
    fn sums_are_those_of_the_messages() {
        let mut failed = end("p", 1, 2);
        (failed.status, failed.session_id) = (Some(Status::Error), Some("s".to_owned()));
        failed.input_tokens = Some(7);
        failed.kind = aitrace_model::SpanKind::Llm;
        let mut states: Vec<SpanState> =
            [end("p", 1, 0), end("p", 1, 1), failed, start("p", 1, 3), heartbeat("p", 1, 4, 9)]
                .into_iter()
                .map(SpanState::new)
                .collect();
        let mut late = tentative("p", 1, 4);
        (late.name, late.received) = ("another".to_owned(), aitrace_store::conformance::time(90));
        states[4].join(late);
        states[3].join(tentative("p", 1, 3));
        states[1].join(tentative("p", 1, 1));
        let logs = vec![log("p", Some(1), "x", -5), log("p", Some(1), "y", 5)];
        let mut prior = Prior::new(states[0].merged().expect("known").trace_id);
        for state in &states {
            let merged = state.merged().expect("known");
            assert!(!prior.has(merged.span_id));
            prior.add(&merged, Some(state));
            assert!(prior.has(merged.span_id));
        }
        for log in &logs {
            prior.add_log(log);
        }
        for without in states.iter().map(|state| state.merged().expect("known").span_id) {
            assert_eq!(prior.rollup(|id| *id == without), plain(&states, &logs, without), "{without}");
        }
        assert_eq!(prior.log_ids().count(), 2);
    }
}
