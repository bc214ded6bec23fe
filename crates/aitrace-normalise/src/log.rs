//! Log records of OTLP, and the contents of model calls that travel in them.

use aitrace_model::{AnyValue, Json, Level, LogRecord, Phase, RawEvent, RawLog, Span, SpanState};
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::hash::Hasher as _;

use crate::draft::{Draft, Side, Word};
use crate::{Context, content, dialect, messages, otel, span};

/// Longest name that is made of a message, in bytes.
const NAME: usize = 256;

/// A log record that was not exported as the model has it.
pub(crate) fn plain(raw: RawLog, context: &Context) -> LogRecord {
    let mut draft = Draft::default();
    dialect::read(&mut draft, &raw.attributes);
    let project = span::project(&draft, &raw.resource).map(str::to_owned);
    let (code, session_id) = (span::code(&draft), draft.text(Word::Session));
    LogRecord {
        project: context.project(project.as_deref()),
        id: id(&raw),
        trace_id: raw.trace_id,
        // A span id says nothing without its trace.
        span_id: raw.trace_id.and(raw.span_id),
        time: raw.time.or(raw.observed).unwrap_or(context.received),
        event: event(&raw),
        level: level(&raw),
        logger: Some(raw.scope.name.clone()).filter(|name| !name.is_empty()),
        code,
        session_id,
        attrs: attrs(raw),
        received: context.received,
    }
}

fn find<'r>(attributes: &'r [(String, AnyValue)], name: &str) -> Option<&'r AnyValue> {
    attributes.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn word<'r>(attributes: &'r [(String, AnyValue)], name: &str) -> Option<&'r str> {
    find(attributes, name)?.as_str().filter(|word| !word.is_empty())
}

fn id(raw: &RawLog) -> String {
    if let Some(uid) = word(&raw.attributes, "log.record.uid").filter(|uid| uid.len() <= NAME) {
        return uid.to_owned();
    }
    let nanos = |time: Option<aitrace_model::Timestamp>| time.map_or(0, aitrace_model::Timestamp::nanos);
    let mut hasher = SipHasher13::new();
    let mut part = |bytes: &[u8]| {
        hasher.write(&(bytes.len() as u64).to_le_bytes());
        hasher.write(bytes);
    };
    part(&raw.trace_id.map(aitrace_model::TraceId::to_bytes).unwrap_or_default());
    part(&raw.span_id.map(aitrace_model::SpanId::to_bytes).unwrap_or_default());
    part(&nanos(raw.time).to_le_bytes());
    part(&nanos(raw.observed).to_le_bytes());
    part(&raw.severity.to_le_bytes());
    for text in [&raw.severity_text, &raw.event_name, &raw.scope.name, &raw.scope.version] {
        part(text.as_bytes());
    }
    for object in [&raw.attributes, &raw.resource.attributes] {
        part(AnyValue::object_to_json(object).as_str().as_bytes());
    }
    part(raw.body.to_json().as_str().as_bytes());
    format!("{:032x}", hasher.finish128().as_u128())
}

fn event(raw: &RawLog) -> String {
    let named = Some(raw.event_name.as_str()).filter(|name| !name.is_empty());
    if let Some(name) = named.or_else(|| word(&raw.attributes, "event.name")) {
        return name.to_owned();
    }
    let message = raw.body.as_str().and_then(|text| text.trim().lines().next()).unwrap_or("log");
    let message = if message.is_empty() { "log" } else { message };
    message[..message.floor_char_boundary(NAME)].to_owned()
}

/// OTLP numbers severities from 1 to 24 in steps of four; a sender that gives none may give a word.
fn level(raw: &RawLog) -> Level {
    match raw.severity {
        1..=8 => Level::Debug,
        9..=12 => Level::Info,
        13..=16 => Level::Warning,
        17..=24 => Level::Error,
        _ => match raw.severity_text.to_ascii_lowercase().as_str() {
            "trace" | "debug" => Level::Debug,
            "warn" | "warning" => Level::Warning,
            "error" | "err" | "fatal" | "critical" | "alert" | "emergency" => Level::Error,
            _ => Level::Info,
        },
    }
}

