//! Scores, and what is said of spans and sessions after the fact.

use aitrace_server::Scope;
use serde_json::{Value, json};

use crate::rig::Rig;
use crate::samples::{log, span, span_id, trace_id};

fn score(rig: &Rig, body: &Value) -> Value {
    let answer = rig.post_json("/api/scores", &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn list(rig: &Rig, query: &str) -> Vec<String> {
    let answer = rig.get(&format!("/api/scores?{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = |score: &Value| score["id"].as_str().expect("an id").to_owned();
    answer.json()["scores"].as_array().expect("a list").iter().map(text).collect()
}

#[test]
fn scores_are_kept_and_found_by_what_they_judge() {
    let rig = Rig::start();
    let kept = score(
        &rig,
        &json!({"id": "a", "trace_id": trace_id(1), "name": "good", "value": 0.5, "label": "fair",
            "comment": "so so", "source": "llm"}),
    );
    assert_eq!(
        (&kept["value"], &kept["source"], &kept["project"]),
        (&json!(0.5), &json!("llm"), &json!("default"))
    );
    score(
        &rig,
        &json!({"id": "b", "trace_id": trace_id(1), "span_id": span_id(2), "name": "fast", "value": true}),
    );
    let many = json!([
        {"id": "c", "session_id": "s", "name": "good", "label": "yes"},
        {"id": "d", "run_id": "r", "name": "good", "value": {"any": [1, "json"]}},
    ]);
    assert_eq!(score(&rig, &many)["scores"].as_array().unwrap().len(), 2);
    let unnamed = score(&rig, &json!({"run_id": "r", "name": "x", "value": 9_007_199_254_740_993_u64}));
    assert_eq!(unnamed["value"], 9_007_199_254_740_993_u64);
    assert!(unnamed["id"].as_str().is_some_and(|id| id.len() == 32));
    let trace = trace_id(1);
    assert_eq!(list(&rig, &format!("trace_id={trace}")), ["b", "a"]);
    assert_eq!(list(&rig, &format!("trace_id={trace}&name=good")), ["a"]);
    assert_eq!(list(&rig, &format!("span_id={}", span_id(2))), ["b"]);
    assert_eq!(list(&rig, "session_id=s"), ["c"]);
    assert_eq!(list(&rig, "run_id=r&name=good"), ["d"]);
    assert_eq!(list(&rig, "name=none").len(), 0);
    assert_eq!(list(&rig, "").len(), 5);
}

#[test]
fn a_score_that_is_sent_again_is_one_score() {
    let rig = Rig::start();
    for value in [1, 1, 2] {
        score(&rig, &json!({"id": "a", "session_id": "s", "name": "n", "value": value}));
    }
    let answer = rig.get("/api/scores").json();
    assert_eq!(answer["scores"].as_array().unwrap().len(), 1);
    assert_eq!(answer["scores"][0]["value"], 2);
}

#[test]
fn pages_of_scores_concatenate_also_where_two_conditions_hold() {
    let rig = Rig::start();
    for number in 0..25 {
        let name = if number % 3 == 0 { "third" } else { "other" };
        score(&rig, &json!({"id": format!("{number:02}"), "run_id": "r", "name": name, "value": number}));
    }
    let mut found = Vec::new();
    let mut query = "run_id=r&name=third&limit=4".to_owned();
    loop {
        let page = rig.get(&format!("/api/scores?{query}")).json();
        let ids =
            page["scores"].as_array().unwrap().iter().map(|score| score["id"].as_str().unwrap().to_owned());
        found.extend(ids);
        let Some(next) = page["next"].as_str() else { break };
        query = format!("run_id=r&name=third&limit=4&cursor={next}");
    }
    assert_eq!(found, ["24", "21", "18", "15", "12", "09", "06", "03", "00"]);
}

#[test]
fn a_score_goes_to_the_project_of_its_trace() {
    let rig = Rig::start();
    let record = span("end", 1, 1, 0, "{}").replacen(r#""level""#, r#""project":"support","level""#, 1);
    assert_eq!(rig.post_json("/api/ingest", &record).json()["ingested"], 1);
    let judged = json!({"trace_id": trace_id(1), "name": "n", "value": 1});
    assert_eq!(score(&rig, &judged)["project"], "support");
    let key = rig.key("mine", &[Scope::Ingest]).key;
    let named = json!({"trace_id": trace_id(1), "name": "n", "value": 1, "project": "support"}).to_string();
    let answer = rig.call("POST", "/api/scores").bearer(&key).body("application/json", named).send().json();
    assert_eq!(answer["project"], "mine", "a key decides");
}

#[test]
fn what_is_no_score_is_refused_with_its_place() {
    let rig = Rig::start();
    for (body, told) in [
        (json!({"name": "n", "value": 1}), "judges nothing"),
        (json!({"trace_id": "zz", "name": "n", "value": 1}), "trace_id"),
        (json!({"run_id": "r", "name": "", "value": 1}), "name"),
        (json!({"run_id": "r", "name": "n"}), "neither value nor label"),
        (json!({"run_id": "r", "name": "n", "value": 1, "source": "cat"}), "source"),
        (json!({"run_id": "r", "name": "n", "value": 1, "other": 1}), "JSON"),
        (json!(7), "JSON"),
        (json!([{"run_id": "r", "name": "n", "value": 1}, {"name": "n", "value": 1}]), "score 1"),
    ] {
        let answer = rig.post_json("/api/scores", &body.to_string());
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text().contains(told), "{body}: {}", answer.text());
    }
    assert_eq!(list(&rig, "").len(), 0, "all or none");
    for query in ["trace_id=x", "limit=0", "cursor=1", "other=1"] {
        assert_eq!(rig.get(&format!("/api/scores?{query}")).status, 400, "{query}");
    }
}

#[test]
fn late_corrections_are_seen_in_the_trace() {
    let rig = Rig::start();
    let update = |id: &str, data: &str| {
        log("event.updated")
            .replacen(r#""n":1"#, &format!(r#""event_id":"{}",{data}"#, span_id(1)), 1)
            .replace(r#""id":"event.updated""#, &format!(r#""id":"{id}""#))
    };
    let end = span("end", 1, 1, 0, r#"{"metrics":{"score":1,"kept":true},"outputs":"old"}"#);
    // Before the span, and several times in one request.
    let early = update("1", r#""feedback":{"stars":5}"#);
    let late = update("2", r#""metrics":{"score":0.50},"outputs":"new""#);
    let latest = update("3", r#""metrics":{"score":0.75},"error":"it was wrong""#);
    assert_eq!(rig.post_json("/api/ingest", &early).json()["ingested"], 1);
    assert_eq!(rig.post_json("/api/ingest", &format!("[{end},{late},{latest}]")).json()["ingested"], 3);
    let trace = rig.get(&format!("/api/trace/{}", trace_id(1))).json();
    let span = &trace["spans"][0];
    assert_eq!(span["metrics"], json!({"score": 0.75, "kept": true}));
    assert_eq!((&span["outputs"], &span["feedback"]), (&json!("new"), &json!({"stars": 5})));
    assert_eq!((&span["status"], &span["error"]["message"]), (&json!("error"), &json!("it was wrong")));
}

#[test]
fn a_correction_reaches_the_project_of_its_key_alone() {
    let rig = Rig::start();
    let keys = ["a", "b"].map(|project| rig.key(project, &[]).key);
    let post = |key: &str, body: String| {
        let call = rig.call("POST", "/api/ingest").bearer(key).body("application/json", body);
        assert_eq!(call.send().json()["ingested"], 1);
    };
    for key in &keys {
        post(key, span("end", 1, 1, 0, r#"{"outputs":"own"}"#));
    }
    let told = format!(r#""event_id":"{}","outputs":"foreign""#, span_id(1));
    post(&keys[1], log("event.updated").replacen(r#""n":1"#, &told, 1));
    let outputs = |key: &str| {
        let call = rig.call("GET", &format!("/api/trace/{}", trace_id(1))).bearer(key);
        call.send().json()["spans"][0]["outputs"].clone()
    };
    assert_eq!((outputs(&keys[0]), outputs(&keys[1])), (json!("own"), json!("foreign")));
}
