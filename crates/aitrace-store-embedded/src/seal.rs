//! Sealing: what is finished goes from the log and memory into files.
//!
//! The writer takes a snapshot (pointers, no copies), the keeper's thread writes it to files under other
//! names, syncs, renames, syncs the folder; then one transaction of the writer registers them, writes the
//! lines of their traces, logs anew what is not finished and removes the old log rows; then memory forgets.
//! A crash before the commit leaves files that nobody registered, which the next open removes; the log
//! still has everything.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use aitrace_model::{LogRecord, Span, SpanId, SpanState, Timestamp, TraceId};
use aitrace_store::{Batch, Result, Usage, UsageTree};

use crate::catalog::{Line, SegmentRow, Superseded, TraceRow};
use crate::hot::{Hot, HotTrace, SealedPart, SealedTrace, Taken, add_state};
use crate::options::Options;
use crate::rows::SpanRow;
use crate::segment::{Written, day_of, sync_folder, write_logs, write_spans};
use crate::steps::{Step, Watch};
use crate::{codec, faults, parts};

/// Messages in one row of the log when it is written anew.
const RELOG: usize = 1000;

/// Bytes of memory that writing files takes, about: two slices of rows as columns, and a group of them packed.
const WORK: usize = 28 << 20;
/// What is made of a trace and of a span meanwhile: sums, ids, a place in the order.
const OF_TRACE: usize = 2 << 10;
const OF_SPAN: usize = 128;

/// Spans that leave memory although they have not ended.
pub(crate) type Spills = BTreeSet<(TraceId, SpanId, Arc<str>)>;

/// What is to be sealed, taken from the hot state.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    traces: Vec<TakenTrace>,
    loose: Vec<Arc<LogRecord>>,
    unfinished: Vec<Arc<SpanState>>,
    /// The last row of the log that it covers.
    pub(crate) last: i64,
}

#[derive(Debug)]
struct TakenTrace {
    project: Arc<str>,
    trace_id: TraceId,
    sealed: SealedPart,
    spans: Vec<(Taken, bool)>,
    orphans: Vec<(SpanId, Arc<SpanState>)>,
    logs: Vec<Arc<LogRecord>>,
    usage: Usage,
}

/// What was written, to be committed.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) files: Vec<SegmentRow>,
    pub(crate) traces: Vec<SealedTrace>,
    /// What the catalog is to say of the traces, in the same order.
    pub(crate) lines: Vec<Line>,
    /// Of them those that left memory as a whole, to be freed.
    pub(crate) gone: Vec<HotTrace>,
    pub(crate) loose: Vec<Arc<LogRecord>>,
    pub(crate) superseded: BTreeSet<Superseded>,
    pub(crate) unfinished: Vec<Arc<SpanState>>,
    pub(crate) last: i64,
}

impl Snapshot {
    /// Everything finished, and of the open spans those that `spills` names; `None` if there is nothing.
    pub(crate) fn take(hot: &Hot, spills: &Spills, last: i64) -> Option<Self> {
        let mut snapshot = Self { last, loose: hot.loose().cloned().collect(), ..Self::default() };
        for trace in hot.newest_first() {
            snapshot.add(trace, spills);
        }
        let empty = snapshot.traces.is_empty() && snapshot.loose.is_empty();
        (!empty).then_some(snapshot)
    }

    /// Bytes of memory that sealing takes, about, beside what is in memory anyway.
    pub(crate) fn work(&self) -> usize {
        let of = |trace: &TakenTrace| OF_TRACE + trace.spans.len() * OF_SPAN + trace.sealed.spans.bytes();
        WORK + self.traces.iter().map(of).sum::<usize>()
    }

    fn add(&mut self, trace: &HotTrace, spills: &Spills) {
        let (mut taken, mut orphans, mut logs) = (Vec::new(), Vec::new(), Vec::new());
        for (id, span) in &trace.spans {
            let leaves =
                span.is_ended() || spills.contains(&(trace.trace_id, *id, Arc::clone(&trace.project)));
            match (span.taken(), span.shared_state()) {
                (Some(span), _) if leaves => taken.push((span, trace.usage.wraps(id))),
                (None, Some(state)) if leaves => {
                    logs.extend(state.orphan_logs().cloned().map(Arc::new));
                    orphans.push((*id, state));
                }
                (_, state) => self.unfinished.extend(state),
            }
        }
        logs.extend(trace.logs.values().cloned());
        if taken.is_empty() && logs.is_empty() {
            return;
        }
        self.traces.push(TakenTrace {
            project: Arc::clone(&trace.project),
            trace_id: trace.trace_id,
            sealed: trace.sealed.clone(),
            spans: taken,
            orphans,
            logs,
            usage: trace.usage.total(),
        });
    }

