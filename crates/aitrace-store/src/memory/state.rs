//! What the model store knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aitrace_model::{
    LogRecord, LostRules, Phase, Span, SpanId, SpanState, Timestamp, TraceId, TraceStatus, TraceSummary,
};

use crate::change::{Change, LostSpan};
use crate::correction::{correct, correct_stored};
use crate::document::{Session, SessionPatch};
use crate::error::Result;
use crate::filter::ProjectScope;
use crate::language::Filter;
use crate::record::{Document, DocumentKind, DocumentWrite};
use crate::rollup::Rollup;
use crate::search::standing;
use crate::stored::StoredSpan;
use crate::telemetry::{Appended, Batch, StoreStats, Trace};
use crate::tree::in_tree_order;
use crate::usage::UsageTree;

/// Everything, keyed by project first.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) traces: BTreeMap<(String, TraceId), Traced>,
    pub(super) loose: BTreeMap<String, BTreeMap<String, LogRecord>>,
    pub(super) sessions: BTreeMap<(String, String), Session>,
    pub(super) documents: BTreeMap<(DocumentKind, String, String), Document>,
}

#[derive(Debug, Default)]
pub(super) struct Traced {
    spans: BTreeMap<SpanId, SpanState>,
    logs: BTreeMap<String, LogRecord>,
}

impl State {
    pub(super) fn append(
        &mut self,
        batch: Batch,
        now: Timestamp,
        lost: &LostRules,
    ) -> (Appended, Vec<Change>) {
        let (mut appended, mut changes, mut touched) = (Appended::default(), Vec::new(), BTreeSet::new());
        let mut count = |new: bool| *(if new { &mut appended.stored } else { &mut appended.duplicates }) += 1;
        for span in batch.spans {
            let key = (span.project.clone(), span.trace_id);
            let (new, change) = self.traces.entry(key.clone()).or_default().join(span, now, lost);
            count(new);
            touched.extend(new.then_some(key));
            changes.extend(change);
        }
        for log in batch.logs {
            let new = self.add_log(&log);
            count(new);
            if new {
                touched.extend(log.trace_id.map(|trace_id| (log.project.clone(), trace_id)));
                changes.push(Change::Log(Arc::new(log)));
            }
        }
        for key in &touched {
            let summary = self.traces[key].read(key, now, lost, &|_| {}).summary;
            changes.push(Change::TraceUpdated(Arc::new(summary)));
        }
        (appended, changes)
    }

    fn add_log(&mut self, log: &LogRecord) -> bool {
        let logs = match log.trace_id {
            None => self.loose.entry(log.project.clone()).or_default(),
            Some(trace_id) => &mut self.traces.entry((log.project.clone(), trace_id)).or_default().logs,
        };
        let new = !logs.contains_key(&log.id);
        if new {
            logs.insert(log.id.clone(), log.clone());
        }
        new
    }

    pub(super) fn summaries(&self, now: Timestamp, lost: &LostRules) -> Vec<TraceSummary> {
        let said = |stored: &mut StoredSpan| self.correct(stored);
        self.traces.iter().map(|(key, trace)| trace.read(key, now, lost, &said).summary).collect()
    }

    /// Joins a span with what was said of it afterwards.
    fn correct(&self, stored: &mut StoredSpan) {
        let id = (DocumentKind::Correction, stored.span.project.clone(), stored.span.span_id.to_hex());
        if let Some(correction) = self.documents.get(&id) {
            correct_stored(stored, correction);
        }
    }

    /// Everything that search and statistics look at: each span with whether it wraps a call, log records.
    pub(super) fn contents(&self) -> (Vec<(Span, bool)>, Vec<LogRecord>) {
        let (mut spans, mut logs) = (Vec::new(), Vec::new());
        for trace in self.traces.values() {
            let (of_trace, more) = self.contents_of(trace);
            spans.extend(of_trace);
            logs.extend(more);
        }
        (spans, logs)
    }

    fn contents_of(&self, trace: &Traced) -> (Vec<(Span, bool)>, Vec<LogRecord>) {
        let (mut spans, logs) = trace.contents();
        for (span, _) in &mut spans {
            let id = (DocumentKind::Correction, span.project.clone(), span.span_id.to_hex());
            if let Some(correction) = self.documents.get(&id) {
                correct(span, correction);
            }
        }
        (spans, logs)
    }

    /// Which of these conditions spans of a trace fulfil.
    pub(super) fn marks(&self, project: &str, trace_id: TraceId, leaves: &[&Filter]) -> u64 {
        let Some(trace) = self.traces.get(&(project.to_owned(), trace_id)) else { return 0 };
        let spans = self.contents_of(trace).0;
        let fulfilled = |leaf: &Filter| spans.iter().any(|(span, _)| leaf.span_says(span, standing(span)));
        leaves.iter().enumerate().fold(0, |marks, (bit, leaf)| marks | u64::from(fulfilled(leaf)) << bit)
    }

