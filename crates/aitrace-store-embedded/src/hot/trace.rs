//! One trace in memory, and what it needs to know of its sealed part.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use aitrace_model::{
    Json, LogRecord, Phase, Span, SpanId, SpanState, Timestamp, TraceId, TraceStatus, TraceSummary,
};
use aitrace_store::{Change, LostSpan, Rollup, StoredSpan, UsageTree, log_bytes};

use super::prior::Prior;
use super::span::{HotSpan, Taken, Weight};
use super::{Moment, SealedTrace};

/// Bytes of a trace in memory beside its spans and log records: itself, its line, its places in the indexes, and the
/// first leaf of each of its maps, which have room for eleven.
const OWN: usize = size_of::<HotTrace>() + size_of::<TraceSummary>() + 1024;
/// Bytes of the id of a log record, about.
const ID: usize = 80;

/// What is sealed of a trace.
#[derive(Debug, Clone, Default)]
pub(crate) struct SealedPart {
    /// The sum over sealed rows that still count.
    pub(crate) rollup: Rollup,
    /// Ended spans, open spans and log records in the catalog's line, superseded ones included.
    pub(crate) counted: [i64; 3],
    /// Files that hold rows of it.
    pub(crate) segments: Vec<i64>,
    /// Its sealed spans.
    pub(crate) spans: Arc<UsageTree>,
    /// Ids of its sealed log records.
    pub(crate) logs: Arc<HashSet<String>>,
}

/// One trace.
#[derive(Debug)]
pub(crate) struct HotTrace {
    pub(crate) project: Arc<str>,
    pub(crate) trace_id: TraceId,
    pub(crate) sealed: SealedPart,
    pub(crate) spans: BTreeMap<SpanId, HotSpan>,
    pub(crate) logs: BTreeMap<String, Arc<LogRecord>>,
    /// Where the index has it.
    pub(super) listed: Option<Timestamp>,
    // Spans whose part of the line is not fixed yet.
    unsettled: BTreeSet<SpanId>,
    // The sum over settled spans and log records.
    settled: Rollup,
    // The line, where nothing in it depends on the time.
    line: Option<Arc<TraceSummary>>,
    weight: Weight,
    /// All its spans, sealed ones too, as far as usage goes.
    pub(crate) usage: UsageTree,
}