fn attrs(raw: RawLog) -> Json {
    let (level, otel) = (level(&raw), otel::beside_log(&raw));
    let RawLog { mut attributes, body, severity_text, resource, .. } = raw;
    let name_of_otel = if find(&attributes, "otel").is_none() { "otel" } else { "log.otel" };
    if body != AnyValue::Null {
        let name = if find(&attributes, "body").is_none() { "body" } else { "log.body" };
        attributes.push((name.to_owned(), body));
    }
    let mut add = |name: &str, value: &AnyValue| {
        if find(&attributes, name).is_none() {
            attributes.push((name.to_owned(), value.clone()));
        }
    };
    if !severity_text.is_empty() && !severity_text.eq_ignore_ascii_case(level.as_str()) {
        add("severity_text", &AnyValue::String(severity_text));
    }
    if let Some(service) = find(&resource.attributes, "service.name") {
        add("service.name", service);
    }
    with_member(&AnyValue::object_to_json(&attributes), name_of_otel, otel.as_ref())
}

/// An object with one member more.
fn with_member(object: &Json, name: &str, value: Option<&Json>) -> Json {
    let Some(value) = value else { return object.clone() };
    let members = object.as_str().strip_suffix('}').unwrap_or_default();
    let comma = if members == "{" { "" } else { "," };
    Json::from_trusted(format!("{members}{comma}\"{name}\":{value}}}"))
}

/// What went in and what came out, as told by log records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Messages to the model.
    pub inputs: Option<Json>,
    /// Messages of the model.
    pub outputs: Option<Json>,
}

/// Whether a log record may tell contents of its span: it is an event of OpenTelemetry's conventions for
/// generative AI.
pub fn tells_contents(log: &LogRecord) -> bool {
    messages::is_message(&log.event) || dialect::is_event(&log.event)
}

/// What the log records of one span, in their order, tell of its contents. Libraries that follow OpenTelemetry's
/// conventions send messages as log records (`gen_ai.user.message`, `gen_ai.choice`,
/// `gen_ai.client.inference.operation.details`, …) and not in the span.
pub fn contents_of_logs<'l>(logs: impl IntoIterator<Item = &'l LogRecord>) -> Contents {
    let events: Vec<RawEvent> = logs.into_iter().filter(|log| tells_contents(log)).map(event_of).collect();
    if events.is_empty() {
        return Contents::default();
    }
    let mut draft = Draft::default();
    dialect::read_events(&mut draft, &events);
    draft.model_call();
    let side = |side| content::of_side(&draft, side).or_else(|| messages::from_events(&events, side));
    Contents { inputs: side(Side::Input), outputs: side(Side::Output) }
}

/// What a log record tells of the contents of its span, as a message about the span. `None` for any other record, and
/// for one that belongs to no span. All such messages of a span together say what [`contents_of_logs`] says of their
/// records, except that of two whole lists of messages it takes one, and a span has both.
pub fn contents_message(log: &LogRecord) -> Option<Span> {
    let (trace_id, span_id) = (log.trace_id?, log.span_id?);
    if !tells_contents(log) {
        return None;
    }
    let contents = contents_of_logs([log]);
    if contents == Contents::default() {
        return None;
    }
    let mut message = Span::new(&log.project, trace_id, span_id, &log.id, log.time);
    (message.phase, message.received) = (Phase::Contents, log.received);
    (message.inputs, message.outputs) = (contents.inputs, contents.outputs);
    Some(message)
}

/// A span without the contents that it has only from these messages of [`contents_message`]: to be exported beside its log
/// records, which tell them again.
pub fn without_told(span: &Span, told: &[Span]) -> Span {
    let mut bare = Span { inputs: None, outputs: None, ..span.clone() };
    let mut state = SpanState::new(bare.clone());
    for message in told {
        state.join(message.clone());
    }
    let joined = state.into_merged();
    let only_told =
        |side: fn(&Span) -> &Option<Json>| joined.as_ref().is_some_and(|joined| side(joined) == side(span));
    if !only_told(|span| &span.inputs) {
        bare.inputs.clone_from(&span.inputs);
    }
    if !only_told(|span| &span.outputs) {
        bare.outputs.clone_from(&span.outputs);
    }
    bare
}

/// The event that the record would be on its span: the members of its body count as attributes.
fn event_of(log: &LogRecord) -> RawEvent {
    let typed = |(key, value): (String, Json)| Some((key, AnyValue::from(&value.to_value()?)));
    let mut attributes: Vec<(String, AnyValue)> =
        log.attrs.members().unwrap_or_default().into_iter().filter_map(typed).collect();
    match find(&attributes, "body").cloned() {
        Some(AnyValue::Map(members)) => attributes.extend(members),
        Some(text @ AnyValue::String(_)) => attributes.push(("content".to_owned(), text)),
        _ => {}
    }
    RawEvent { time: log.time, name: log.event.clone(), attributes, dropped_attributes: 0 }
}
