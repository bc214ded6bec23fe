//! Spans to OTLP/JSON.

use std::sync::Arc;

use aitrace_model::{AnyValue, RawEvent, RawLink, RawSpan, RawStatus, Resource, Scope};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::limits::{MAX_DEPTH, TOO_DEEP};
use crate::nanos::{end_nanos, unix_nanos};

/// Writes an `ExportTraceServiceRequest` in OTLP/JSON.
///
/// Groups, depth and times are those of [`crate::encode_traces`].
pub fn encode_traces_json(spans: &[RawSpan]) -> Vec<u8> {
    let parts = spans.chunk_by(|a, b| Arc::ptr_eq(&a.resource, &b.resource)).map(resource_spans);
    json!({ "resourceSpans": parts.collect::<Vec<_>>() }).to_string().into_bytes()
}

fn resource_spans(spans: &[RawSpan]) -> Value {
    let Resource { attributes } = &*spans[0].resource;
    let parts = spans.chunk_by(|a, b| Arc::ptr_eq(&a.scope, &b.scope)).map(scope_spans);
    json!({ "resource": { "attributes": key_values(attributes, 1) }, "scopeSpans": parts.collect::<Vec<_>>() })
}

fn scope_spans(spans: &[RawSpan]) -> Value {
    let Scope { name, version, attributes } = &*spans[0].scope;
    json!({
        "scope": { "name": name, "version": version, "attributes": key_values(attributes, 1) },
        "spans": spans.iter().map(span).collect::<Vec<_>>(),
    })
}

fn span(span: &RawSpan) -> Value {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("traceId", span.trace_id.to_hex().into());
    set("spanId", span.span_id.to_hex().into());
    if !span.trace_state.is_empty() {
        set("traceState", span.trace_state.as_str().into());
    }
    if let Some(parent) = span.parent_span_id {
        set("parentSpanId", parent.to_hex().into());
    }
    set("name", span.name.as_str().into());
    set("kind", span.otel_kind.into());
    set("startTimeUnixNano", unix_nanos(span.start).to_string().into());
    set("endTimeUnixNano", end_nanos(span.end).to_string().into());
    set("attributes", key_values(&span.attributes, 1));
    if !span.events.is_empty() {
        set("events", span.events.iter().map(event).collect());
    }
    if !span.links.is_empty() {
        set("links", span.links.iter().map(link).collect());
    }
    match &span.status {
        RawStatus::Unset => {}
        RawStatus::Ok => drop(set("status", json!({ "code": 1 }))),
        RawStatus::Error(message) => drop(set("status", json!({ "message": message, "code": 2 }))),
    }
    Value::Object(fields)
}

fn event(event: &RawEvent) -> Value {
    json!({
        "timeUnixNano": unix_nanos(event.time).to_string(),
        "name": event.name,
        "attributes": key_values(&event.attributes, 1),
    })
}

fn link(link: &RawLink) -> Value {
    json!({
        "traceId": link.trace_id.to_hex(),
        "spanId": link.span_id.to_hex(),
        "attributes": key_values(&link.attributes, 1),
    })
}

fn key_values(list: &[(String, AnyValue)], depth: usize) -> Value {
    list.iter().map(|(key, value)| json!({ "key": key, "value": any_value(value, depth) })).collect()
}

fn any_value(value: &AnyValue, depth: usize) -> Value {
    match value {
        _ if depth > MAX_DEPTH => json!({ "stringValue": TOO_DEEP }),
        AnyValue::Null => json!({}),
        AnyValue::String(text) => json!({ "stringValue": text }),
        AnyValue::Bool(value) => json!({ "boolValue": value }),
        AnyValue::Int(value) => json!({ "intValue": value.to_string() }),
        AnyValue::Double(value) => json!({ "doubleValue": double(*value) }),
        AnyValue::Bytes(bytes) => json!({ "bytesValue": STANDARD.encode(bytes) }),
        AnyValue::Array(list) => {
            let values: Value = list.iter().map(|value| any_value(value, depth + 1)).collect();
            json!({ "arrayValue": { "values": values } })
        }
        AnyValue::Map(list) => json!({ "kvlistValue": { "values": key_values(list, depth + 1) } }),
    }
}

/// JSON has no numbers that are none: protobuf's JSON writes them as words.
fn double(value: f64) -> Value {
    if value.is_finite() {
        value.into()
    } else if value.is_nan() {
        "NaN".into()
    } else if value > 0.0 {
        "Infinity".into()
    } else {
        "-Infinity".into()
    }
}
