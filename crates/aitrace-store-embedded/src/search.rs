//! Search in contents: memory first, then files from the newest to the oldest.
//!
//! A column of a batch is one piece of memory: it is searched as a whole, and only where it may hold the
//! text are its cells looked at one by one.

use std::collections::BTreeSet;
use std::sync::Arc;

use aitrace_model::SpanState;
use aitrace_store::{Finder, Hit, Search, Searched};
use arrow::array::{Array, AsArray, RecordBatch};
use parquet::errors::Result;
use tokio::sync::mpsc;

use crate::read::Damaged;
use crate::segment::{Dead, Scan, Segment, not_ours, read_spans, scan};
use crate::shared::Shared;
use crate::snapshot::Everything;
use crate::{echo, filtering, parts, rows};

/// Rows that are searched at a time.
const BATCH: usize = 1024;

/// Columns of spans that are searched, and those that say what was found.
const SPANS: &[&str] = &[
    "project",
    "trace_id",
    "span_id",
    "name",
    "kind",
    "event_type",
    "start",
    "end",
    "received",
    "error_type",
    "error_message",
    "inputs",
    "outputs",
    "metadata",
    "metrics",
    "feedback",
    "config",
    "user_properties",
    "attributes",
    "events",
    "orphans",
];
/// All of those of log records.
const LOGS: &[&str] =
    &["project", "id", "trace_id", "span_id", "time", "event", "level", "attrs", "received", "session_id"];
/// Those of them that hold what is searched.
const TEXTS: &[&str] = &[
    "name",
    "error_type",
    "error_message",
    "inputs",
    "outputs",
    "metadata",
    "metrics",
    "feedback",
    "config",
    "user_properties",
    "attributes",
    "events",
    "event",
    "attrs",
];

/// Searches everything; blocks. Says how it ended and which files could not be read.
pub(crate) fn search(shared: &Shared, search: &Search, hits: &mpsc::Sender<Hit>) -> (Searched, Damaged) {
    let Some(finder) = search.finder() else {
        return (Searched { hits: 0, complete: true }, Vec::new());
    };
    let all = Everything::take(shared, &search.scope);
    let mut seeker =
        Seeker { search, folded: search.text.to_lowercase(), finder, hits, sent: 0, buffer: Vec::new() };
    let mut damaged = Vec::new();
    for row in &all.spans {
        if !seeker.send(seeker.finder.span(&row.stored.span)) {
            return (seeker.end(false), damaged);
        }
    }
    for log in &all.logs {
        if !seeker.send(seeker.finder.log(log)) {
            return (seeker.end(false), damaged);
        }
    }
    for (file, dead) in all.files.iter().rev() {
        if !file.may_start(search.since, search.until) {
            continue;
        }
        match seeker.file(shared, file, dead) {
            Ok(true) => {}
            Ok(false) => return (seeker.end(false), damaged),
            Err(error) => damaged.push((file.id, error.to_string())),
        }
    }
    (seeker.end(true), damaged)
}

struct Seeker<'a> {
    search: &'a Search,
    folded: String,
    finder: Finder<'a>,
    hits: &'a mpsc::Sender<Hit>,
    sent: usize,
    buffer: Vec<u8>,
}

