//! Counting rows of files by the few columns that figures need.

use aitrace_model::{SpanKind, Timestamp};
use aitrace_store::{Counter, Dimension, ProjectScope, StatisticsQuery, Taken, Usage};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, RecordBatch, StringArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{Float64Type, TimestampNanosecondType, UInt64Type};

use crate::filtering;
use crate::segment::{self, Dead, Segment, Segments, not_ours, scan_coded};
use crate::sums::Slots;

const BATCH: usize = 8192;

/// The columns that a query needs.
fn columns(query: &StatisticsQuery, dead: &Dead) -> Vec<&'static str> {
    let mut columns =
        vec!["kind", "failed", "start", "duration_ns", "input_tokens", "output_tokens", "cost", "wraps"];
    columns.extend(query.by.and_then(column_of));
    columns.extend(query.roots.then_some("parent_span_id"));
    if query.scope != ProjectScope::All || !dead.is_empty() {
        columns.push("project");
    }
    if !dead.is_empty() {
        columns.extend(["trace_id", "span_id"]);
    }
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The column of texts that groups; how a span ended is no text.
pub(super) fn column_of(by: Dimension) -> Option<&'static str> {
    match by {
        Dimension::Session => Some("session_id"),
        Dimension::User => Some("user_id"),
        Dimension::Status => None,
        other => Some(other.as_str()),
    }
}

/// For each row of a file whether it fulfils the filter, where anything is asked, and the memory of that; `None` where
/// there is no room for it.
fn passing(
    segments: &Segments,
    file: &Segment,
    counter: &mut Counter,
) -> parquet::errors::Result<Option<(Option<Vec<bool>>, Taken)>> {
    let filter = counter.query().filter.clone();
    if filter.is_everything() {
        return Ok(counter.work(0).map(|nothing| (None, nothing)));
    }
    let Some(kept) = counter.work(usize::try_from(file.rows).unwrap_or(usize::MAX)) else { return Ok(None) };
    let columns = filtering::columns(&filter);
    let reading = filtering::reading(segments, file, &columns, &filter.leaves())?;
    let Some(_read) = counter.work(reading.bytes) else { return Ok(None) };
    let passes = filtering::rows(segments, file, (&filter, &columns), reading.rows)?;
    Ok(Some((Some(passes), kept)))
}

/// Counts the rows of a file, or those alone that started in some slots.
pub(super) fn count(
    segments: &Segments,
    file: &Segment,
    dead: &Dead,
    counter: &mut Counter,
    only: Option<&Slots>,
) -> parquet::errors::Result<()> {
    let query = counter.query().clone();
    let Some((passes, _kept)) = passing(segments, file, counter)? else { return Ok(()) };
    let wanted = columns(&query, dead);
    let reading = segment::reading(segments, file, &wanted, BATCH)?;
    let Some(_read) = counter.work(reading.bytes) else { return Ok(()) };
    let mut first = 0;
    // Where a filter was judged row by row, rows must keep their numbers.
    let starts = only.filter(|_| passes.is_none()).cloned().map(|slots| move |start| slots.has(start));
    for batch in scan_coded(segments, file, &wanted, reading.rows, starts)? {
        let batch = batch?;
        let cells = Cells::of(&batch).ok_or_else(not_ours)?;
        let text = |name| batch.column_by_name(name).map(|column| Words::of(column).ok_or_else(not_ours));
        let (projects, kinds) = (text("project").transpose()?, text("kind").ok_or_else(not_ours)??);
        let asked = kinds.map(|kind| query.kind.is_none_or(|wanted| kind == Some(wanted.as_str())));
        let calls = kinds.map(|kind| kind.is_some_and(is_call));
        let within =
            projects.as_ref().map(|words| words.map(|of| of.is_some_and(|of| query.scope.contains(of))));
        let names = query.by.and_then(column_of).map(|name| text(name).ok_or_else(not_ours));
        let names = names.transpose()?.transpose()?;
        let by_status = query.by == Some(Dimension::Status);
        let groups = match &names {
            Some(names) => names.map(|name| counter.group(name)),
            None if by_status => vec![counter.group(Some("ok")), counter.group(Some("error"))],
            None => vec![counter.group(None)],
        };
        let roots = query.roots.then(|| batch.column_by_name("parent_span_id")).flatten();
        for row in 0..batch.num_rows() {
            let kind = kinds.key(row);
            let inside =
                projects.as_ref().zip(within.as_ref()).is_none_or(|(words, within)| within[words.key(row)]);
            let passed = passes.as_ref().is_none_or(|passes| passes.get(first + row) == Some(&true));
            let start = cells.start.value(row);
            if !passed || !asked[kind] || !inside || only.is_some_and(|slots| !slots.has(start)) {
                continue;
            }
            let Some(duration) = number(cells.duration, row) else { continue };
            let inner = roots.is_some_and(|parents| !parents.is_null(row));
            if inner || !dead.is_empty() && is_gone(&batch, row, projects.as_ref(), dead) {
                continue;
            }
            let failed = cells.failed.value(row);
            let group = names.as_ref().map_or(usize::from(by_status && failed), |names| names.key(row));
            let usage = (calls[kind] && !cells.wraps(row)).then(|| cells.usage(row));
            counter.count(groups[group], Timestamp::from_nanos(start), duration, failed, usage);
        }
        first += batch.num_rows();
        if counter.is_full() {
            // The answer is an error already.
            break;
        }
    }
    Ok(())
}

