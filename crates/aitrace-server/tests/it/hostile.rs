//! A first hostile corpus, sent to every route: each is answered 2xx, 3xx or 4xx, or the connection is closed,
//! never 5xx; and the server works afterwards.

mod corpus;

use std::time::Duration;

use crate::http::{Answer, raw, raw_cut};
use crate::rig::Rig;
use crate::samples::{PROTOBUF, log, otlp, trace_id};

const UPLOADS: [&str; 5] =
    ["/api/ingest", "/v1/traces", "/opentelemetry/v1/traces", "/v1/logs", "/opentelemetry/v1/logs"];
const READS: [&str; 16] = [
    "/api/traces",
    "/api/trace/01000000000000000000000000000001",
    "/api/projects",
    "/api/trace/01000000000000000000000000000001/skeleton",
    "/api/span/01000000000000000000000000000001/0100000000000001",
    "/api/sessions",
    "/api/session/s",
    "/api/search",
    "/api/export",
    "/api/stats",
    "/api/sql/schema",
    "/healthz",
    "/",
    "/trace/01000000000000000000000000000001",
    "/assets/x.js",
    "/nothing",
];
const TYPES: [&str; 3] = ["application/json", "application/x-ndjson", PROTOBUF];

fn rig() -> Rig {
    patient(Duration::from_secs(10))
}

/// The limits stay what they are but for those that only cost time to reach.
fn patient(patience: Duration) -> Rig {
    Rig::limited(|limits| {
        limits.body_idle_timeout = patience;
        limits.body_bytes = 16 << 20;
        limits.decoded_bytes = 16 << 20;
    })
}

fn check(answer: Option<&Answer>, what: &str) {
    if let Some(answer) = answer {
        let status = answer.status;
        assert!((200..500).contains(&status), "{what}: {status}: {}", String::from_utf8_lossy(&answer.body));
    }
}

/// Everything that was stored can be listed and read, and new data is taken.
fn check_alive(rig: &Rig, number: u8) {
    assert_eq!(rig.post("/v1/traces", PROTOBUF, otlp(number, 1)).status, 200);
    assert_eq!(rig.post_json("/api/ingest", &log("alive")).json()["ingested"], 1);
    let mut target = "/api/traces?limit=1000".to_owned();
    let mut seen = 0;
    loop {
        let page = rig.get(&target);
        assert_eq!(page.status, 200);
        let page = page.json();
        for line in page["traces"].as_array().expect("traces") {
            let id = line["trace_id"].as_str().expect("an id");
            let trace = rig.get(&format!("/api/trace/{id}"));
            assert_eq!(trace.status, 200, "{id}");
            assert_eq!(trace.json()["spans"].as_array().expect("spans").len(), line["spans"], "{id}");
            seen += 1;
        }
        let Some(cursor) = page["next"].as_str() else { break };
        target = format!("/api/traces?limit=1000&cursor={cursor}");
    }
    assert!(seen > 0);
    assert_eq!(rig.get(&format!("/api/trace/{}", trace_id(number))).status, 200);
}

#[test]
fn bodies() {
    let rig = rig();
    for (name, body) in corpus::bodies() {
        for path in UPLOADS {
            for content_type in TYPES {
                let answer = rig.call("POST", path).body(content_type, body.clone()).send();
                check(Some(&answer), &format!("{name} as {content_type} to {path}"));
            }
        }
    }
    check_alive(&rig, 200);
}

#[test]
fn encodings() {
    let rig = rig();
    for (name, encoding, body) in corpus::encodings() {
        for path in UPLOADS {
            for content_type in TYPES {
                let call = rig.call("POST", path).body(content_type, body.clone());
                let answer = call.header("content-encoding", encoding).send();
                check(Some(&answer), &format!("{name} as {content_type} to {path}"));
                assert!(answer.status >= 400, "{name} as {content_type} to {path}: {}", answer.status);
            }
        }
    }
    check_alive(&rig, 201);
}

#[test]
fn bodies_where_none_belongs() {
    let rig = rig();
    for path in READS {
        for (name, body) in corpus::small_bodies() {
            let answer = rig.call("GET", path).body("application/json", body).send();
            check(Some(&answer), &format!("{name} to {path}"));
        }
    }
    check_alive(&rig, 202);
}

#[test]
fn heads() {
    let rig = patient(Duration::from_millis(50));
    for path in UPLOADS.iter().chain(&READS) {
        let method = if UPLOADS.contains(path) { "POST" } else { "GET" };
        for (name, bytes) in corpus::heads(&rig.addr.to_string(), method, path) {
            let answer = raw_cut(rig.addr, &bytes);
            check(answer.as_ref(), &format!("{name} to {path}"));
        }
    }
    check_alive(&rig, 203);
}

#[test]
fn targets() {
    let rig = rig();
    for path in UPLOADS.iter().chain(&READS) {
        for target in corpus::targets(path) {
            for method in ["GET", "POST", "PUT", "OPTIONS", "get"] {
                let call = rig.call(method, &target).body("application/json", "{}");
                let answer = raw(rig.addr, &call.bytes());
                check(answer.as_ref(), &format!("{method} {target}"));
            }
        }
    }
    check_alive(&rig, 204);
}

#[test]
fn queries() {
    let rig = rig();
    assert_eq!(rig.post("/v1/traces", PROTOBUF, otlp(1, 1)).status, 200);
    let names = [
        "project",
        "session_id",
        "status",
        "q",
        "since",
        "until",
        "limit",
        "cursor",
        "trace_id",
        "by",
        "bucket",
        "of",
        "x",
    ];
    for path in READS {
        for value in corpus::query_values() {
            for name in names {
                let answer = rig.get(&format!("{path}?{name}={value}"));
                check(Some(&answer), &format!("{path}?{name}={value}"));
            }
        }
    }
    for value in corpus::query_values() {
        // A stream has no end to wait for: only what is refused is asked for.
        let answer = rig.get(&format!("/api/live?trace_id=x{value}"));
        check(Some(&answer), &value);
    }
    check_alive(&rig, 205);
}

#[test]
fn spans_that_make_no_sense_are_stored_and_shown_once() {
    let rig = rig();
    for (name, body) in corpus::strange_spans() {
        let answer = rig.post("/v1/traces", PROTOBUF, body);
        assert_eq!(answer.status, 200, "{name}");
    }
    for (name, body) in corpus::strange_records() {
        let answer = rig.post_json("/api/ingest", &body);
        assert!(matches!(answer.status, 200 | 400), "{name}: {}", answer.text());
    }
    check_alive(&rig, 206);
}
