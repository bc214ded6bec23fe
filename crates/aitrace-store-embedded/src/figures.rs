//! Statistics: spans in memory and the few columns of files that figures need.

use std::sync::Arc;

use aitrace_model::{SpanKind, Timestamp};
use aitrace_store::{Counter, Dimension, Facts, ProjectScope, Result, Statistics, StatisticsQuery, Usage};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, RecordBatch, StringArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{Float64Type, TimestampNanosecondType, UInt64Type};

use crate::filtering;
use crate::read::Damaged;
use crate::segment::{Dead, Segment, not_ours, scan_coded};
use crate::shared::Shared;
use crate::snapshot::Everything;
use crate::stop::{self, Stop};

const BATCH: usize = 8192;

/// Counts; blocks. Says which files could not be read.
pub(crate) fn statistics(shared: &Shared, query: &StatisticsQuery) -> Result<(Statistics, Damaged)> {
    let mut counter = Counter::new(query.clone())?;
    let (all, mut damaged) = (Everything::take(shared, &query.scope), Vec::new());
    for row in &all.spans {
        let facts = Facts::of(&row.stored.span, row.wraps);
        if let Some(facts) = facts.filter(|_| query.admits(&row.stored.span)) {
            counter.add(&facts);
        }
    }
    let files: Vec<_> = all
        .files
        .iter()
        .filter(|(file, _)| file.spans && file.may_start(Some(query.since), Some(query.until)))
        .collect();
    // Half of the files each, so that both cores count.
    let halves = files.split_at(files.len() / 2);
    let empty = Counter::new(query.clone())?;
    let stop = Stop::current();
    let (one, other) = std::thread::scope(|scope| {
        let helper = std::thread::Builder::new()
            .name("aitrace-store-count".to_owned())
            .spawn_scoped(scope, || stop.over(|| count(shared, halves.0, &empty)));
        let other = count(shared, halves.1, &empty);
        // Where no thread can be had, this one counts all.
        let one = helper.ok().and_then(|helper| helper.join().ok());
        (one.unwrap_or_else(|| count(shared, halves.0, &empty)), other)
    });
    for (part, bad) in [one, other] {
        counter.merge(part);
        damaged.extend(bad);
    }
    if stop.is_given() {
        return Err(stop::stopped());
    }
    Ok((counter.finish()?, damaged))
}

type Files<'a> = [&'a (Arc<Segment>, Arc<Dead>)];

/// Counts files; those that cannot be read are left out as a whole.
fn count(shared: &Shared, files: &Files<'_>, empty: &Counter) -> (Counter, Damaged) {
    let mut damaged = Damaged::new();
    'anew: loop {
        let mut counter = empty.clone();
        for (file, dead) in files {
            if damaged.iter().any(|(id, _)| *id == file.id) {
                continue;
            }
            if let Err(error) = count_file(shared, file, dead, &mut counter) {
                if stop::is_given() {
                    return (counter, damaged);
                }
                damaged.push((file.id, error.to_string()));
                continue 'anew;
            }
        }
        return (counter, damaged);
    }
}

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
fn column_of(by: Dimension) -> Option<&'static str> {
    match by {
        Dimension::Session => Some("session_id"),
        Dimension::User => Some("user_id"),
        Dimension::Status => None,
        other => Some(other.as_str()),
    }
}

fn count_file(
    shared: &Shared,
    file: &Segment,
    dead: &Dead,
    counter: &mut Counter,
) -> parquet::errors::Result<()> {
    let query = counter.query().clone();
    let passes = filtering::rows(shared, file, &query.filter)?;
    let mut first = 0;
    for batch in scan_coded(&shared.segments, file, &columns(&query, dead), BATCH)? {
        let batch = batch?;
        let cells = Cells::of(&batch).ok_or_else(not_ours)?;
        let text = |name| batch.column_by_name(name).map(|column| Words::of(column).ok_or_else(not_ours));
        let (projects, kinds) = (text("project").transpose()?, text("kind").ok_or_else(not_ours)??);
        let asked = kinds.map(|kind| query.kind.is_none_or(|wanted| kind == Some(wanted.as_str())));
        let calls = [SpanKind::Llm.as_str(), SpanKind::Embedding.as_str()];
        let calls = kinds.map(|kind| kind.is_some_and(|kind| calls.contains(&kind)));
        let within =
            projects.as_ref().map(|words| words.map(|of| of.is_some_and(|of| query.scope.contains(of))));
        let names = query
            .by
            .and_then(column_of)
            .map(|name| text(name).ok_or_else(not_ours))
            .transpose()?
            .transpose()?;
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
            if !passed || !asked[kind] || !inside || roots.is_some_and(|parents| !parents.is_null(row)) {
                continue;
            }
            let Some(duration) = number(cells.duration, row) else { continue };
            if !dead.is_empty() && is_gone(&batch, row, projects.as_ref(), dead) {
                continue;
            }
            let failed = cells.failed.value(row);
            let group = names.as_ref().map_or(usize::from(by_status && failed), |names| names.key(row));
            let group = groups[group];
            let start = Timestamp::from_nanos(cells.start.value(row));
            let usage = (calls[kind] && !cells.wraps(row)).then(|| cells.usage(row));
            counter.count(group, start, duration, failed, usage);
        }
        first += batch.num_rows();
        if counter.is_full() {
            // The answer is an error already.
            break;
        }
    }
    Ok(())
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
