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

use crate::catalog::{SegmentRow, Superseded};
use crate::hot::{Hot, HotTrace, SealedPart, SealedTrace, Taken, add_state};
use crate::options::Options;
use crate::rows::SpanRow;
use crate::segment::{Written, day_of, sync_folder, write_logs, write_spans};
use crate::steps::{Step, Watch};
use crate::{codec, faults, parts};

/// Messages in one row of the log when it is written anew.
const RELOG: usize = 1000;

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
    logs: Vec<Arc<LogRecord>>,
    usage: Usage,
}

/// What was written, to be committed.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) files: Vec<SegmentRow>,
    pub(crate) traces: Vec<SealedTrace>,
    pub(crate) loose: Vec<Arc<LogRecord>>,
    pub(crate) superseded: BTreeSet<Superseded>,
    pub(crate) unfinished: Vec<Arc<SpanState>>,
    pub(crate) last: i64,
}

impl Snapshot {
    /// Everything finished, and of the open spans those that `spills` names; `None` if there is nothing.
    pub(crate) fn take(hot: &Hot, spills: &BTreeSet<(TraceId, SpanId)>, last: i64) -> Option<Self> {
        let mut snapshot = Self { last, loose: hot.loose().cloned().collect(), ..Self::default() };
        for trace in hot.newest_first() {
            snapshot.add(trace, spills);
        }
        let empty = snapshot.traces.is_empty() && snapshot.loose.is_empty();
        (!empty).then_some(snapshot)
    }

    fn add(&mut self, trace: &HotTrace, spills: &BTreeSet<(TraceId, SpanId)>) {
        let mut taken = Vec::new();
        for (id, span) in &trace.spans {
            let leaves = span.is_ended() || spills.contains(&(trace.trace_id, *id));
            match span.taken().filter(|_| leaves) {
                Some(span) => taken.push((span, trace.usage.wraps(id))),
                None => self.unfinished.extend(span.shared_state()),
            }
        }
        if taken.is_empty() && trace.logs.is_empty() {
            return;
        }
        self.traces.push(TakenTrace {
            project: Arc::clone(&trace.project),
            trace_id: trace.trace_id,
            sealed: trace.sealed.clone(),
            spans: taken,
            logs: trace.logs.values().cloned().collect(),
            usage: trace.usage.total(),
        });
    }

    /// Writes the files, whose numbers begin after `last_file`.
    pub(crate) fn write(self, folder: &Path, last_file: i64, options: &Options) -> Result<Sealed> {
        let mut sealed = Sealed {
            files: Vec::new(),
            traces: Vec::new(),
            loose: self.loose,
            superseded: BTreeSet::new(),
            unfinished: self.unfinished,
            last: self.last,
        };
        let (mut spans, mut logs) = (ByDay::default(), ByDay::default());
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
        }
        Ok(sealed)
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
    fn add(&mut self, taken: TakenTrace, rows: &mut ByDay<SpanRow>) -> Result<()> {
        let mut part = taken.sealed;
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

/// Which open spans leave memory: those not heard of since `idle`, and the longest silent of more than `most`.
pub(crate) fn spills(hot: &Hot, idle: Timestamp, most: usize) -> BTreeSet<(TraceId, SpanId)> {
    let open = hot.newest_first().flat_map(|trace| trace.open().map(|(seen, id)| (seen, trace.trace_id, id)));
    let mut open: Vec<_> = open.collect();
    open.sort_unstable();
    let surplus = open.len().saturating_sub(most);
    let leaves = open.into_iter().enumerate().filter(|(index, (seen, ..))| *index < surplus || *seen < idle);
    leaves.map(|(_, (_, trace_id, id))| (trace_id, id)).collect()
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
