//! Deleting.

use aitrace_server::Scope;
use serde_json::json;

use crate::rig::Rig;
use crate::samples::{log, span, trace_id};

fn fill(rig: &Rig, key: &str) {
    let of_session =
        |trace| span("end", trace, 1, 0, "{}").replacen(r#""level""#, r#""session_id":"s","level""#, 1);
    let body =
        format!("[{},{},{},{}]", of_session(1), of_session(2), span("end", 3, 1, 0, "{}"), log("loose"));
    let call = rig.call("POST", "/api/ingest").bearer(key).body("application/json", body);
    assert_eq!(call.send().json()["ingested"], 4);
}

fn traces(rig: &Rig, key: &str) -> usize {
    rig.call("GET", "/api/traces").bearer(key).send().json()["traces"].as_array().expect("a list").len()
}

#[test]
fn what_is_deleted_is_gone_from_its_project_alone() {
    let rig = Rig::start();
    let [mine, other] = ["mine", "other"].map(|project| rig.key(project, &[Scope::Admin]).key);
    fill(&rig, &mine);
    fill(&rig, &other);
    let delete = |path: &str| {
        let answer = rig.call("DELETE", path).bearer(&mine).send();
        (answer.status, answer.json()["deleted"].clone())
    };
    let trace = format!("/api/trace/{}", trace_id(3));
    assert_eq!(delete(&trace), (200, json!({"traces":1,"spans":1,"logs":0,"sessions":0,"documents":0})));
    assert_eq!(delete(&trace).0, 404, "it says so");
    assert_eq!(traces(&rig, &mine), 2);
    let (status, deleted) = delete("/api/session/s");
    assert_eq!((status, &deleted["traces"]), (200, &json!(2)));
    assert_eq!(delete("/api/project/other").0, 403);
    assert_eq!(delete("/api/project/mine").1["logs"], 1);
    assert_eq!((traces(&rig, &mine), traces(&rig, &other)), (0, 3), "and the key still works");
    assert_eq!(rig.get("/api/traces").status, 401, "nothing was opened");
}

#[test]
fn without_keys_a_trace_is_deleted_wherever_it_is() {
    let rig = Rig::start();
    for project in ["a", "b"] {
        let record = span("end", 1, 1, 0, "{}");
        let record = record.replacen(r#""level""#, &format!(r#""project":"{project}","level""#), 1);
        assert_eq!(rig.post_json("/api/ingest", &record).json()["ingested"], 1);
    }
    let path = format!("/api/trace/{}", trace_id(1));
    let one = rig.call("DELETE", &format!("{path}?project=a")).send().json();
    assert_eq!(one["deleted"]["traces"], 1);
    assert_eq!(rig.get(&path).json()["trace"]["project"], "b");
    assert_eq!(rig.call("DELETE", &path).send().json()["deleted"]["traces"], 1);
    assert_eq!(rig.get(&path).status, 404);
    assert_eq!(rig.call("DELETE", "/api/trace/1").send().status, 400);
}
