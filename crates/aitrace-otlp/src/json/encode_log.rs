//! Log records to OTLP/JSON.

use std::sync::Arc;

use aitrace_model::{AnyValue, RawLog, SpanId, TraceId};
use serde::ser::Serialize;

use super::encode::{Any, Each, KeyValues, Nanos, Resource, Scope, is_zero, resource, scope};
use crate::nanos::unix_nanos;

/// Writes an `ExportLogsServiceRequest` in OTLP/JSON. Groups, depth and times are those of [`crate::encode_traces`].
pub fn encode_logs_json(logs: &[RawLog]) -> Vec<u8> {
    let by_resource = logs.chunk_by(|a, b| Arc::ptr_eq(&a.resource, &b.resource));
    let request = Request { resource_logs: Each(by_resource.map(resource_logs)) };
    serde_json::to_vec(&request).expect("keys are strings and a Vec takes everything")
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<P> {
    resource_logs: P,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs<'a, P> {
    resource: Resource<'a>,
    scope_logs: P,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs<'a, P> {
    scope: Scope<'a>,
    log_records: P,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time_unix_nano: Option<Nanos>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_time_unix_nano: Option<Nanos>,
    severity_number: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    severity_text: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    event_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Any<'a>>,
    attributes: KeyValues<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<TraceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<SpanId>,
}

fn resource_logs(logs: &[RawLog]) -> impl Serialize {
    let by_scope = logs.chunk_by(|a, b| Arc::ptr_eq(&a.scope, &b.scope));
    let of = &*logs[0].resource;
    ResourceLogs {
        resource: resource(of),
        scope_logs: Each(by_scope.map(scope_logs)),
        schema_url: &of.schema_url,
    }
}

fn scope_logs(logs: &[RawLog]) -> impl Serialize {
    let of = &*logs[0].scope;
    ScopeLogs { scope: scope(of), log_records: Each(logs.iter().map(log)), schema_url: &of.schema_url }
}

fn log(log: &RawLog) -> LogRecord<'_> {
    let nanos = |time: Option<aitrace_model::Timestamp>| time.map(|time| Nanos(unix_nanos(time)));
    LogRecord {
        time_unix_nano: nanos(log.time),
        observed_time_unix_nano: nanos(log.observed),
        severity_number: log.severity,
        severity_text: &log.severity_text,
        event_name: &log.event_name,
        body: (log.body != AnyValue::Null).then_some(Any(&log.body, 1)),
        attributes: KeyValues(&log.attributes, 1),
        dropped_attributes_count: log.dropped_attributes,
        flags: log.flags,
        trace_id: log.trace_id,
        span_id: log.span_id,
    }
}
