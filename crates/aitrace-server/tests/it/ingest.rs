//! `POST /api/ingest`.

use serde_json::json;

use crate::rig::Rig;
use crate::samples::{NDJSON, gzip, log, span, span_id, trace_id};

#[test]
fn an_array_a_single_object_and_lines_are_stored() {
    let rig = Rig::start();
    let start = span("start", 1, 1, 0, "{}");
    let end = span("end", 1, 1, 0, r#"{"inputs":{"q":9007199254740993},"outputs":"fine"}"#);
    let answer = rig.post_json("/api/ingest", &format!("[{start},{end}]"));
    assert_eq!((answer.status, answer.json()), (200, json!({"ingested": 2, "rejected": []})));
    let answer = rig.post_json("/api/ingest", &span("end", 1, 2, 1, "{}"));
    assert_eq!(answer.json()["ingested"], 1);
    let lines = format!("{}\n\n{}\n", span("start", 1, 3, 1, "{}"), log("order.placed"));
    let answer = rig.post("/api/ingest", NDJSON, lines);
    assert_eq!(answer.json()["ingested"], 2);

    let trace = rig.get(&format!("/api/trace/{}", trace_id(1))).json();
    let shown: Vec<_> = trace["spans"].as_array().unwrap().iter().map(|span| &span["name"]).collect();
    assert_eq!(shown, ["step1", "step2", "step3"]);
    let root = &trace["spans"][0];
    assert_eq!(root["inputs"], json!({"q": "9007199254740993"}));
    assert_eq!(root["outputs"], "fine");
    assert_eq!((&root["depth"], &root["has_children"]), (&json!(0), &json!(true)));
    assert_eq!(trace["spans"][1]["parent_span_id"], span_id(1));
    assert_eq!(trace["spans"][2]["status"], "running");
    assert_eq!(trace["trace"]["status"], "running");
}

#[test]
fn good_records_are_kept_beside_bad_ones() {
    let rig = Rig::start();
    let bad_id = span("end", 1, 1, 0, "{}").replace(&span_id(1), "xyz");
    let body = format!(r#"[{},{{"event":"old"}},{bad_id},7,{}]"#, log("a"), log("b"));
    let answer = rig.post_json("/api/ingest", &body);
    assert_eq!(answer.status, 200);
    let json = answer.json();
    assert_eq!(json["ingested"], 2);
    let indices: Vec<_> =
        json["rejected"].as_array().unwrap().iter().map(|item| item["index"].as_u64()).collect();
    assert_eq!(indices, [Some(1), Some(2), Some(3)]);
    assert!(json["rejected"][0]["error"].as_str().unwrap().contains("aitrace convert"), "{json}");
    assert!(json["rejected"][1]["error"].as_str().unwrap().contains("span_id"), "{json}");
}

#[test]
fn a_bad_line_is_named() {
    let rig = Rig::start();
    let answer = rig.post("/api/ingest", NDJSON, format!("{}\n{{\n{}", log("a"), log("b")));
    let json = answer.json();
    assert_eq!((answer.status, &json["ingested"]), (200, &json!(2)));
    assert_eq!(json["rejected"][0]["index"], 1);
    assert!(json["rejected"][0]["error"].as_str().unwrap().starts_with("line 2: "), "{json}");
}

#[test]
fn only_bad_records_are_no_success() {
    let rig = Rig::start();
    for body in ["{}", "[1]", "", "7", "\"text\"", "[", "nonsense"] {
        let answer = rig.post_json("/api/ingest", body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert_eq!(answer.kind(), "bad_request");
        assert_eq!(answer.json()["ingested"], 0);
        assert_eq!(answer.json()["rejected"][0]["index"], 0);
    }
    assert_eq!(rig.post_json("/api/ingest", "[]").status, 200);
}

#[test]
fn gzip_is_read() {
    let rig = Rig::start();
    let body = gzip(log("a").as_bytes());
    let call = rig.call("POST", "/api/ingest").body("application/json; charset=utf-8", body);
    let answer = call.header("content-encoding", "gzip").send();
    assert_eq!(answer.json(), json!({"ingested": 1, "rejected": []}));
}

#[test]
fn chunked_bodies_are_read() {
    let rig = Rig::start();
    let record = log("a");
    let (one, two) = record.split_at(30);
    let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    let call = rig.call("POST", "/api/ingest").body("application/json", chunks);
    let answer = call.without("content-length").header("transfer-encoding", "chunked").send();
    assert_eq!(answer.json()["ingested"], 1, "{}", answer.text());
}

#[test]
fn large_bodies_are_decoded_aside_and_sent_twice_are_one() {
    let rig = Rig::start();
    let filler = "x".repeat(3000);
    let records: Vec<String> =
        (1..=100).map(|own| span("end", 1, own, 0, &format!(r#"{{"inputs":"{filler}"}}"#))).collect();
    for _ in 0..2 {
        let answer = rig.post("/api/ingest", NDJSON, records.join("\n"));
        assert_eq!((answer.status, &answer.json()["ingested"]), (200, &json!(100)));
    }
    let trace = rig.get(&format!("/api/trace/{}", trace_id(1))).json();
    assert_eq!(trace["spans"].as_array().unwrap().len(), 100);
    assert_eq!(trace["trace"]["spans"], 100);
    assert_eq!(trace["spans"][99]["inputs"].as_str().unwrap().len(), 3000);
}

#[test]
fn sessions_are_kept_as_documents() {
    use aitrace_store::DocumentStore as _;

    let rig = Rig::start();
    let record = |event: &str, id: &str, data: &str| {
        format!(
            r#"{{"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:00.000001Z","event":"{event}","level":"info","version":"2.1","id":"{id}","session_id":"s1","project":"support"}},{data}}}"#
        )
    };
    let started = record("session.started", "1", r#""session_name":"demo","metadata":{"a":1}"#);
    let updated = record("session.updated", "2", r#""metadata":{"b":2}"#);
    assert_eq!(rig.post_json("/api/ingest", &format!("[{started},{updated}]")).status, 200);
    let session = rig.runtime.block_on(rig.store.session("support", "s1")).unwrap().expect("a session");
    assert_eq!(session.name.as_deref(), Some("demo"));
    let data: serde_json::Value = serde_json::from_str(session.data.as_str()).unwrap();
    assert_eq!(data["metadata"], json!({"a": 1, "b": 2}));
}

#[test]
fn data_without_a_project_goes_to_the_default_one() {
    let rig = Rig::with(|options| options.default_project = "mine".to_owned());
    assert_eq!(rig.post_json("/api/ingest", &span("end", 1, 1, 0, "{}")).status, 200);
    assert_eq!(rig.get("/api/traces").json()["traces"][0]["project"], "mine");
    assert_eq!(rig.get("/api/projects").json(), json!({"projects": ["mine"]}));
}
