//! The line of each trace that has sealed rows.

use std::collections::BTreeSet;

use aitrace_model::{LostRules, SpanId, Timestamp, TraceId, TraceStatus, TraceSummary};
use aitrace_store::{Cursor, ErrorKind, Filter, ProjectScope, Result, Rollup, StoreError, TraceFilter};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, ToSql, params, params_from_iter};

use super::Catalog;
use crate::faults;

/// What is sealed of one trace.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TraceRow {
    pub(crate) project: String,
    pub(crate) trace_id: TraceId,
    /// The sum over its sealed rows.
    pub(crate) rollup: Rollup,
    /// Numbers of the files that hold rows of it, ascending.
    pub(crate) segments: Vec<i64>,
}

/// The line of a trace as it is written. Making it takes as long as writing it, and needs no database.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) project: String,
    pub(crate) trace_id: TraceId,
    /// Ended spans, open spans and log records in it, and in the line that it replaces.
    counts: [i64; 3],
    before: [i64; 3],
    start: Timestamp,
    session: Option<String>,
    status: TraceStatus,
    folded: String,
    rollup: String,
    segments: String,
    open: u64,
    quiet: u64,
    beat: Option<Timestamp>,
    heard: Option<Timestamp>,
}

/// A row of a file that a later file holds anew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Superseded {
    pub(crate) segment: i64,
    pub(crate) project: String,
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
}

/// What the lines of many traces change beside themselves.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    /// Ended spans, open spans, log records: how many more there are.
    counts: [i64; 3],
    /// Projects and sessions whose place may be another.
    sessions: BTreeSet<(String, String)>,
}

/// What to list.
pub(crate) struct Page<'a> {
    pub(crate) now: Timestamp,
    pub(crate) lost: LostRules,
    pub(crate) filter: &'a TraceFilter,
    pub(crate) marks: &'a dyn Fn(&TraceSummary) -> u64,
    pub(crate) after: Option<&'a Cursor>,
    pub(crate) limit: usize,
}

const COLUMNS: &str = "trace_id, project, rollup, segments";

impl TraceRow {
    /// Its line at a moment.
    pub(crate) fn summary(&self, now: Timestamp, lost: &LostRules) -> TraceSummary {
        self.rollup.summary(&self.project, self.trace_id, self.rollup.open_status(now, lost))
    }

    /// Ended spans, open spans and log records in it.
    pub(crate) fn counts(&self) -> [i64; 3] {
        let Rollup { spans, open, events, .. } = self.rollup;
        [spans as i64 - open as i64, open as i64, events as i64]
    }

    /// The line to be written instead of one that counts `before`.
    pub(crate) fn line(self, before: [i64; 3]) -> Line {
        // Which of running and lost it is depends on the time: the statement of a page decides that.
        let summary = self.rollup.summary(&self.project, self.trace_id, None);
        let json = |what: serde_json::Result<String>| what.expect("plain data serialises");
        Line {
            counts: self.counts(),
            before,
            start: summary.start,
            session: summary.session_id,
            status: summary.status,
            folded: summary.name.to_lowercase(),
            rollup: json(serde_json::to_string(&self.rollup)),
            segments: json(serde_json::to_string(&self.segments)),
            open: self.rollup.open,
            quiet: self.rollup.quiet,
            beat: self.rollup.beat,
            heard: self.rollup.heard,
            project: self.project,
            trace_id: self.trace_id,
        }
    }

    fn read(row: &Row<'_>) -> Result<Self> {
        let fail = faults::sqlite("reading a trace's line");
        let corrupt = || StoreError::new(ErrorKind::Corrupt, "a trace's line in the catalog cannot be read");
        let (id, project): (Vec<u8>, String) = (row.get(0).map_err(&fail)?, row.get(1).map_err(&fail)?);
        let (rollup, segments): (String, String) = (row.get(2).map_err(&fail)?, row.get(3).map_err(&fail)?);
        Ok(Self {
            project,
            trace_id: TraceId::from_slice(&id).ok_or_else(corrupt)?,
            rollup: serde_json::from_str(&rollup).map_err(|error| corrupt().with_source(error))?,
            segments: serde_json::from_str(&segments).map_err(|error| corrupt().with_source(error))?,
        })
    }
}

