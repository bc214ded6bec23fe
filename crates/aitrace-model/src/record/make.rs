//! Spans and log records to trace records.

use super::VERSION;
use super::meta::{END, Lifecycle, Meta, Record, START};
use crate::json::Json;
use crate::key;
use crate::log::{Level, LogRecord};
use crate::place::CodeLocation;
use crate::span::{EventType, Span, SpanEvent, SpanKind, SpanLink, Status};
use crate::time::Timestamp;

/// The record of a span's start: provisional, without the span's contents.
pub fn start_record(span: &Span) -> Record {
    let mut meta = span_meta(span, span.start, START);
    meta.level = Some(Level::Info);
    meta.provisional = true;
    meta.lifecycle = Some(Lifecycle::Start);
    Record { meta, data: Vec::new() }
}

/// The record of a span's end with all its contents; `None` while it runs.
pub fn end_record(span: &Span) -> Option<Record> {
    let end = span.end?;
    let mut meta = span_meta(span, end, END);
    meta.level = Some(if span.is_error() { Level::Error } else { Level::Info });
    meta.lifecycle = Some(Lifecycle::End);
    meta.status = Some(if span.is_error() { Status::Error } else { Status::Ok });
    meta.error.clone_from(&span.error);
    meta.duration_ns = Some(end.since(span.start));
    add_extras(&mut meta, span);
    Some(Record { meta, data: contents(span) })
}

/// Key of the metadata that holds attributes as received; a record that has it says all there is to say of its span.
pub(super) const RECEIVED: &str = "received_attributes";

/// What stands at the top level of a span's record.
fn contents(span: &Span) -> Vec<(String, Json)> {
    with_events(attributes(span), span)
}

fn with_events(attributes: Json, span: &Span) -> Vec<(String, Json)> {
    let mut data = Vec::new();
    if attributes.as_str() != "{}" {
        data.push(("attributes".to_owned(), attributes));
    }
    if !span.events.is_empty() {
        data.push(("events".to_owned(), array(span.events.iter().map(event))));
    }
    if !span.links.is_empty() {
        data.push(("links".to_owned(), array(span.links.iter().map(link))));
    }
    data
}

/// One record with all that is known of a span, ended or not, from which it is read back to the letter: its metadata
/// hold every field of it, `received_attributes` the attributes as received. `lost` says of a span that has not ended that its
/// sender has fallen silent, so that it is lost for who reads the record, too.
pub fn exact_record(span: &Span, lost: bool) -> Record {
    let mut record = end_record(span).unwrap_or_else(|| {
        let mut record = start_record(span);
        add_extras(&mut record.meta, span);
        record
    });
    let meta = &mut record.meta;
    meta.status = span.status;
    meta.event_type = Some(span.event_type);
    meta.extra.retain(|(key, _)| key != "kind");
    let yes = || Json::from_trusted("true");
    meta.extra.push(("kind".to_owned(), Json::string(span.kind.as_str())));
    if span.heartbeats {
        meta.extra.push(("heartbeats".to_owned(), yes()));
    }
    if span.end.is_none() {
        meta.error.clone_from(&span.error);
        meta.extra.push(("heard".to_owned(), Json::string(&span.received.to_string())));
        if lost {
            meta.extra.push(("lost".to_owned(), yes()));
        }
    }
    meta.extra.push((RECEIVED.to_owned(), span.attributes.clone()));
    record.data = with_events(exact_attributes(span), span);
    record
}

/// [`attributes`] without those that would be taken for contents.
fn exact_attributes(span: &Span) -> Json {
    let told = span.contents();
    let members = attributes(span).members().unwrap_or_default();
    let clear = |key: &str| told.iter().all(|(name, value)| *name != key || value.is_some());
    Json::object(members.iter().filter(|(key, _)| clear(key)).map(|(key, value)| (key.as_str(), value)))
}

/// The start and, if it has ended, the end of a span.
pub fn records_of_span(span: &Span) -> impl Iterator<Item = Record> {
    std::iter::once(start_record(span)).chain(end_record(span))
}

/// The record of a log record.
pub fn log_record(log: &LogRecord) -> Record {
    let code = code(log.code.as_ref());
    let meta = Meta {
        timestamp: log.time,
        event: log.event.clone(),
        trace_id: log.trace_id,
        span_id: log.span_id,
        level: Some(log.level),
        logger: log.logger.clone(),
        version: Some(VERSION.to_owned()),
        id: Some(log.id.clone()),
        lifecycle: Some(Lifecycle::Log),
        project: Some(log.project.clone()),
        session_id: log.session_id.clone(),
        ..code
    };
    Record { meta, data: log.attrs.members().unwrap_or_default() }
}

fn span_meta(span: &Span, timestamp: Timestamp, suffix: &str) -> Meta {
    let code = code(span.code.as_ref());
    // What has neither kind nor type says nothing of them, so that they can be told later.
    let typed = (span.kind, span.event_type) != (SpanKind::Span, EventType::Tool);
    Meta {
        timestamp,
        event: format!("{}{suffix}", span.name),
        trace_id: Some(span.trace_id),
        span_id: Some(span.span_id),
        parent_span_id: span.parent_span_id,
        version: Some(VERSION.to_owned()),
        id: Some(format!("{}-{}{suffix}", span.trace_id, span.span_id)),
        event_type: typed.then_some(span.event_type),
        project: Some(span.project.clone()),
        source: span.source.clone(),
        session_id: span.session_id.clone(),
        run_id: span.run_id.clone(),
        dataset_id: span.dataset_id.clone(),
        datapoint_id: span.datapoint_id.clone(),
        service: span.service.clone(),
        ..code
    }
}

