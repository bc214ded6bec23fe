//! What an exported span or log record says of itself beside its attributes, so that it is read back to the letter:
//! the attribute [`key::EXACT`], the last one, whose text is an object.
//!
//! It has few members where OTLP says the rest: `project`, of log records `id` and `session_id`, and the keys that exported
//! trace records have in their metadata. Where OTLP cannot say it, it has the one member `record`: the trace record.

use aitrace_model::record::{self, Limits};
use aitrace_model::{AnyValue, Json, LogRecord, RawLog, RawSpan, Span, key};

use crate::record::{fill_from_extra, normalise_record};
use crate::span::Origin;
use crate::{Context, Message, log, span};

const RECORD: &str = "record";

type Told = Vec<(String, Json)>;

/// A span as the model has it. Everything received stays in its attributes, as received.
pub fn normalise_span(raw: RawSpan, context: &Context) -> Span {
    Normaliser::new(context).span(raw)
}

/// Normalises the spans of a request, one after the other. What spans of one resource share is made once.
#[derive(Debug)]
pub struct Normaliser<'c> {
    context: &'c Context,
    origin: Option<Origin>,
}

impl<'c> Normaliser<'c> {
    /// A normaliser at the start of a request.
    pub fn new(context: &'c Context) -> Self {
        Self { context, origin: None }
    }

    /// What [`normalise_span`] makes of it.
    pub fn span(&mut self, mut raw: RawSpan) -> Span {
        let known = self.origin.take().filter(|origin| origin.is_of(&raw));
        let origin = known.unwrap_or_else(|| Origin::new(&raw.resource));
        let span = match take(&mut raw.attributes) {
            Some(told) => span(raw, &told, self.context, &origin),
            None => span::plain(raw, self.context, &origin),
        };
        self.origin = Some(origin);
        span
    }
}

/// A log record as the model has it.
///
/// Its event is the record's event name, else the attribute `event.name`, else the first line of a body that is
/// text. `attrs` holds the attributes as received and the body as `body` (as `log.body` where an attribute has that
/// name); beside them stand `severity_text` where it says more than the level, `service.name` of the resource, and
/// as `otel` (`log.otel`) an object of what else OTLP said: `flags`, `dropped_attributes_count`, `scope_version`,
/// `scope_attributes`, `scope_schema_url`, `resource_schema_url` and the like, where it is anything.
/// The id is the attribute `log.record.uid`, else a digest of all that was sent: a batch that is sent twice
/// is stored once.
pub fn normalise_log(mut raw: RawLog, context: &Context) -> LogRecord {
    match take(&mut raw.attributes) {
        Some(told) => log(raw, &told, context),
        None => log::plain(raw, context),
    }
}

/// What is told, taken out of the attributes; `None` where nothing is. What cannot be read stays an attribute.
fn take(attributes: &mut Vec<(String, AnyValue)>) -> Option<Told> {
    let (name, value) = attributes.last()?;
    if name != key::EXACT {
        return None;
    }
    let told = Json::parse(value.as_str()?).ok()?.members()?;
    attributes.pop();
    Some(told)
}

/// A span with what is told of it.
fn span(raw: RawSpan, told: &Told, context: &Context, origin: &Origin) -> Span {
    if let Some(Message::Span(span)) = message(told, context)
        && (span.trace_id, span.span_id) == (raw.trace_id, raw.span_id)
        && span.tentative.is_none()
    {
        return *span;
    }
    let mut span = span::plain(raw, context, origin);
    for (key, value) in told {
        match key.as_str() {
            "project" => span.project = context.project(text(value).as_deref()),
            _ => fill_from_extra(&mut span, key, value),
        }
    }
    span
}

/// A log record with what is told of it.
fn log(raw: RawLog, told: &Told, context: &Context) -> LogRecord {
    if let Some(Message::Log(log)) = message(told, context) {
        return *log;
    }
    let mut log = log::plain(raw, context);
    for (key, value) in told {
        let Some(text) = text(value) else { continue };
        match key.as_str() {
            "project" => log.project = context.project(Some(&text)),
            "id" if !text.is_empty() => log.id = text,
            "session_id" => log.session_id = Some(text),
            _ => {}
        }
    }
    log
}

/// The attribute of these members.
pub(crate) fn told(members: &[(&str, Json)]) -> (String, AnyValue) {
    let object = Json::object(members.iter().map(|(key, value)| (*key, value)));
    (key::EXACT.to_owned(), AnyValue::from(object.as_str()))
}

/// The attribute of a whole record.
pub(crate) fn whole(record: &record::Record) -> (String, AnyValue) {
    told(&[(RECORD, Json::from_trusted(record.to_line(false).trim_end()))])
}

fn message(told: &Told, context: &Context) -> Option<Message> {
    let (_, text) = told.iter().find(|(key, _)| key == RECORD)?;
    let record = record::read(text.as_str().as_bytes(), &Limits::default()).ok()?;
    Some(normalise_record(record, context))
}

fn text(value: &Json) -> Option<String> {
    serde_json::from_str(value.as_str()).ok()
}