    /// Writes the files, whose numbers begin after `last_file`.
    pub(crate) fn write(mut self, folder: &Path, last_file: i64, options: &Options) -> Result<Sealed> {
        let mut sealed = Sealed {
            files: Vec::new(),
            traces: Vec::new(),
            lines: Vec::new(),
            gone: Vec::new(),
            loose: self.loose,
            superseded: BTreeSet::new(),
            unfinished: self.unfinished,
            last: self.last,
        };
        let (mut spans, mut logs) = (ByDay::default(), ByDay::default());
        // In the order of the files: putting whole traces in order takes less than their rows.
        self.traces.sort_unstable_by(|a, b| (&a.project, a.trace_id).cmp(&(&b.project, b.trace_id)));
        for trace in self.traces {
            sealed.add(trace, &mut spans)?;
        }
        let in_traces = sealed.traces.iter().flat_map(|trace| &trace.logs);
        for log in in_traces.chain(&sealed.loose) {
            logs.entry(day_of(log.received)).or_default().push(Arc::clone(log));
        }
        let mut places = Places { folder, next: last_file };
        let mut holders: Vec<(i64, bool, HashSet<TraceId>)> = Vec::new();
        for (day, mut rows) in spans {
            let written = places.write("spans", day, |path| write_spans(path, &mut rows, options))?;
            holders.push((written.id, true, rows.iter().map(|row| row.stored.span.trace_id).collect()));
            sealed.files.push(written);
        }
        for (day, mut rows) in logs {
            let written = places.write("logs", day, |path| write_logs(path, &mut rows, options))?;
            holders.push((written.id, false, rows.iter().filter_map(|log| log.trace_id).collect()));
            sealed.files.push(written);
        }
        publish(folder, &sealed.files, &options.watch)?;
        for trace in &mut sealed.traces {
            let holding = holders.iter().filter(|(_, _, traces)| traces.contains(&trace.trace_id));
            trace.part.segments.extend(holding.map(|(id, ..)| *id));
            sealed.lines.push(trace.line());
        }
        Ok(sealed)
    }
}

impl SealedTrace {
    /// What the catalog is to say of it; from now on it counts what that says.
    fn line(&mut self) -> Line {
        let (part, project) = (&mut self.part, self.project.to_string());
        let (rollup, segments) = (part.rollup.clone(), part.segments.clone());
        let row = TraceRow { project, trace_id: self.trace_id, rollup, segments };
        let before = std::mem::replace(&mut part.counted, row.counts());
        row.line(before)
    }
}

type ByDay<T> = BTreeMap<i64, Vec<T>>;

struct Places<'a> {
    folder: &'a Path,
    next: i64,
}

impl Places<'_> {
    fn write(
        &mut self,
        kind: &str,
        day: i64,
        write: impl FnOnce(&Path) -> Result<Written>,
    ) -> Result<SegmentRow> {
        self.next += 1;
        let file = format!("{:010}.{kind}.parquet", self.next);
        let written = write(&part_name(self.folder, &file))?;
        Ok(segment_row(self.next, kind, day, file, written))
    }
}

/// The row of a file that was written.
pub(crate) fn segment_row(id: i64, kind: &str, day: i64, file: String, written: Written) -> SegmentRow {
    let Written { bytes, rows, starts, sums } = written;
    SegmentRow { id, kind: kind.to_owned(), file, bytes, rows, day, starts, sums: Some(sums) }
}

/// Where a file is written before it gets its name.
pub(crate) fn part_name(folder: &Path, file: &str) -> std::path::PathBuf {
    folder.join(format!("{file}.part"))
}

/// Gives files their names, durably.
pub(crate) fn publish(folder: &Path, files: &[SegmentRow], watch: &Watch) -> Result<()> {
    for row in files {
        watch.at(Step::Rename, folder)?;
        let part = part_name(folder, &row.file);
        std::fs::rename(&part, folder.join(&row.file)).map_err(faults::io("renaming", &part))?;
    }
    watch.at(Step::SyncFolder, folder)?;
    sync_folder(folder)?;
    watch.at(Step::Published, folder)
}

