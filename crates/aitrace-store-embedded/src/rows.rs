//! What a segment holds: rows of finished spans and of log records.

use std::borrow::Cow;
use std::sync::Arc;

use aitrace_model::{
    CodeLocation, ErrorInfo, EventType, Json, Level, LogRecord, Phase, Span, SpanId, SpanKind, Status,
    TraceId,
};
use aitrace_store::StoredSpan;
use arrow::array::{AsArray as _, RecordBatch};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::columns::{self, Cells, Column};
use crate::echo::{self, Contents};

/// A span as one row.
#[derive(Debug, Clone)]
pub(crate) struct SpanRow {
    /// The merged span.
    pub(crate) stored: Arc<StoredSpan>,
    /// The messages it was merged from, packed; `None` where the span is its own only message.
    pub(crate) parts: Option<Vec<u8>>,
    /// Whether a model call is below it: what it says of usage repeats that.
    pub(crate) wraps: bool,
    /// Whether its messages are log records besides.
    pub(crate) orphans: bool,
}

macro_rules! text {
    ($row:ident => $value:expr) => {
        Column::Text(|$row| $value.map(Cow::from))
    };
}

macro_rules! json {
    ($field:ident) => {
        Column::Text(|row| row.stored.span.$field.as_ref().map(|json| Cow::from(json.as_str())))
    };
}

macro_rules! words {
    ($field:ident) => {
        Column::Text(|row| row.stored.span.$field.as_deref().map(Cow::from))
    };
}

/// Columns of spans. `failed` and `duration_ns` repeat what others say, for those who write SQL.
pub(crate) const SPANS: &[(&str, Column<SpanRow>)] = &[
    ("project", text!(row => Some(&*row.stored.span.project))),
    ("trace_id", text!(row => Some(row.stored.span.trace_id.to_hex()))),
    ("span_id", text!(row => Some(row.stored.span.span_id.to_hex()))),
    ("parent_span_id", text!(row => row.stored.span.parent_span_id.map(aitrace_model::SpanId::to_hex))),
    ("heartbeats", Column::Flag(|row| row.stored.span.heartbeats)),
    ("name", text!(row => Some(&*row.stored.span.name))),
    ("kind", text!(row => Some(row.stored.span.kind.as_str()))),
    ("event_type", text!(row => Some(row.stored.span.event_type.as_str()))),
    ("status", text!(row => row.stored.span.status.map(Status::as_str))),
    ("failed", Column::Flag(|row| row.stored.span.is_error())),
    ("error_type", text!(row => row.stored.span.error.as_ref().map(|error| &*error.kind))),
    ("error_message", text!(row => row.stored.span.error.as_ref().map(|error| &*error.message))),
    ("error_stacktrace", text!(row => row.stored.span.error.as_ref().map(|error| &*error.stacktrace))),
    ("start", Column::Time(|row| Some(row.stored.span.start))),
    ("end", Column::Time(|row| row.stored.span.end)),
    ("duration_ns", Column::Number(|row| row.stored.span.duration_ns().map(|nanos| nanos as u64))),
    ("received", Column::Time(|row| Some(row.stored.span.received))),
    ("source", words!(source)),
    ("service", words!(service)),
    ("session_id", words!(session_id)),
    ("user_id", words!(user_id)),
    ("run_id", words!(run_id)),
    ("dataset_id", words!(dataset_id)),
    ("datapoint_id", words!(datapoint_id)),
    ("provider", words!(provider)),
    ("model", words!(model)),
    ("input_tokens", Column::Number(|row| row.stored.span.input_tokens)),
    ("output_tokens", Column::Number(|row| row.stored.span.output_tokens)),
    ("cost", Column::Double(|row| row.stored.span.cost)),
    ("inputs", json!(inputs)),
    ("outputs", json!(outputs)),
    ("metadata", json!(metadata)),
    ("metrics", json!(metrics)),
    ("feedback", json!(feedback)),
    ("config", json!(config)),
    ("user_properties", json!(user_properties)),
    ("attributes", text!(row => Some(packed(&row.stored.span)))),
    ("resource", text!(row => Some(row.stored.span.resource.as_str()))),
    ("scope", text!(row => Some(&*row.stored.span.scope))),
    ("code_file", text!(row => row.stored.span.code.as_ref().map(|code| &*code.file))),
    ("code_line", Column::Number(|row| row.stored.span.code.as_ref().map(|code| u64::from(code.line)))),
    ("code_function", text!(row => row.stored.span.code.as_ref().map(|code| &*code.function))),
    ("events", text!(row => list(&row.stored.span.events))),
    ("links", text!(row => list(&row.stored.span.links))),
    ("parts", Column::Bytes(|row| row.parts.as_deref())),
    ("wraps", Column::Flag(|row| row.wraps)),
    ("orphans", Column::Flag(|row| row.orphans)),
    ("cache_read_tokens", Column::Number(|row| row.stored.span.cache_read_tokens)),
    ("cache_write_tokens", Column::Number(|row| row.stored.span.cache_write_tokens)),
    ("reasoning_tokens", Column::Number(|row| row.stored.span.reasoning_tokens)),
    ("otel", json!(otel)),
    ("cost_formula", words!(cost_formula)),
    ("repriced", Column::Time(|row| row.stored.span.repriced)),
];

