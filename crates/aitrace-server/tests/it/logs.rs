//! `POST /v1/logs`, and the contents of spans that come that way.

use aitrace_otlp::{Encoding, decode_response};
use serde_json::{Value, json};

use crate::pb::{self, Message};
use crate::rig::{NOW, Rig};
use crate::samples::{PROTOBUF, otlp, otlp_span, span_id, trace_id, zstd};

/// The body of an event: a map with one text.
fn content(text: &str) -> Message {
    let list = Message::default().message(1, &pb::text("content", text));
    Message::default().message(6, &list)
}

pub(crate) fn record(trace: u8, own: u8, event: &str, text: &str, nanos: u64) -> Message {
    let trace = u128::from_str_radix(&trace_id(trace), 16).expect("works").to_be_bytes();
    let own = u64::from_str_radix(&span_id(own), 16).expect("works").to_be_bytes();
    Message::default()
        .fixed64(1, NOW.nanos() as u64 + nanos)
        .message(5, &content(text))
        .bytes(9, trace)
        .bytes(10, own)
        .bytes(12, event)
}

/// The same as one [`record`], as OTLP/JSON.
fn record_json(trace: u8, own: u8, event: &str, text: &str, nanos: i64) -> String {
    json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeLogs": [{"logRecords": [{
            "timeUnixNano": (NOW.nanos() + nanos).to_string(), "eventName": event,
            "traceId": trace_id(trace), "spanId": span_id(own),
            "body": {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": text}}]}},
        }]}],
    }]})
    .to_string()
}

fn trace(rig: &Rig, number: u8) -> Value {
    rig.get(&format!("/api/trace/{}", trace_id(number))).json()
}

#[test]
fn contents_that_come_as_log_records_stand_in_the_span() {
    let rig = Rig::start();
    // The records come before their span, the answer before the question, and another span has none.
    let body = pb::request(&[
        record(1, 1, "gen_ai.choice", "sunny", 20),
        record(1, 1, "gen_ai.user.message", "Weather?", 10),
        record(1, 1, "gen_ai.system.message", "Be brief.", 5),
        record(1, 1, "order.sold", "nothing of a model", 6),
    ]);
    for path in ["/v1/logs", "/opentelemetry/v1/logs"] {
        assert_eq!(rig.post(path, PROTOBUF, body.clone()).status, 200, "{path}");
    }
    assert_eq!(
        rig.post("/v1/traces", PROTOBUF, pb::request(&[otlp_span(1, 1), otlp_span(1, 2)])).status,
        200
    );
    let trace = trace(&rig, 1);
    let message =
        |role: &str, text: &str| json!({"role": role, "parts": [{"type": "text", "content": text}]});
    assert_eq!(
        trace["spans"][0]["inputs"],
        json!([message("system", "Be brief."), message("user", "Weather?")])
    );
    assert_eq!(trace["spans"][0]["outputs"], json!([message("assistant", "sunny")]));
    assert!(trace["spans"][1]["inputs"].is_null() && trace["spans"][1]["outputs"].is_null());
    assert_eq!(
        trace["logs"].as_array().unwrap().len(),
        4,
        "the same batch twice is one, and all are logs still"
    );
    assert_eq!(trace["logs"][3]["event"], "gen_ai.choice");
    assert_eq!(trace["logs"][3]["attrs"]["body"], json!({"content": "sunny"}));
}

#[test]
fn what_stands_in_the_span_is_found_there() {
    let rig = Rig::start();
    let before = record(1, 1, "gen_ai.user.message", "Weather in Rome?", 10);
    assert_eq!(rig.post("/v1/logs", PROTOBUF, pb::request(&[before])).status, 200);
    let spans = pb::request(&[otlp_span(1, 1), otlp_span(1, 2)]);
    assert_eq!(rig.post("/v1/traces", PROTOBUF, spans).status, 200);
    let behind = [
        record(1, 1, "gen_ai.choice", "sunny in Rome", 20),
        record(1, 3, "gen_ai.choice", "a Rome that no span shows", 30),
    ];
    assert_eq!(rig.post("/v1/logs", PROTOBUF, pb::request(&behind)).status, 200);
    let hits = |query: &str| {
        let found = rig.get(&format!("/api/search?q={query}")).json();
        let hits = found["results"].as_array().expect("hits").clone();
        let hit = |hit: &Value| (hit["span_id"].as_str().map(str::to_owned), hit["field"].clone());
        hits.iter().map(hit).collect::<Vec<_>>()
    };
    assert_eq!(hits("weather"), [(Some(span_id(1)), json!("inputs"))]);
    assert_eq!(hits("sunny"), [(Some(span_id(1)), json!("outputs"))]);
    assert_eq!(hits("rome"), [(Some(span_id(3)), json!("attrs")), (Some(span_id(1)), json!("inputs"))]);
    assert_eq!(hits("outputs:sunny").len(), 1);
    let traces = rig.get("/api/traces?q=inputs:weather").json();
    assert_eq!(traces["traces"].as_array().unwrap().len(), 1, "{traces}");
    let alone = rig.get(&format!("/api/span/{}/{}", trace_id(1), span_id(1))).json();
    assert!(alone["inputs"].is_array() && alone["outputs"].is_array(), "{alone}");
    // Said as a trace record, it is the same.
    let line = json!({"__tracer_meta__": {
        "timestamp": "2026-01-01T00:00:00.000001Z", "event": "gen_ai.choice", "level": "info",
        "trace_id": trace_id(1), "span_id": span_id(2), "version": "2.1", "id": "r", "lifecycle": "log",
    }, "content": "rain in Bergen"});
    assert_eq!(rig.post_json("/api/ingest", &format!("[{line}]")).status, 200);
    assert_eq!(hits("bergen"), [(Some(span_id(2)), json!("outputs"))]);
    // Exported as OTLP, spans are as they came; their log records tell the rest again.
    let exported = rig.get("/api/export?format=otlp").text();
    let spans: Vec<&str> = exported.lines().filter(|line| line.contains("resourceSpans")).collect();
    assert!(!spans.is_empty() && !spans.concat().contains("Rome"), "{exported}");
    let again = Rig::start();
    for line in exported.lines() {
        let path = if line.contains("resourceSpans") { "/v1/traces" } else { "/v1/logs" };
        assert_eq!(again.post_json(path, line).status, 200);
    }
    assert_eq!(trace(&again, 1)["spans"][0]["inputs"], trace(&rig, 1)["spans"][0]["inputs"]);
}