impl Catalog {
    /// What is sealed of a trace.
    pub(crate) fn trace(&self, project: &str, trace_id: TraceId) -> Result<Option<TraceRow>> {
        let fail = faults::sqlite("reading a trace's line");
        let sql = format!("SELECT {COLUMNS} FROM trace WHERE trace_id = ?1 AND project = ?2");
        let mut select = self.connection.prepare_cached(&sql).map_err(&fail)?;
        let mut rows = select.query(params![trace_id.to_bytes(), project]).map_err(&fail)?;
        rows.next().map_err(&fail)?.map(TraceRow::read).transpose()
    }

    /// What is sealed of some traces, of each that has a line. They are looked up in one transaction: to begin a look takes as
    /// long as the look.
    pub(crate) fn traces(&self, wanted: &[(TraceId, &str)]) -> Result<Vec<TraceRow>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let fail = faults::sqlite("reading traces' lines");
        self.connection.execute_batch("BEGIN").map_err(&fail)?;
        let each = wanted.iter().filter_map(|(id, project)| self.trace(project, *id).transpose());
        let rows = each.collect::<Result<Vec<_>>>();
        // Nothing was written, and this ends it whatever has happened.
        self.connection.execute_batch("ROLLBACK").map_err(&fail)?;
        rows
    }

    /// What is sealed of a trace id, in each project.
    pub(crate) fn traces_with_id(&self, trace_id: TraceId) -> Result<Vec<TraceRow>> {
        self.trace_rows("trace_id = ?1", params![trace_id.to_bytes()])
    }

    /// What is sealed of the traces of a session.
    pub(crate) fn traces_of_session(&self, project: &str, session_id: &str) -> Result<Vec<TraceRow>> {
        self.trace_rows("session_id = ?1 AND project = ?2", params![session_id, project])
    }

    /// What is sealed of the traces of a project.
    pub(crate) fn traces_of_project(&self, project: &str) -> Result<Vec<TraceRow>> {
        self.trace_rows("project = ?1", params![project])
    }

    fn trace_rows(&self, condition: &str, values: &[&dyn ToSql]) -> Result<Vec<TraceRow>> {
        let fail = faults::sqlite("reading traces' lines");
        let sql = format!("SELECT {COLUMNS} FROM trace WHERE {condition}");
        let mut select = self.connection.prepare_cached(&sql).map_err(&fail)?;
        let mut rows = select.query(values).map_err(&fail)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(&fail)? {
            found.extend(self.passed(TraceRow::read(row))?);
        }
        Ok(found)
    }

    /// All lines, one by one.
    pub(crate) fn each_trace(&self, mut each: impl FnMut(TraceRow) -> Result<()>) -> Result<()> {
        let fail = faults::sqlite("reading traces' lines");
        let sql = format!("SELECT {COLUMNS} FROM trace");
        let mut select = self.connection.prepare(&sql).map_err(&fail)?;
        let mut rows = select.query([]).map_err(&fail)?;
        while let Some(row) = rows.next().map_err(&fail)? {
            if let Some(row) = self.passed(TraceRow::read(row))? {
                each(row)?;
            }
        }
        Ok(())
    }

    /// What is sealed of every trace.
    pub(crate) fn all_traces(&self) -> Result<Vec<TraceRow>> {
        let mut rows = Vec::new();
        self.each_trace(|row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Lines of a page in the order of lists, except those that `skip` names (by project and id).
    pub(crate) fn list(
        &self,
        page: &Page<'_>,
        skip: impl Fn(&str, TraceId) -> bool,
    ) -> Result<Vec<TraceSummary>> {
        let fail = faults::sqlite("listing traces");
        let (sql, values) = compile(page);
        let mut select = self.connection.prepare_cached(&sql).map_err(&fail)?;
        let mut rows = select.query(params_from_iter(values)).map_err(&fail)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(&fail)? {
            let Some(line) = self.passed(TraceRow::read(row))? else { continue };
            if skip(&line.project, line.trace_id) {
                continue;
            }
            let line = line.summary(page.now, &page.lost);
            // The statement knows all conditions but those of the filter.
            if page.filter.filter.holds_of_trace(&line, (page.marks)(&line)) {
                found.push(line);
                if found.len() == page.limit {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Writes the line of a trace, with totals and the place of its session. `before` is what the totals count of it.
    pub(crate) fn put_trace(&self, row: TraceRow, before: [i64; 3]) -> Result<()> {
        let mut sums = Sums::default();
        self.put_line(&row.line(before), &mut sums)?;
        self.put_sums(&sums)
    }

    /// The same of one of many traces: totals and sessions wait for [`Catalog::put_sums`], in the same transaction.
    pub(crate) fn put_line(&self, line: &Line, sums: &mut Sums) -> Result<()> {
        let fail = faults::sqlite("writing a trace's line");
        // Of a trace that nothing was counted of there is no line.
        let was = if line.before == [0; 3] { None } else { self.session_of(&line.project, line.trace_id)? };
        let mut upsert = self
            .connection
            .prepare_cached(
                "INSERT OR REPLACE INTO trace
                 (trace_id, project, start, session_id, status, folded, rollup, segments, open, quiet, beat, heard)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )
            .map_err(&fail)?;
        upsert
            .execute(params![
                line.trace_id.to_bytes(),
                line.project,
                line.start.nanos(),
                line.session,
                line.status.as_str(),
                line.folded,
                line.rollup,
                line.segments,
                line.open as i64,
                line.quiet as i64,
                line.beat.map(Timestamp::nanos),
                line.heard.map(Timestamp::nanos),
            ])
            .map_err(&fail)?;
        for (sum, (before, after)) in sums.counts.iter_mut().zip(line.before.into_iter().zip(line.counts)) {
            *sum += after - before;
        }
        let sessions = was.filter(|was| Some(was) != line.session.as_ref()).into_iter();
        for session in sessions.chain(line.session.clone()) {
            sums.sessions.insert((line.project.clone(), session));
        }
        Ok(())
    }

    /// Writes totals and the places of sessions after the lines of their traces.
    pub(crate) fn put_sums(&self, sums: &Sums) -> Result<()> {
        self.count([0; 3], sums.counts)?;
        sums.sessions.iter().try_for_each(|(project, session)| self.place_session(project, session))
    }

    /// Removes the line of a trace, and what totals and its session have of it.
    pub(crate) fn remove_trace(&self, row: &TraceRow) -> Result<()> {
        let fail = faults::sqlite("removing a trace's line");
        let was = self.session_of(&row.project, row.trace_id)?;
        let sql = "DELETE FROM trace WHERE trace_id = ?1 AND project = ?2";
        let mut delete = self.connection.prepare_cached(sql).map_err(&fail)?;
        if delete.execute(params![row.trace_id.to_bytes(), row.project]).map_err(&fail)? > 0 {
            self.count(row.counts(), [0; 3])?;
        }
        was.map_or(Ok(()), |session| self.place_session(&row.project, &session))
    }

    fn count(&self, before: [i64; 3], after: [i64; 3]) -> Result<()> {
        for (name, change) in
            ["spans", "open", "logs"].into_iter().zip(0..).map(|(name, at)| (name, after[at] - before[at]))
        {
            if change != 0 {
                self.add_total(name, change)?;
            }
        }
        Ok(())
    }

    /// The session that the line of a trace names.
    pub(crate) fn session_of(&self, project: &str, trace_id: TraceId) -> Result<Option<String>> {
        let fail = faults::sqlite("reading a trace's session");
        let sql = "SELECT session_id FROM trace WHERE trace_id = ?1 AND project = ?2";
        let mut select = self.connection.prepare_cached(sql).map_err(&fail)?;
        let known = select.query_row(params![trace_id.to_bytes(), project], |row| row.get(0)).optional();
        Ok(known.map_err(&fail)?.flatten())
    }

    pub(crate) fn add_superseded(&self, old: &Superseded) -> Result<()> {
        let fail = faults::sqlite("superseding a row");
        let sql =
            "INSERT OR IGNORE INTO superseded (segment, project, trace_id, span_id) VALUES (?1, ?2, ?3, ?4)";
        let mut insert = self.connection.prepare_cached(sql).map_err(&fail)?;
        insert
            .execute(params![old.segment, old.project, old.trace_id.to_bytes(), old.span_id.to_bytes()])
            .map_err(&fail)?;
        Ok(())
    }

    pub(crate) fn superseded(&self) -> Result<Vec<Superseded>> {
        let fail = faults::sqlite("reading superseded rows");
        let sql = "SELECT segment, project, trace_id, span_id FROM superseded";
        let mut select = self.connection.prepare(sql).map_err(&fail)?;
        let rows = select
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .map_err(&fail)?;
        let mut found = Vec::new();
        for row in rows {
            let (segment, project, trace, span): (i64, String, Vec<u8>, Vec<u8>) = row.map_err(&fail)?;
            if let (Some(trace_id), Some(span_id)) = (TraceId::from_slice(&trace), SpanId::from_slice(&span))
            {
                found.push(Superseded { segment, project, trace_id, span_id });
            }
        }
        Ok(found)
    }

    /// Remembers the id of a log record that is in no trace.
    pub(crate) fn add_loose_log(&self, project: &str, id: &str) -> Result<()> {
        let fail = faults::sqlite("writing ids of log records");
        let sql = "INSERT OR IGNORE INTO loose_log (project, id) VALUES (?1, ?2)";
        let mut insert = self.connection.prepare_cached(sql).map_err(&fail)?;
        insert.execute(params![project, id]).map_err(&fail)?;
        Ok(())
    }

    /// Whether a log record that is in no trace is sealed.
    pub(crate) fn has_loose_log(&self, project: &str, id: &str) -> Result<bool> {
        let fail = faults::sqlite("reading ids of log records");
        let sql = "SELECT 1 FROM loose_log WHERE project = ?1 AND id = ?2";
        self.connection.prepare_cached(sql).map_err(&fail)?.exists(params![project, id]).map_err(&fail)
    }
}

/// The statement of a page: its text depends on which conditions there are, never on their values.
fn compile(page: &Page<'_>) -> (String, Vec<Value>) {
    let (mut conditions, mut values) = (Vec::new(), Vec::new());
    let mut add = |condition: &'static str, value: Vec<Value>| {
        conditions.push(condition);
        values.extend(value);
    };
    let TraceFilter { scope, session_id, status, since, until, filter } = page.filter;
    if let ProjectScope::One(project) = scope {
        add("project = ?", vec![project.clone().into()]);
    }
    if let Some(session) = session_id {
        add("session_id = ?", vec![session.clone().into()]);
    }
    // A trace with open spans runs while one of them was heard of lately.
    let runs =
        "(open > 0 AND (quiet > 0 AND ? - coalesce(heard, 0) < ? OR beat IS NOT NULL AND ? - beat < ?))";
    let (now, lost) = (page.now.nanos(), page.lost);
    let times = || vec![now.into(), lost.silent_ns.into(), now.into(), lost.heartbeat_ns.into()];
    match status {
        Some(TraceStatus::Running) => add(runs, times()),
        Some(TraceStatus::Lost) => {
            add("open > 0", Vec::new());
            add(
                "NOT (quiet > 0 AND ? - coalesce(heard, 0) < ? OR beat IS NOT NULL AND ? - beat < ?)",
                times(),
            );
        }
        Some(ended) => add("open = 0 AND status = ?", vec![ended.as_str().to_owned().into()]),
        None => {}
    }
    for part in filter.conjuncts() {
        if let Filter::Text(needle) = part {
            let folded = needle.text().to_lowercase();
            let condition = "(instr(folded, ?) > 0 OR instr(lower(hex(trace_id)), ?) > 0)";
            add(condition, vec![folded.clone().into(), folded.into()]);
        }
    }
    if let Some(since) = since {
        add("start >= ?", vec![since.nanos().into()]);
    }
    if let Some(until) = until {
        add("start < ?", vec![until.nanos().into()]);
    }
    if let Some(Cursor { start, trace_id, project }) = page.after {
        let place = vec![start.nanos().into(), trace_id.to_bytes().to_vec().into(), project.clone().into()];
        add("(start, trace_id, project) < (?, ?, ?)", place);
    }
    let filter = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
    let order = "start DESC, trace_id DESC, project DESC";
    (format!("SELECT {COLUMNS} FROM trace WHERE {filter} ORDER BY {order}"), values)
}
