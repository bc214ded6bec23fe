//! Spans to protobuf.

use std::sync::Arc;

use aitrace_model::{AnyValue, RawEvent, RawLink, RawSpan, RawStatus};

use crate::limits::{MAX_DEPTH, TOO_DEEP};
use crate::nanos::{end_nanos, unix_nanos};
use crate::wire::Writer;

/// Sizes that messages usually have: a wrong guess moves the message once.
mod usual {
    pub(super) const SPAN: usize = 2_000;
    pub(super) const BATCH: usize = 1_000_000;
    pub(super) const SMALL: usize = 100;
}

/// Writes an `ExportTraceServiceRequest` in protobuf.
///
/// Consecutive spans that share a resource (and scope) by identity of the `Arc` are grouped.
/// Values nested deeper than 64 become [`TOO_DEEP`]. Times before 1970 are written as 0, an end
/// at or before it as 1, because an end of 0 says that the span is not over.
pub fn encode_traces(spans: &[RawSpan]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(spans.len() * usual::SPAN / 2);
    for of_resource in spans.chunk_by(|a, b| Arc::ptr_eq(&a.resource, &b.resource)) {
        writer.message(1, usual::BATCH, |writer| {
            writer.message(1, usual::SMALL, |writer| {
                attributes(writer, 1, &of_resource[0].resource.attributes, 1);
                writer.varint_unless_zero(2, of_resource[0].resource.dropped_attributes.into());
            });
            for of_scope in of_resource.chunk_by(|a, b| Arc::ptr_eq(&a.scope, &b.scope)) {
                writer.message(2, usual::BATCH, |writer| scope_spans(writer, of_scope));
            }
            writer.bytes_unless_empty(3, of_resource[0].resource.schema_url.as_bytes());
        });
    }
    writer.into_bytes()
}

fn scope_spans(writer: &mut Writer, spans: &[RawSpan]) {
    let scope = &spans[0].scope;
    writer.message(1, usual::SMALL, |writer| {
        writer.bytes_unless_empty(1, scope.name.as_bytes());
        writer.bytes_unless_empty(2, scope.version.as_bytes());
        attributes(writer, 3, &scope.attributes, 1);
        writer.varint_unless_zero(4, scope.dropped_attributes.into());
    });
    for span in spans {
        writer.message(2, usual::SPAN, |writer| write_span(writer, span));
    }
    writer.bytes_unless_empty(3, scope.schema_url.as_bytes());
}

fn write_span(writer: &mut Writer, span: &RawSpan) {
    writer.bytes(1, &span.trace_id.to_bytes());
    writer.bytes(2, &span.span_id.to_bytes());
    writer.bytes_unless_empty(3, span.trace_state.as_bytes());
    if let Some(parent) = span.parent_span_id {
        writer.bytes(4, &parent.to_bytes());
    }
    writer.bytes_unless_empty(5, span.name.as_bytes());
    writer.varint_unless_zero(6, i64::from(span.otel_kind) as u64);
    writer.fixed64_unless_zero(7, unix_nanos(span.start));
    writer.fixed64_unless_zero(8, end_nanos(span.end));
    attributes(writer, 9, &span.attributes, 1);
    writer.varint_unless_zero(10, span.dropped.attributes.into());
    for event in &span.events {
        writer.message(11, usual::SMALL, |writer| write_event(writer, event));
    }
    writer.varint_unless_zero(12, span.dropped.events.into());
    for link in &span.links {
        writer.message(13, usual::SMALL, |writer| write_link(writer, link));
    }
    writer.varint_unless_zero(14, span.dropped.links.into());
    match &span.status {
        RawStatus::Unset => {}
        RawStatus::Ok => writer.message(15, usual::SMALL, |writer| writer.varint(3, 1)),
        RawStatus::Error(message) => writer.message(15, usual::SMALL, |writer| {
            writer.bytes_unless_empty(2, message.as_bytes());
            writer.varint(3, 2);
        }),
    }
    writer.fixed32_unless_zero(16, span.flags);
}

fn write_event(writer: &mut Writer, event: &RawEvent) {
    writer.fixed64_unless_zero(1, unix_nanos(event.time));
    writer.bytes_unless_empty(2, event.name.as_bytes());
    attributes(writer, 3, &event.attributes, 1);
    writer.varint_unless_zero(4, event.dropped_attributes.into());
}

fn write_link(writer: &mut Writer, link: &RawLink) {
    writer.bytes(1, &link.trace_id.to_bytes());
    writer.bytes(2, &link.span_id.to_bytes());
    writer.bytes_unless_empty(3, link.trace_state.as_bytes());
    attributes(writer, 4, &link.attributes, 1);
    writer.varint_unless_zero(5, link.dropped_attributes.into());
    writer.fixed32_unless_zero(6, link.flags);
}

/// KeyValues in the field `number`; `depth` is the depth of their values.
fn attributes(writer: &mut Writer, number: u32, list: &[(String, AnyValue)], depth: usize) {
    for (key, value) in list {
        let guess = key.len() + value.as_str().map_or(16, str::len) + 8;
        writer.message(number, guess, |writer| {
            writer.bytes_unless_empty(1, key.as_bytes());
            any_value(writer, 2, value, depth);
        });
    }
}

fn any_value(writer: &mut Writer, number: u32, value: &AnyValue, depth: usize) {
    let guess = value.as_str().map_or(16, |text| text.len() + 4);
    writer.message(number, guess, |writer| match value {
        _ if depth > MAX_DEPTH => writer.bytes(1, TOO_DEEP.as_bytes()),
        AnyValue::Null => {}
        AnyValue::String(text) => writer.bytes(1, text.as_bytes()),
        AnyValue::Bool(value) => writer.varint(2, u64::from(*value)),
        AnyValue::Int(value) => writer.varint(3, *value as u64),
        AnyValue::Double(value) => writer.fixed64(4, value.to_bits()),
        AnyValue::Array(list) => writer.message(5, usual::SMALL, |writer| {
            for element in list {
                any_value(writer, 1, element, depth + 1);
            }
        }),
        AnyValue::Map(list) => writer.message(6, usual::SMALL, |writer| {
            attributes(writer, 1, list, depth + 1);
        }),
        AnyValue::Bytes(bytes) => writer.bytes(7, bytes),
    });
}
