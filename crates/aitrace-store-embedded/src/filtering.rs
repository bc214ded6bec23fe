//! Filters on columns: what columns can decide needs no span.

mod column;

use std::collections::HashMap;
use std::sync::Arc;

use aitrace_model::{Span, TraceId};
use aitrace_store::{ErrorKind, Field, Filter, ProjectScope, Result, Room, StoreError, Taken, standing};
use arrow::array::{BooleanArray, RecordBatch};
use parquet::errors::ParquetError;

use crate::corrections::Need;
use crate::echo;
use crate::read::Damaged;
use crate::rows::{identity, spans as read_spans};
use crate::segment::{self, Dead, Reading, Segment, Segments, not_ours, scan};
use crate::shared::Shared;
use crate::snapshot::Everything;
use crate::stop;

/// Rows that are looked at together at most.
const BATCH: usize = 8192;

/// Bytes of spans that rows become at once, where no column alone decides, and of one beside its texts.
const SPANS: usize = 1 << 20;
const SPAN: usize = size_of::<Span>() + 256;

/// Columns without which a row is no span.
const BASE: &[&str] =
    &["project", "trace_id", "span_id", "name", "kind", "event_type", "start", "end", "received"];

/// Columns that hold contents.
const CONTENTS: &[&str] = &[
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
];

/// Columns that tell rows apart.
const IDENTITY: &[&str] = &["project", "trace_id", "span_id"];

/// Columns of spans that a filter looks at; where it needs spans, those without which a row is none.
pub(crate) fn columns(filter: &Filter) -> Vec<&'static str> {
    let leaves = filter.leaves();
    let mut columns = if leaves.iter().all(|leaf| is_by_column(leaf)) { vec![] } else { BASE.to_vec() };
    for leaf in leaves {
        match leaf {
            Filter::Term(term) => columns.extend(column::of(term.field).unwrap_or(of_field(term.field))),
            _ => columns.extend(CONTENTS),
        }
    }
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The same, and those that tell rows apart.
pub(crate) fn columns_and_identity(filter: &Filter) -> Vec<&'static str> {
    let mut columns = columns(filter);
    columns.extend(IDENTITY);
    columns.sort_unstable();
    columns.dedup();
    columns
}

fn is_by_column(leaf: &Filter) -> bool {
    matches!(leaf, Filter::Term(term) if column::of(term.field).is_some())
}

/// Columns from which a span has a field that no column alone decides.
fn of_field(field: Field) -> &'static [&'static str] {
    match field {
        Field::Error => &["error_type", "error_message"],
        Field::File | Field::Function => &["code_file", "code_line", "code_function"],
        Field::Inputs => &["inputs"],
        Field::Outputs => &["outputs"],
        Field::Metadata => &["metadata"],
        Field::Metrics => &["metrics"],
        Field::Feedback => &["feedback"],
        Field::Config => &["config"],
        Field::UserProperties => &["user_properties"],
        // Where they repeat the contents, files only refer to them.
        Field::Attributes => &["attributes", "inputs", "outputs"],
        _ => &[],
    }
}

/// Which corrections may change what a filter says.
pub(crate) fn need(filter: &Filter) -> Need {
    let plain = |leaf: &&Filter| match leaf {
        Filter::Term(term) => !of_field(term.field).iter().any(|column| CONTENTS.contains(column)),
        _ => false,
    };
    if filter.leaves().iter().all(plain) { Need::Failures } else { Need::All }
}

/// For each condition which rows fulfil it; `None` where the batch is not what we write.
fn masks(batch: &RecordBatch, leaves: &[&Filter]) -> Option<Vec<BooleanArray>> {
    let batch = &echo::whole(batch)?;
    let mut spans: Option<Vec<Span>> = None;
    let mut masks = Vec::with_capacity(leaves.len());
    for leaf in leaves {
        let by_column = column::judge(batch, leaf);
        if by_column.is_none() && spans.is_none() {
            spans = Some(read_spans(batch)?.into_iter().map(|(span, _)| span).collect());
        }
        masks.push(by_column.unwrap_or_else(|| {
            let says = |span| Some(leaf.span_says(span, standing(span)));
            spans.iter().flatten().map(says).collect()
        }));
    }
    Some(masks)
}

/// Which rows of spans fulfil a filter; `None` where the batch is not what we write.
pub(crate) fn mask(batch: &RecordBatch, filter: &Filter) -> Option<Vec<bool>> {
    let leaves = filter.leaves();
    let masks = masks(batch, &leaves)?;
    let row = |row: usize| {
        let mut says = |leaf: &Filter| {
            let place = leaves.iter().position(|one| std::ptr::eq(*one, leaf))?;
            Some(masks[place].value(row))
        };
        filter.judge(&mut says).unwrap_or(false)
    };
    Some((0..batch.num_rows()).map(row).collect())
}

/// How to read columns of a file for conditions.
pub(crate) fn reading(
    segments: &Segments,
    file: &Segment,
    columns: &[&str],
    leaves: &[&Filter],
) -> parquet::errors::Result<Reading> {
    if leaves.iter().all(|leaf| is_by_column(leaf)) {
        return segment::reading(segments, file, columns, BATCH);
    }
    let reading = segment::reading(segments, file, columns, SPANS / SPAN)?;
    Ok(Reading { bytes: reading.bytes.saturating_add(SPANS), ..reading })
}

