//! `POST /api/reprice`.

use aitrace_server::Scope;
use serde_json::{Value, json};

use crate::rig::Rig;
use crate::samples::{NDJSON, span, trace_id};

const TABLE: &str =
    r#"{"date":"2030-01-01","models":{"gpt-4o-mini":{"provider":"openai","input":1.0,"output":2.0}}}"#;

/// A call of a model with a million tokens each way, in a trace of its own.
fn call(number: u8, model: &str, more: &str) -> String {
    let attributes = format!(
        r#"{{"gen_ai.operation.name":"chat","gen_ai.request.model":"{model}","gen_ai.usage.input_tokens":1000000,"gen_ai.usage.output_tokens":1000000{more}}}"#
    );
    span("end", number, number, 0, &attributes)
}

fn fill(rig: &Rig) {
    let stated = call(3, "gpt-4o-mini", r#","gen_ai.usage.cost":7.5"#);
    let lines = [call(1, "gpt-4o-mini", ""), call(2, "homemade", ""), stated, span("end", 4, 4, 0, "{}")];
    assert_eq!(rig.post("/api/ingest", NDJSON, lines.join("\n")).json()["ingested"], 4);
}

fn reprice(rig: &Rig, body: &Value) -> Value {
    let answer = rig.post_json("/api/reprice", &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn of(rig: &Rig, number: u8) -> (Value, Value) {
    let span = rig.get(&format!("/api/trace/{}", trace_id(number))).json()["spans"][0].clone();
    (span["cost"].clone(), span["cost_formula"].clone())
}

#[test]
fn calls_cost_what_the_table_says_and_nothing_else_changes() {
    let rig = Rig::start();
    fill(&rig);
    let (dollars, formula) = of(&rig, 1);
    assert!(
        formula.as_str().expect("a formula").starts_with("input 1000000 × $0.15/M + output 1000000 × $0.6/M")
    );
    let others = [of(&rig, 2), of(&rig, 3), of(&rig, 4)];
    assert_eq!(others, [(Value::Null, Value::Null), (json!(7.5), Value::Null), (Value::Null, Value::Null)]);
    let table: Value = serde_json::from_str(TABLE).expect("JSON");
    let dry = reprice(&rig, &json!({"prices": table, "dry_run": true}));
    assert_eq!((&dry["changed"], &dry["dry_run"], of(&rig, 1).0), (&json!(1), &json!(true), dollars));
    let done = reprice(&rig, &json!({"prices": table}));
    let expected = json!({"calls": 3, "changed": 1, "newly_known": 0, "unknown": 1, "stated": 1, "before": 8.25, "after": 10.5,
        "difference": 2.25, "dry_run": false, "prices_of": "2030-01-01", "next": null});
    assert_eq!(done, expected);
    assert_eq!(
        of(&rig, 1),
        (json!(3.0), json!("input 1000000 × $1/M + output 1000000 × $2/M = $3 (gpt-4o-mini, 2030-01-01)"))
    );
    assert_eq!([of(&rig, 2), of(&rig, 3), of(&rig, 4)], others);
    // It goes along with what is exported.
    rig.clock.advance(1_000_000_000);
    crate::export::comes_back(&rig);
    // What is sent again is known; the server's own table brings the old price back.
    fill(&rig);
    assert_eq!(of(&rig, 1).0, json!(3.0));
    assert_eq!(reprice(&rig, &json!({"model": "gpt-4?"}))["changed"], 0, "only * means anything");
    assert_eq!(reprice(&rig, &json!({"until": "2026-01-01T00:00:00Z"}))["calls"], 0);
    assert_eq!(reprice(&rig, &json!({"model": "GPT-4*"}))["changed"], 1);
    assert_eq!(of(&rig, 1), (json!(0.75), formula));
}

#[test]
fn bad_requests_are_refused_and_projects_stay_apart() {
    let rig = Rig::start();
    fill(&rig);
    for bad in [
        json!({"prices": {}}),
        json!({"prices": {"models": {"m": {"provider": "p", "input": "x"}}}}),
        json!({"since": "yesterday"}),
        json!({"cursor": "x"}),
        json!({"price": 1}),
    ] {
        let answer = rig.post_json("/api/reprice", &bad.to_string());
        assert_eq!((answer.status, answer.kind().as_str()), (400, "bad_request"), "{bad}");
    }
    let key = rig.key("other", &[Scope::Admin]);
    let asked = rig.call("POST", "/api/reprice").header("authorization", &format!("Bearer {}", key.key));
    let answer = asked.body("application/json", format!("{{\"prices\":{TABLE}}}")).send();
    assert_eq!((answer.status, answer.json()["calls"].clone()), (200, json!(0)));
}
