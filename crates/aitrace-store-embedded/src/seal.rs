//! Sealing: what is finished goes from the log and memory into files.
//!
//! Order: write files under other names, sync, rename, sync the folder; then one transaction
//! registers them, writes the lines of their traces, logs anew what is not finished and removes
//! the old log rows; then memory forgets. A crash before the commit leaves files that nobody
//! registered, which the next open removes; the log still has everything.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use aitrace_model::{LogRecord, Span, TraceId};
use aitrace_store::{Batch, Result};

use crate::cache::{IdCache, Ids};
use crate::catalog::{Catalog, NewSegment, SegmentRow, Superseded, TraceRow};
use crate::hot::{Hot, HotTrace, SealedPart, add_state, state_of};
use crate::rows::SpanRow;
use crate::segment::{Segment, Segments, sync_folder, write_logs, write_spans};
use crate::{codec, faults, parts};

/// Messages in one row of the log when it is written anew.
const RELOG: usize = 1000;

/// What is to be sealed, taken from the hot state.
#[derive(Default)]
pub(crate) struct Snapshot {
    spans: Vec<SpanRow>,
    logs: Vec<Arc<LogRecord>>,
    loose: Vec<Arc<LogRecord>>,
    traces: Vec<(TraceId, Arc<str>, SealedPart)>,
    superseded: BTreeSet<Superseded>,
    unfinished: Vec<Span>,
    totals: (i64, i64),
}

/// What memory has to learn after the commit, all at once.
pub(crate) struct Moved {
    pub(crate) traces: Vec<(TraceId, Arc<str>, SealedPart)>,
    files: Vec<Segment>,
    superseded: BTreeSet<Superseded>,
}

impl Moved {
    /// Makes the files known. Call it while memory is locked for writing: a query that sees them
    /// must not see their rows in memory any more.
    pub(crate) fn register(&mut self, segments: &Segments) {
        for file in self.files.drain(..) {
            segments.add(file);
        }
        for old in std::mem::take(&mut self.superseded) {
            segments.supersede(old);
        }
    }

    /// Remembers the ids of what was sealed.
    pub(crate) fn remember(&self, cache: &mut IdCache) {
        for (trace_id, project, part) in &self.traces {
            let ids = Ids { spans: Arc::clone(&part.spans), logs: Arc::clone(&part.logs) };
            cache.insert(project, *trace_id, ids);
        }
    }
}

impl Snapshot {
    /// Everything finished, as the rows and lines that it becomes; `None` if there is nothing.
    pub(crate) fn take(hot: &Hot) -> Result<Option<Self>> {
        let mut snapshot = Self::default();
        for trace in hot.newest_first() {
            snapshot.add(trace)?;
        }
        snapshot.loose.extend(hot.loose().cloned());
        snapshot.totals.1 += snapshot.loose.len() as i64;
        let empty = snapshot.traces.is_empty() && snapshot.loose.is_empty();
        Ok((!empty).then_some(snapshot))
    }

    fn add(&mut self, trace: &HotTrace) -> Result<()> {
        for state in trace.unfinished() {
            self.unfinished.extend(state.messages().cloned());
        }
        let ended = || trace.spans.iter().filter(|(_, span)| span.is_ended());
        if ended().next().is_none() && trace.logs.is_empty() {
            return Ok(());
        }
        let mut part = trace.sealed.clone();
        let mut spans: HashSet<_> = (*part.spans).clone();
        for (id, span) in ended() {
            let Some(stored) = span.shown() else { continue };
            let packed = match span.state() {
                None => None,
                Some(_) => parts::pack(&state_of(span), &stored.span)?,
            };
            if span.is_over() {
                let project = stored.span.project.as_str();
                self.superseded.extend(trace.sealed.segments.iter().map(|segment| Superseded {
                    segment: *segment,
                    project: project.to_owned(),
                    trace_id: trace.trace_id,
                    span_id: *id,
                }));
            }
            add_state(&mut part.rollup, Some(&stored.span), span.state());
            self.spans.push(SpanRow { stored: Arc::clone(stored), parts: packed });
            spans.insert(*id);
        }
        let mut logs: HashSet<_> = (*part.logs).clone();
        for log in trace.logs.values() {
            part.rollup.add_log(log);
            logs.insert(log.id.clone());
            self.logs.push(Arc::clone(log));
        }
        let counts = (part.rollup.spans, part.rollup.events);
        self.totals.0 += counts.0 as i64 - part.counted.0 as i64;
        self.totals.1 += counts.1 as i64 - part.counted.1 as i64;
        (part.counted, part.spans, part.logs) = (counts, Arc::new(spans), Arc::new(logs));
        self.traces.push((trace.trace_id, Arc::clone(&trace.project), part));
        Ok(())
    }

