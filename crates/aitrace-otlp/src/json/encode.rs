//! Spans to OTLP/JSON, as views of the model that serialise as the specification has it.

use std::sync::Arc;

use aitrace_model::{AnyValue, RawEvent, RawLink, RawSpan, RawStatus, SpanId, TraceId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::limits::{MAX_DEPTH, TOO_DEEP};
use crate::nanos::{end_nanos, unix_nanos};

/// Writes an `ExportTraceServiceRequest` in OTLP/JSON.
///
/// Groups, depth and times are those of [`crate::encode_traces`].
pub fn encode_traces_json(spans: &[RawSpan]) -> Vec<u8> {
    let by_resource = spans.chunk_by(|a, b| Arc::ptr_eq(&a.resource, &b.resource));
    let request = Request { resource_spans: Each(by_resource.map(resource_spans)) };
    serde_json::to_vec(&request).expect("keys are strings and a Vec takes everything")
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<P> {
    resource_spans: P,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a, P> {
    resource: Resource<'a>,
    scope_spans: P,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource<'a> {
    attributes: KeyValues<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeSpans<'a, P> {
    scope: Scope<'a>,
    spans: P,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Scope<'a> {
    name: &'a str,
    version: &'a str,
    attributes: KeyValues<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
}

pub(super) fn resource(resource: &aitrace_model::Resource) -> Resource<'_> {
    Resource {
        attributes: KeyValues(&resource.attributes, 1),
        dropped_attributes_count: resource.dropped_attributes,
    }
}

pub(super) fn scope(scope: &aitrace_model::Scope) -> Scope<'_> {
    Scope {
        name: &scope.name,
        version: &scope.version,
        attributes: KeyValues(&scope.attributes, 1),
        dropped_attributes_count: scope.dropped_attributes,
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are OTLP's")]
struct Span<'a, E, L> {
    trace_id: TraceId,
    span_id: SpanId,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<SpanId>,
    name: &'a str,
    kind: i32,
    start_time_unix_nano: Nanos,
    end_time_unix_nano: Nanos,
    attributes: KeyValues<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    events: E,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_events_count: u32,
    links: L,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_links_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    time_unix_nano: Nanos,
    name: &'a str,
    attributes: KeyValues<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Link<'a> {
    trace_id: TraceId,
    span_id: SpanId,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    attributes: KeyValues<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
}

#[derive(serde::Serialize)]
struct Status<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    code: i32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn resource_spans(spans: &[RawSpan]) -> impl Serialize {
    let by_scope = spans.chunk_by(|a, b| Arc::ptr_eq(&a.scope, &b.scope));
    let of = &*spans[0].resource;
    ResourceSpans {
        resource: resource(of),
        scope_spans: Each(by_scope.map(scope_spans)),
        schema_url: &of.schema_url,
    }
}

fn scope_spans(spans: &[RawSpan]) -> impl Serialize {
    let of = &*spans[0].scope;
    ScopeSpans { scope: scope(of), spans: Each(spans.iter().map(span)), schema_url: &of.schema_url }
}

fn span(span: &RawSpan) -> impl Serialize {
    Span {
        trace_id: span.trace_id,
        span_id: span.span_id,
        trace_state: &span.trace_state,
        parent_span_id: span.parent_span_id,
        name: &span.name,
        kind: span.otel_kind,
        start_time_unix_nano: Nanos(unix_nanos(span.start)),
        end_time_unix_nano: Nanos(end_nanos(span.end)),
        attributes: KeyValues(&span.attributes, 1),
        dropped_attributes_count: span.dropped.attributes,
        events: Each(span.events.iter().map(event)),
        dropped_events_count: span.dropped.events,
        links: Each(span.links.iter().map(link)),
        dropped_links_count: span.dropped.links,
        flags: span.flags,
        status: match &span.status {
            RawStatus::Unset => None,
            RawStatus::Ok => Some(Status { message: "", code: 1 }),
            RawStatus::Error(message) => Some(Status { message, code: 2 }),
        },
    }
}

fn event(event: &RawEvent) -> impl Serialize {
    Event {
        time_unix_nano: Nanos(unix_nanos(event.time)),
        name: &event.name,
        attributes: KeyValues(&event.attributes, 1),
        dropped_attributes_count: event.dropped_attributes,
    }
}

fn link(link: &RawLink) -> impl Serialize {
    Link {
        trace_id: link.trace_id,
        span_id: link.span_id,
        trace_state: &link.trace_state,
        attributes: KeyValues(&link.attributes, 1),
        dropped_attributes_count: link.dropped_attributes,
        flags: link.flags,
    }
}

/// An array of what an iterator yields.
pub(super) struct Each<I>(pub(super) I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Each<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// A 64-bit integer, which JSON holds as a string.
pub(super) struct Nanos(pub(super) u64);

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Attributes whose values have this depth.
pub(super) struct KeyValues<'a>(pub(super) &'a [(String, AnyValue)], pub(super) usize);

impl Serialize for KeyValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(key, value)| KeyValue { key, value: Any(value, self.1) }))
    }
}

#[derive(serde::Serialize)]
struct KeyValue<'a> {
    key: &'a str,
    value: Any<'a>,
}

/// ArrayValue and KeyValueList.
#[derive(serde::Serialize)]
struct List<T> {
    values: T,
}

/// A value of this depth.
pub(super) struct Any<'a>(pub(super) &'a AnyValue, pub(super) usize);

impl Serialize for Any<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value, depth) = *self;
        let mut map = serializer.serialize_map(None)?;
        match value {
            _ if depth > MAX_DEPTH => map.serialize_entry("stringValue", TOO_DEEP)?,
            AnyValue::Null => {}
            AnyValue::String(text) => map.serialize_entry("stringValue", text)?,
            AnyValue::Bool(value) => map.serialize_entry("boolValue", value)?,
            AnyValue::Int(value) => map.serialize_entry("intValue", &value.to_string())?,
            AnyValue::Double(value) if value.is_finite() => map.serialize_entry("doubleValue", value)?,
            AnyValue::Double(value) => map.serialize_entry("doubleValue", not_finite(*value))?,
            AnyValue::Bytes(bytes) => map.serialize_entry("bytesValue", &STANDARD.encode(bytes))?,
            AnyValue::Array(list) => {
                let values = Each(list.iter().map(|value| Any(value, depth + 1)));
                map.serialize_entry("arrayValue", &List { values })?;
            }
            AnyValue::Map(list) => {
                map.serialize_entry("kvlistValue", &List { values: KeyValues(list, depth + 1) })?;
            }
        }
        map.end()
    }
}

/// JSON has no numbers that are none: protobuf's JSON writes them as words.
fn not_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}
