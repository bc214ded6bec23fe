//! Search in contents: memory first, then files from the newest to the oldest. What is found is sent in the order
//! of time, as soon as no file that is left can hold anything before it.
//!
//! A column of a batch is one piece of memory: it is searched as a whole, and only where it may hold the
//! text are its cells looked at one by one.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use aitrace_model::{LogRecord, SpanState, Timestamp};
use aitrace_store::{Finder, Hit, HitPage, Search, Searched, Taken};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use parquet::errors::{ParquetError, Result};
use tokio::sync::mpsc;

use crate::corrections::Need;
use crate::filtering::{Failed, too_much};
use crate::read::Damaged;
use crate::segment::{self, Dead, Scan, Segment, not_ours, read_spans, scan_words};
use crate::shared::Shared;
use crate::snapshot::Everything;
use crate::told::Told;
use crate::{echo, filtering, parts, rows, words};

/// Rows that are searched at a time at most.
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
/// Searches everything; blocks. Says how it ended and which files could not be read.
pub(crate) fn search(
    shared: &Shared,
    search: &Search,
    hits: &mpsc::Sender<Hit>,
) -> aitrace_store::Result<(Searched, Damaged)> {
    let Some(finder) = search.finder() else {
        return Ok((Searched { complete: true, ..Searched::default() }, Vec::new()));
    };
    let all = Everything::take(shared, &search.scope, Need::All);
    let mut taken = Taken::nothing(Arc::clone(&search.room));
    taken.grow(all.bytes()).map_err(too_much)?;
    let mut seeker = Seeker {
        search,
        folded: search.text.to_lowercase(),
        finder,
        patterns: words::patterns(&search.text),
        hits,
        told: Told::new(shared, &all.spans),
        page: HitPage::new(search.after.clone(), search.limit),
        sent: 0,
        buffer: Vec::new(),
    };
    let mut damaged = Vec::new();
    let behind = search.after.as_ref().map(|after| after.time().saturating_add(1));
    let mut files: Vec<_> = all
        .files
        .iter()
        .filter(|(file, _)| file.may_start(search.since, search.until))
        .map(|(file, dead)| (shared.segments.latest(file), file, dead))
        .filter(|(latest, file, _)| latest.is_none() || file.may_start(None, behind))
        .collect();
    // Those that may hold anything first, then the newest: what is found settles as early as it can.
    files.sort_by_key(|(latest, file, _)| (latest.is_some(), Reverse(*latest), Reverse(file.id)));
    let after_memory = if seeker.memory(&all) { seeker.settle(&files) } else { Some(false) };
    if let Some(over) = after_memory {
        return Ok((seeker.end(over), damaged));
    }
    for (index, (_, file, dead)) in files.iter().enumerate() {
        match seeker.file(shared, file, dead) {
            Ok(true) => {}
            Ok(false) => return Ok((seeker.end(false), damaged)),
            // What was found is told, and where to go on.
            Err(Failed::Full(_)) if seeker.sent > 0 => return Ok((seeker.end(false), damaged)),
            Err(Failed::Full(error)) => return Err(too_much(error)),
            Err(Failed::Damaged(error)) => damaged.push((file.id, error.to_string())),
        }
        if let Some(over) = seeker.settle(&files[index + 1..]) {
            return Ok((seeker.end(over), damaged));
        }
    }
    Ok((seeker.end(true), damaged))
}

type File<'a> = (Option<Timestamp>, &'a Arc<Segment>, &'a Arc<Dead>);

struct Seeker<'a> {
    search: &'a Search,
    folded: String,
    finder: Finder<'a>,
    /// What the words of a row must fulfil.
    patterns: words::Patterns,
    hits: &'a mpsc::Sender<Hit>,
    told: Told<'a>,
    page: HitPage,
    sent: usize,
    buffer: Vec<u8>,
}

