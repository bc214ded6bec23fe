//! The columns of an export and their rows.

use std::borrow::Cow;

use aitrace_model::{
    CodeLocation, ErrorInfo, EventType, Json, Level, LogRecord, Phase, Span, SpanKind, Status, TraceStatus,
};
use aitrace_store::StoredSpan;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::columns::{Cells, Column};

/// What a row is.
const SPAN: &str = "span";
const LOG: &str = "log";

/// A row of an export.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Row {
    Span(Box<StoredSpan>),
    Log(Box<LogRecord>),
}

impl Row {
    fn span(&self) -> Option<&Span> {
        if let Self::Span(stored) = self { Some(&stored.span) } else { None }
    }

    fn log(&self) -> Option<&LogRecord> {
        if let Self::Log(log) = self { Some(log) } else { None }
    }

    fn code(&self) -> Option<&CodeLocation> {
        match self {
            Self::Span(stored) => stored.span.code.as_ref(),
            Self::Log(log) => log.code.as_ref(),
        }
    }

    /// Bytes of its texts, by estimate.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Span(stored) => {
                let span = &stored.span;
                let contents = span
                    .contents()
                    .iter()
                    .filter_map(|(_, value)| Some(value.as_ref()?.as_str().len()))
                    .sum::<usize>();
                let events = span.events.iter().map(|event| event.attributes.as_str().len()).sum::<usize>();
                contents + events + span.attributes.as_str().len() + span.resource.as_str().len()
            }
            Self::Log(log) => log.attrs.as_str().len(),
        }
    }
}

macro_rules! of_span {
    ($($field:ident).+) => {
        Column::Text(|row: &Row| row.span()?.$($field).+.as_deref().map(Cow::from))
    };
}

macro_rules! json {
    ($field:ident) => {
        Column::Text(|row: &Row| row.span()?.$field.as_ref().map(|json| Cow::from(json.as_str())))
    };
}

macro_rules! count {
    ($field:ident) => {
        Column::Number(|row: &Row| row.span()?.$field)
    };
}

macro_rules! error {
    ($field:ident) => {
        Column::Text(|row: &Row| row.span()?.error.as_ref().map(|error| Cow::from(&*error.$field)))
    };
}