#[test]
fn what_the_span_says_itself_counts() {
    let rig = Rig::start();
    let span =
        otlp_span(1, 1).message(9, &pb::text("gen_ai.input.messages", r#"[{"role":"user","parts":[]}]"#));
    assert_eq!(rig.post("/v1/traces", PROTOBUF, pb::request(&[span])).status, 200);
    let body =
        pb::request(&[record(1, 1, "gen_ai.user.message", "x", 1), record(1, 1, "gen_ai.choice", "y", 2)]);
    assert_eq!(rig.post("/v1/logs", PROTOBUF, body).status, 200);
    let span = trace(&rig, 1)["spans"][0].clone();
    assert_eq!(span["inputs"], json!([{"role": "user", "parts": []}]));
    assert_eq!(span["outputs"][0]["parts"][0]["content"], "y");
}

#[test]
fn both_encodings_store_the_same_record() {
    let rig = Rig::start();
    let body = pb::request(&[record(1, 1, "gen_ai.user.message", "x", 1)]);
    assert_eq!(rig.post("/v1/logs", PROTOBUF, body).status, 200);
    let json = record_json(1, 1, "gen_ai.user.message", "x", 1);
    assert_eq!(rig.post_json("/v1/logs", &json).text(), "{}");
    rig.post("/v1/traces", PROTOBUF, otlp(1, 1));
    let logs = trace(&rig, 1)["logs"].clone();
    assert_eq!(logs.as_array().unwrap().len(), 1, "{logs}");
}

#[test]
fn bad_records_are_counted_and_good_ones_kept() {
    let rig = Rig::start();
    let bad = Message::default().varint(1, 5);
    let body = pb::request(&[bad, record(1, 1, "a", "b", 1)]);
    let answer = rig.post("/v1/logs", PROTOBUF, body);
    let partial = decode_response(&answer.body, Encoding::Protobuf).unwrap();
    assert_eq!((answer.status, partial.rejected), (200, 1));
    assert!(partial.message.starts_with("log record 0: time_unix_nano"), "{}", partial.message);
    let json = record_json(1, 2, "a", "b", 1).replace(r#""logRecords":["#, r#""logRecords":[7,"#);
    let said = rig.post_json("/v1/logs", &json).json();
    assert_eq!(said["partialSuccess"]["rejectedLogRecords"], "1", "{said}");
    rig.post("/v1/traces", PROTOBUF, otlp(1, 1));
    assert_eq!(trace(&rig, 1)["logs"].as_array().unwrap().len(), 2);
}

#[test]
fn empty_and_unreadable_bodies() {
    let rig = Rig::start();
    assert_eq!(rig.post("/v1/logs", PROTOBUF, "").status, 200);
    assert_eq!(rig.post_json("/v1/logs", "{}").status, 200);
    assert_eq!(rig.post("/v1/logs", PROTOBUF, vec![0xff; 20]).status, 400);
    let answer = rig.post_json("/v1/logs", "{");
    assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!(3)));
    assert_eq!(rig.get("/v1/logs").status, 405);
}

#[test]
fn zstd_is_read_on_every_ingest_route() {
    let rig = Rig::start();
    let logs = pb::request(&[record(1, 1, "a", "b", 1)]);
    let sent = crate::samples::span("end", 1, 2, 0, "{}");
    for (path, media, body) in [
        ("/v1/traces", PROTOBUF, otlp(1, 1)),
        ("/v1/logs", PROTOBUF, logs),
        ("/api/ingest", "application/json", format!("[{sent}]").into_bytes()),
    ] {
        let call = rig.call("POST", path).header("content-encoding", "zstd");
        let answer = call.clone().body(media, zstd(&body)).send();
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(call.clone().body(media, body.clone()).send().status, 400, "{path}: plain is no zstd");
        let cut = &zstd(&body)[..10];
        assert_eq!(call.body(media, cut).send().status, 400, "{path}: cut off");
    }
    let trace = trace(&rig, 1);
    assert_eq!((trace["spans"].as_array().unwrap().len(), trace["logs"].as_array().unwrap().len()), (2, 1));
}

#[test]
fn a_bomb_of_zstd_is_refused() {
    let rig = Rig::limited(|limits| limits.decoded_bytes = 1 << 20);
    let bomb = zstd(&vec![b' '; 32 << 20]);
    let call = rig.call("POST", "/v1/logs").header("content-encoding", "zstd");
    assert_eq!(call.body(PROTOBUF, bomb).send().status, 413);
    assert_eq!(rig.get("/healthz").status, 200);
}
