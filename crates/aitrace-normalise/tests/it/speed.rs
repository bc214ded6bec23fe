//! How long it takes. Not run by default: `cargo test --release -p aitrace-normalise -- --ignored --nocapture`.

use std::time::Instant;

use aitrace_model::record::{Limits as RecordLimits, read};
use aitrace_model::{AnyValue, RawSpan};
use aitrace_normalise::{normalise_record, normalise_span};
use aitrace_otlp::{Encoding, Limits, decode_traces};

use crate::fixtures::context;

/// The best of many rounds, so that a busy machine counts less.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "this is a measurement")]
fn measure(what: &str, bytes: usize, mut work: impl FnMut()) {
    const TIMES: u32 = 500;
    let round = || {
        let from = Instant::now();
        (0..TIMES).for_each(|_| work());
        from.elapsed() / TIMES
    };
    let best = std::iter::repeat_with(round).take(100).min().unwrap_or_default();
    eprintln!("{what}: {bytes} bytes, {} ns each", best.as_nanos());
}

fn size(span: &RawSpan) -> usize {
    AnyValue::object_to_json(&span.attributes).as_str().len()
}

#[test]
#[ignore = "a measurement"]
fn spans_and_records() {
    for text in [
        include_bytes!("../../fixtures/openllmetry/opentelemetry-instrumentation-openai-0.62.4.json")
            .as_slice(),
        include_bytes!("../../fixtures/openinference/openinference-instrumentation-openai-0.1.66.json"),
        include_bytes!("../../fixtures/aitrace/wire.json"),
    ] {
        let spans = decode_traces(text, Encoding::Json, &Limits::default()).expect("OTLP").spans;
        let span = &spans[1];
        measure("clone a span", size(span), || drop(std::hint::black_box(span.clone())));
        measure("clone and normalise a span", size(span), || {
            drop(std::hint::black_box(normalise_span(span.clone(), &context())));
        });
    }
    let filler = "word ".repeat(120);
    let line = format!(
        r#"{{"attributes":{{"inputs":{{"question":"{filler}","n":1}},"outputs":{{"answer":"short"}},"k":1}},"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:00.123456Z","event":"work.end","trace_id":"be97f2fa26196196d1c776cef223b871","span_id":"c33604c286773277","parent_span_id":"c33604c286773278","file":"src/agent.py","line":38,"function":"work","level":"info","version":"2.1","id":"be97f2fa26196196d1c776cef223b871-c33604c286773277.end","lifecycle":"end","status":"ok","duration_ns":1234567,"event_type":"tool","project":"demo"}}}}"#
    );
    measure("read a record", line.len(), || {
        drop(std::hint::black_box(read(line.as_bytes(), &RecordLimits::default())));
    });
    measure("read and normalise a record", line.len(), || {
        let record = read(line.as_bytes(), &RecordLimits::default()).expect("a record");
        drop(std::hint::black_box(normalise_record(record, &context())));
    });
}