/// The columns, documented in docs/query.md. A released name keeps its meaning.
pub(super) const COLUMNS: &[(&str, Column<Row>)] = &[
    ("type", Column::Text(|row| Some(Cow::from(if row.span().is_some() { SPAN } else { LOG })))),
    (
        "project",
        Column::Text(|row| {
            Some(Cow::from(
                row.span().map_or_else(|| row.log().map_or("", |log| &log.project), |span| &span.project),
            ))
        }),
    ),
    (
        "trace_id",
        Column::Text(|row| match row {
            Row::Span(stored) => Some(stored.span.trace_id.to_hex().into()),
            Row::Log(log) => Some(log.trace_id?.to_hex().into()),
        }),
    ),
    (
        "span_id",
        Column::Text(|row| match row {
            Row::Span(stored) => Some(stored.span.span_id.to_hex().into()),
            Row::Log(log) => Some(log.span_id?.to_hex().into()),
        }),
    ),
    ("parent_span_id", Column::Text(|row| Some(row.span()?.parent_span_id?.to_hex().into()))),
    ("id", Column::Text(|row| Some(Cow::from(&*row.log()?.id)))),
    (
        "name",
        Column::Text(|row| match row {
            Row::Span(stored) => Some(Cow::from(&*stored.span.name)),
            Row::Log(log) => Some(Cow::from(&*log.event)),
        }),
    ),
    ("kind", Column::Text(|row| Some(Cow::from(row.span()?.kind.as_str())))),
    ("event_type", Column::Text(|row| Some(Cow::from(row.span()?.event_type.as_str())))),
    (
        "status",
        Column::Text(|row| {
            if let Row::Span(stored) = row { Some(Cow::from(stored.status.as_str())) } else { None }
        }),
    ),
    ("status_sent", Column::Text(|row| Some(Cow::from(row.span()?.status?.as_str())))),
    ("level", Column::Text(|row| Some(Cow::from(row.log()?.level.as_str())))),
    ("logger", Column::Text(|row| row.log()?.logger.as_deref().map(Cow::from))),
    (
        "start",
        Column::Time(|row| match row {
            Row::Span(stored) => Some(stored.span.start),
            Row::Log(log) => Some(log.time),
        }),
    ),
    ("end", Column::Time(|row| row.span()?.end)),
    ("duration_ns", Column::Number(|row| Some(row.span()?.duration_ns()? as u64))),
    (
        "received",
        Column::Time(|row| match row {
            Row::Span(stored) => Some(stored.span.received),
            Row::Log(log) => Some(log.received),
        }),
    ),
    ("heartbeats", Column::Flag(|row| row.span().is_some_and(|span| span.heartbeats))),
    ("source", of_span!(source)),
    ("service", of_span!(service)),
    (
        "session_id",
        Column::Text(|row| match row {
            Row::Span(stored) => stored.span.session_id.as_deref().map(Cow::from),
            Row::Log(log) => log.session_id.as_deref().map(Cow::from),
        }),
    ),
    ("user_id", of_span!(user_id)),
    ("run_id", of_span!(run_id)),
    ("dataset_id", of_span!(dataset_id)),
    ("datapoint_id", of_span!(datapoint_id)),
    ("provider", of_span!(provider)),
    ("model", of_span!(model)),
    ("input_tokens", count!(input_tokens)),
    ("output_tokens", count!(output_tokens)),
    ("cache_read_tokens", count!(cache_read_tokens)),
    ("cache_write_tokens", count!(cache_write_tokens)),
    ("reasoning_tokens", count!(reasoning_tokens)),
    ("cost", Column::Double(|row| row.span()?.cost)),
    ("cost_formula", of_span!(cost_formula)),
    ("repriced", Column::Time(|row| row.span()?.repriced)),
    ("error_type", error!(kind)),
    ("error_message", error!(message)),
    ("error_stacktrace", error!(stacktrace)),
    ("inputs", json!(inputs)),
    ("outputs", json!(outputs)),
    ("metadata", json!(metadata)),
    ("metrics", json!(metrics)),
    ("feedback", json!(feedback)),
    ("config", json!(config)),
    ("user_properties", json!(user_properties)),
    (
        "attributes",
        Column::Text(|row| match row {
            Row::Span(stored) => Some(Cow::from(stored.span.attributes.as_str())),
            Row::Log(log) => Some(Cow::from(log.attrs.as_str())),
        }),
    ),
    ("resource", Column::Text(|row| Some(Cow::from(row.span()?.resource.as_str())))),
    ("scope", Column::Text(|row| Some(Cow::from(&*row.span()?.scope)))),
    ("code_file", Column::Text(|row| Some(Cow::from(&*row.code()?.file)))),
    ("code_line", Column::Number(|row| Some(u64::from(row.code()?.line)))),
    ("code_function", Column::Text(|row| Some(Cow::from(&*row.code()?.function)))),
    ("events", Column::Text(|row| list(&row.span()?.events))),
    ("links", Column::Text(|row| list(&row.span()?.links))),
    ("otel", json!(otel)),
];

fn list<T: Serialize>(items: &[T]) -> Option<Cow<'static, str>> {
    if items.is_empty() {
        return None;
    }
    Some(serde_json::to_string(items).expect("events and links have text keys only").into())
}

/// A cell that does not hold what its column promises, by the column.
type Bad = &'static str;

/// Reads the cells in the order of [`COLUMNS`].
pub(super) fn read(cells: &mut Cells<'_>) -> Result<Row, Bad> {
    let kind = cells.text().ok_or("type")?;
    let project = cells.text().filter(|project| !project.is_empty()).ok_or("project")?;
    match kind {
        SPAN => read_span(project, cells).map(|stored| Row::Span(Box::new(stored))),
        LOG => read_log(project, cells).map(|log| Row::Log(Box::new(log))),
        _ => Err("type"),
    }
}

