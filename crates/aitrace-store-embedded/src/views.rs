//! The views of SQL: their columns, and those that are made of the catalog.

use std::borrow::Cow;
use std::sync::Arc;

use aitrace_model::{Timestamp, TraceSummary};
use aitrace_store::{
    Document, DocumentKind, DocumentQuery, ProjectScope, Record, Result, Run, Score, SessionFilter,
    SessionPageRequest, SessionSummary, SqlColumn, SqlValue, SqlView,
};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float64Type, Int64Type, Schema, SchemaRef, TimestampNanosecondType, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::{Expr, col, lit, when};

use crate::columns::{self, Column};
use crate::rows::{LOGS, SPANS};
use crate::shared::Shared;
use crate::{document, echo, faults, lists, sessions};

/// Traces that become rows at once.
const SLICE: usize = 4096;

/// Views that are made for a statement that means them.
pub(crate) const MADE: &[&str] = &["traces", "sessions", "scores", "runs"];

/// Columns of files that are not part of a view.
const INNER: &[&str] = &["parts", "wraps", "orphans", "heartbeats", "status", "failed"];

/// Columns of `spans`: those of the files, and how a span stands.
pub(crate) fn span_columns() -> Vec<Expr> {
    let plain = SPANS.iter().map(|(name, _)| *name).filter(|name| !INNER.contains(name));
    let mut columns: Vec<Expr> = plain
        .map(|name| if name == "attributes" { attributes() } else { col(format!("\"{name}\"")) })
        .collect();
    let status =
        when(col("\"end\"").is_null(), lit("running")).when(col("failed"), lit("error")).otherwise(lit("ok"));
    columns.extend(status.map(|status| status.alias("status")));
    columns
}

/// Attributes as they were sent: files refer to contents where both say the same.
fn attributes() -> Expr {
    let whole = |values: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(values)?;
        let broken = || DataFusionError::Execution("attributes refer to what is not there".to_owned());
        let [attributes, inputs, outputs] = columns.as_slice() else { return Err(broken()) };
        echo::resolve(attributes, inputs, outputs).map(ColumnarValue::Array).ok_or_else(broken)
    };
    let text = || DataType::Utf8;
    let function =
        create_udf("whole", vec![text(), text(), text()], text(), Volatility::Immutable, Arc::new(whole));
    function.call(vec![col("attributes"), col("inputs"), col("outputs")]).alias("attributes")
}

/// Columns of `logs`: those of the files.
pub(crate) fn log_columns() -> Vec<Expr> {
    LOGS.iter().map(|(name, _)| col(format!("\"{name}\""))).collect()
}

type Scored = (Score, Document);
type Ran = (Run, Document);

const TRACES: &[(&str, Column<TraceSummary>)] = &[
    ("project", Column::Text(|row| Some(row.project.as_str().into()))),
    ("trace_id", Column::Text(|row| Some(row.trace_id.to_hex().into()))),
    ("name", Column::Text(|row| Some(row.name.as_str().into()))),
    ("session_id", Column::Text(|row| row.session_id.as_deref().map(Cow::from))),
    ("start", Column::Time(|row| Some(row.start))),
    ("end", Column::Time(|row| row.end)),
    ("duration_ns", Column::Number(|row| row.end.map(|end| end.since(row.start).max(0) as u64))),
    ("status", Column::Text(|row| Some(row.status.as_str().into()))),
    ("spans", Column::Number(|row| Some(row.spans))),
    ("events", Column::Number(|row| Some(row.events))),
    ("errors", Column::Number(|row| Some(row.errors))),
    ("input_tokens", Column::Number(|row| row.input_tokens)),
    ("output_tokens", Column::Number(|row| row.output_tokens)),
    ("cost", Column::Double(|row| row.cost)),
];

const SESSIONS: &[(&str, Column<SessionSummary>)] = &[
    ("project", Column::Text(|row| Some(row.project.as_str().into()))),
    ("session_id", Column::Text(|row| Some(row.session_id.as_str().into()))),
    ("name", Column::Text(|row| row.name.as_deref().map(Cow::from))),
    ("start", Column::Time(|row| Some(row.start))),
    ("end", Column::Time(|row| row.end)),
    ("status", Column::Text(|row| Some(row.status.as_str().into()))),
    ("traces", Column::Number(|row| Some(row.traces))),
    ("spans", Column::Number(|row| Some(row.spans))),
    ("events", Column::Number(|row| Some(row.events))),
    ("errors", Column::Number(|row| Some(row.errors))),
    ("input_tokens", Column::Number(|row| row.input_tokens)),
    ("output_tokens", Column::Number(|row| row.output_tokens)),
    ("cost", Column::Double(|row| row.cost)),
];

