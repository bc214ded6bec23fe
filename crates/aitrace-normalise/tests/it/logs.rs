//! Log records: what they are in the model, and what recorded ones tell of the contents of their spans.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use aitrace_model::{LogRecord, Phase, Span, SpanState};
use aitrace_normalise::{contents_message, contents_of_logs, normalise_log, raw_log};
use aitrace_otlp::{Encoding, Limits, decode_logs, encode_logs_json};

use crate::fixtures::{context, spans};

fn logs(text: &[u8]) -> Vec<LogRecord> {
    let decoded = decode_logs(text, Encoding::Json, &Limits::default()).expect("OTLP JSON");
    assert_eq!(decoded.rejected_count, 0, "{:?}", decoded.rejected);
    decoded.logs.into_iter().map(|raw| normalise_log(raw, &context())).collect()
}

fn one(record: &str) -> LogRecord {
    let resource = r#"{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]}"#;
    let scope = r#"{"name":"shop.orders"}"#;
    let text = format!(
        r#"{{"resourceLogs":[{{"resource":{resource},"scopeLogs":[{{"scope":{scope},"logRecords":[{record}]}}]}}]}}"#
    );
    logs(text.as_bytes()).remove(0)
}

fn contents(span: &Span, logs: &[LogRecord]) -> String {
    let own =
        logs.iter().filter(|log| (log.trace_id, log.span_id) == (Some(span.trace_id), Some(span.span_id)));
    let found = contents_of_logs(own.clone());
    // One after the other, in any order, they tell the same.
    let mut state = SpanState::new(Span { inputs: None, outputs: None, ..span.clone() });
    for message in own.rev().filter_map(contents_message) {
        assert_eq!(message.phase, Phase::Contents);
        state.join(message);
    }
    let joined = state.into_merged().expect("a span");
    assert_eq!((&joined.inputs, &joined.outputs), (&found.inputs, &found.outputs), "{}", span.name);
    let mut out = format!("# {}\n", span.name);
    for (name, side) in [("inputs", found.inputs), ("outputs", found.outputs)] {
        if let Some(json) = side {
            writeln!(out, "{name}: {json}").expect("a String takes everything");
        }
    }
    out
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
fn recorded_log_records_tell_contents() {
    let folder = Path::new("fixtures/genai");
    let mut wrong = Vec::new();
    for name in [
        "opentelemetry-instrumentation-botocore-0.66b2",
        "opentelemetry-instrumentation-google-genai-1.3b0",
        "opentelemetry-instrumentation-openai-v2-2.2b0",
    ] {
        let logs = logs(&fs::read(folder.join(format!("logs/{name}.logs.json"))).expect("a fixture"));
        let spans = spans(&folder.join(format!("{name}.json")));
        let found: String = spans.iter().map(|span| contents(span, &logs)).collect();
        let expected = folder.join(format!("logs/{name}.expected.txt"));
        if std::env::var("AITRACE_UPDATE_FIXTURES").is_ok() {
            fs::write(&expected, &found).expect("writes");
        }
        if fs::read_to_string(&expected).ok().as_ref() != Some(&found) {
            wrong.push(format!("{} should be:\n{found}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_event_is_named_by_its_field_its_attribute_or_its_message() {
    let attribute = r#""attributes":[{"key":"event.name","value":{"stringValue":"b"}}]"#;
    assert_eq!(one(&format!(r#"{{"eventName":"a",{attribute}}}"#)).event, "a");
    assert_eq!(one(&format!(r#"{{{attribute},"body":{{"stringValue":"c"}}}}"#)).event, "b");
    assert_eq!(one(r#"{"body":{"stringValue":"  sold out\nsecond line"}}"#).event, "sold out");
    assert_eq!(one(r#"{"body":{"intValue":"1"}}"#).event, "log");
    assert_eq!(one("{}").event, "log");
    let long = one(&format!(r#"{{"body":{{"stringValue":"{}"}}}}"#, "é".repeat(1000)));
    assert_eq!(long.event.len(), 256);
}

#[test]
fn body_attributes_and_origin_are_kept() {
    let log =
        one(r#"{"timeUnixNano":"5","observedTimeUnixNano":"6","severityNumber":17,"severityText":"CRITICAL",
        "body":{"kvlistValue":{"values":[{"key":"n","value":{"intValue":"9007199254740993"}}]}},
        "attributes":[{"key":"a","value":{"doubleValue":1}},{"key":"session.id","value":{"stringValue":"s"}},
        {"key":"code.function.name","value":{"stringValue":"sell"}}]}"#);
    let attrs = r#"{"a":1.0,"session.id":"s","code.function.name":"sell","body":{"n":9007199254740993},"severity_text":"CRITICAL","service.name":"shop"}"#;
    assert_eq!(log.attrs.as_str(), attrs);
    assert_eq!((log.level.as_str(), log.time.nanos()), ("error", 5));
    assert_eq!((log.logger.as_deref(), log.session_id.as_deref()), (Some("shop.orders"), Some("s")));
    assert_eq!(log.code.expect("a place").function, "sell");
    let taken =
        one(r#"{"body":{"stringValue":"x"},"attributes":[{"key":"body","value":{"stringValue":"y"}}]}"#);
    assert_eq!(taken.attrs.as_str(), r#"{"body":"y","log.body":"x","service.name":"shop"}"#);
}

#[test]
fn levels_and_times_come_from_what_there_is() {
    let level = |record: &str| one(record).level.as_str();
    let levels = [0, 1, 8, 9, 13, 17, 24, 25, -1].map(|n| level(&format!(r#"{{"severityNumber":{n}}}"#)));
    assert_eq!(levels, ["info", "debug", "debug", "info", "warning", "error", "error", "info", "info"]);
    assert_eq!(level(r#"{"severityText":"WARN"}"#), "warning");
    assert_eq!(one(r#"{"observedTimeUnixNano":"6"}"#).time.nanos(), 6);
    assert_eq!(one("{}").time, context().received);
}

#[test]
fn the_same_record_has_the_same_id_and_another_has_another() {
    let id = |record: &str| one(record).id;
    let record = r#"{"timeUnixNano":"5","body":{"stringValue":"x"}}"#;
    assert_eq!(id(record), id(r#"{"body":{"stringValue":"x"},"time_unix_nano":5}"#), "however it is written");
    for other in [
        r#"{"timeUnixNano":"6","body":{"stringValue":"x"}}"#,
        r#"{"observedTimeUnixNano":"5","body":{"stringValue":"x"}}"#,
        r#"{"timeUnixNano":"5","observedTimeUnixNano":"7","body":{"stringValue":"x"}}"#,
        r#"{"timeUnixNano":"5","body":{"stringValue":"y"}}"#,
        r#"{"timeUnixNano":"5","body":{"stringValue":"x"},"severityNumber":9}"#,
    ] {
        assert_ne!(id(record), id(other), "{other}");
    }
    let uid = r#"{"attributes":[{"key":"log.record.uid","value":{"stringValue":"u1"}}]}"#;
    assert_eq!(id(uid), "u1");
}

#[test]
fn a_span_id_without_a_trace_is_none() {
    let log = one(r#"{"spanId":"0102030405060708"}"#);
    assert_eq!((log.trace_id, log.span_id), (None, None));
}

#[test]
fn ordinary_log_records_tell_no_contents() {
    let log = one(r#"{"eventName":"order.sold","body":{"stringValue":"x"}}"#);
    assert_eq!(contents_of_logs([&log]), aitrace_normalise::Contents::default());
    assert_eq!(contents_message(&log), None);
    let loose = one(r#"{"eventName":"gen_ai.choice","body":{"stringValue":"x"}}"#);
    assert_eq!(contents_message(&loose), None, "of no span");
}

#[test]
fn no_attribute_makes_a_span_such_contents() {
    let attribute = r#"{"key":"aitrace.lifecycle","value":{"stringValue":"contents"}}"#;
    let text = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"0102030405060708090a0b0c0d0e0f10",
        "spanId":"0102030405060708","name":"n","startTimeUnixNano":"5","endTimeUnixNano":"6","attributes":[{attribute}]}}]}}]}}]}}"#
    );
    let decoded =
        aitrace_otlp::decode_traces(text.as_bytes(), Encoding::Json, &Limits::default()).expect("OTLP JSON");
    let raw = decoded.spans.into_iter().next().expect("a span");
    assert_eq!(aitrace_normalise::normalise_span(raw, &context()).phase, Phase::End);
}

#[test]
fn what_otlp_says_beside_is_kept_where_it_is_anything() {
    let scope = r#"{"name":"n","version":"1","attributes":[{"key":"k","value":{"intValue":"7"}}],"droppedAttributesCount":2}"#;
    let log = |record: &str| {
        let text = format!(
            r#"{{"resourceLogs":[{{"resource":{{"droppedAttributesCount":4}},"scopeLogs":[{{"scope":{scope},
            "logRecords":[{record}],"schemaUrl":"s"}}],"schemaUrl":"r"}}]}}"#
        );
        logs(text.as_bytes()).remove(0).attrs.as_str().to_owned()
    };
    let otel = r#"{"flags":257,"dropped_attributes_count":3,"scope_version":"1","scope_attributes":{"k":7},"scope_dropped_attributes_count":2,"scope_schema_url":"s","resource_dropped_attributes_count":4,"resource_schema_url":"r"}"#;
    let record = r#"{"flags":257,"droppedAttributesCount":3"#;
    assert_eq!(log(&format!("{record}}}")), format!(r#"{{"otel":{otel}}}"#));
    let own = r#","attributes":[{"key":"otel","value":{"boolValue":true}}]}"#;
    assert_eq!(log(&format!("{record}{own}")), format!(r#"{{"otel":true,"log.otel":{otel}}}"#));
    assert_eq!(one("{}").attrs.as_str(), r#"{"service.name":"shop"}"#, "nothing is nothing");
    // Exported, it stands where OTLP has it.
    let whole = one(&format!(r#"{record},"body":{{"stringValue":"b"}}}}"#));
    let raw = raw_log(&whole);
    assert_eq!((raw.flags, raw.dropped_attributes, raw.attributes.len()), (257, 3, 1));
    let again = logs(&encode_logs_json(&[raw])).remove(0);
    assert_eq!((again.attrs, again.id), (whole.attrs, whole.id));
}
