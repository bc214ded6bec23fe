//! `POST /v1/traces`.

use aitrace_otlp::{Encoding, decode_response};

use crate::pb::{self, Message};
use crate::rig::Rig;
use crate::samples::{PROTOBUF, gzip, otlp, otlp_json, otlp_span, span_id, trace_id};

const PATHS: [&str; 2] = ["/v1/traces", "/opentelemetry/v1/traces"];

#[test]
fn both_encodings_and_both_paths_store_the_same() {
    let rig = Rig::start();
    for (number, path) in PATHS.iter().enumerate() {
        let number = number as u8;
        let answer = rig.post(path, PROTOBUF, otlp(1, 1 + number));
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(PROTOBUF)));
        assert!(answer.body.is_empty(), "nothing was refused: partial_success is unset");
        let answer = rig.post_json(path, &otlp_json(1, 11 + number));
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        assert_eq!(answer.text(), "{}");
    }
    let trace = rig.get(&format!("/api/trace/{}", trace_id(1))).json();
    let spans = trace["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 4);
    for span in spans {
        assert_eq!((&span["name"], &span["status"]), (&"chat".into(), &"ok".into()));
        assert_eq!(span["end_ns"], "1769860800001000000");
    }
    let service: Vec<_> = spans.iter().map(|span| span["service"].as_str()).collect();
    assert_eq!(service, [Some("shop"), Some("shop"), None, None]);
}

#[test]
fn gzip_and_an_empty_request_are_fine() {
    let rig = Rig::start();
    let call = rig.call("POST", "/v1/traces").body(PROTOBUF, gzip(&otlp(1, 1)));
    assert_eq!(call.header("content-encoding", "gzip").send().status, 200);
    assert_eq!(rig.get("/api/traces").json()["traces"][0]["trace_id"], trace_id(1));
    assert_eq!(rig.post("/v1/traces", PROTOBUF, "").status, 200);
    assert_eq!(rig.post_json("/v1/traces", "{}").status, 200);
}

#[test]
fn bad_spans_are_counted_and_good_ones_kept() {
    let rig = Rig::start();
    let bad = pb::span(&[0; 16], &[1; 8], "no id", 1, 2);
    let body = pb::request(&[otlp_span(1, 1), bad, otlp_span(1, 2)]);
    let answer = rig.post("/v1/traces", PROTOBUF, body);
    let partial = decode_response(&answer.body, Encoding::Protobuf).unwrap();
    assert_eq!((answer.status, partial.rejected), (200, 1));
    assert!(partial.message.starts_with("span 1: "), "{}", partial.message);
    let body = otlp_json(2, 1).replace(&span_id(1), "zz");
    let answer = rig.post_json("/v1/traces", &body);
    assert_eq!(answer.status, 200);
    let said = answer.json();
    assert_eq!(said["partialSuccess"]["rejectedSpans"], "1", "{said}");
    assert_eq!(rig.get("/api/traces").json()["traces"][0]["spans"], 2);
}

#[test]
fn errors_are_a_status_in_the_encoding_of_the_request() {
    let rig = Rig::start();
    for path in PATHS {
        let answer = rig.post(path, PROTOBUF, vec![0xff; 20]);
        assert_eq!((answer.status, answer.header("content-type")), (400, Some(PROTOBUF)));
        // google.rpc.Status: field 1 is the code, 3 is INVALID_ARGUMENT; field 2 is the message.
        assert_eq!(answer.body[..3], [8, 3, 18], "{:?}", answer.body);
        let answer = rig.post_json(path, "{");
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["code"], 3);
        assert_eq!(answer.kind(), "bad_request");
        let answer = rig.post(path, "text/plain", "x");
        assert_eq!((answer.status, answer.header("content-type")), (415, Some(PROTOBUF)));
        let answer = rig.get(path);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    }
}

#[test]
fn a_pending_span_and_its_end_are_one_span() {
    let rig = Rig::start();
    let running = |span: Message, lifecycle: &str| span.message(9, &pb::text("aitrace.lifecycle", lifecycle));
    let id = u128::from_str_radix(&trace_id(1), 16).unwrap().to_be_bytes();
    let start = crate::rig::NOW.nanos() as u64;
    let pending = running(pb::span(&id, &[7; 8], "plan", start, 0), "start");
    assert_eq!(rig.post("/v1/traces", PROTOBUF, pb::request(&[pending])).status, 200);
    let target = format!("/api/trace/{}", trace_id(1));
    assert_eq!(rig.get(&target).json()["spans"][0]["status"], "running");
    let ended = pb::span(&id, &[7; 8], "plan", start, start + 5);
    assert_eq!(rig.post("/v1/traces", PROTOBUF, pb::request(&[ended])).status, 200);
    let trace = rig.get(&target).json();
    assert_eq!(trace["spans"].as_array().unwrap().len(), 1);
    assert_eq!(trace["spans"][0]["status"], "ok");
}

#[test]
fn a_model_call_without_a_cost_is_priced_and_an_unknown_model_is_not() {
    let rig = Rig::start();
    let attributes = |model: &str| {
        format!(
            r#""attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},
            {{"key":"gen_ai.provider.name","value":{{"stringValue":"openai"}}}},
            {{"key":"gen_ai.request.model","value":{{"stringValue":"{model}"}}}},
            {{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"1000000"}}}}]"#
        )
    };
    for (number, model) in [(1, "gpt-4o-mini"), (2, "a-model-of-tomorrow")] {
        let body =
            otlp_json(number, 1).replacen(r#""name":"#, &format!(r#"{},"name":"#, attributes(model)), 1);
        assert_eq!(rig.post_json("/v1/traces", &body).status, 200);
    }
    let cost =
        |number| rig.get(&format!("/api/trace/{}", trace_id(number))).json()["spans"][0]["cost"].clone();
    assert!(cost(1).as_f64().is_some_and(|dollars| dollars > 0.0), "{}", cost(1));
    assert!(cost(2).is_null());
}