fn read_span(project: &str, cells: &mut Cells<'_>) -> Result<StoredSpan, Bad> {
    let trace_id = cells.text().and_then(|id| id.parse().ok()).ok_or("trace_id")?;
    let span_id = cells.text().and_then(|id| id.parse().ok()).ok_or("span_id")?;
    let mut span = Span::new(project, trace_id, span_id, "", aitrace_model::Timestamp::default());
    span.parent_span_id = parsed(cells, "parent_span_id")?;
    seek(cells, "name");
    cells.text().ok_or("name")?.clone_into(&mut span.name);
    span.kind = cells.text().and_then(SpanKind::from_word).ok_or("kind")?;
    span.event_type = cells.text().and_then(EventType::from_word).ok_or("event_type")?;
    let status = cells.text().and_then(TraceStatus::from_word).ok_or("status")?;
    span.status = cells.text().map(|word| Status::from_word(word).ok_or("status_sent")).transpose()?;
    seek(cells, "start");
    (span.start, span.end) = (cells.time().ok_or("start")?, cells.time());
    span.phase = if span.end.is_some() { Phase::End } else { Phase::Start };
    seek(cells, "received");
    span.received = cells.time().ok_or("received")?;
    span.heartbeats = cells.flag();
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
        *field = owned(cells);
    }
    for field in [
        &mut span.input_tokens,
        &mut span.output_tokens,
        &mut span.cache_read_tokens,
        &mut span.cache_write_tokens,
        &mut span.reasoning_tokens,
    ] {
        *field = cells.number();
    }
    (span.cost, span.cost_formula, span.repriced) = (cells.double(), owned(cells), cells.time());
    let (kind, message, stacktrace) = (owned(cells), owned(cells), owned(cells));
    span.error = kind.map(|kind| ErrorInfo {
        kind,
        message: message.unwrap_or_default(),
        stacktrace: stacktrace.unwrap_or_default(),
    });
    read_contents(&mut span, cells)?;
    Ok(StoredSpan { span, status })
}

fn read_contents(span: &mut Span, cells: &mut Cells<'_>) -> Result<(), Bad> {
    for (name, field) in [
        ("inputs", &mut span.inputs),
        ("outputs", &mut span.outputs),
        ("metadata", &mut span.metadata),
        ("metrics", &mut span.metrics),
        ("feedback", &mut span.feedback),
        ("config", &mut span.config),
        ("user_properties", &mut span.user_properties),
    ] {
        *field = json(cells, name)?;
    }
    let empty = || Json::from_trusted("{}");
    span.attributes = json(cells, "attributes")?.unwrap_or_else(empty);
    span.resource = json(cells, "resource")?.unwrap_or_else(empty);
    span.scope = owned(cells).unwrap_or_default();
    span.code = code(cells)?;
    span.events = from_list(cells, "events")?;
    span.links = from_list(cells, "links")?;
    span.otel = json(cells, "otel")?;
    Ok(())
}

fn read_log(project: &str, cells: &mut Cells<'_>) -> Result<LogRecord, Bad> {
    let trace_id = parsed(cells, "trace_id")?;
    let span_id = parsed(cells, "span_id")?;
    seek(cells, "id");
    let id = owned(cells).ok_or("id")?;
    let event = owned(cells).ok_or("name")?;
    seek(cells, "level");
    let level = cells.text().and_then(Level::from_word).ok_or("level")?;
    let logger = owned(cells);
    let time = cells.time().ok_or("start")?;
    seek(cells, "received");
    let received = cells.time().ok_or("received")?;
    seek(cells, "session_id");
    let session_id = owned(cells);
    seek(cells, "attributes");
    let attrs = json(cells, "attributes")?.ok_or("attributes")?;
    seek(cells, "code_file");
    let code = code(cells)?;
    let project = project.to_owned();
    Ok(LogRecord {
        project,
        id,
        trace_id,
        span_id,
        time,
        event,
        level,
        logger,
        code,
        session_id,
        attrs,
        received,
    })
}

/// Goes on with a column of [`COLUMNS`].
fn seek(cells: &mut Cells<'_>, name: &str) {
    if let Some(column) = COLUMNS.iter().position(|(known, _)| *known == name) {
        cells.seek(column);
    }
}

fn owned(cells: &mut Cells<'_>) -> Option<String> {
    cells.text().map(str::to_owned)
}

/// The JSON of a cell, if any.
fn json(cells: &mut Cells<'_>, name: Bad) -> Result<Option<Json>, Bad> {
    cells.text().map(|text| Json::parse(text).map_err(|_| name)).transpose()
}

fn parsed<T: std::str::FromStr>(cells: &mut Cells<'_>, name: Bad) -> Result<Option<T>, Bad> {
    cells.text().map(|text| text.parse().map_err(|_| name)).transpose()
}

fn from_list<T: DeserializeOwned>(cells: &mut Cells<'_>, name: Bad) -> Result<Vec<T>, Bad> {
    cells.text().map_or(Ok(Vec::new()), |text| serde_json::from_str(text).map_err(|_| name))
}

fn code(cells: &mut Cells<'_>) -> Result<Option<CodeLocation>, Bad> {
    let (file, line, function) = (owned(cells), cells.number(), owned(cells));
    let Some(line) = line else { return Ok(None) };
    let (file, function) = (file.unwrap_or_default(), function.unwrap_or_default());
    let line = line.try_into().map_err(|_| "code_line")?;
    Ok(Some(CodeLocation { file, line, function }))
}
