//! Lists of traces: hot ones first, then the lines of the catalog.

use std::collections::BTreeSet;

use aitrace_model::{TraceId, TraceSummary};
use aitrace_store::{Cursor, PageRequest, ProjectScope, Result, TraceFilter, TracePage, newest_first};

use crate::catalog::Page;
use crate::corrections::{Failures, Need};
use crate::hot::Moment;
use crate::overlay;
use crate::shared::Shared;

/// A page of traces.
pub(crate) fn list(
    shared: &Shared,
    filter: &TraceFilter,
    page: &PageRequest,
    marks: &dyn Fn(&TraceSummary) -> u64,
) -> Result<TracePage> {
    let (limit, after, moment) = (page.bounded_limit(), page.cursor.as_ref(), shared.moment());
    let _still = overlay::hold(shared, Need::Failures);
    let failures = overlay::failures(shared, &shared.hot.read(), &filter.scope);
    let asks = |line: &TraceSummary| {
        filter.matches(line, marks(line)) && after.is_none_or(|after| after.precedes(line))
    };
    let (mut traces, straddling) = hot_page(shared, &asks, &filter.scope, limit + 1, moment, &failures);
    let known: BTreeSet<(TraceId, String)> =
        traces.iter().map(|line| (line.trace_id, line.project.clone())).collect();
    let skip = |project: &str, trace_id: TraceId| {
        let key = (trace_id, project.to_owned());
        straddling.contains(&key) || known.contains(&key) || failures.of(project, trace_id).is_some()
    };
    let asked = Page { now: moment.now, lost: moment.lost, filter, marks, after, limit: limit + 1 };
    let reader = shared.reader.lock();
    traces.extend(reader.list(&asked, skip)?);
    for (project, trace_id) in failures.traces() {
        let is_hot = shared.hot.read().get(project, trace_id).is_some();
        let row = if is_hot { None } else { reader.trace(project, trace_id)? };
        let line = row.map(|row| failures.row_line(&row, moment));
        traces.extend(line.filter(asks));
    }
    drop(reader);
    traces.sort_by(newest_first);
    let more = traces.len() > limit;
    traces.truncate(limit);
    let next = traces.last().filter(|_| more).map(Cursor::of);
    Ok(TracePage { traces, next })
}

/// Hot traces of a page, and all hot traces that have a (stale) line in the catalog.
fn hot_page(
    shared: &Shared,
    asked: &dyn Fn(&TraceSummary) -> bool,
    scope: &ProjectScope,
    limit: usize,
    moment: Moment,
    failures: &Failures,
) -> (Vec<TraceSummary>, BTreeSet<(TraceId, String)>) {
    let hot = shared.hot.read();
    let (mut lines, mut straddling) = (Vec::new(), BTreeSet::new());
    for trace in hot.newest_first() {
        if !trace.sealed.rollup.is_empty() || !trace.sealed.segments.is_empty() {
            straddling.insert((trace.trace_id, trace.project.to_string()));
        }
        if lines.len() < limit && scope.contains(&trace.project) {
            let line = failures.line(trace, moment);
            if holds_any(&line) && asked(&line) {
                lines.push(TraceSummary::clone(&line));
            }
        }
    }
    (lines, straddling)
}

/// Contents that wait for their span are no trace.
fn holds_any(line: &TraceSummary) -> bool {
    line.spans > 0 || line.events > 0
}

/// Gives the lines of all traces in scope, at one moment.
pub(crate) fn each_line(
    shared: &Shared,
    scope: &ProjectScope,
    mut give: impl FnMut(TraceSummary) -> Result<()>,
) -> Result<()> {
    let moment = shared.moment();
    let _still = overlay::hold(shared, Need::Failures);
    // In this order everywhere.
    let (reader, hot) = (shared.reader.lock(), shared.hot.read());
    let failures = overlay::failures(shared, &hot, scope);
    for trace in hot.newest_first().filter(|trace| scope.contains(&trace.project)) {
        let line = failures.line(trace, moment);
        if holds_any(&line) {
            give(TraceSummary::clone(&line))?;
        }
    }
    reader.each_trace(|row| {
        if scope.contains(&row.project) && hot.get(&row.project, row.trace_id).is_none() {
            return give(failures.row_line(&row, moment));
        }
        Ok(())
    })
}