impl HotTrace {
    pub(super) fn new(project: &str, trace_id: TraceId, sealed: SealedPart) -> Self {
        Self {
            project: project.into(),
            trace_id,
            usage: UsageTree::clone(&sealed.spans),
            sealed,
            spans: BTreeMap::new(),
            logs: BTreeMap::new(),
            listed: None,
            unsettled: BTreeSet::new(),
            settled: Rollup::default(),
            line: None,
            weight: Weight::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.logs.is_empty()
    }

    /// What it weighs; nothing while there is nothing of it in memory.
    pub(crate) fn weight(&self) -> Weight {
        if self.is_empty() {
            return Weight::default();
        }
        let known = self.usage.bytes() + self.sealed.spans.bytes() + self.sealed.logs.len() * ID;
        Weight { bytes: self.weight.bytes + OWN + known, ..self.weight }
    }

    /// Bytes of its spans and log records in memory.
    pub(crate) fn contents_bytes(&self) -> usize {
        self.weight.bytes
    }

    /// Adds a message. `prior` must be given where the span is sealed and not here. Returns whether
    /// it said anything new, and what live readers are told where `telling`.
    pub(super) fn join(
        &mut self,
        message: Span,
        prior: Option<&Prior>,
        moment: Moment,
        telling: bool,
    ) -> (bool, Option<Change>) {
        let id = message.span_id;
        let tentative = message.tentative.clone().filter(|_| telling);
        let contents = message.phase == Phase::Contents;
        let before = if contents && telling { self.contents(id, prior) } else { None };
        let weight = self.spans.get(&id).map(HotSpan::weight).unwrap_or_default();
        let was = match self.spans.get_mut(&id) {
            Some(span) => {
                let was = (span.shown().is_some(), span.is_ended(), span.is_settled());
                if !span.join(message) {
                    return (false, None);
                }
                was
            }
            None => match self.insert(message, prior) {
                Some(was) => was,
                None => return (false, None),
            },
        };
        self.account(id, weight, was.2, contents);
        let change = telling.then(|| self.change(id, was, tentative, moment)).flatten();
        (true, change.or_else(|| self.told(id, &before?, moment)))
    }

    /// A span that is not here yet. Returns how it stood before, `None` if nothing is new.
    fn insert(&mut self, message: Span, prior: Option<&Prior>) -> Option<(bool, bool, bool)> {
        let id = message.span_id;
        let known = prior.filter(|_| self.sealed.spans.contains(&id)).and_then(|prior| prior.state(id));
        let Some((state, prior)) = known.zip(prior) else {
            let sealed = |log: &LogRecord| self.sealed.logs.contains(&log.id);
            if message.tentative.as_deref().is_some_and(sealed) && !self.sealed.spans.contains(&id) {
                // It left memory as the log record that it was.
                return None;
            }
            self.spans.insert(id, HotSpan::new(message));
            return Some((false, false, false));
        };
        let mut joined = state.clone();
        if !joined.join(message) {
            return None;
        }
        self.spans.insert(id, HotSpan::joined(joined, true));
        self.sealed.rollup = prior.rollup(|id| self.spans.get(id).is_some_and(HotSpan::is_over));
        Some((state.merged().is_some(), state.is_ended(), false))
    }

    /// Updates sums after a span changed, which weighed `before` and was settled or not. What log records tell of it
    /// is in no sum.
    fn account(&mut self, id: SpanId, before: Weight, was_settled: bool, contents: bool) {
        let span = &self.spans[&id];
        self.weight = self.weight.changed(before, span.weight());
        if let Some(stored) = span.shown() {
            self.usage.set(&stored.span);
        }
        let settled = span.is_settled();
        if !settled {
            self.unsettled.insert(id);
        } else if !was_settled {
            self.unsettled.remove(&id);
            add_state(&mut self.settled, span.shown().map(|stored| &stored.span), span.state());
        }
        if was_settled && !contents {
            self.resum();
        }
        self.line = None;
    }

    fn resum(&mut self) {
        self.settled = Rollup::default();
        for span in self.spans.values().filter(|span| span.is_settled()) {
            add_state(&mut self.settled, span.shown().map(|stored| &stored.span), span.state());
        }
        for log in self.logs.values() {
            self.settled.add_log(log);
        }
        let logs = self.logs.values().map(|log| log_weight(log));
        let weights = self.spans.values().map(HotSpan::weight).chain(logs);
        self.weight = weights.fold(Weight::default(), |sum, one| sum.changed(Weight::default(), one));
    }

    fn change(
        &self,
        id: SpanId,
        (shown, ended, _): (bool, bool, bool),
        tentative: Option<Box<LogRecord>>,
        moment: Moment,
    ) -> Option<Change> {
        let span = &self.spans[&id];
        match as_of(span, moment, self.heard()) {
            Some(stored) if span.is_ended() && !ended => Some(Change::SpanEnded(stored)),
            Some(stored) if !shown => Some(Change::SpanStarted(stored)),
            _ => {
                let orphans = |id: &str| {
                    span.state().is_some_and(|state| state.orphan_logs().any(|orphan| orphan.id == id))
                };
                tentative.filter(|log| orphans(&log.id)).map(|log| Change::Log(Arc::from(log)))
            }
        }
    }

    /// Inputs and outputs of a span as it is known.
    fn contents(&self, id: SpanId, prior: Option<&Prior>) -> Option<[Option<Json>; 2]> {
        match self.spans.get(&id) {
            Some(span) => {
                span.shown().map(|stored| [stored.span.inputs.clone(), stored.span.outputs.clone()])
            }
            None => prior?.state(id)?.merged().map(|span| [span.inputs, span.outputs]),
        }
    }

    /// What live readers are told of a span of which a log record told contents.
    fn told(&self, id: SpanId, before: &[Option<Json>; 2], moment: Moment) -> Option<Change> {
        let span = self.spans.get(&id)?;
        let after = &span.shown()?.span;
        let more = before.each_ref() != [&after.inputs, &after.outputs];
        more.then(|| as_of(span, moment, self.heard()).map(Change::SpanTold)).flatten()
    }

    pub(super) fn add_log(&mut self, log: &Arc<LogRecord>) -> bool {
        if self.sealed.logs.contains(&log.id) || self.logs.contains_key(&log.id) {
            return false;
        }
        self.logs.insert(log.id.clone(), Arc::clone(log));
        self.settled.add_log(log);
        (self.weight, self.line) = (self.weight.changed(Weight::default(), log_weight(log)), None);
        true
    }

    /// When anything of it was last received.
    pub(crate) fn heard(&self) -> Timestamp {
        let open = self.unsettled.iter().filter_map(|id| self.spans[id].state()).map(SpanState::last_seen);
        open.chain(self.sealed.rollup.heard).chain(self.settled.heard).max().unwrap_or_default()
    }

    /// Its line at a moment.
    pub(crate) fn summary(&self, moment: Moment) -> Arc<TraceSummary> {
        if let Some(line) = &self.line {
            return Arc::clone(line);
        }
        Arc::new(self.summary_with(moment, |_| {}))
    }

    /// The same with its sum as `change` makes it.
    pub(crate) fn summary_with(&self, moment: Moment, change: impl FnOnce(&mut Rollup)) -> TraceSummary {
        let mut rollup = self.sealed.rollup.clone();
        rollup.merge(&self.settled);
        for id in &self.unsettled {
            let span = &self.spans[id];
            add_state(&mut rollup, span.shown().map(|stored| &stored.span), span.state());
        }
        rollup.set_usage(self.usage.total());
        rollup.heard = Some(self.heard());
        change(&mut rollup);
        let open = rollup.open_status(moment.now, &moment.lost);
        rollup.summary(&self.project, self.trace_id, open)
    }

    /// The line anew, kept where no time can change it.
    pub(super) fn refresh(&mut self, moment: Moment) -> Arc<TraceSummary> {
        self.line = None;
        let line = self.summary(moment);
        if self.unsettled.is_empty() && self.sealed.rollup.open == 0 {
            self.line = Some(Arc::clone(&line));
        }
        line
    }

    /// Whether all that there is of it was sealed.
    pub(super) fn is_as_taken(&self, sealed: &SealedTrace) -> bool {
        let SealedTrace { spans, orphans, logs, .. } = sealed;
        let as_taken = |taken: &Taken| {
            self.spans.get(&taken.stored.span.span_id).is_some_and(|span| span.is_as_taken(taken))
        };
        orphans.is_empty()
            && self.spans.len() == spans.len()
            && self.logs.len() == logs.len()
            && spans.iter().all(as_taken)
            && logs.iter().all(|log| self.logs.contains_key(&log.id))
    }

    /// Forgets what was sealed, which `part` has now. Spans of which something was said meanwhile stay, and
    /// outrank their sealed rows. Whether such spans are here: then the sum in `part` counts too much.
    pub(super) fn sealed_as(&mut self, sealed: &SealedTrace) -> bool {
        let SealedTrace { part, spans, orphans, logs, .. } = sealed;
        self.sealed = part.clone();
        for (id, state) in orphans {
            if self.spans.get(id).and_then(HotSpan::shared_state).is_some_and(|now| Arc::ptr_eq(&now, state))
            {
                self.spans.remove(id);
                self.unsettled.remove(id);
            }
        }
        for taken in spans {
            let id = taken.stored.span.span_id;
            if self.spans.get(&id).is_some_and(|span| span.is_as_taken(taken)) {
                self.spans.remove(&id);
                self.unsettled.remove(&id);
            } else if let Some(span) = self.spans.get_mut(&id) {
                span.set_over();
            }
        }
        for log in logs {
            self.logs.remove(&log.id);
        }
        self.resum();
        self.line = None;
        self.spans.values().any(HotSpan::is_over)
    }

    /// Whether nothing is known of a span but contents that log records tell.
    pub(super) fn waits(&self, id: SpanId) -> bool {
        let span = self.spans.get(&id).filter(|span| span.shown().is_none());
        span.and_then(HotSpan::state).is_some_and(|state| state.orphan_logs().next().is_none())
    }

    /// Forgets a span of which nothing else is known.
    pub(super) fn forget_waiting(&mut self, id: SpanId) {
        if let Some(span) = self.spans.remove(&id) {
            self.weight = self.weight.changed(span.weight(), Weight::default());
            self.unsettled.remove(&id);
            self.line = None;
        }
    }

    /// The sum over sealed rows anew, from the rows themselves.
    pub(crate) fn set_prior(&mut self, prior: &Prior) {
        self.sealed.rollup = prior.rollup(|id| self.spans.get(id).is_some_and(HotSpan::is_over));
        self.line = None;
    }

    /// Replaces what is known of the sealed part.
    pub(crate) fn set_sealed(&mut self, part: SealedPart, prior: &Prior) {
        self.usage = UsageTree::clone(&part.spans);
        self.sealed = part;
        self.spans.values().filter_map(HotSpan::shown).for_each(|stored| self.usage.set(&stored.span));
        self.set_prior(prior);
    }

    /// Its spans that were not lost at one time and are at the moment.
    pub(super) fn became_lost(&self, after: Timestamp, moment: Moment) -> Vec<LostSpan> {
        // Most traces have no open span.
        if self.unsettled.is_empty() {
            return Vec::new();
        }
        let (heard, mut line) = (self.heard(), None);
        let lost = self.unsettled.iter().filter_map(|id| {
            let span = &self.spans[id];
            let before = span.state()?.status(after, &moment.lost, heard);
            let stored = as_of(span, moment, heard)?;
            if stored.status != TraceStatus::Lost || before == TraceStatus::Lost {
                return None;
            }
            let line = line.get_or_insert_with(|| self.summary(moment));
            Some(LostSpan { stored, line: Arc::clone(line) })
        });
        lost.collect()
    }

    /// The spans that have not ended, or those of which only ends are known that are log records as yet, with when
    /// they were last heard of and how many bytes they take.
    pub(crate) fn open(&self, known: bool) -> impl Iterator<Item = (Timestamp, SpanId, usize)> + '_ {
        let open = self.unsettled.iter().filter_map(|id| Some((*id, self.spans.get(id)?)));
        let open = open.filter(move |(_, span)| !span.is_ended() && span.shown().is_some() == known);
        open.filter_map(|(id, span)| Some((span.state()?.last_seen(), id, span.weight().bytes)))
    }
}

/// A span with its status at a moment.
fn as_of(span: &HotSpan, moment: Moment, heard: Timestamp) -> Option<Arc<StoredSpan>> {
    let shown = span.shown()?;
    let Some(state) = span.state().filter(|state| !state.is_ended()) else {
        return Some(Arc::clone(shown));
    };
    let status = state.status(moment.now, &moment.lost, heard);
    if status == shown.status {
        return Some(Arc::clone(shown));
    }
    Some(Arc::new(StoredSpan { span: shown.span.clone(), status }))
}

/// Adds a span with the log records that its messages are besides, and whether it is open.
pub(crate) fn add_state(rollup: &mut Rollup, merged: Option<&Span>, state: Option<&SpanState>) {
    if let Some(merged) = merged {
        rollup.add_span(merged);
    }
    if let Some(state) = state {
        state.orphan_logs().for_each(|log| rollup.add_log(log));
        if merged.is_some() && !state.is_ended() {
            rollup.add_open(state);
        }
        rollup.heard = rollup.heard.max(Some(state.last_seen()));
    }
}

/// What a log record weighs.
pub(super) fn log_weight(log: &LogRecord) -> Weight {
    Weight { rows: 1, open: 0, bytes: log_bytes(log) + ID }
}
