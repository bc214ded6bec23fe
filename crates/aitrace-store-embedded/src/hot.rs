//! What is not sealed yet: open spans, finished spans, log records, in memory.
//!
//! Invariants: a span that is here outranks its sealed rows; the index by start holds each trace
//! once, at the start that its line shows; only the writer thread changes anything.

mod prior;
mod span;
mod trace;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use aitrace_model::{LogRecord, LostRules, SpanId, SpanState, Timestamp, TraceId};
use aitrace_store::{Appended, Batch, Change, LostSpan};

pub(crate) use prior::Prior;
pub(crate) use span::{Taken, Weight};
pub(crate) use trace::{HotTrace, SealedPart, add_state};

/// When it is, and what silence means now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) lost: LostRules,
}

/// What must be known of sealed rows before a batch can be applied, by project and trace.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// What is sealed of traces that are not hot.
    pub(crate) sealed: HashMap<(TraceId, String), SealedPart>,
    /// Sealed rows of traces of which a sealed span is spoken of again.
    pub(crate) priors: HashMap<(TraceId, String), Prior>,
    /// Sealed log records that are in no trace, of those in the batch.
    pub(crate) loose: HashSet<(String, String)>,
}

/// The hot state.
#[derive(Debug, Default)]
pub(crate) struct Hot {
    // Nearly always one project for each id.
    traces: HashMap<TraceId, Vec<HotTrace>>,
    by_start: BTreeSet<(Timestamp, TraceId, Arc<str>)>,
    loose: BTreeMap<(String, String), Arc<LogRecord>>,
    weight: Weight,
}

impl Hot {
    /// What it weighs.
    pub(crate) fn weight(&self) -> Weight {
        self.weight
    }

    pub(crate) fn get(&self, project: &str, trace_id: TraceId) -> Option<&HotTrace> {
        self.with_id(trace_id).iter().find(|trace| &*trace.project == project)
    }

    /// The traces of an id, one for each project.
    pub(crate) fn with_id(&self, trace_id: TraceId) -> &[HotTrace] {
        self.traces.get(&trace_id).map_or(&[], Vec::as_slice)
    }