impl Sealed {
    fn add(&mut self, mut taken: TakenTrace, rows: &mut ByDay<SpanRow>) -> Result<()> {
        let mut part = taken.sealed;
        let place = |span: &Taken| (span.stored.span.start, span.stored.span.span_id);
        taken.spans.sort_unstable_by_key(|(span, _)| place(span));
        let mut spans = UsageTree::clone(&part.spans);
        for (span, wraps) in &taken.spans {
            let (state, merged) = (span.state.as_deref(), &span.stored.span);
            let packed = state.map(|state| parts::pack(state, merged)).transpose()?.flatten();
            if span.over {
                self.superseded.extend(part.segments.iter().map(|segment| Superseded {
                    segment: *segment,
                    project: merged.project.clone(),
                    trace_id: taken.trace_id,
                    span_id: merged.span_id,
                }));
            }
            add_state(&mut part.rollup, Some(merged), state);
            spans.set(merged);
            let orphans = state.is_some_and(|state| state.orphan_logs().next().is_some());
            let row = SpanRow { stored: Arc::clone(&span.stored), parts: packed, wraps: *wraps, orphans };
            rows.entry(day_of(merged.received)).or_default().push(row);
        }
        let mut logs: HashSet<_> = (*part.logs).clone();
        for log in &taken.logs {
            part.rollup.add_log(log);
            logs.insert(log.id.clone());
        }
        part.rollup.set_usage(taken.usage);
        (part.spans, part.logs) = (Arc::new(spans), Arc::new(logs));
        self.traces.push(SealedTrace {
            project: taken.project,
            trace_id: taken.trace_id,
            part,
            spans: taken.spans.into_iter().map(|(span, _)| span).collect(),
            orphans: taken.orphans,
            logs: taken.logs,
        });
        Ok(())
    }

    /// The bodies of log rows for what is not finished, without what `gone` says was deleted.
    pub(crate) fn relog(&self, gone: impl Fn(&str, TraceId) -> bool) -> Result<Vec<Vec<u8>>> {
        let messages = self.unfinished.iter().flat_map(|state| state.messages());
        let messages: Vec<Span> =
            messages.filter(|span| !gone(&span.project, span.trace_id)).cloned().collect();
        let body = |spans: &[Span]| codec::encode(&Batch { spans: spans.to_vec(), logs: Vec::new() });
        messages.chunks(RELOG).map(body).collect()
    }
}

/// Which open spans leave memory: those not heard of since `idle`, and the longest silent of more than `most`, or of
/// more than so many bytes.
pub(crate) fn spills(hot: &Hot, idle: Timestamp, most: usize, bytes: usize) -> Spills {
    let mut leaves = longest_silent(hot, true, idle, most, bytes);
    // An end without a start waits for it as long as there is room, and leaves as the log record that it is.
    leaves.extend(longest_silent(hot, false, Timestamp::from_nanos(i64::MIN), usize::MAX, bytes));
    leaves
}

fn longest_silent(hot: &Hot, known: bool, idle: Timestamp, most: usize, bytes: usize) -> Spills {
    let open = hot.newest_first().flat_map(|trace| {
        trace.open(known).map(|(seen, id, bytes)| (seen, trace.trace_id, id, bytes, &trace.project))
    });
    let mut open: Vec<_> = open.collect();
    open.sort_unstable();
    let surplus = open.len().saturating_sub(most);
    let mut held: usize = open.iter().map(|(_, _, _, bytes, _)| bytes).sum();
    let mut leaves = Spills::new();
    for (index, (seen, trace_id, id, weight, project)) in open.into_iter().enumerate() {
        if index < surplus || seen < idle || held > bytes {
            leaves.insert((trace_id, id, Arc::clone(project)));
            held -= weight;
        }
    }
    leaves
}

/// Removes files that nobody registered: a crash left them.
pub(crate) fn remove_strangers(folder: &Path, rows: &[SegmentRow]) -> Result<()> {
    let known: BTreeSet<&str> = rows.iter().map(|row| row.file.as_str()).collect();
    let fail = faults::io("reading", folder);
    for entry in std::fs::read_dir(folder).map_err(&fail)? {
        let entry = entry.map_err(&fail)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let ours = [".parquet", ".part"].iter().any(|suffix| name.ends_with(suffix));
        if ours && !known.contains(&*name) {
            std::fs::remove_file(entry.path()).map_err(faults::io("removing", &entry.path()))?;
        }
    }
    Ok(())
}
