//! Lists and single traces.

use serde_json::{Value, json};

use crate::rig::Rig;
use crate::samples::{NDJSON, log, span, trace_id};

fn fill(rig: &Rig, traces: u8) {
    let records: Vec<String> = (1..=traces).map(|trace| span("end", trace, trace, 0, "{}")).collect();
    assert_eq!(rig.post("/api/ingest", NDJSON, records.join("\n")).status, 200);
}

fn ids(page: &Value) -> Vec<String> {
    let traces = page["traces"].as_array().expect("traces");
    traces.iter().map(|trace| trace["trace_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn pages_concatenate_to_the_whole_newest_first() {
    let rig = Rig::start();
    fill(&rig, 7);
    let whole = ids(&rig.get("/api/traces").json());
    assert_eq!(whole, (1..=7).rev().map(trace_id).collect::<Vec<_>>());
    let mut found = Vec::new();
    let mut target = "/api/traces?limit=3".to_owned();
    for _ in 0..3 {
        let page = rig.get(&target).json();
        found.extend(ids(&page));
        match page["next"].as_str() {
            Some(cursor) => target = format!("/api/traces?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(found, whole);
}

#[test]
fn filters_are_understood() {
    let rig = Rig::start();
    fill(&rig, 3);
    let list = |query: &str| ids(&rig.get(&format!("/api/traces?{query}")).json());
    assert_eq!(list("q=STEP2"), [trace_id(2)]);
    assert_eq!(list("status=running"), Vec::<String>::new());
    assert_eq!(list("status=ok").len(), 3);
    assert_eq!(list("project=default").len(), 3);
    assert_eq!(list("project=other").len(), 0);
    assert_eq!(list("since=2026-01-31T12:00:01Z").len(), 0);
    assert_eq!(list("until=2026-01-31T12:00:01Z").len(), 3);
}

#[test]
fn bad_queries_and_ids_are_the_callers_fault() {
    let rig = Rig::start();
    for target in [
        "/api/traces?limit=0",
        "/api/traces?limit=x",
        "/api/traces?cursor=x",
        "/api/traces?status=done",
        "/api/traces?since=yesterday",
        "/api/traces?nonsense=1",
        "/api/traces?q=a&q=b",
        "/api/traces?q=colour:red",
        "/api/search",
        "/api/stats?by=x",
        "/api/trace/1",
        "/api/trace/00000000000000000000000000000000",
        "/api/trace/%ff",
        "/api/trace/..%2F..%2Fetc",
        "/api/live?trace_id=7",
        "/api/projects?x=1",
    ] {
        let answer = rig.get(target);
        assert_eq!((answer.status, answer.kind().as_str()), (400, "bad_request"), "{target}");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let rig = Rig::start();
    fill(&rig, 1);
    let known = format!("/api/trace/{}", trace_id(1));
    assert_eq!(rig.get(&known).status, 200);
    assert_eq!(rig.get(&known.to_uppercase().replace("/API/TRACE", "/api/trace")).status, 200);
    for target in [
        format!("/api/trace/{}", trace_id(9)),
        format!("{known}?project=other"),
        format!("{known}/"),
        format!("/{known}"),
        "/api/trace/".to_owned(),
        "/api".to_owned(),
        "/API/traces".to_owned(),
        "/index.html".to_owned(),
    ] {
        let answer = rig.get(&target);
        assert_eq!((answer.status, answer.kind().as_str()), (404, "not_found"), "{target}");
    }
    assert_eq!(rig.post_json("/api/nothing", "{}").status, 404);
}

#[test]
fn a_trace_has_its_logs() {
    let rig = Rig::start();
    fill(&rig, 1);
    let inside = log("cache.miss").replace(
        r#""event""#,
        &format!(r#""trace_id":"{}","span_id":"{}","event""#, trace_id(1), crate::samples::span_id(1)),
    );
    assert_eq!(rig.post_json("/api/ingest", &inside).json()["ingested"], 1);
    let trace = rig.get(&format!("/api/trace/{}", trace_id(1))).json();
    assert_eq!(trace["logs"][0]["event"], "cache.miss");
    assert_eq!(trace["logs"][0]["attrs"], json!({"n": 1}));
    assert_eq!(trace["trace"]["events"], 1);
}

#[test]
fn head_is_like_get_without_the_body() {
    let rig = Rig::start();
    for target in ["/api/traces", "/healthz"] {
        let (get, head) = (rig.get(target), rig.call("HEAD", target).send());
        assert_eq!(head.status, 200);
        assert_eq!(head.header("content-length"), get.header("content-length"));
        assert!(head.body.is_empty());
    }
}

#[test]
fn the_process_says_that_it_runs() {
    let rig = Rig::start();
    let answer = rig.get("/healthz");
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("ok")));
}