impl Seeker<'_> {
    fn end(self, over: bool) -> Searched {
        let next = self.page.next(over);
        Searched { hits: self.sent, complete: over && next.is_none(), next }
    }

    /// Sends what stands before all that may be in files. Says how it ended, if it did: whether all was searched.
    fn settle(&mut self, left: &[File<'_>]) -> Option<bool> {
        // Where the next may hold anything, nothing is settled yet.
        let latest = left.first().map_or(Some(None), |(latest, ..)| latest.map(Some))?;
        while let Some(hit) = self.page.settled(latest) {
            if self.hits.blocking_send(hit).is_err() {
                return Some(false);
            }
            self.page.sent();
            self.sent += 1;
        }
        let Some(latest) = latest else { return Some(true) };
        self.page.all_sent(latest);
        self.page.is_whole(Some(latest)).then_some(false)
    }

    fn add(&mut self, hit: Option<Hit>) {
        if let Some(hit) = hit {
            self.page.add(hit);
        }
    }

    /// Adds a log record that is found, unless its span is found with the same contents.
    fn add_log(&mut self, log: &LogRecord) {
        let hit = self.finder.log(log).filter(|_| self.page.wants(log.time));
        let hit = hit.filter(|_| !self.told.stands_in_span(&self.finder, log));
        self.add(hit);
    }

    /// Looks at what is in memory; whether anybody still listens.
    fn memory(&mut self, all: &Everything) -> bool {
        for rows in all.spans.chunks(BATCH) {
            for row in rows.iter().filter(|row| self.page.wants(row.stored.span.start)).collect::<Vec<_>>() {
                self.add(self.finder.span(&row.stored.span));
            }
            if self.hits.is_closed() {
                return false;
            }
        }
        for log in &all.logs {
            if self.page.wants(log.time) {
                self.add_log(log);
            }
        }
        !self.hits.is_closed()
    }

    /// Looks at a file; whether anybody still listens.
    fn file(&mut self, shared: &Shared, file: &Arc<Segment>, dead: &Dead) -> Result<bool, Failed> {
        let mut columns = if file.spans { SPANS.to_vec() } else { LOGS.to_vec() };
        if file.spans {
            columns.extend(filtering::columns(&self.search.filter));
            columns.sort_unstable();
            columns.dedup();
        }
        let reading = segment::reading(&shared.segments, file, &columns, BATCH)?;
        let mut work = Taken::nothing(Arc::clone(&self.search.room));
        work.grow(reading.bytes)?;
        for batch in scan_words(&shared.segments, file, &columns, reading.rows, &self.patterns)? {
            let mut batch = batch.map_err(ParquetError::from)?;
            // What attributes refer to stands in the contents, where it is found as well; only a text with quotes or
            // escapes may begin in one and end in the other.
            if !self.is_plain() {
                batch = echo::whole(&batch).ok_or_else(not_ours)?;
            }
            let times = batch.column_by_name("start").or_else(|| batch.column_by_name("time"));
            let times =
                times.and_then(|column| column.as_primitive_opt::<TimestampNanosecondType>()).cloned();
            let wanted = |page: &HitPage, row: usize| {
                let time = times.as_ref().map(|times| Timestamp::from_nanos(times.value(row)));
                time.is_none_or(|time| page.wants(time))
            };
            let orphans: BTreeSet<usize> = orphaned(&batch).collect();
            let mut rows = BTreeSet::new();
            if (0..batch.num_rows()).any(|row| wanted(&self.page, row)) {
                rows = self.candidates(&batch, file.spans);
            }
            rows.extend(&orphans);
            for row in rows {
                if orphans.contains(&row) || wanted(&self.page, row) {
                    let row = echo::whole(&batch.slice(row, 1)).ok_or_else(not_ours)?;
                    self.row(shared, file, &row, dead)?;
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
        for name in words::TEXTS {
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

    /// Whether JSON writes the text without escapes, except as `\uXXXX`.
    fn is_plain(&self) -> bool {
        self.folded.is_ascii() && !self.folded.bytes().any(|b| b.is_ascii_control() || b"\"\\/".contains(&b))
    }

    /// Whether cells, one after the other, may hold the text. Certain only where no escape or other
    /// alphabet is in play.
    fn may_hold(&mut self, cells: &[u8]) -> bool {
        if !self.is_plain() || memchr::memmem::find(cells, b"\\u").is_some() {
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

    /// Looks at one row.
    fn row(&mut self, shared: &Shared, file: &Segment, row: &RecordBatch, dead: &Dead) -> Result<()> {
        if !file.spans {
            let log = rows::logs(row).and_then(|mut logs| logs.pop());
            let log = log.filter(|log| !dead.has(&log.project, log.trace_id, None));
            if let Some(log) = log {
                self.add_log(&log);
            }
            return Ok(());
        }
        let Some((span, _)) = rows::spans(row).and_then(|mut spans| spans.pop()) else { return Ok(()) };
        if dead.has(&span.project, Some(span.trace_id), Some(span.span_id)) {
            return Ok(());
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
                for log in state.iter().flat_map(SpanState::orphan_logs) {
                    self.add_log(log);
                }
            }
        }
        self.add(self.finder.span(&span));
        Ok(())
    }
}

/// Rows of spans whose messages are log records besides.
fn orphaned(batch: &RecordBatch) -> impl Iterator<Item = usize> {
    let flags = batch.column_by_name("orphans").and_then(|column| column.as_boolean_opt()).cloned();
    (0..batch.num_rows())
        .filter(move |row| flags.as_ref().is_some_and(|flags| !flags.is_null(*row) && flags.value(*row)))
}
