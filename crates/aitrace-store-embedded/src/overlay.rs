//! Reads of many spans or lines with what was said of spans afterwards.

use std::sync::Arc;

use aitrace_model::TraceSummary;
use aitrace_store::{ProjectScope, StoredSpan};
use parking_lot::RwLockReadGuard;

use crate::catalog::TraceRow;
use crate::corrections::{Failures, Need};
use crate::hot::{Hot, HotTrace, Moment};
use crate::shared::Shared;

/// How often files that came meanwhile are looked through before the read goes on without them.
const TRIES: usize = 4;

/// Nothing moves between memory and files while this is held, and the spans are known that needed corrections are about.
pub(crate) fn hold(shared: &Shared, need: Need) -> RwLockReadGuard<'_, ()> {
    for _ in 0..TRIES {
        if let Err(error) = shared.corrections.look(&shared.segments, &shared.reader, need) {
            tracing::error!(%error, "corrections cannot be read: spans are shown as they were sent");
            break;
        }
        let still = shared.moving.read();
        if shared.corrections.state().knows(&shared.segments, need) {
            return still;
        }
    }
    shared.moving.read()
}

/// The spans in scope that failed only by what was said of them. Call it while [`hold`] holds.
pub(crate) fn failures(shared: &Shared, hot: &Hot, scope: &ProjectScope) -> Failures {
    let (mut failures, state) = (Failures::default(), shared.corrections.state());
    if !state.has(Need::Failures) {
        return failures;
    }
    for trace in hot.newest_first().filter(|trace| scope.contains(&trace.project)) {
        for (id, stored) in trace.spans.iter().filter_map(|(id, span)| Some((id, span.shown()?))) {
            if state.fails(stored) {
                failures.add(&trace.project, trace.trace_id, *id);
            }
        }
    }
    for (_, found) in state.found(&shared.segments, Need::Failures) {
        let span = &found.stored.span;
        let hot = hot.get(&span.project, span.trace_id);
        let over = hot.is_some_and(|trace| trace.spans.contains_key(&span.span_id));
        if scope.contains(&span.project) && !over && state.fails(&found.stored) {
            failures.add(&span.project, span.trace_id, span.span_id);
        }
    }
    failures
}

impl Failures {
    /// The line of a trace in memory.
    pub(crate) fn line(&self, trace: &HotTrace, moment: Moment) -> Arc<TraceSummary> {
        match self.of(&trace.project, trace.trace_id) {
            Some(ids) => Arc::new(trace.summary_with(moment, |rollup| rollup.fail(ids))),
            None => trace.summary(moment),
        }
    }

    /// The line of a trace in files.
    pub(crate) fn row_line(&self, row: &TraceRow, moment: Moment) -> TraceSummary {
        match self.of(&row.project, row.trace_id) {
            Some(ids) => {
                let mut row = row.clone();
                row.rollup.fail(ids);
                row.summary(moment.now, &moment.lost)
            }
            None => row.summary(moment.now, &moment.lost),
        }
    }
}

/// Joins spans with what was said of them.
pub(crate) fn correct_all<'a>(
    shared: &Shared,
    spans: impl Iterator<Item = &'a mut StoredSpan>,
) -> aitrace_store::Result<()> {
    shared.corrections.load(&shared.reader)?;
    let state = shared.corrections.state();
    if !state.is_truncated() {
        spans.for_each(|stored| state.correct(stored, Need::All));
        return Ok(());
    }
    drop(state);
    let reader = shared.reader.lock();
    for stored in spans {
        let (project, id) = (&stored.span.project, stored.span.span_id.to_hex());
        let kind = aitrace_store::DocumentKind::Correction;
        if let Some(said) = crate::document::get(&reader, kind, project, &id)? {
            aitrace_store::correct_stored(stored, &said);
        }
    }
    Ok(())
}