    pub(super) fn trace(
        &self,
        scope: &ProjectScope,
        trace_id: TraceId,
        now: Timestamp,
        lost: &LostRules,
    ) -> Option<Trace> {
        self.find(scope, trace_id, now, lost, &|stored| self.correct(stored))
    }

    pub(super) fn sent_trace(
        &self,
        scope: &ProjectScope,
        trace_id: TraceId,
        now: Timestamp,
        lost: &LostRules,
    ) -> Option<Trace> {
        self.find(scope, trace_id, now, lost, &|_| {})
    }

    fn find(
        &self,
        scope: &ProjectScope,
        trace_id: TraceId,
        now: Timestamp,
        lost: &LostRules,
        said: &dyn Fn(&mut StoredSpan),
    ) -> Option<Trace> {
        let held = self.traces.iter().filter(|((project, id), _)| *id == trace_id && scope.contains(project));
        let read = held.map(|(key, trace)| trace.read(key, now, lost, said));
        let read = read.filter(|trace| trace.summary.spans > 0 || trace.summary.events > 0);
        read.max_by(|a, b| (a.summary.start, &a.summary.project).cmp(&(b.summary.start, &b.summary.project)))
    }

    /// Spans that were not lost at one time and are at another.
    pub(super) fn became_lost(&self, after: Timestamp, until: Timestamp, lost: &LostRules) -> Vec<LostSpan> {
        let mut found = Vec::new();
        for (key, trace) in &self.traces {
            let heard = trace.heard();
            for state in trace.spans.values() {
                let Some(span) = state.merged() else { continue };
                let [before, status] = [after, until].map(|now| state.status(now, lost, heard));
                if status == TraceStatus::Lost && before != TraceStatus::Lost {
                    let line = Arc::new(trace.read(key, until, lost, &|_| {}).summary);
                    found.push(LostSpan { stored: Arc::new(StoredSpan { span, status }), line });
                }
            }
        }
        found
    }

    pub(super) fn stats(&self) -> StoreStats {
        let states = || self.traces.values().flat_map(|trace| trace.spans.values());
        let spans = states().filter(|state| state.is_ended()).count() as u64;
        let known = states().filter(|state| state.merged().is_some()).count() as u64;
        let logs = self.traces.values().map(|trace| trace.shown_logs().len()).sum::<usize>()
            + self.loose.values().map(BTreeMap::len).sum::<usize>();
        StoreStats { spans, open_spans: known - spans, logs: logs as u64, ..StoreStats::default() }
    }

    /// Forgets what was received on days that ended before a moment. Returns how much that was.
    pub(super) fn retire(&mut self, oldest: Timestamp) -> u64 {
        const DAY: i64 = 86_400_000_000_000;
        let old = |time: Timestamp| (time.nanos().div_euclid(DAY) + 1).saturating_mul(DAY) <= oldest.nanos();
        let size = |state: &Self| {
            let traces = state.traces.values().map(|trace| trace.spans.len() + trace.logs.len());
            traces.sum::<usize>() + state.loose.values().map(BTreeMap::len).sum::<usize>()
        };
        let before = size(self);
        for trace in self.traces.values_mut() {
            trace.spans.retain(|_, state| state.merged().is_none_or(|span| !old(span.received)));
            trace.logs.retain(|_, log| !old(log.received));
        }
        self.traces.retain(|_, trace| !trace.spans.is_empty() || !trace.logs.is_empty());
        for logs in self.loose.values_mut() {
            logs.retain(|_, log| !old(log.received));
        }
        (before - size(self)) as u64
    }

    pub(super) fn put_session(&mut self, patch: SessionPatch) -> Result<Session> {
        let key = (patch.project.clone(), patch.session_id.clone());
        let session = patch.apply(self.sessions.get(&key).cloned())?;
        self.sessions.insert(key, session.clone());
        Ok(session)
    }

    pub(super) fn put_documents(&mut self, writes: Vec<DocumentWrite>) -> Result<Vec<Document>> {
        let mut written: BTreeMap<(DocumentKind, String, String), Document> = BTreeMap::new();
        let mut answer = Vec::new();
        for write in writes {
            let key = (write.kind, write.project.clone(), write.id.clone());
            let document = write.apply(written.get(&key).or_else(|| self.documents.get(&key)))?;
            written.insert(key, document.clone());
            answer.push(document);
        }
        self.documents.extend(written);
        Ok(answer)
    }

    pub(super) fn session(&self, project: &str, session_id: &str) -> Option<Session> {
        self.sessions.get(&(project.to_owned(), session_id.to_owned())).cloned()
    }

