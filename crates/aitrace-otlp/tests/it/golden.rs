//! Requests recorded from real SDKs (tests/golden/README.md).

use aitrace_model::{AnyValue, RawSpan, RawStatus};
use aitrace_otlp::{Decoded, Encoding, Limits, decode_traces, encode_traces};

use crate::reference;

const PYTHON: &[u8] = include_bytes!("../golden/python-otel-sdk-1.45.2.bin");
const PYTHON_JSON: &[u8] = include_bytes!("../golden/python-protobuf-7.36.2.json");
const JS: &[u8] = include_bytes!("../golden/js-otel-exporter-0.223.1.json");

fn decode(body: &[u8], encoding: Encoding) -> Vec<RawSpan> {
    let decoded = decode_traces(body, encoding, &Limits::default()).expect("readable");
    let spans = decoded.spans.clone();
    assert_eq!(decoded, Decoded { spans: decoded.spans.clone(), ..Decoded::default() }, "nothing lost");
    spans
}

fn named<'a>(spans: &'a [RawSpan], name: &str) -> &'a RawSpan {
    spans.iter().find(|span| span.name == name).expect(name)
}

fn attribute<'a>(span: &'a RawSpan, key: &str) -> &'a AnyValue {
    &span.attributes.iter().find(|(name, _)| name == key).expect(key).1
}

/// What both senders sent.
fn check(spans: &[RawSpan]) {
    assert_eq!(spans.len(), 3);
    let (agent, chat, tool) = (named(spans, "agent"), named(spans, "chat gpt"), named(spans, "tool"));
    assert_eq!((agent.parent_span_id, agent.otel_kind), (None, 2));
    for child in [chat, tool] {
        assert_eq!((child.trace_id, child.parent_span_id), (agent.trace_id, Some(agent.span_id)));
    }
    assert_eq!(agent.start.nanos(), 1_770_000_000_000_000_000);
    assert_eq!(agent.end.map(|end| end.since(agent.start)), Some(5_000_000));
    assert_eq!(attribute(agent, "input.value").as_str(), Some("Wo ist Bestellung 7? é 😀"));
    assert_eq!(
        attribute(agent, "flags"),
        &AnyValue::Array(vec![AnyValue::Bool(true), AnyValue::Bool(false)])
    );
    assert_eq!(attribute(agent, "pi"), &AnyValue::Double(std::f64::consts::PI));
    assert_eq!(attribute(agent, "empty").as_str(), Some(""));
    assert_eq!(attribute(chat, "gen_ai.usage.input_tokens"), &AnyValue::Int(120));
    assert_eq!(chat.status, RawStatus::Error("no such order".to_owned()));
    assert_eq!((chat.links[0].span_id, &*chat.links[0].attributes[0].0), (agent.span_id, "why"));
    assert_eq!((&*chat.events[0].name, &chat.events[0].attributes[0].1), ("token", &AnyValue::Int(1)));
    assert_eq!((tool.otel_kind, &tool.status), (1, &RawStatus::Ok));
    assert_eq!((&*chat.scope.name, &*chat.scope.version), ("golden.openai", "2.0"));
    assert_eq!(agent.scope.name, "golden.agent");
    assert_eq!(agent.resource.attributes[0], ("service.name".to_owned(), AnyValue::from("golden")));
}

#[test]
fn python() {
    let spans = decode(PYTHON, Encoding::Protobuf);
    check(&spans);
    let agent = named(&spans, "agent");
    assert_eq!(attribute(agent, "big"), &AnyValue::Int(i64::MIN));
    assert_eq!(attribute(agent, "inf"), &AnyValue::Double(f64::INFINITY));
    assert_eq!(agent.scope.attributes, [("scope.attr".to_owned(), AnyValue::Bool(true))]);
    let chat = named(&spans, "chat gpt");
    assert_eq!(chat.events[1].name, "exception");
    assert_eq!(chat.events[1].attributes.len(), 3);
}

#[test]
fn python_as_json_is_the_same() {
    assert_eq!(decode(PYTHON_JSON, Encoding::Json), decode(PYTHON, Encoding::Protobuf));
}

#[test]
fn python_as_the_reference_reads_it() {
    let request = prost_request(PYTHON);
    assert_eq!(decode(PYTHON, Encoding::Protobuf), reference::spans(&request));
    let again = prost_request(&encode_traces(&decode(PYTHON, Encoding::Protobuf)));
    assert_eq!(reference::spans(&again), reference::spans(&request));
}

fn prost_request(body: &[u8]) -> opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest {
    prost::Message::decode(body).expect("valid")
}

#[test]
fn javascript() {
    let spans = decode(JS, Encoding::Json);
    check(&spans);
    let agent = named(&spans, "agent");
    assert_eq!(attribute(agent, "big"), &AnyValue::Int(9_007_199_254_740_991));
    assert_eq!(attribute(agent, "nan"), &AnyValue::Null, "JavaScript writes NaN as null");
}