const SCORES: &[(&str, Column<Scored>)] = &[
    ("project", Column::Text(|row| Some(row.0.project.as_str().into()))),
    ("id", Column::Text(|row| Some(row.0.id.as_str().into()))),
    ("trace_id", Column::Text(|row| row.0.trace_id.map(|id| id.to_hex().into()))),
    ("span_id", Column::Text(|row| row.0.span_id.map(|id| id.to_hex().into()))),
    ("session_id", Column::Text(|row| row.0.session_id.as_deref().map(Cow::from))),
    ("run_id", Column::Text(|row| row.0.run_id.as_deref().map(Cow::from))),
    ("name", Column::Text(|row| Some(row.0.name.as_str().into()))),
    (
        "value",
        Column::Double(|row| {
            row.0.value.as_ref().and_then(|value| {
                value.as_f64().or_else(|| value.as_bool().map(|yes| f64::from(u8::from(yes))))
            })
        }),
    ),
    ("value_json", Column::Text(|row| row.0.value.as_ref().map(|value| value.to_string().into()))),
    ("label", Column::Text(|row| row.0.label.as_deref().map(Cow::from))),
    ("comment", Column::Text(|row| row.0.comment.as_deref().map(Cow::from))),
    ("source", Column::Text(|row| row.0.source.as_deref().map(Cow::from))),
    ("created", Column::Time(|row| Some(row.1.created))),
];

const RUNS: &[(&str, Column<Ran>)] = &[
    ("project", Column::Text(|row| Some(row.0.project.as_str().into()))),
    ("id", Column::Text(|row| Some(row.0.id.as_str().into()))),
    ("name", Column::Text(|row| row.0.name.as_deref().map(Cow::from))),
    ("status", Column::Text(|row| row.0.status.as_deref().map(Cow::from))),
    ("dataset_id", Column::Text(|row| row.0.dataset_id.as_deref().map(Cow::from))),
    ("data", Column::Text(|row| Some(row.1.data.as_str().into()))),
    ("created", Column::Time(|row| Some(row.1.created))),
    ("updated", Column::Time(|row| Some(row.1.updated))),
];

/// The columns of a view that is made.
pub(crate) fn schema_of(name: &str) -> SchemaRef {
    match name {
        "traces" => columns::schema(TRACES),
        "sessions" => columns::schema(SESSIONS),
        "scores" => columns::schema(SCORES),
        _ => columns::schema(RUNS),
    }
}

/// Columns to make, and their numbers.
type Picked<'a> = (&'a SchemaRef, &'a [usize]);
type Give<'a> = &'a mut dyn FnMut(RecordBatch) -> Result<()>;
type GiveRecords<'a, R> = &'a mut dyn FnMut(&[(R, Document)]) -> Result<()>;

/// Gives the rows of a view at this moment, piece by piece.
pub(crate) fn make(
    shared: &Shared,
    scope: &ProjectScope,
    name: &str,
    picked: Picked<'_>,
    give: Give<'_>,
) -> Result<()> {
    match name {
        "traces" => {
            let mut rows = Vec::with_capacity(SLICE);
            lists::each_line(shared, scope, |line| {
                rows.push(line);
                if rows.len() < SLICE {
                    return Ok(());
                }
                give(batch(TRACES, picked, &std::mem::take(&mut rows))?)
            })?;
            give(batch(TRACES, picked, &rows)?)
        }
        "sessions" => {
            let filter = SessionFilter { scope: scope.clone(), ..SessionFilter::default() };
            let mut page = SessionPageRequest { limit: 1000, cursor: None };
            loop {
                let answer = sessions::list(shared, &filter, &page)?;
                give(batch(SESSIONS, picked, &answer.sessions)?)?;
                page.cursor = answer.next;
                if page.cursor.is_none() {
                    return Ok(());
                }
            }
        }
        "scores" => each_record::<Score>(shared, scope, DocumentKind::Score, &mut |rows| {
            give(batch(SCORES, picked, rows)?)
        }),
        _ => {
            each_record::<Run>(shared, scope, DocumentKind::Run, &mut |rows| give(batch(RUNS, picked, rows)?))
        }
    }
}

fn batch<T>(all: &[(&str, Column<T>)], (schema, picks): Picked<'_>, rows: &[T]) -> Result<RecordBatch> {
    columns::picked(schema, all, picks, rows)
}

