//! Reading: hot first, then what the catalog knows.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aitrace_model::{LogRecord, Span, SpanId, SpanState, Timestamp, TraceId, TraceStatus, TraceSummary};
use aitrace_store::{
    Cursor, PageRequest, ProjectScope, Result, Rollup, StoreStats, StoredSpan, Trace, TraceFilter, TracePage,
    in_tree_order, newest_first, worst_open,
};

use crate::catalog::{Page, TraceRow};
use crate::hot::{HotTrace, Moment, add_state};
use crate::parts;
use crate::segment::{Segments, read_logs, read_spans};
use crate::shared::Shared;

/// Sealed rows of one trace; of rows with one id the latest.
#[derive(Debug, Default)]
pub(crate) struct SealedRows {
    pub(crate) spans: BTreeMap<SpanId, (Span, SpanState)>,
    pub(crate) logs: BTreeMap<String, LogRecord>,
}

/// Files that could not be read, and why.
pub(crate) type Damaged = Vec<(i64, String)>;

/// Rows of a trace in the given files, which are in the order of their making.
pub(crate) fn sealed(
    segments: &Segments,
    ids: &[i64],
    project: &str,
    trace_id: TraceId,
) -> (SealedRows, Damaged) {
    let (mut rows, mut damaged) = (SealedRows::default(), Vec::new());
    for segment in ids.iter().filter_map(|id| segments.get(*id)) {
        let read = || -> parquet::errors::Result<()> {
            if segment.spans {
                for (span, packed) in read_spans(segments, &segment, project, trace_id)? {
                    let state = parts::unpack(&span, packed.as_deref()).ok_or_else(|| {
                        parquet::errors::ParquetError::General("packed messages cannot be read".to_owned())
                    })?;
                    rows.spans.insert(span.span_id, (span, state));
                }
            } else {
                let logs = read_logs(segments, &segment, project, trace_id)?;
                rows.logs.extend(logs.into_iter().map(|log| (log.id.clone(), log)));
            }
            Ok(())
        };
        // The reader panics on some footers that do not add up: those files are damaged as well.
        match catch_unwind(AssertUnwindSafe(read)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => damaged.push((segment.id, error.to_string())),
            Err(_) => damaged.push((segment.id, "its footer does not add up".to_owned())),
        }
    }
    (rows, damaged)
}

/// A page of traces.
pub(crate) fn list(shared: &Shared, filter: &TraceFilter, page: &PageRequest) -> Result<TracePage> {
    let (limit, after, moment) = (page.bounded_limit(), page.cursor.as_ref(), shared.moment());
    let (mut traces, straddling) = hot_page(shared, filter, after, limit + 1, moment);
    let known: BTreeSet<(TraceId, String)> =
        traces.iter().map(|line| (line.trace_id, line.project.clone())).collect();
    let skip = |project: &str, trace_id: TraceId| {
        let key = (trace_id, project.to_owned());
        straddling.contains(&key) || known.contains(&key)
    };
    traces.extend(shared.reader.lock().list(&Page { filter, after, limit: limit + 1 }, skip)?);
    traces.sort_by(newest_first);
    let more = traces.len() > limit;
    traces.truncate(limit);
    let next = traces.last().filter(|_| more).map(Cursor::of);
    Ok(TracePage { traces, next })
}

/// Hot traces of a page, and all hot traces that have a (stale) line in the catalog.
fn hot_page(
    shared: &Shared,
    filter: &TraceFilter,
    after: Option<&Cursor>,
    limit: usize,
    moment: Moment,
) -> (Vec<TraceSummary>, BTreeSet<(TraceId, String)>) {
    let hot = shared.hot.read();
    let (mut lines, mut straddling) = (Vec::new(), BTreeSet::new());
    for trace in hot.newest_first() {
        if !trace.sealed.rollup.is_empty() || !trace.sealed.segments.is_empty() {
            straddling.insert((trace.trace_id, trace.project.to_string()));
        }
        if lines.len() < limit && filter.scope.contains(&trace.project) {
            let line = trace.summary(moment);
            if filter.matches(&line) && after.is_none_or(|after| after.precedes(&line)) {
                lines.push(TraceSummary::clone(&line));
            }
        }
    }
    (lines, straddling)
}

/// What memory has of a trace.
#[derive(Default)]
struct HotPart {
    spans: BTreeMap<SpanId, (Arc<StoredSpan>, Option<SpanState>)>,
    // Spans that are only log records as yet, and spans that outrank their sealed rows, are in
    // `hidden` too: their sealed rows do not count.
    hidden: BTreeSet<SpanId>,
    orphans: Vec<LogRecord>,
    logs: Vec<Arc<LogRecord>>,
    open: Vec<SpanState>,
    heard: Option<Timestamp>,
}

impl HotPart {
    fn of(trace: &HotTrace) -> Self {
        let mut part = Self { heard: Some(trace.heard()), ..Self::default() };
        for (id, span) in &trace.spans {
            part.hidden.insert(*id);
            if let Some(stored) = span.shown() {
                part.spans.insert(*id, (Arc::clone(stored), span.state().cloned()));
            } else if let Some(state) = span.state() {
                part.orphans.extend(state.orphan_logs().cloned());
                part.open.push(state.clone());
            }
        }
        part.logs = trace.logs.values().cloned().collect();
        part
    }
}