    /// Writes the files and commits. `last` is the last row of the log that the snapshot covers.
    pub(crate) fn write(
        mut self,
        catalog: &mut Catalog,
        folder: &Path,
        last: i64,
        level: i32,
    ) -> Result<Moved> {
        let files = self.files(catalog.last_segment()?, folder, level)?;
        let traces: BTreeSet<TraceId> = self.spans.iter().map(|row| row.stored.span.trace_id).collect();
        let logged: BTreeSet<TraceId> = self.logs.iter().filter_map(|log| log.trace_id).collect();
        for (trace_id, _, part) in &mut self.traces {
            for file in &files {
                let holds = if file.row.kind == "spans" { &traces } else { &logged };
                if holds.contains(trace_id) {
                    part.segments.push(file.row.id);
                }
            }
        }
        catalog.transaction(|catalog| self.commit(catalog, &files, last))?;
        let files = files.iter().map(|file| Segment::new(folder, &file.row)).collect();
        Ok(Moved { traces: self.traces, files, superseded: self.superseded })
    }

    fn files(&mut self, last: i64, folder: &Path, level: i32) -> Result<Vec<NewSegment>> {
        let mut files = Vec::new();
        self.logs.extend(self.loose.iter().cloned());
        let mut id = last;
        let mut name = |kind: &str| {
            id += 1;
            (id, format!("{id:010}.{kind}.parquet"), folder.join(format!("{id:010}.{kind}.part")))
        };
        if !self.spans.is_empty() {
            let (id, file, part) = name("spans");
            let bytes = write_spans(&part, &mut self.spans, level)?;
            let row = SegmentRow { id, kind: "spans".to_owned(), file, bytes };
            files.push((NewSegment { row, rows: self.spans.len() }, part));
        }
        if !self.logs.is_empty() {
            let (id, file, part) = name("logs");
            let bytes = write_logs(&part, &mut self.logs, level)?;
            let row = SegmentRow { id, kind: "logs".to_owned(), file, bytes };
            files.push((NewSegment { row, rows: self.logs.len() }, part));
        }
        for (file, part) in &files {
            std::fs::rename(part, folder.join(&file.row.file)).map_err(faults::io("renaming", part))?;
        }
        sync_folder(folder)?;
        Ok(files.into_iter().map(|(file, _)| file).collect())
    }

    fn commit(&mut self, catalog: &Catalog, files: &[NewSegment], last: i64) -> Result<()> {
        for file in files {
            catalog.add_segment(file)?;
        }
        for (trace_id, project, part) in &self.traces {
            catalog.put_trace(&TraceRow {
                project: project.to_string(),
                trace_id: *trace_id,
                rollup: part.rollup.clone(),
                segments: part.segments.clone(),
            })?;
        }
        for log in &self.loose {
            catalog.add_loose_log(&log.project, &log.id)?;
        }
        for old in &self.superseded {
            catalog.add_superseded(old)?;
        }
        catalog.add_total("spans", self.totals.0)?;
        catalog.add_total("logs", self.totals.1)?;
        while !self.unfinished.is_empty() {
            let rest = self.unfinished.split_off(self.unfinished.len().min(RELOG));
            let spans = std::mem::replace(&mut self.unfinished, rest);
            catalog.log_append(&codec::encode(&Batch { spans, logs: Vec::new() })?)?;
        }
        catalog.log_remove(last)
    }
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
