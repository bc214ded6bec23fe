//! Random valid messages in the reference's types.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z.]{0,12}",
        2 => "\\PC{0,40}",
        1 => any::<String>(),
        1 => "[a-z ]{120,400}",
    ]
}

fn value() -> impl Strategy<Value = AnyValue> {
    let scalar = prop_oneof![
        4 => text().prop_map(Value::StringValue),
        1 => any::<bool>().prop_map(Value::BoolValue),
        1 => any::<i64>().prop_map(Value::IntValue),
        1 => any::<f64>().prop_map(Value::DoubleValue),
        1 => vec(any::<u8>(), 0..40).prop_map(Value::BytesValue),
    ];
    let scalar = proptest::option::weighted(0.95, scalar).prop_map(|value| AnyValue { value });
    scalar.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5)
                .prop_map(|values| AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) }),
            vec((text(), inner), 0..5).prop_map(|members| {
                let values = members.into_iter().map(|(key, value)| key_value(key, Some(value))).collect();
                AnyValue { value: Some(Value::KvlistValue(KeyValueList { values })) }
            }),
        ]
    })
}

fn key_value(key: String, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key, value, key_strindex: 0 }
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let value = proptest::option::weighted(0.95, value());
    vec((text(), value).prop_map(|(key, value)| key_value(key, value)), 0..6)
}

fn id(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), bytes).prop_filter("zeros are no id", |id| id.iter().any(|byte| *byte != 0))
}

fn nanos() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), 1..i64::MAX as u64]
}

fn event() -> impl Strategy<Value = Event> {
    (nanos(), text(), attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    (id(16), id(8), text(), attributes(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count: flags,
            flags,
        },
    )
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (id(16), id(8), proptest::option::of(id(8)));
    let words = (text(), text(), prop_oneof![4 => 0..6, 1 => any::<i32>()], any::<u32>());
    let lists = (attributes(), vec(event(), 0..3), vec(link(), 0..3));
    let status = proptest::option::of((text(), prop_oneof![4 => 0..3, 1 => any::<i32>()]));
    (ids, words, (nanos(), nanos()), lists, status).prop_map(
        |((trace_id, span_id, parent), (name, trace_state, kind, count), (start, end), lists, status)| Span {
            trace_id,
            span_id,
            trace_state,
            parent_span_id: parent.unwrap_or_default(),
            flags: count,
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes: lists.0,
            dropped_attributes_count: count,
            events: lists.1,
            dropped_events_count: count,
            links: lists.2,
            dropped_links_count: count,
            status: status.map(|(message, code)| Status { message, code }),
        },
    )
}

fn scope_spans() -> impl Strategy<Value = ScopeSpans> {
    let scope = (text(), text(), attributes()).prop_map(|(name, version, attributes)| InstrumentationScope {
        name,
        version,
        attributes,
        dropped_attributes_count: 1,
    });
    (proptest::option::of(scope), vec(span(), 0..4), text())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url })
}

/// A request that every decoder must take as it is.
pub(crate) fn request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let resource = attributes().prop_map(|attributes| Resource {
        attributes,
        dropped_attributes_count: 1,
        entity_refs: Vec::new(),
    });
    let part = (proptest::option::of(resource), vec(scope_spans(), 0..3), text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(part, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}