/// One trace with the files that could not be read.
pub(crate) fn trace(
    shared: &Shared,
    scope: &ProjectScope,
    trace_id: TraceId,
) -> Result<(Option<Trace>, Damaged)> {
    let moment = shared.moment();
    let mut hot: BTreeMap<String, HotPart> = BTreeMap::new();
    for trace in shared.hot.read().with_id(trace_id) {
        if scope.contains(&trace.project) {
            hot.insert(trace.project.to_string(), HotPart::of(trace));
        }
    }
    let mut rows: BTreeMap<String, TraceRow> = BTreeMap::new();
    for row in shared.reader.lock().traces_with_id(trace_id)? {
        if scope.contains(&row.project) {
            rows.insert(row.project.clone(), row);
        }
    }
    let projects: BTreeSet<String> = hot.keys().chain(rows.keys()).cloned().collect();
    let (mut found, mut damaged): (Option<Trace>, Damaged) = (None, Vec::new());
    for project in projects {
        let part = hot.remove(&project).unwrap_or_default();
        let segments = rows.get(&project).map(|row| row.segments.clone()).unwrap_or_default();
        let (sealed, bad) = sealed(&shared.segments, &segments, &project, trace_id);
        damaged.extend(bad);
        let trace = assemble(&project, trace_id, part, sealed, moment);
        let later = found.as_ref().is_none_or(|found| trace.summary.start >= found.summary.start);
        if later && (trace.summary.spans > 0 || trace.summary.events > 0) {
            found = Some(trace);
        }
    }
    Ok((found, damaged))
}

fn assemble(project: &str, trace_id: TraceId, hot: HotPart, sealed: SealedRows, moment: Moment) -> Trace {
    let mut rollup = Rollup::default();
    let mut logs: BTreeMap<String, LogRecord> = sealed.logs;
    let mut spans: Vec<(Arc<StoredSpan>, Option<SpanState>)> = Vec::new();
    for (id, (span, state)) in sealed.spans {
        if !hot.hidden.contains(&id) {
            let status = if span.is_error() { TraceStatus::Error } else { TraceStatus::Ok };
            spans.push((Arc::new(StoredSpan { span, status }), Some(state)));
        }
    }
    spans.extend(hot.spans.into_values());
    for (stored, state) in &spans {
        // Orphans are added below, as log records, once.
        add_state(&mut rollup, Some(&stored.span), None);
        if let Some(state) = state {
            rollup.heard = rollup.heard.max(Some(state.last_seen()));
            logs.extend(state.orphan_logs().map(|log| (log.id.clone(), log.clone())));
        }
    }
    logs.extend(hot.orphans.into_iter().map(|log| (log.id.clone(), log)));
    logs.extend(hot.logs.iter().map(|log| (log.id.clone(), LogRecord::clone(log))));
    let mut logs: Vec<LogRecord> = logs.into_values().collect();
    logs.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
    for log in &logs {
        rollup.add_log(log);
    }
    let heard = rollup.heard.max(hot.heard).unwrap_or_default();
    let (mut shown, mut open) = (Vec::with_capacity(spans.len()), None);
    for (stored, state) in spans {
        let mut stored = Arc::unwrap_or_clone(stored);
        if let Some(state) = state.filter(|state| !state.is_ended()) {
            stored.status = state.status(moment.now, &moment.lost, heard);
            open = worst_open(open, stored.status);
        }
        shown.push(stored);
    }
    Trace { summary: rollup.summary(project, trace_id, open), spans: in_tree_order(shown), logs }
}

/// Counts, and the size of what is on disk.
pub(crate) fn stats(shared: &Shared) -> Result<StoreStats> {
    let (mut ended, mut open, mut logs) = (0_i64, 0_u64, 0_i64);
    {
        let hot = shared.hot.read();
        for trace in hot.newest_first() {
            ended += trace.sealed.rollup.spans as i64 - trace.sealed.counted.0 as i64;
            logs += trace.sealed.rollup.events as i64 - trace.sealed.counted.1 as i64;
            logs += trace.logs.len() as i64;
            for span in trace.spans.values() {
                ended += i64::from(span.is_ended());
                open += u64::from(!span.is_ended() && span.shown().is_some());
                logs += span.state().map_or(0, |state| state.orphan_logs().count() as i64);
            }
        }
        logs += hot.loose().count() as i64;
    }
    let (spans, sealed_logs) = {
        let reader = shared.reader.lock();
        (reader.total("spans")?, reader.total("logs")?)
    };
    let folder = [shared.folder.clone(), shared.folder.join("..")];
    let sizes = folder.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let disk_bytes = sizes.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file);
    Ok(StoreStats {
        spans: (spans + ended).max(0) as u64,
        open_spans: open,
        logs: (sealed_logs + logs).max(0) as u64,
        segments: shared.segments.all().len() as u64,
        disk_bytes: disk_bytes.map(|file| file.len()).sum(),
    })
}