fn is_call(kind: &str) -> bool {
    kind == SpanKind::Llm.as_str() || kind == SpanKind::Embedding.as_str()
}

fn is_gone(batch: &RecordBatch, row: usize, projects: Option<&Words<'_>>, dead: &Dead) -> bool {
    let id = |name: &str| Some(batch.column_by_name(name)?.as_string_opt::<i32>()?.value(row));
    let (trace, span) = (id("trace_id"), id("span_id"));
    let project = projects.and_then(|words| words.value(words.key(row)));
    project.is_some_and(|project| {
        dead.has(project, trace.and_then(|id| id.parse().ok()), span.and_then(|id| id.parse().ok()))
    })
}

fn number(column: &UInt64Array, row: usize) -> Option<u64> {
    (!column.is_null(row)).then(|| column.value(row))
}

/// A column of texts by their numbers: what depends on a text is looked up once for each, not for each row.
struct Words<'a> {
    keys: &'a Int32Array,
    values: &'a StringArray,
}

impl<'a> Words<'a> {
    fn of(column: &'a ArrayRef) -> Option<Self> {
        let column = column.as_any_dictionary_opt()?;
        Some(Self {
            keys: column.keys().as_primitive_opt()?,
            values: column.values().as_string_opt::<i32>()?,
        })
    }

    /// The number of a row's text; of none the one after the last.
    fn key(&self, row: usize) -> usize {
        if self.keys.is_null(row) { self.values.len() } else { self.keys.value(row) as usize }
    }

    fn value(&self, key: usize) -> Option<&'a str> {
        (key < self.values.len() && !self.values.is_null(key)).then(|| self.values.value(key))
    }

    fn map<T>(&self, of: impl FnMut(Option<&'a str>) -> T) -> Vec<T> {
        (0..=self.values.len()).map(|key| self.value(key)).map(of).collect()
    }
}

struct Cells<'a> {
    failed: &'a BooleanArray,
    start: &'a TimestampNanosecondArray,
    duration: &'a UInt64Array,
    input: &'a UInt64Array,
    output: &'a UInt64Array,
    cost: &'a Float64Array,
    // Files of version 1 do not have it.
    wraps: Option<&'a BooleanArray>,
}

impl<'a> Cells<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let number = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<UInt64Type>();
        Some(Self {
            failed: batch.column_by_name("failed")?.as_boolean_opt()?,
            start: batch.column_by_name("start")?.as_primitive_opt::<TimestampNanosecondType>()?,
            duration: number("duration_ns")?,
            input: number("input_tokens")?,
            output: number("output_tokens")?,
            cost: batch.column_by_name("cost")?.as_primitive_opt::<Float64Type>()?,
            wraps: batch.column_by_name("wraps").and_then(|column| column.as_boolean_opt()),
        })
    }

    fn wraps(&self, row: usize) -> bool {
        self.wraps.is_some_and(|wraps| !wraps.is_null(row) && wraps.value(row))
    }

    fn usage(&self, row: usize) -> Usage {
        let cost = (!self.cost.is_null(row)).then(|| self.cost.value(row));
        Usage::new(number(self.input, row), number(self.output, row), cost)
    }
}
