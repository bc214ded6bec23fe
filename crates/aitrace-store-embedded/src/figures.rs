//! Statistics: spans in memory and the few columns of files that figures need.

use aitrace_model::{SpanKind, Timestamp};
use aitrace_store::{Counter, Facts, Result, Statistics, StatisticsQuery, Usage};
use arrow::array::{Array, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{Float64Type, TimestampNanosecondType, UInt64Type};

use crate::read::Damaged;
use crate::search::identity;
use crate::segment::{Dead, Segment, scan};
use crate::shared::Shared;
use crate::snapshot::Everything;

const COLUMNS: &[&str] = &[
    "project",
    "parent_span_id",
    "name",
    "kind",
    "failed",
    "start",
    "duration_ns",
    "session_id",
    "user_id",
    "provider",
    "model",
    "input_tokens",
    "output_tokens",
    "cost",
    "wraps",
];
const BATCH: usize = 8192;

/// Counts; blocks. Says which files could not be read.
pub(crate) fn statistics(shared: &Shared, query: &StatisticsQuery) -> Result<(Statistics, Damaged)> {
    let mut counter = Counter::new(query.clone())?;
    let (all, mut damaged) = (Everything::take(shared, &query.scope), Vec::new());
    for row in &all.spans {
        if let Some(facts) = Facts::of(&row.stored.span, row.wraps) {
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
    let count = |files: &[&(std::sync::Arc<Segment>, std::sync::Arc<Dead>)], mut counter: Counter| {
        let mut damaged = Vec::new();
        for (file, dead) in files {
            let mut apart = counter.clone();
            match count_file(shared, file, dead, &mut apart) {
                Ok(()) => counter = apart,
                Err(error) => damaged.push((file.id, error.to_string())),
            }
        }
        (counter, damaged)
    };
    let empty = Counter::new(query.clone())?;
    let (one, other) = std::thread::scope(|scope| {
        let helper = std::thread::Builder::new()
            .name("aitrace-store-count".to_owned())
            .spawn_scoped(scope, || count(halves.0, empty.clone()));
        let other = count(halves.1, counter);
        // Where no thread can be had, this one counts all.
        let one = helper.ok().and_then(|helper| helper.join().ok());
        (one.unwrap_or_else(|| count(halves.0, empty.clone())), other)
    });
    let (mut counter, bad) = other;
    counter.merge(one.0);
    damaged.extend(bad);
    damaged.extend(one.1);
    Ok((counter.finish(), damaged))
}

fn count_file(
    shared: &Shared,
    file: &Segment,
    dead: &Dead,
    counter: &mut Counter,
) -> parquet::errors::Result<()> {
    let mut columns = COLUMNS.to_vec();
    if !dead.is_empty() {
        columns.extend(["trace_id", "span_id"]);
    }
    for batch in scan(&shared.segments, file, &columns, BATCH)? {
        let batch = batch?;
        let Some(cells) = Cells::of(&batch) else { continue };
        for row in 0..batch.num_rows() {
            let gone = || {
                identity(&batch, row).is_some_and(|(of, trace, span)| dead.has(of, Some(trace), Some(span)))
            };
            if let Some(facts) = cells.facts(row)
                && (dead.is_empty() || !gone())
            {
                counter.add(&facts);
            }
        }
    }
    Ok(())
}

struct Cells<'a> {
    project: &'a StringArray,
    parent: &'a StringArray,
    name: &'a StringArray,
    kind: &'a StringArray,
    session: &'a StringArray,
    user: &'a StringArray,
    provider: &'a StringArray,
    model: &'a StringArray,
    failed: &'a BooleanArray,
    start: &'a arrow::array::TimestampNanosecondArray,
    duration: &'a UInt64Array,
    input: &'a UInt64Array,
    output: &'a UInt64Array,
    cost: &'a Float64Array,
    // Files of version 1 do not have it.
    wraps: Option<&'a BooleanArray>,
}

impl<'a> Cells<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let number = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<UInt64Type>();
        Some(Self {
            project: text("project")?,
            parent: text("parent_span_id")?,
            name: text("name")?,
            kind: text("kind")?,
            session: text("session_id")?,
            user: text("user_id")?,
            provider: text("provider")?,
            model: text("model")?,
            failed: batch.column_by_name("failed")?.as_boolean_opt()?,
            start: batch.column_by_name("start")?.as_primitive_opt::<TimestampNanosecondType>()?,
            duration: number("duration_ns")?,
            input: number("input_tokens")?,
            output: number("output_tokens")?,
            cost: batch.column_by_name("cost")?.as_primitive_opt::<Float64Type>()?,
            wraps: batch.column_by_name("wraps").and_then(|column| column.as_boolean_opt()),
        })
    }

    /// What is counted of a row; `None` of a span that has not ended.
    fn facts(&self, row: usize) -> Option<Facts<'a>> {
        let text = |column: &'a StringArray| (!column.is_null(row)).then(|| column.value(row));
        let number = |column: &'a UInt64Array| (!column.is_null(row)).then(|| column.value(row));
        let kind = self.kind.value(row);
        let wraps = self.wraps.is_some_and(|wraps| !wraps.is_null(row) && wraps.value(row));
        let call = !wraps && (kind == SpanKind::Llm.as_str() || kind == SpanKind::Embedding.as_str());
        let cost = (!self.cost.is_null(row)).then(|| self.cost.value(row));
        Some(Facts {
            project: self.project.value(row),
            start: Timestamp::from_nanos(self.start.value(row)),
            duration_ns: number(self.duration)?,
            failed: self.failed.value(row),
            root: self.parent.is_null(row),
            kind,
            name: self.name.value(row),
            model: text(self.model),
            provider: text(self.provider),
            session_id: text(self.session),
            user_id: text(self.user),
            usage: call.then(|| Usage::new(number(self.input), number(self.output), cost)),
        })
    }
}