/// For each row of a file whether it fulfils a filter, by its columns, so many rows at a time.
pub(crate) fn rows(
    segments: &Segments,
    file: &Segment,
    (filter, columns): (&Filter, &[&str]),
    rows: usize,
) -> parquet::errors::Result<Vec<bool>> {
    let mut passes = Vec::with_capacity(usize::try_from(file.rows).unwrap_or(0));
    for batch in scan(segments, file, columns, rows)? {
        passes.extend(mask(&batch?, filter).ok_or_else(not_ours)?);
    }
    Ok(passes)
}

/// Which conditions on spans each trace fulfils, a bit for each of [`Filter::span_leaves`].
#[derive(Debug)]
pub(crate) struct Marks {
    of: HashMap<String, HashMap<TraceId, u64>>,
    /// How many traces there are, and for how many memory is taken.
    count: usize,
    room_for: usize,
    taken: Taken,
}

/// Traces for which memory is taken at once, and bytes of one: tables are doubled, and then half of them is empty.
const TRACES: usize = 1024;
const TRACE: usize = 4 * size_of::<(TraceId, u64)>();

/// Why a file was not looked at.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It cannot be read.
    Damaged(ParquetError),
    /// There is too little room.
    Full(StoreError),
}

impl From<ParquetError> for Failed {
    fn from(error: ParquetError) -> Self {
        Self::Damaged(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Full(error)
    }
}

/// What a caller is told where there is too little room for looking at spans.
pub(crate) fn too_much(error: StoreError) -> StoreError {
    let text = format!("looking at spans needs too much: {error}; narrow it by project or time");
    StoreError::new(ErrorKind::Overloaded, text).with_source(error)
}

impl Marks {
    /// Looks at the spans in scope that started at or after `since`. The work is linear in their number.
    pub(crate) fn take(
        shared: &Shared,
        scope: &ProjectScope,
        filter: &Filter,
        since: Option<aitrace_model::Timestamp>,
        room: &Arc<dyn Room>,
    ) -> Result<(Self, Damaged)> {
        let taken = Taken::nothing(Arc::clone(room));
        let mut marks = Self { of: HashMap::new(), count: 0, room_for: 0, taken };
        let (mut damaged, leaves) = (Vec::new(), filter.span_leaves());
        if leaves.is_empty() {
            return Ok((marks, damaged));
        }
        let files = marks.memory(shared, scope, (filter, &leaves)).map_err(too_much)?;
        let only = Filter::all(leaves.iter().copied().cloned());
        let columns = columns_and_identity(&only);
        for (file, dead) in files.iter().filter(|(file, _)| file.spans && file.may_start(since, None)) {
            match marks.file(shared, file, dead, &leaves, &columns) {
                Ok(()) => {}
                Err(Failed::Full(error)) => return Err(too_much(error)),
                Err(Failed::Damaged(_)) if stop::is_given() => break,
                Err(Failed::Damaged(error)) => damaged.push((file.id, error.to_string())),
            }
        }
        Ok((marks, damaged))
    }

    /// Looks at spans in memory; the files. Spans are held no longer than that: whoever seals them meanwhile would not get
    /// their memory back.
    fn memory(
        &mut self,
        shared: &Shared,
        scope: &ProjectScope,
        (filter, leaves): (&Filter, &[&Filter]),
    ) -> Result<Vec<(Arc<Segment>, Arc<Dead>)>> {
        let all = Everything::take(shared, scope, need(filter));
        let mut work = Taken::nothing(Arc::clone(self.taken.room()));
        work.grow(all.bytes())?;
        for row in &all.spans {
            let span = &row.stored.span;
            let says = |leaf: &Filter| leaf.span_says(span, standing(span));
            let bits =
                leaves.iter().enumerate().fold(0, |bits, (bit, leaf)| bits | u64::from(says(leaf)) << bit);
            self.add(&span.project, span.trace_id, bits)?;
        }
        Ok(all.files)
    }

    fn file(
        &mut self,
        shared: &Shared,
        file: &Segment,
        dead: &Dead,
        leaves: &[&Filter],
        columns: &[&str],
    ) -> Result<(), Failed> {
        let reading = reading(&shared.segments, file, columns, leaves)?;
        let mut work = Taken::nothing(Arc::clone(self.taken.room()));
        work.grow(reading.bytes)?;
        for batch in scan(&shared.segments, file, columns, reading.rows)? {
            let batch = batch.map_err(ParquetError::from)?;
            let masks = masks(&batch, leaves).ok_or_else(not_ours)?;
            for row in 0..batch.num_rows() {
                let bits = masks
                    .iter()
                    .enumerate()
                    .fold(0, |bits, (bit, mask)| bits | u64::from(mask.value(row)) << bit);
                if bits == 0 {
                    continue;
                }
                let Some((project, trace_id, span_id)) = identity(&batch, row) else { continue };
                if dead.is_empty() || !dead.has(project, Some(trace_id), Some(span_id)) {
                    self.add(project, trace_id, bits)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, project: &str, trace_id: TraceId, bits: u64) -> Result<()> {
        if bits == 0 {
            return Ok(());
        }
        if self.count >= self.room_for {
            self.taken.grow(TRACES * TRACE)?;
            self.room_for += TRACES;
        }
        if !self.of.contains_key(project) {
            self.of.insert(project.to_owned(), HashMap::new());
        }
        if let Some(traces) = self.of.get_mut(project) {
            let before = traces.len();
            *traces.entry(trace_id).or_default() |= bits;
            self.count += traces.len() - before;
        }
        Ok(())
    }

    /// Those of a trace.
    pub(crate) fn of(&self, project: &str, trace_id: TraceId) -> u64 {
        self.of.get(project).and_then(|traces| traces.get(&trace_id)).copied().unwrap_or(0)
    }
}