/// Columns of both that may hold much.
pub(crate) const LONG: &[&str] = &[
    "inputs",
    "outputs",
    "metadata",
    "metrics",
    "feedback",
    "config",
    "user_properties",
    "attributes",
    "resource",
    "events",
    "links",
    "otel",
    "error_message",
    "error_stacktrace",
    "parts",
    "cost_formula",
    "attrs",
];

/// Columns of log records.
pub(crate) const LOGS: &[(&str, Column<Arc<LogRecord>>)] = &[
    ("project", text!(log => Some(&*log.project))),
    ("id", text!(log => Some(&*log.id))),
    ("trace_id", text!(log => log.trace_id.map(aitrace_model::TraceId::to_hex))),
    ("span_id", text!(log => log.span_id.map(aitrace_model::SpanId::to_hex))),
    ("time", Column::Time(|log| Some(log.time))),
    ("event", text!(log => Some(&*log.event))),
    ("level", text!(log => Some(log.level.as_str()))),
    ("logger", text!(log => log.logger.as_deref())),
    ("code_file", text!(log => log.code.as_ref().map(|code| &*code.file))),
    ("code_line", Column::Number(|log| log.code.as_ref().map(|code| u64::from(code.line)))),
    ("code_function", text!(log => log.code.as_ref().map(|code| &*code.function))),
    ("session_id", text!(log => log.session_id.as_deref())),
    ("attrs", text!(log => Some(log.attrs.as_str()))),
    ("received", Column::Time(|log| Some(log.received))),
];

/// The contents that the attributes of a span may repeat.
fn contents(span: &Span) -> Contents<'_> {
    Contents {
        inputs: span.inputs.as_ref().map(Json::as_str),
        outputs: span.outputs.as_ref().map(Json::as_str),
    }
}

fn packed(span: &Span) -> Cow<'_, str> {
    echo::pack(span.attributes.as_str(), contents(span))
}

fn list<T: Serialize>(items: &[T]) -> Option<String> {
    if items.is_empty() {
        return None;
    }
    Some(serde_json::to_string(items).expect("events and links have text keys only"))
}

fn from_list<T: DeserializeOwned>(text: Option<&str>) -> Option<Vec<T>> {
    text.map_or(Some(Vec::new()), |text| serde_json::from_str(text).ok())
}

/// Spans of a batch with the columns of [`SPANS`], with their packed parts; `None` if one of them
/// is not what we write.
pub(crate) fn spans(batch: &RecordBatch) -> Option<Vec<(Span, Option<Vec<u8>>)>> {
    let batch = &columns::conform(batch, &columns::schema(SPANS)).ok()?;
    (0..batch.num_rows()).map(|row| span(&mut Cells::new(batch, row))).collect()
}

/// The identity of a row.
pub(crate) fn identity(batch: &RecordBatch, row: usize) -> Option<(&str, TraceId, SpanId)> {
    let text = |name: &str| Some(batch.column_by_name(name)?.as_string_opt::<i32>()?.value(row));
    Some((text("project")?, text("trace_id")?.parse().ok()?, text("span_id")?.parse().ok()?))
}

