//! Reading: hot first, then what the catalog knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aitrace_model::{
    LogRecord, Phase, Span, SpanId, SpanState, Timestamp, TraceId, TraceStatus, TraceSummary,
};
use aitrace_store::{
    Bone, ProjectScope, Result, Rollup, Skeleton, StoreStats, StoredSpan, Trace, UsageTree, in_tree_order,
};

use crate::bodies;
use crate::bones::{self, Shown};
use crate::catalog::TraceRow;
use crate::corrections::Need;
use crate::hot::{HotTrace, Moment};
use crate::overlay;
pub(crate) use crate::sealed::Damaged;
use crate::sealed::{self, SealedRows};
use crate::segment::Segment;
use crate::shared::Shared;

/// Columns that the line of a trace is summed from.
pub(crate) const LINE: &[&str] = &[
    "project",
    "trace_id",
    "span_id",
    "parent_span_id",
    "heartbeats",
    "name",
    "kind",
    "event_type",
    "status",
    "error_type",
    "start",
    "end",
    "received",
    "session_id",
    "input_tokens",
    "output_tokens",
    "cost",
];

/// A span that was read without its messages, as a message of its own.
pub(crate) fn phased(mut span: Span) -> Span {
    if span.end.is_none() {
        span.phase = if span.heartbeats { Phase::Heartbeat } else { Phase::Start };
    }
    span
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
    heard: Option<Timestamp>,
}

/// What a read takes of a trace in memory.
trait OfHot {
    /// Of one that is there.
    fn of(trace: &HotTrace) -> Self;

    /// Of one that is in files alone, and was heard of last at a time.
    fn sealed(heard: Option<Timestamp>) -> Self;
}

impl OfHot for HotPart {
    fn sealed(heard: Option<Timestamp>) -> Self {
        Self { heard, ..Self::default() }
    }

    fn of(trace: &HotTrace) -> Self {
        let mut part = Self { heard: Some(trace.heard()), ..Self::default() };
        for (id, span) in &trace.spans {
            part.hidden.insert(*id);
            if let Some(stored) = span.shown() {
                part.spans.insert(*id, (Arc::clone(stored), span.state().cloned()));
            } else if let Some(state) = span.state() {
                part.orphans.extend(state.orphan_logs().cloned());
            }
        }
        part.logs = trace.logs.values().cloned().collect();
        part
    }
}

/// How much memory has of a trace.
#[derive(Debug, Default)]
pub(crate) struct HotSize {
    pub(crate) spans: usize,
    pub(crate) logs: usize,
    pub(crate) bytes: usize,
}

impl OfHot for HotSize {
    fn of(trace: &HotTrace) -> Self {
        Self { spans: trace.spans.len(), logs: trace.logs.len(), bytes: trace.contents_bytes() }
    }

    fn sealed(_heard: Option<Timestamp>) -> Self {
        Self::default()
    }
}

/// What is known of a trace without reading files.
struct Line<H> {
    project: String,
    summary: TraceSummary,
    files: Vec<Arc<Segment>>,
    hot: H,
    /// Spans that failed only by what was said of them afterwards.
    failed: BTreeSet<SpanId>,
}

/// The line of a trace; of several projects in scope the one that started last.
fn line<H: OfHot>(
    shared: &Shared,
    scope: &ProjectScope,
    trace_id: TraceId,
    moment: Moment,
) -> Result<Option<Line<H>>> {
    let _still = overlay::hold(shared, Need::Failures);
    let mut lines: BTreeMap<String, (TraceSummary, H)> = BTreeMap::new();
    let hot = shared.hot.read();
    let failures = overlay::failures(shared, &hot, scope);
    for trace in hot.with_id(trace_id) {
        if scope.contains(&trace.project) {
            let summary = TraceSummary::clone(&failures.line(trace, moment));
            lines.insert(trace.project.to_string(), (summary, H::of(trace)));
        }
    }
    drop(hot);
    let rows = shared.reader.lock().traces_with_id(trace_id)?;
    let mut segments: BTreeMap<String, TraceRow> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| scope.contains(&row.project)) {
        lines
            .entry(row.project.clone())
            .or_insert_with(|| (failures.row_line(&row, moment), H::sealed(row.rollup.heard)));
        segments.insert(row.project.clone(), row);
    }
    let shown = lines.into_iter().filter(|(_, (line, _))| line.spans > 0 || line.events > 0);
    let last = shown.max_by(|(a, (one, _)), (b, (other, _))| (one.start, a).cmp(&(other.start, b)));
    Ok(last.map(|(project, (summary, hot))| {
        let ids = segments.get(&project).map(|row| row.segments.as_slice()).unwrap_or_default();
        let files = shared.segments.resolve(ids);
        let failed = failures.of(&project, trace_id).cloned().unwrap_or_default();
        Line { project, summary, files, hot, failed }
    }))
}