fn each_record<R: Record>(
    shared: &Shared,
    scope: &ProjectScope,
    kind: DocumentKind,
    give: GiveRecords<'_, R>,
) -> Result<()> {
    let mut query = DocumentQuery::new(kind, scope.clone());
    loop {
        let page = document::find(&shared.reader.lock(), &query)?;
        let rows = page.documents.into_iter().map(|document| Ok((R::read(&document)?, document)));
        give(&rows.collect::<Result<Vec<_>>>()?)?;
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok(());
        }
    }
}

/// All views as they are documented.
pub(crate) fn all() -> Vec<SqlView> {
    let column = |name: &str, kind: &DataType| SqlColumn { name: name.to_owned(), kind: word(kind) };
    let of = |schema: &Schema, hidden: &[&str]| -> Vec<SqlColumn> {
        let fields = schema.fields().iter().filter(|field| !hidden.contains(&field.name().as_str()));
        fields.map(|field| column(field.name(), field.data_type())).collect()
    };
    let mut spans = of(&columns::schema(SPANS), INNER);
    spans.push(column("status", &DataType::Utf8));
    let view = |name, doc, columns| SqlView { name, doc, columns };
    vec![
        view("spans", "one span; status is running, ok or error; JSON columns are text", spans),
        view("logs", "one log record", of(&columns::schema(LOGS), &[])),
        view("traces", "the line of one trace", of(&columns::schema(TRACES), &[])),
        view("sessions", "the line of one session", of(&columns::schema(SESSIONS), &[])),
        view(
            "scores",
            "one score; value is its number, value_json all of it",
            of(&columns::schema(SCORES), &[]),
        ),
        view("runs", "one evaluation run; data is JSON", of(&columns::schema(RUNS), &[])),
    ]
}

fn word(kind: &DataType) -> &'static str {
    match kind {
        DataType::Boolean => "bool",
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => "int",
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => "uint",
        DataType::Float32 | DataType::Float64 => "double",
        DataType::Timestamp(..) => "time",
        _ => "text",
    }
}

/// The columns of an answer.
pub(crate) fn columns_of(schema: &Schema) -> Vec<SqlColumn> {
    let fields = schema.fields().iter();
    fields.map(|field| SqlColumn { name: field.name().clone(), kind: word(field.data_type()) }).collect()
}

/// The rows of a batch as those of an answer.
pub(crate) fn rows_of(batch: &RecordBatch) -> Result<Vec<Vec<SqlValue>>> {
    let cells: Vec<Vec<SqlValue>> = batch.columns().iter().map(cells).collect::<Result<_>>()?;
    let mut cells: Vec<_> = cells.into_iter().map(Vec::into_iter).collect();
    let row = |_| cells.iter_mut().map(|column| column.next().unwrap_or(SqlValue::Null)).collect();
    Ok((0..batch.num_rows()).map(row).collect())
}

fn cells(column: &ArrayRef) -> Result<Vec<SqlValue>> {
    let cast = |to: &DataType| arrow::compute::cast(column, to).map_err(faults::arrow("reading an answer"));
    let kept = |row: usize| !column.is_null(row);
    let each = |value: &dyn Fn(usize) -> SqlValue| {
        (0..column.len()).map(|row| if kept(row) { value(row) } else { SqlValue::Null }).collect()
    };
    Ok(match word(column.data_type()) {
        "bool" => {
            let column = column.as_boolean();
            each(&|row| SqlValue::Bool(column.value(row)))
        }
        "int" => {
            let column = cast(&DataType::Int64)?;
            each(&|row| SqlValue::Int(column.as_primitive::<Int64Type>().value(row)))
        }
        "uint" => {
            let column = cast(&DataType::UInt64)?;
            each(&|row| SqlValue::UInt(column.as_primitive::<UInt64Type>().value(row)))
        }
        "double" => {
            let column = cast(&DataType::Float64)?;
            each(&|row| SqlValue::Double(column.as_primitive::<Float64Type>().value(row)))
        }
        "time" => {
            let column =
                cast(&DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, Some("UTC".into())))?;
            let nanos = |row| column.as_primitive::<TimestampNanosecondType>().value(row);
            each(&|row| SqlValue::Time(Timestamp::from_nanos(nanos(row))))
        }
        _ => {
            let options = FormatOptions::default();
            let format =
                ArrayFormatter::try_new(column, &options).map_err(faults::arrow("reading an answer"))?;
            each(&|row| SqlValue::Text(format.value(row).to_string()))
        }
    })
}