fn code(place: Option<&CodeLocation>) -> Meta {
    let Some(place) = place else { return Meta::default() };
    Meta {
        file: (!place.file.is_empty()).then(|| place.file.clone()),
        line: (place.line > 0).then_some(place.line),
        function: (!place.function.is_empty()).then(|| place.function.clone()),
        ..Meta::default()
    }
}

/// What a span knows beyond the format's table stands beside it in the metadata.
fn add_extras(meta: &mut Meta, span: &Span) {
    let mut add =
        |key: &str, value: Option<Json>| meta.extra.extend(value.map(|value| (key.to_owned(), value)));
    let word = |value: Option<&str>| value.map(Json::string);
    let number = |value: Option<u64>| value.map(|value| Json::from_trusted(value.to_string()));
    let kind = (span.kind != implied_kind(span.event_type)).then_some(span.kind);
    let typed = (span.kind, span.event_type) != (SpanKind::Span, EventType::Tool);
    add("kind", word(kind.filter(|_| typed).map(SpanKind::as_str)));
    add("user_id", word(span.user_id.as_deref()));
    add("provider", word(span.provider.as_deref()));
    add("model", word(span.model.as_deref()));
    add("input_tokens", number(span.input_tokens));
    add("output_tokens", number(span.output_tokens));
    add("cache_read_tokens", number(span.cache_read_tokens));
    add("cache_write_tokens", number(span.cache_write_tokens));
    add("reasoning_tokens", number(span.reasoning_tokens));
    let cost = span.cost.filter(|cost| cost.is_finite());
    add("cost", cost.map(|cost| Json::from_value(&serde_json::Value::from(cost))));
    add("cost_formula", word(span.cost_formula.as_deref()));
    add("repriced", span.repriced.map(|time| Json::string(&time.to_string())));
    add("scope", word((!span.scope.is_empty()).then_some(&span.scope)));
    add("otel", span.otel.clone());
    add("resource", (span.resource.as_str() != "{}").then(|| span.resource.clone()));
}

/// The kind of a span of which only the event type is told.
pub(super) fn implied_kind(event_type: EventType) -> SpanKind {
    match event_type {
        EventType::Model => SpanKind::Llm,
        EventType::Tool => SpanKind::Tool,
        EventType::Chain | EventType::Session => SpanKind::Chain,
    }
}

/// The attributes of a span and its contents as one object, each thing said once.
fn attributes(span: &Span) -> Json {
    let contents = [
        ("inputs", key::INPUT_VALUE, &span.inputs),
        ("outputs", key::OUTPUT_VALUE, &span.outputs),
        ("metadata", key::METADATA, &span.metadata),
        ("metrics", key::METRICS, &span.metrics),
        ("feedback", key::FEEDBACK, &span.feedback),
        ("config", key::CONFIG, &span.config),
        ("user_properties", key::USER_PROPERTIES, &span.user_properties),
    ];
    let contents: Vec<_> =
        contents.iter().filter_map(|(name, key, value)| Some((*name, *key, value.as_ref()?))).collect();
    let raw = span.attributes.members().unwrap_or_default();
    let raw = raw.iter().filter(|(key, value)| {
        let own = contents.iter().find(|(name, wire, _)| key == name || key == wire);
        match own {
            Some((name, _, content)) => key != name && !says(value, content.as_str()),
            None => !in_meta(span, key, value),
        }
    });
    let raw = raw.map(|(key, value)| (key.as_str(), value));
    Json::object(contents.iter().map(|(name, _, value)| (*name, *value)).chain(raw))
}

/// Whether an attribute's value is `content`, or a string of it.
fn says(value: &Json, content: &str) -> bool {
    value.as_str() == content
        || serde_json::from_str::<String>(value.as_str()).is_ok_and(|text| text == content)
}

/// Whether an attribute of our own wire says no more than the metadata does.
fn in_meta(span: &Span, key: &str, value: &Json) -> bool {
    let word = match key {
        key::LIFECYCLE | key::INPUT_MIME_TYPE | key::OUTPUT_MIME_TYPE => return true,
        key::EVENT_TYPE => Some(span.event_type.as_str()),
        key::PROJECT => Some(span.project.as_str()),
        key::SOURCE => span.source.as_deref(),
        key::SESSION_ID => span.session_id.as_deref(),
        key::RUN_ID => span.run_id.as_deref(),
        key::DATASET_ID => span.dataset_id.as_deref(),
        key::DATAPOINT_ID => span.datapoint_id.as_deref(),
        key::CODE_FILE => span.code.as_ref().map(|code| code.file.as_str()),
        key::CODE_FUNCTION => span.code.as_ref().map(|code| code.function.as_str()),
        key::CODE_LINE => {
            return span.code.as_ref().is_some_and(|code| value.as_str() == code.line.to_string());
        }
        _ => return false,
    };
    word.is_some_and(|word| Json::string(word) == *value)
}

fn array(items: impl Iterator<Item = Json>) -> Json {
    let items: Vec<Json> = items.collect();
    let texts: Vec<&str> = items.iter().map(Json::as_str).collect();
    Json::from_trusted(format!("[{}]", texts.join(",")))
}

fn event(event: &SpanEvent) -> Json {
    let (time, name) = (Json::string(&event.time.to_string()), Json::string(&event.name));
    Json::object([("timestamp", &time), ("name", &name), ("attributes", &event.attributes)])
}

fn link(link: &SpanLink) -> Json {
    let (trace, span) = (Json::string(&link.trace_id.to_hex()), Json::string(&link.span_id.to_hex()));
    Json::object([("trace_id", &trace), ("span_id", &span), ("attributes", &link.attributes)])
}
