//! Speed of the codec against the reference, in one run on one thread:
//! `cargo test -p aitrace-otlp --release -- --ignored --nocapture speed`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aitrace_otlp::{Encoding, Limits, decode_traces, encode_traces, encode_traces_json};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;

use crate::reference;

const SPANS: usize = 500;

/// What is measured, and its name.
type Run = (&'static str, Box<dyn FnMut()>);

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), key_strindex: 0 }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.to_owned()))
}

/// A model call of an agent, 2 KB in protobuf: 18 attributes, most bytes in the input and the output.
fn span(index: usize) -> Span {
    let prompt =
        r#"{"messages":[{"role":"system","content":"You answer questions about orders."}]}"#.repeat(9);
    let answer = r#"{"role":"assistant","content":"Order 7 left the house on Monday."}"#.repeat(8);
    Span {
        trace_id: vec![(index % 251) as u8 + 1; 16],
        span_id: (index as u64 + 1).to_be_bytes().to_vec(),
        parent_span_id: vec![9; 8],
        name: "chat stub-1".to_owned(),
        kind: 3,
        start_time_unix_nano: 1_770_000_000_000_000_000 + index as u64,
        end_time_unix_nano: 1_770_000_000_500_000_000 + index as u64,
        attributes: vec![
            text("openinference.span.kind", "LLM"),
            text("aitrace.event_type", "model"),
            text("gen_ai.system", "openai"),
            text("gen_ai.request.model", "stub-1"),
            text("gen_ai.response.model", "stub-1-2026"),
            pair("gen_ai.usage.input_tokens", Value::IntValue(812)),
            pair("gen_ai.usage.output_tokens", Value::IntValue(97)),
            pair("gen_ai.request.temperature", Value::DoubleValue(0.2)),
            text("input.value", &prompt),
            text("input.mime_type", "application/json"),
            text("output.value", &answer),
            text("output.mime_type", "application/json"),
            text("session.id", "5f0c954e-8a70-4a39-a09e-77b1d0a2c3e4"),
            text("user.id", "user-42"),
            text("metadata", r#"{"order":7,"tier":"gold"}"#),
            text("code.file.path", "agent/steps/chat.py"),
            pair("code.line.number", Value::IntValue(88)),
            text("code.function.name", "Agent.chat"),
        ],
        status: Some(Status { code: 1, message: String::new() }),
        ..Span::default()
    }
}

fn request() -> ExportTraceServiceRequest {
    let resource = Resource {
        attributes: vec![text("service.name", "shop"), text("aitrace.project", "support")],
        ..Resource::default()
    };
    let scope = InstrumentationScope { name: "aitrace".to_owned(), ..InstrumentationScope::default() };
    let spans = (0..SPANS).map(span).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }];
    let part = ResourceSpans { resource: Some(resource), scope_spans, schema_url: String::new() };
    ExportTraceServiceRequest { resource_spans: vec![part] }
}

/// Nanoseconds a span of each, fastest of many rounds that alternate.
#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn race(runs: &mut [Run]) -> Vec<f64> {
    let mut best = vec![Duration::MAX; runs.len()];
    for _ in 0..300 {
        for (best, (_, run)) in best.iter_mut().zip(&mut *runs) {
            let start = Instant::now();
            run();
            *best = (*best).min(start.elapsed());
        }
    }
    best.iter().map(|time| time.as_nanos() as f64 / SPANS as f64).collect()
}

#[test]
#[ignore = "a measurement, for release builds"]
#[expect(clippy::print_stderr, reason = "the figures are the result")]
fn speed() {
    let request = request();
    let spans = reference::spans(&request);
    let (body, json) = (request.encode_to_vec(), encode_traces_json(&spans));
    let limits = Limits::default();
    let (body_1, spans_1, limits_1) = (body.clone(), spans.clone(), limits.clone());
    let (bytes, json_bytes) = (body.len() / SPANS, json.len() / SPANS);
    let mut runs: [Run; 6] = [
        ("prost decode", Box::new(move || drop(black_box(ExportTraceServiceRequest::decode(&*body))))),
        (
            "our decode",
            Box::new(move || drop(black_box(decode_traces(&body_1, Encoding::Protobuf, &limits)))),
        ),
        (
            "our JSON decode",
            Box::new(move || drop(black_box(decode_traces(&json, Encoding::Json, &limits_1)))),
        ),
        ("prost encode", Box::new(move || drop(black_box(request.encode_to_vec())))),
        ("our encode", Box::new(move || drop(black_box(encode_traces(&spans))))),
        ("our JSON encode", Box::new(move || drop(black_box(encode_traces_json(&spans_1))))),
    ];
    let times = race(&mut runs);
    eprintln!("{SPANS} spans of {bytes} bytes ({json_bytes} in JSON)");
    for ((name, _), time) in runs.iter().zip(&times) {
        eprintln!("{name:16} {time:7.0} ns/span {:9.0} spans/s", 1e9 / time);
    }
    eprintln!("decode {:.2} x prost, encode {:.2} x prost", times[0] / times[1], times[3] / times[4]);
    let faster = cfg!(debug_assertions) || times[1] < times[0];
    assert!(faster, "our decoder must not be slower than the reference");
}