    /// All traces, newest start first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &HotTrace> {
        self.by_start.iter().rev().filter_map(|(_, trace_id, project)| self.get(project, *trace_id))
    }

    /// Log records that are in no trace.
    pub(crate) fn loose(&self) -> impl Iterator<Item = &Arc<LogRecord>> {
        self.loose.values()
    }

    /// Spans that were not lost at one time and are at the moment.
    pub(crate) fn became_lost(&self, after: Timestamp, moment: Moment) -> Vec<LostSpan> {
        self.traces.values().flatten().flat_map(|trace| trace.became_lost(after, moment)).collect()
    }

    /// Applies a batch. `tell` is called with what live readers want to know; `None` if nobody listens.
    pub(crate) fn apply(
        &mut self,
        batch: Batch,
        prepared: &Prepared,
        moment: Moment,
        mut tell: Option<&mut dyn FnMut(Change)>,
    ) -> Appended {
        let (mut appended, mut touched, mut idle) = (Appended::default(), BTreeSet::new(), BTreeSet::new());
        // Spans of a trace stand together, as a rule: what they share is looked up once.
        let mut spans = batch.spans.into_iter().peekable();
        while let Some(first) = spans.next() {
            let key = (first.trace_id, first.project.clone());
            let prior = prepared.priors.get(&key);
            let trace = trace_mut(&mut self.traces, &key, &prepared.sealed);
            let (before, mut any) = (trace.weight(), false);
            let mut next = Some(first);
            while let Some(span) = next {
                let (new, change) = trace.join(span, prior, moment, tell.is_some());
                any |= new;
                count(&mut appended, new);
                if let (Some(change), Some(tell)) = (change, &mut tell) {
                    tell(change);
                }
                next = spans.next_if(|span| span.trace_id == key.0 && span.project == key.1);
            }
            self.weight = self.weight.changed(before, trace.weight());
            if any {
                touched.insert(key)
            } else {
                idle.insert(key)
            };
        }
        for log in batch.logs {
            let (new, key, log) = self.add_log(log, prepared);
            count(&mut appended, new);
            if new {
                touched.extend(key);
            } else {
                idle.extend(key);
            }
            if let (true, Some(tell)) = (new, &mut tell) {
                tell(Change::Log(log));
            }
        }
        for (trace_id, project) in touched {
            self.settle(trace_id, &project, moment, &mut tell);
        }
        // Of a trace that is sealed as a whole nothing must stay when what came was known already.
        for (trace_id, project) in idle {
            self.forget_if_empty(trace_id, &project);
        }
        appended
    }

    fn forget_if_empty(&mut self, trace_id: TraceId, project: &str) {
        if let Some(traces) = self.traces.get_mut(&trace_id) {
            traces.retain(|trace| &*trace.project != project || !trace.is_empty());
            if traces.is_empty() {
                self.traces.remove(&trace_id);
            }
        }
    }

    fn add_log(
        &mut self,
        log: LogRecord,
        prepared: &Prepared,
    ) -> (bool, Option<(TraceId, String)>, Arc<LogRecord>) {
        let log = Arc::new(log);
        let key = log.trace_id.map(|trace_id| (trace_id, log.project.clone()));
        let new = if let Some(key) = &key {
            let trace = trace_mut(&mut self.traces, key, &prepared.sealed);
            let before = trace.weight();
            let new = trace.add_log(&log);
            self.weight = self.weight.changed(before, trace.weight());
            new
        } else {
            let key = (log.project.clone(), log.id.clone());
            let new = !prepared.loose.contains(&key)
                && !self.loose.contains_key(&key)
                && self.loose.insert(key, Arc::clone(&log)).is_none();
            if new {
                self.weight = self.weight.changed(Weight::default(), trace::log_weight(&log));
            }
            new
        };
        (new, key, log)
    }

    /// Brings the line of a trace and its place in the index up to date.
    fn settle(
        &mut self,
        trace_id: TraceId,
        project: &str,
        moment: Moment,
        tell: &mut Option<&mut dyn FnMut(Change)>,
    ) {
        let traces = self.traces.get_mut(&trace_id);
        let Some(trace) = traces.into_iter().flatten().find(|trace| &*trace.project == project) else {
            return;
        };
        let line = trace.refresh(moment);
        if trace.listed != Some(line.start) {
            if let Some(old) = trace.listed.replace(line.start) {
                self.by_start.remove(&(old, trace_id, Arc::clone(&trace.project)));
            }
            self.by_start.insert((line.start, trace_id, Arc::clone(&trace.project)));
        }
        if let Some(tell) = tell {
            tell(Change::TraceUpdated(line));
        }
    }

    /// Forgets what was sealed of a trace, and keeps what is left. Whether its sealed sum must be made anew. Where nothing
    /// is left the trace goes to `gone`, to be freed later.
    pub(crate) fn sealed(&mut self, sealed: &SealedTrace, moment: Moment, gone: &mut Vec<HotTrace>) -> bool {
        let Some(trace) = self.get_mut(&sealed.project, sealed.trace_id) else { return false };
        if trace.is_as_taken(sealed) {
            gone.extend(self.remove(&sealed.project, sealed.trace_id));
            return false;
        }
        let before = trace.weight();
        let stale = trace.sealed_as(sealed);
        let after = trace.weight();
        self.weight = self.weight.changed(before, after);
        if self.get(&sealed.project, sealed.trace_id).is_some_and(HotTrace::is_empty) {
            self.remove(&sealed.project, sealed.trace_id);
            return false;
        }
        self.settle(sealed.trace_id, &sealed.project, moment, &mut None);
        stale
    }

    /// Forgets log records that are in no trace and were sealed.
    pub(crate) fn sealed_loose(&mut self, logs: &[Arc<LogRecord>]) {
        for log in logs {
            if self.loose.remove(&(log.project.clone(), log.id.clone())).is_some() {
                self.weight = self.weight.changed(trace::log_weight(log), Weight::default());
            }
        }
    }

    /// Forgets contents that wait for these spans.
    pub(crate) fn forget_waiting<'s>(
        &mut self,
        spans: impl IntoIterator<Item = &'s (TraceId, SpanId, Arc<str>)>,
        moment: Moment,
    ) {
        for (trace_id, id, project) in spans {
            if self.get(project, *trace_id).is_some_and(|trace| trace.waits(*id)) {
                self.change(project, *trace_id, moment, |trace| trace.forget_waiting(*id));
                if self.get(project, *trace_id).is_some_and(HotTrace::is_empty) {
                    self.remove(project, *trace_id);
                }
            }
        }
    }

    /// Replaces what is known of the sealed part of a trace, where it is hot.
    pub(crate) fn change(
        &mut self,
        project: &str,
        trace_id: TraceId,
        moment: Moment,
        change: impl FnOnce(&mut HotTrace),
    ) {
        if let Some(trace) = self.get_mut(project, trace_id) {
            let before = trace.weight();
            change(trace);
            let after = trace.weight();
            self.weight = self.weight.changed(before, after);
            self.settle(trace_id, project, moment, &mut None);
        }
    }

    /// Forgets a trace.
    pub(crate) fn remove(&mut self, project: &str, trace_id: TraceId) -> Option<HotTrace> {
        let traces = self.traces.get_mut(&trace_id)?;
        let index = traces.iter().position(|trace| &*trace.project == project)?;
        let trace = traces.swap_remove(index);
        if traces.is_empty() {
            self.traces.remove(&trace_id);
        }
        if let Some(start) = trace.listed {
            self.by_start.remove(&(start, trace_id, Arc::clone(&trace.project)));
        }
        self.weight = self.weight.changed(trace.weight(), Weight::default());
        Some(trace)
    }

    /// Forgets the log records of a project that are in no trace. Returns how many there were.
    pub(crate) fn remove_loose(&mut self, project: &str) -> u64 {
        let of: Vec<_> = self.loose.values().filter(|log| log.project == project).cloned().collect();
        self.sealed_loose(&of);
        of.len() as u64
    }

    fn get_mut(&mut self, project: &str, trace_id: TraceId) -> Option<&mut HotTrace> {
        self.traces.get_mut(&trace_id)?.iter_mut().find(|trace| &*trace.project == project)
    }
}

/// What a seal did with one trace.
#[derive(Debug)]
pub(crate) struct SealedTrace {
    pub(crate) project: Arc<str>,
    pub(crate) trace_id: TraceId,
    /// What is sealed of it now.
    pub(crate) part: SealedPart,
    /// What was taken of it.
    pub(crate) spans: Vec<Taken>,
    /// Messages that were taken as the log records that they are.
    pub(crate) orphans: Vec<(SpanId, Arc<SpanState>)>,
    pub(crate) logs: Vec<Arc<LogRecord>>,
}

fn count(appended: &mut Appended, new: bool) {
    *(if new { &mut appended.stored } else { &mut appended.duplicates }) += 1;
}

fn trace_mut<'a>(
    traces: &'a mut HashMap<TraceId, Vec<HotTrace>>,
    key: &(TraceId, String),
    sealed: &HashMap<(TraceId, String), SealedPart>,
) -> &'a mut HotTrace {
    let traces = traces.entry(key.0).or_default();
    let index = traces.iter().position(|trace| *trace.project == key.1).unwrap_or_else(|| {
        traces.push(HotTrace::new(key.1.as_str(), key.0, sealed.get(key).cloned().unwrap_or_default()));
        traces.len() - 1
    });
    &mut traces[index]
}