/// Log records of a batch with the columns of [`LOGS`].
pub(crate) fn logs(batch: &RecordBatch) -> Option<Vec<LogRecord>> {
    let batch = &columns::conform(batch, &columns::schema(LOGS)).ok()?;
    (0..batch.num_rows()).map(|row| log(&mut Cells::new(batch, row))).collect()
}

/// Reads the cells in the order of [`SPANS`].
fn span(cells: &mut Cells<'_>) -> Option<(Span, Option<Vec<u8>>)> {
    let project = cells.text()?;
    let (trace_id, span_id) = (cells.text()?.parse().ok()?, cells.text()?.parse().ok()?);
    let mut span = Span::new(project, trace_id, span_id, "", aitrace_model::Timestamp::default());
    span.phase = Phase::End;
    span.parent_span_id = cells.text().map(str::parse).transpose().ok()?;
    span.heartbeats = cells.flag();
    cells.text()?.clone_into(&mut span.name);
    span.kind = SpanKind::from_word(cells.text()?)?;
    span.event_type = EventType::from_word(cells.text()?)?;
    span.status = cells.text().and_then(Status::from_word);
    cells.skip();
    let (kind, message, stacktrace) = (cells.owned(), cells.owned(), cells.owned());
    span.error = kind.map(|kind| ErrorInfo {
        kind,
        message: message.unwrap_or_default(),
        stacktrace: stacktrace.unwrap_or_default(),
    });
    (span.start, span.end) = (cells.time()?, cells.time());
    cells.skip();
    span.received = cells.time()?;
    for field in [
        &mut span.source,
        &mut span.service,
        &mut span.session_id,
        &mut span.user_id,
        &mut span.run_id,
        &mut span.dataset_id,
        &mut span.datapoint_id,
        &mut span.provider,
        &mut span.model,
    ] {
        *field = cells.owned();
    }
    (span.input_tokens, span.output_tokens, span.cost) = (cells.number(), cells.number(), cells.double());
    for field in [
        &mut span.inputs,
        &mut span.outputs,
        &mut span.metadata,
        &mut span.metrics,
        &mut span.feedback,
        &mut span.config,
        &mut span.user_properties,
    ] {
        *field = cells.json();
    }
    // These are always there, except where a reader did not ask for them.
    let object = |text: Option<&str>| Json::from_trusted(text.unwrap_or("{}"));
    let contents = contents(&span);
    let attributes = cells.text().map_or(Some("{}".into()), |text| echo::unpack(text, contents))?;
    (span.attributes, span.resource) = (Json::from_trusted(&*attributes), object(cells.text()));
    span.scope = cells.owned().unwrap_or_default();
    span.code = code(cells);
    (span.events, span.links) = (from_list(cells.text())?, from_list(cells.text())?);
    let parts = cells.bytes();
    cells.skip();
    cells.skip();
    for field in [&mut span.cache_read_tokens, &mut span.cache_write_tokens, &mut span.reasoning_tokens] {
        *field = cells.number();
    }
    (span.otel, span.cost_formula, span.repriced) = (cells.json(), cells.owned(), cells.time());
    Some((span, parts))
}

/// Reads the cells in the order of [`LOGS`].
fn log(cells: &mut Cells<'_>) -> Option<LogRecord> {
    Some(LogRecord {
        project: cells.owned()?,
        id: cells.owned()?,
        trace_id: cells.text().map(str::parse).transpose().ok()?,
        span_id: cells.text().map(str::parse).transpose().ok()?,
        time: cells.time()?,
        event: cells.owned()?,
        level: Level::from_word(cells.text()?)?,
        logger: cells.owned(),
        code: code(cells),
        session_id: cells.owned(),
        attrs: cells.json()?,
        received: cells.time()?,
    })
}

fn code(cells: &mut Cells<'_>) -> Option<CodeLocation> {
    let (file, line, function) = (cells.owned(), cells.number(), cells.owned());
    Some(CodeLocation { file: file?, line: line?.try_into().ok()?, function: function? })
}

impl Cells<'_> {
    fn json(&mut self) -> Option<Json> {
        self.text().map(Json::from_trusted)
    }

    fn owned(&mut self) -> Option<String> {
        self.text().map(str::to_owned)
    }
}