    pub(super) fn projects(&self, scope: &ProjectScope) -> Vec<String> {
        let traces = self.traces.keys().map(|(project, _)| project);
        let loose = self.loose.keys();
        let sessions = self.sessions.keys().map(|(project, _)| project);
        let telling = self.documents.keys().filter(|(kind, ..)| *kind != DocumentKind::Key);
        let documents = telling.map(|(_, project, _)| project);
        let all: BTreeSet<&String> = traces
            .chain(loose)
            .chain(sessions)
            .chain(documents)
            .filter(|project| scope.contains(project))
            .collect();
        all.into_iter().cloned().collect()
    }
}

impl Traced {
    /// Adds a message. Says whether it was new, and what live readers are told of the span.
    fn join(&mut self, message: Span, now: Timestamp, lost: &LostRules) -> (bool, Option<Change>) {
        let (id, tentative) = (message.span_id, message.tentative.clone());
        let telling = message.phase == Phase::Contents;
        let before = self.spans.get(&id).filter(|_| telling).and_then(SpanState::merged);
        let (known, ended) =
            self.spans.get(&id).map_or((false, false), |state| (state.merged().is_some(), state.is_ended()));
        let new = match self.spans.get_mut(&id) {
            Some(state) => state.join(message),
            None => self.spans.insert(id, SpanState::new(message)).is_none(),
        };
        if !new {
            return (false, None);
        }
        let state = &self.spans[&id];
        let stored = || {
            let span = state.merged()?;
            // When the trace was last heard counts for open spans alone, and takes a look at all of them.
            let heard = if state.is_ended() { state.last_seen() } else { self.heard() };
            Some(Arc::new(StoredSpan { span, status: state.status(now, lost, heard) }))
        };
        let change = if state.is_ended() && !ended {
            stored().map(Change::SpanEnded)
        } else if !known && state.merged().is_some() {
            stored().map(Change::SpanStarted)
        } else if telling {
            let more = |stored: &Arc<StoredSpan>| {
                let before = before.as_ref().map(|span| (&span.inputs, &span.outputs));
                before.is_some_and(|before| before != (&stored.span.inputs, &stored.span.outputs))
            };
            stored().filter(more).map(Change::SpanTold)
        } else {
            let orphan = |log: &LogRecord| state.orphan_logs().any(|orphan| orphan.id == log.id);
            tentative.filter(|log| orphan(log)).map(|log| Change::Log(Arc::from(log)))
        };
        (true, change)
    }

    /// Its spans as they were sent, each with whether it wraps a call, and its log records.
    pub(super) fn contents(&self) -> (Vec<(Span, bool)>, Vec<LogRecord>) {
        let spans: Vec<Span> = self.spans.values().filter_map(SpanState::merged).collect();
        let usage: UsageTree = spans.iter().collect();
        let spans = spans.into_iter().map(|span| {
            let wraps = usage.wraps(&span.span_id);
            (span, wraps)
        });
        (spans.collect(), self.shown_logs())
    }

    fn heard(&self) -> Timestamp {
        let spans = self.spans.values().map(SpanState::last_seen);
        spans.chain(self.logs.values().map(|log| log.received)).max().unwrap_or_default()
    }

    fn shown_logs(&self) -> Vec<LogRecord> {
        let orphans = self.spans.values().flat_map(SpanState::orphan_logs);
        let logs: BTreeMap<&str, &LogRecord> =
            orphans.chain(self.logs.values()).map(|log| (log.id.as_str(), log)).collect();
        let mut logs: Vec<LogRecord> = logs.into_values().cloned().collect();
        logs.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
        logs
    }

    /// The trace with its spans as `said` changes them.
    pub(super) fn read(
        &self,
        key: &(String, TraceId),
        now: Timestamp,
        lost: &LostRules,
        said: &dyn Fn(&mut StoredSpan),
    ) -> Trace {
        let (heard, mut rollup) = (self.heard(), Rollup::default());
        let mut spans = Vec::new();
        for state in self.spans.values() {
            let Some(span) = state.merged() else { continue };
            let mut stored = StoredSpan { span, status: state.status(now, lost, heard) };
            said(&mut stored);
            rollup.add_span(&stored.span);
            if !state.is_ended() {
                rollup.add_open(state);
            }
            spans.push(stored);
        }
        rollup.set_usage(spans.iter().map(|stored| &stored.span).collect::<UsageTree>().total());
        let logs = self.shown_logs();
        for log in &logs {
            rollup.add_log(log);
        }
        rollup.heard = Some(heard);
        let open = rollup.open_status(now, lost);
        Trace { summary: rollup.summary(&key.0, key.1, open), spans: in_tree_order(spans), logs }
    }
}
