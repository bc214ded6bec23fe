//! The reference's types as the model's, field by field.

use std::sync::Arc;

use aitrace_model::{
    AnyValue, Dropped, RawEvent, RawLink, RawSpan, RawStatus, Resource, Scope, SpanId, Timestamp, TraceId,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1 as trace;

/// What a valid request says.
pub(crate) fn spans(request: &ExportTraceServiceRequest) -> Vec<RawSpan> {
    let mut spans = Vec::new();
    for part in &request.resource_spans {
        let attributes = part.resource.as_ref().map(|resource| attributes(&resource.attributes));
        let resource = Arc::new(Resource {
            attributes: attributes.unwrap_or_default(),
            dropped_attributes: part
                .resource
                .as_ref()
                .map_or(0, |resource| resource.dropped_attributes_count),
            schema_url: part.schema_url.clone(),
        });
        for part in &part.scope_spans {
            let named = part.scope.as_ref().map_or_else(Scope::default, scope);
            let scope = Arc::new(Scope { schema_url: part.schema_url.clone(), ..named });
            spans.extend(part.spans.iter().map(|span| raw(span, &resource, &scope)));
        }
    }
    spans
}

fn scope(scope: &common::InstrumentationScope) -> Scope {
    Scope {
        name: scope.name.clone(),
        version: scope.version.clone(),
        attributes: attributes(&scope.attributes),
        dropped_attributes: scope.dropped_attributes_count,
        schema_url: String::new(),
    }
}

fn raw(span: &trace::Span, resource: &Arc<Resource>, scope: &Arc<Scope>) -> RawSpan {
    let status = span.status.clone().unwrap_or_default();
    let end = span.end_time_unix_nano;
    RawSpan {
        trace_id: TraceId::from_slice(&span.trace_id).expect("generated"),
        span_id: SpanId::from_slice(&span.span_id).expect("generated"),
        parent_span_id: SpanId::from_slice(&span.parent_span_id),
        name: span.name.clone(),
        otel_kind: span.kind,
        trace_state: span.trace_state.clone(),
        start: Timestamp::from_unix_nanos(span.start_time_unix_nano),
        end: if end == 0 { None } else { Some(Timestamp::from_unix_nanos(end)) },
        attributes: attributes(&span.attributes),
        events: span.events.iter().map(event).collect(),
        links: span.links.iter().map(link).collect(),
        status: match status.code {
            1 => RawStatus::Ok,
            2 => RawStatus::Error(status.message),
            _ => RawStatus::Unset,
        },
        dropped: Dropped {
            attributes: span.dropped_attributes_count,
            events: span.dropped_events_count,
            links: span.dropped_links_count,
        },
        flags: span.flags,
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
    }
}

fn event(event: &trace::span::Event) -> RawEvent {
    RawEvent {
        time: Timestamp::from_unix_nanos(event.time_unix_nano),
        name: event.name.clone(),
        attributes: attributes(&event.attributes),
        dropped_attributes: event.dropped_attributes_count,
    }
}

fn link(link: &trace::span::Link) -> RawLink {
    RawLink {
        trace_id: TraceId::from_slice(&link.trace_id).expect("generated"),
        span_id: SpanId::from_slice(&link.span_id).expect("generated"),
        trace_state: link.trace_state.clone(),
        attributes: attributes(&link.attributes),
        dropped_attributes: link.dropped_attributes_count,
        flags: link.flags,
    }
}

fn attributes(list: &[common::KeyValue]) -> Vec<(String, AnyValue)> {
    list.iter().map(|pair| (pair.key.clone(), value(pair.value.as_ref()))).collect()
}

fn value(value: Option<&common::AnyValue>) -> AnyValue {
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(Value::StringValueStrindex(_)) => AnyValue::Null,
        Some(Value::StringValue(text)) => AnyValue::String(text.clone()),
        Some(Value::BoolValue(value)) => AnyValue::Bool(*value),
        Some(Value::IntValue(value)) => AnyValue::Int(*value),
        Some(Value::DoubleValue(value)) => AnyValue::Double(*value),
        Some(Value::BytesValue(bytes)) => AnyValue::Bytes(bytes.clone()),
        Some(Value::ArrayValue(list)) => {
            AnyValue::Array(list.values.iter().map(|element| self::value(Some(element))).collect())
        }
        Some(Value::KvlistValue(list)) => AnyValue::Map(attributes(&list.values)),
    }
}