impl Seeker<'_> {
    fn end(&self, complete: bool) -> Searched {
        Searched { hits: self.sent, complete }
    }

    /// Sends a hit that is asked for; whether more are wanted.
    fn send(&mut self, hit: Option<Hit>) -> bool {
        let Some(hit) = hit else { return true };
        if self.sent == self.search.limit || self.hits.blocking_send(hit).is_err() {
            return false;
        }
        self.sent += 1;
        true
    }

    fn file(&mut self, shared: &Shared, file: &Arc<Segment>, dead: &Dead) -> Result<bool> {
        let mut columns = if file.spans { SPANS.to_vec() } else { LOGS.to_vec() };
        if file.spans {
            columns.extend(filtering::columns(&self.search.filter));
            columns.sort_unstable();
            columns.dedup();
        }
        for batch in scan(&shared.segments, file, &columns, BATCH)? {
            let batch = echo::whole(&batch?).ok_or_else(not_ours)?;
            let mut rows = self.candidates(&batch, file.spans);
            rows.extend(orphaned(&batch));
            for row in rows {
                if !self.row(shared, file, &batch.slice(row, 1), dead)? {
                    return Ok(false);
                }
            }
            if self.hits.is_closed() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Rows that may hold the text, except as a log record besides a span.
    fn candidates(&mut self, batch: &RecordBatch, spans: bool) -> BTreeSet<usize> {
        let Some(needle) = self.finder.needle().cloned() else {
            let mask = if spans { filtering::mask(batch, &self.search.filter) } else { None };
            let all = (0..batch.num_rows()).filter(|row| mask.as_ref().is_none_or(|mask| mask[*row]));
            return all.collect();
        };
        let mut rows = vec![false; batch.num_rows()];
        for name in TEXTS {
            let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            let Some(column) = column else { continue };
            let offsets = column.value_offsets();
            let range = offsets[0] as usize..offsets[column.len()] as usize;
            if !self.may_hold(&column.values()[range]) {
                continue;
            }
            for (row, found) in rows.iter_mut().enumerate().filter(|(row, _)| !column.is_null(*row)) {
                *found = *found || needle.in_json(column.value(row)).is_some();
            }
        }
        rows.iter().enumerate().filter(|(_, found)| **found).map(|(row, _)| row).collect()
    }

    /// Whether cells, one after the other, may hold the text. Certain only where no escape or other
    /// alphabet is in play.
    fn may_hold(&mut self, cells: &[u8]) -> bool {
        let plain = self.folded.is_ascii()
            && !self.folded.bytes().any(|b| b.is_ascii_control() || b"\"\\/".contains(&b));
        if !plain || memchr::memmem::find(cells, b"\\u").is_some() {
            return true;
        }
        // The Kelvin sign and the dotted I are the only letters whose lower case is in ASCII.
        if !cells.is_ascii() && self.folded.contains(['k', 'i']) {
            return true;
        }
        self.buffer.clear();
        self.buffer.extend(cells.iter().map(u8::to_ascii_lowercase));
        memchr::memmem::find(&self.buffer, self.folded.as_bytes()).is_some()
    }

    /// Looks at one row; whether more are wanted.
    fn row(&mut self, shared: &Shared, file: &Segment, row: &RecordBatch, dead: &Dead) -> Result<bool> {
        if !file.spans {
            let log = rows::logs(row).and_then(|mut logs| logs.pop());
            let log = log.filter(|log| !dead.has(&log.project, log.trace_id, None));
            return Ok(log.is_none_or(|log| self.send(self.finder.log(&log))));
        }
        let Some((span, _)) = rows::spans(row).and_then(|mut spans| spans.pop()) else { return Ok(true) };
        if dead.has(&span.project, Some(span.trace_id), Some(span.span_id)) {
            return Ok(true);
        }
        if orphaned(row).next().is_some() {
            // Its messages are packed against the whole row.
            let scan = Scan {
                project: &span.project,
                trace_id: span.trace_id,
                span_id: Some(span.span_id),
                columns: &[],
            };
            for (whole, packed) in read_spans(&shared.segments, file, &scan)? {
                let state = parts::unpack(&whole, packed.as_deref());
                if state.is_some_and(|state| !self.orphans(&state)) {
                    return Ok(false);
                }
            }
        }
        Ok(self.send(self.finder.span(&span)))
    }

    fn orphans(&mut self, state: &SpanState) -> bool {
        state.orphan_logs().all(|log| {
            let hit = self.finder.log(log);
            self.send(hit)
        })
    }
}

/// Rows of spans whose messages are log records besides.
fn orphaned(batch: &RecordBatch) -> impl Iterator<Item = usize> {
    let flags = batch.column_by_name("orphans").and_then(|column| column.as_boolean_opt()).cloned();
    (0..batch.num_rows())
        .filter(move |row| flags.as_ref().is_some_and(|flags| !flags.is_null(*row) && flags.value(*row)))
}