/// The line of a trace in scope, the files that hold rows of it, and how much memory has of it.
pub(crate) type Seen = (TraceSummary, Vec<Arc<Segment>>, HotSize);

/// What is known of a trace without reading files, and without touching its contents.
pub(crate) fn seen(shared: &Shared, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Seen>> {
    let line = line::<HotSize>(shared, scope, trace_id, shared.moment())?;
    Ok(line.map(|line| (line.summary, line.files, line.hot)))
}

/// One trace with the files that could not be read.
pub(crate) fn trace(
    shared: &Shared,
    scope: &ProjectScope,
    trace_id: TraceId,
) -> Result<(Option<Trace>, Damaged)> {
    read_trace(shared, scope, trace_id, |spans| overlay::correct_all(shared, spans.iter_mut()))
}

/// The same without late corrections.
pub(crate) fn sent_trace(
    shared: &Shared,
    scope: &ProjectScope,
    trace_id: TraceId,
) -> Result<(Option<Trace>, Damaged)> {
    read_trace(shared, scope, trace_id, |_| Ok(()))
}

fn read_trace(
    shared: &Shared,
    scope: &ProjectScope,
    trace_id: TraceId,
    said: impl FnOnce(&mut [StoredSpan]) -> Result<()>,
) -> Result<(Option<Trace>, Damaged)> {
    let moment = shared.moment();
    let Some(line) = line::<HotPart>(shared, scope, trace_id, moment)? else { return Ok((None, Vec::new())) };
    let (sealed, damaged) = sealed::whole(&shared.segments, &line.files, &line.project, trace_id, None);
    let trace = assemble(&line.project, trace_id, line.hot, sealed, moment, said)?;
    Ok((Some(trace).filter(|trace| trace.summary.spans > 0 || trace.summary.events > 0), damaged))
}

/// The tree of a trace with the files that could not be read.
pub(crate) fn skeleton(
    shared: &Shared,
    scope: &ProjectScope,
    trace_id: TraceId,
) -> Result<(Option<Skeleton>, Damaged)> {
    let moment = shared.moment();
    let Some(line) = line::<HotPart>(shared, scope, trace_id, moment)? else { return Ok((None, Vec::new())) };
    let hot = &line.hot;
    let shown = Shown { moment, heard: hot.heard.unwrap_or_default(), hidden: &hot.hidden };
    let (mut spans, damaged) = bones::sealed(&shared.segments, &line.files, &line.project, trace_id, &shown);
    // Spans in memory are only looked at: a copy of all their contents would cost more than all the rest.
    spans.extend(hot.spans.values().map(|(stored, state)| {
        let open = state.as_ref().filter(|state| !state.is_ended());
        Bone::of(&stored.span, open.map_or(stored.status, |state| shown.status(state)))
    }));
    for bone in spans.iter_mut().filter(|bone| line.failed.contains(&bone.span_id)) {
        bone.status = if bone.status == TraceStatus::Ok { TraceStatus::Error } else { bone.status };
    }
    Ok((Some(Skeleton { summary: line.summary, spans: bones::in_tree_order(spans) }), damaged))
}

/// One span with the files that could not be read.
pub(crate) fn span(
    shared: &Shared,
    scope: &ProjectScope,
    trace_id: TraceId,
    span_id: SpanId,
) -> Result<(Option<StoredSpan>, Damaged)> {
    let moment = shared.moment();
    let Some(line) = line::<HotPart>(shared, scope, trace_id, moment)? else { return Ok((None, Vec::new())) };
    let only = Some(span_id);
    let (sealed, damaged) = sealed::whole(&shared.segments, &line.files, &line.project, trace_id, only);
    let mut hot = line.hot;
    hot.spans.retain(|id, _| *id == span_id);
    let heard = hot.heard.unwrap_or_default();
    let spans = shown(hot, sealed.spans, moment, heard).0;
    let mut found = spans.into_iter().find(|stored| stored.span.span_id == span_id);
    overlay::correct_all(shared, found.iter_mut())?;
    Ok((found, damaged))
}

type States = Vec<(SpanId, SpanState)>;

/// The spans of a trace as they stand at a moment, and the messages of those that have more than one.
fn shown(
    hot: HotPart,
    sealed: BTreeMap<SpanId, (Span, SpanState)>,
    moment: Moment,
    heard: Timestamp,
) -> (Vec<StoredSpan>, States) {
    let (mut spans, mut states) = (Vec::with_capacity(sealed.len() + hot.spans.len()), Vec::new());
    let status = |state: &SpanState| state.status(moment.now, &moment.lost, heard);
    for (id, (span, state)) in sealed {
        if hot.hidden.contains(&id) {
            continue;
        }
        let ended = if span.is_error() { TraceStatus::Error } else { TraceStatus::Ok };
        let status = if state.is_ended() { ended } else { status(&state) };
        spans.push(StoredSpan { span, status });
        states.push((id, state));
    }
    for (id, (stored, state)) in hot.spans {
        let mut stored = Arc::unwrap_or_clone(stored);
        if let Some(state) = state {
            if !state.is_ended() {
                stored.status = status(&state);
            }
            states.push((id, state));
        }
        spans.push(stored);
    }
    (spans, states)
}

fn assemble(
    project: &str,
    trace_id: TraceId,
    mut hot: HotPart,
    sealed: SealedRows,
    moment: Moment,
    said: impl FnOnce(&mut [StoredSpan]) -> Result<()>,
) -> Result<Trace> {
    let mut logs: BTreeMap<String, LogRecord> = sealed.logs;
    let orphans = std::mem::take(&mut hot.orphans);
    let hot_logs = std::mem::take(&mut hot.logs);
    // All of the trace is at hand: when it was last heard of follows from that.
    let mut heard = hot.heard.filter(|_| !hot.hidden.is_empty() || !hot_logs.is_empty());
    heard = heard.max(sealed.spans.values().map(|(_, state)| state.last_seen()).max());
    heard = heard.max(logs.values().map(|log| log.received).max());
    let (mut spans, states) = shown(hot, sealed.spans, moment, heard.unwrap_or_default());
    said(&mut spans)?;
    let mut rollup = Rollup::default();
    for stored in &spans {
        rollup.add_span(&stored.span);
    }
    for (_, state) in &states {
        logs.extend(state.orphan_logs().map(|log| (log.id.clone(), log.clone())));
        if !state.is_ended() {
            rollup.add_open(state);
        }
    }
    logs.extend(orphans.into_iter().map(|log| (log.id.clone(), log)));
    logs.extend(hot_logs.iter().map(|log| (log.id.clone(), LogRecord::clone(log))));
    let mut logs: Vec<LogRecord> = logs.into_values().collect();
    logs.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
    for log in &logs {
        rollup.add_log(log);
    }
    rollup.heard = rollup.heard.max(heard);
    rollup.set_usage(spans.iter().map(|stored| &stored.span).collect::<UsageTree>().total());
    let open = rollup.open_status(moment.now, &moment.lost);
    Ok(Trace { summary: rollup.summary(project, trace_id, open), spans: in_tree_order(spans), logs })
}

/// Counts, and the size of what is on disk.
pub(crate) fn stats(shared: &Shared) -> Result<StoreStats> {
    let _still = shared.moving.read();
    let (mut ended, mut open, mut logs) = (0_i64, 0_i64, 0_i64);
    let mut hot_rows = 0;
    {
        let hot = shared.hot.read();
        for trace in hot.newest_first() {
            let sealed = &trace.sealed.rollup;
            ended += sealed.spans as i64 - sealed.open as i64 - trace.sealed.counted[0];
            open += sealed.open as i64 - trace.sealed.counted[1];
            logs += sealed.events as i64 - trace.sealed.counted[2] + trace.logs.len() as i64;
            hot_rows += trace.logs.len() + trace.spans.len();
            for span in trace.spans.values() {
                ended += i64::from(span.is_ended());
                open += i64::from(!span.is_ended() && span.shown().is_some());
                logs += span.state().map_or(0, |state| state.orphan_logs().count() as i64);
            }
        }
        let loose = hot.loose().count();
        logs += loose as i64;
        hot_rows += loose;
    }
    let reader = shared.reader.lock();
    Ok(StoreStats {
        spans: (reader.total("spans")? + ended).max(0) as u64,
        open_spans: (reader.total("open")? + open).max(0) as u64,
        logs: (reader.total("logs")? + logs).max(0) as u64,
        segments: shared.segments.all().len() as u64,
        disk_bytes: disk_bytes(shared),
        hot_rows: hot_rows as u64,
        waiting: 0,
    })
}

/// Bytes of all files of the store.
pub(crate) fn disk_bytes(shared: &Shared) -> u64 {
    let folder =
        [shared.folder.clone(), shared.folder.join(".."), shared.database.with_file_name(bodies::FOLDER)];
    let entries = folder.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let files = entries.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file);
    files.map(|file| file.len()).sum()
}

/// Reads all files to check them: those that are not what was written.
pub(crate) fn check(shared: &Shared) -> Damaged {
    let files = shared.segments.all().into_iter();
    let check = |file: &Segment| file.open().and_then(|open| open.check());
    files.filter_map(|(file, _)| Some((file.id, check(&file).err()?.to_string()))).collect()
}
