//! Good data, for tests that need some.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::pb;
use crate::rig::NOW;

pub(crate) const PROTOBUF: &str = "application/x-protobuf";
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// A trace id with this number at its end.
pub(crate) fn trace_id(number: u8) -> String {
    format!("{:032x}", u128::from(number) + (1 << 120))
}

/// A span id with this number at its end.
pub(crate) fn span_id(number: u8) -> String {
    format!("{:016x}", u64::from(number) + (1 << 56))
}

/// A log record outside any span.
pub(crate) fn log(event: &str) -> String {
    format!(
        r#"{{"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:00.000001Z","event":"{event}","level":"info","version":"2.1","id":"{event}"}},"n":1}}"#
    )
}

/// One record of a span. `parent` 0 is none.
pub(crate) fn span(lifecycle: &str, trace: u8, own: u8, parent: u8, attributes: &str) -> String {
    let parent = if parent == 0 { "null".to_owned() } else { format!("\"{}\"", span_id(parent)) };
    let extra =
        if lifecycle == "start" { r#""provisional":true"# } else { r#""status":"ok","duration_ns":1000000"# };
    format!(
        r#"{{"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:00.00{own:04}Z","event":"step{own}.{lifecycle}","trace_id":"{}","span_id":"{}","parent_span_id":{parent},"lifecycle":"{lifecycle}","level":"info","version":"2.1","id":"{trace}-{own}-{lifecycle}",{extra}}},"attributes":{attributes}}}"#,
        trace_id(trace),
        span_id(own),
    )
}

/// A good OTLP request with one span.
pub(crate) fn otlp(trace: u8, own: u8) -> Vec<u8> {
    pb::request(&[otlp_span(trace, own)])
}

pub(crate) fn otlp_span(trace: u8, own: u8) -> pb::Message {
    let trace_id = u128::from_str_radix(&trace_id(trace), 16).expect("hex").to_be_bytes();
    let span_id = u64::from_str_radix(&span_id(own), 16).expect("hex").to_be_bytes();
    let start = NOW.nanos() as u64;
    pb::span(&trace_id, &span_id, "chat", start, start + 1_000_000)
}

/// The same as [`otlp`], as OTLP/JSON.
pub(crate) fn otlp_json(trace: u8, own: u8) -> String {
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[]}},"scopeSpans":[{{"spans":[{{"traceId":"{}","spanId":"{}","name":"chat","kind":1,"startTimeUnixNano":"{}","endTimeUnixNano":"{}"}}]}}]}}]}}"#,
        trace_id(trace),
        span_id(own),
        NOW.nanos(),
        NOW.nanos() + 1_000_000,
    )
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("writes");
    encoder.finish().expect("ends")
}

pub(crate) fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).expect("packs")
}
