//! Skeletons, single spans, sessions, search, statistics, and filters everywhere.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::rig::Rig;
use crate::samples::{NDJSON, log, span, span_id, trace_id};

fn send(rig: &Rig, records: &[String]) {
    let answer = rig.post("/api/ingest", NDJSON, records.join("\n")).json();
    assert_eq!(answer["ingested"], records.len(), "{answer}");
}

/// A record with further metadata, as JSON members.
fn with(record: &str, members: &str) -> String {
    record.replacen(r#""level""#, &format!(r#"{members},"level""#), 1)
}

fn llm(trace: u8, own: u8, parent: u8, model: &str) -> String {
    let attributes = format!(
        r#"{{"gen_ai.operation.name":"chat","gen_ai.request.model":"{model}","gen_ai.usage.input_tokens":10,"metadata":{{"tid":{own}}}}}"#
    );
    span("end", trace, own, parent, &attributes)
}

/// Three traces: 1 with a model call below its root, 2 with a running root, 3 alone and failed, in a session.
fn fill(rig: &Rig) {
    let failed = span("end", 3, 4, 0, r#"{"outputs":"Größe \"XL\""}"#)
        .replace(r#""status":"ok""#, r#""status":"error""#);
    send(
        rig,
        &[
            span("end", 1, 1, 0, r#"{"inputs":{"q":"Wo ist mein Paket?"}}"#),
            llm(1, 2, 1, "gpt-4o-mini"),
            span("start", 2, 3, 0, "{}"),
            with(&failed, r#""session_id":"s/1""#),
            log("loose.event"),
        ],
    );
}

fn ids(page: &Value) -> Vec<String> {
    let traces = page["traces"].as_array().expect("traces");
    traces.iter().map(|trace| trace["trace_id"].as_str().expect("an id").to_owned()).collect()
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

#[test]
fn a_skeleton_is_the_trace_without_contents() {
    let rig = Rig::start();
    fill(&rig);
    for number in 1..=3 {
        let whole = rig.get(&format!("/api/trace/{}", trace_id(number))).json();
        let skeleton = rig.get(&format!("/api/trace/{}/skeleton", trace_id(number))).json();
        assert_eq!(skeleton["trace"], whole["trace"]);
        let (bones, spans) = (skeleton["spans"].as_array().unwrap(), whole["spans"].as_array().unwrap());
        assert_eq!(bones.len(), spans.len());
        for (bone, span) in bones.iter().zip(spans) {
            for (key, value) in bone.as_object().unwrap() {
                assert_eq!(value, &span[key], "{key}");
            }
            assert!(bone.get("inputs").is_none() && bone["depth"].is_u64());
            let own = span["span_id"].as_str().unwrap();
            let alone = rig.get(&format!("/api/span/{}/{own}", trace_id(number))).json();
            assert_eq!(&alone, span);
            let mut unplaced = rig.get(&format!("/api/span/{}/{own}?place=false", trace_id(number))).json();
            assert_eq!((&unplaced["depth"], &unplaced["has_children"]), (&json!(0), &json!(false)));
            for key in ["depth", "has_children"] {
                unplaced[key] = span[key].clone();
            }
            assert_eq!(&unplaced, span);
        }
    }
    for missing in [
        format!("/api/trace/{}/skeleton", trace_id(9)),
        format!("/api/span/{}/{}", trace_id(1), span_id(9)),
        format!("/api/span/{}/{}", trace_id(9), span_id(1)),
        format!("/api/trace/{}/skeleton?project=other", trace_id(1)),
    ] {
        assert_eq!(rig.get(&missing).status, 404, "{missing}");
    }
    let odd = format!("/api/span/{}/{}?place=x", trace_id(1), span_id(1));
    for wrong in ["/api/trace/x/skeleton", "/api/span/x/y", "/api/span/%ff/1", &odd] {
        assert_eq!(rig.get(wrong).status, 400, "{wrong}");
    }
}

#[test]
fn traces_are_filtered_by_what_their_spans_say() {
    let rig = Rig::start();
    fill(&rig);
    for (q, expected) in [
        ("model:gpt-4*", vec![1]),
        ("kind:llm metadata.tid=2", vec![1]),
        ("-model:*", vec![3, 2]),
        ("status:error OR status:running", vec![3, 2]),
        ("session:s/1 step4", vec![3]),
        ("name:STEP* spans>1", vec![1]),
        ("tokens>5 duration<2ms", vec![1]),
    ] {
        let page = rig.get(&format!("/api/traces?q={}", escaped(q))).json();
        let found: BTreeSet<String> = ids(&page).into_iter().collect();
        assert_eq!(found, expected.into_iter().map(trace_id).collect(), "{q}");
    }
    let refused = rig.get(&format!("/api/traces?q={}", escaped("a colour:red")));
    assert_eq!((refused.status, refused.kind().as_str()), (400, "bad_request"));
    let error = refused.json();
    assert!(error["error"]["message"].as_str().unwrap().contains("at character 3"), "{error}");
    assert!(error["error"]["hint"].as_str().unwrap().contains("model"), "{error}");
}

#[test]
fn sessions_have_their_traces() {
    let rig = Rig::start();
    fill(&rig);
    let started = r#"{"__tracer_meta__":{"timestamp":"2026-01-31T12:00:01Z","event":"session.started","session_id":"s/1","level":"info","version":"2.1","id":"x"},"session_name":"Demo","metadata":{"a":1}}"#;
    send(&rig, &[started.to_owned()]);
    let sessions = rig.get("/api/sessions").json();
    assert_eq!(sessions["next"], Value::Null);
    let line = &sessions["sessions"][0];
    assert_eq!(
        (&line["session_id"], &line["name"], &line["status"]),
        (&json!("s/1"), &json!("Demo"), &json!("error"))
    );
    assert_eq!((&line["traces"], &line["errors"], &line["spans"]), (&json!(1), &json!(1), &json!(1)));
    let one = rig.get("/api/session/s%2F1").json();
    assert_eq!(one["session"]["session_id"], "s/1");
    assert_eq!(one["session"]["data"], json!({"metadata": {"a": 1}}));
    assert_eq!(ids(&one), [trace_id(3)]);
    assert_eq!(rig.get("/api/session/none").status, 404);
    assert_eq!(rig.get("/api/sessions?q=dem").json()["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(rig.get("/api/sessions?q=x").json()["sessions"], json!([]));
    assert_eq!(rig.get("/api/sessions?cursor=x").status, 400);
}

#[test]
fn search_finds_contents_and_says_whether_it_saw_all() {
    let rig = Rig::start();
    fill(&rig);
    for (q, fields) in [
        ("paket", vec!["inputs"]),
        ("\"größe \\\"xl\"", vec!["outputs"]),
        ("loose", vec!["event"]),
        ("step -status:running -kind:llm", vec!["name", "name"]),
        ("model:gpt* tokens:10", vec!["name"]),
        ("event:loose.*", vec!["event"]),
        ("nowhere", vec![]),
    ] {
        let answer = rig.get(&format!("/api/search?q={}", escaped(q))).json();
        let found: Vec<&str> =
            answer["results"].as_array().unwrap().iter().map(|hit| hit["field"].as_str().unwrap()).collect();
        assert_eq!(found, fields, "{q}");
        assert_eq!((&answer["complete"], &answer["next"]), (&json!(true), &Value::Null), "{q}");
    }
    let cut = rig.get("/api/search?q=step&limit=2").json();
    assert_eq!((cut["results"].as_array().unwrap().len(), &cut["complete"]), (2, &json!(false)));
    let lines = rig.call("GET", "/api/search?q=step").header("accept", NDJSON).send();
    assert_eq!(lines.header("content-type"), Some(NDJSON));
    let text = lines.text();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 5);
    assert!(lines[..4].iter().all(|hit| hit["excerpt"].as_str().unwrap().starts_with("step")));
    assert_eq!(lines[4], json!({"complete": true, "found": 4, "next": null}));
}

#[test]
fn a_search_goes_on_page_by_page() {
    for (limit, pages) in [(1, 4), (3, 2), (4, 1)] {
        let rig = Rig::start();
        fill(&rig);
        let whole = rig.get("/api/search?q=step").json()["results"].as_array().unwrap().clone();
        let (mut all, mut lines, mut cursor, mut count) = (Vec::new(), Vec::new(), String::new(), 0);
        loop {
            let target = format!("/api/search?q=step&limit={limit}&cursor={}", escaped(&cursor));
            let page = rig.get(&target).json();
            all.extend(page["results"].as_array().unwrap().iter().cloned());
            let text = rig.call("GET", &target).header("accept", NDJSON).send().text();
            let mut read: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let end = read.pop().expect("an end");
            assert_eq!((&end["next"], &end["complete"]), (&page["next"], &page["complete"]));
            assert_eq!(page["complete"], page["next"].is_null());
            lines.extend(read);
            // What comes later disturbs nobody.
            count += 1;
            send(&rig, &[span("end", 90 + count, 90 + count, 0, "{}").replace("2026-01-31", "2026-02-01")]);
            let Some(next) = page["next"].as_str() else { break };
            next.clone_into(&mut cursor);
        }
        assert_eq!((&all, &lines), (&whole, &whole), "pages of {limit}");
        assert_eq!(count, pages, "pages of {limit}");
        assert_eq!(rig.get("/api/search?q=step&cursor=x").status, 400);
    }
}

#[test]
fn statistics_add_up() {
    let rig = Rig::start();
    fill(&rig);
    let ask = |query: &str| {
        rig.get(&format!("/api/stats?since=2026-01-31T00:00:00Z&until=2026-02-01T00:00:00Z&{query}")).json()
    };
    let all = ask("bucket=none");
    let row = &all["rows"][0];
    assert_eq!((&row["count"], &row["errors"], &row["input_tokens"]), (&json!(3), &json!(1), &json!(10)));
    assert_eq!((row["error_rate"].as_f64().unwrap() * 3.0).round() as u64, 1);
    assert!((row["p50_ms"].as_f64().unwrap() - 1.0).abs() < 0.01);
    let groups = |query: &str| -> Vec<(Value, Value)> {
        let answer = ask(query);
        answer["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["group"].clone(), row["count"].clone()))
            .collect()
    };
    assert_eq!(groups("bucket=none&by=status"), [(json!("error"), json!(1)), (json!("ok"), json!(2))]);
    assert_eq!(groups("bucket=none&by=kind&q=model:*"), [(json!("llm"), json!(1))]);
    assert_eq!(
        groups("bucket=none&of=traces&by=session"),
        [(Value::Null, json!(1)), (json!("s/1"), json!(1))]
    );
    assert_eq!(ask("bucket=1h")["rows"][0]["ts"], "2026-01-31T11:00:00.000000Z");
    assert_eq!(rig.get("/api/stats").json()["bucket_ns"], "3600000000000");
}

#[test]
fn a_store_without_sql_says_so() {
    let rig = Rig::start();
    let answer = rig.post_json("/api/sql", r#"{"sql":"SELECT 1"}"#);
    assert_eq!((answer.status, answer.kind().as_str()), (404, "not_found"));
    assert_eq!(rig.post_json("/api/sql", r#"{"statement":"SELECT 1"}"#).status, 400);
    assert_eq!(rig.get("/api/sql/schema").status, 404);
}

#[test]
fn large_questions_are_bounded() {
    let rig = Rig::limited(|limits| limits.heavy_queries = 0);
    let answer = rig.get("/api/search?q=x");
    assert_eq!((answer.status, answer.kind().as_str()), (429, "overloaded"));
}

/// All pages of a filtered list, with `between` after each.
fn pages(rig: &Rig, q: &str, limit: usize, mut between: impl FnMut()) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = rig.get(&format!("/api/traces?q={}&limit={limit}{cursor}", escaped(q))).json();
        found.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { return found };
        cursor = format!("&cursor={}", escaped(next));
        between();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pages_concatenate_to_the_whole_under_writes(
        order in Just((1..=20_u8).collect::<Vec<_>>()).prop_shuffle(),
        early in 1..20_usize,
        limit in 1..6_usize,
        q in prop_oneof![Just(""), Just("model:m1"), Just("-model:m1"), Just("step kind:llm OR status:running")],
    ) {
        let rig = Rig::start();
        let record = |number: &u8| match number % 3 {
            0 => span("start", *number, *number, 0, "{}"),
            rest => llm(*number, *number, 0, &format!("m{rest}")),
        };
        send(&rig, &order[..early].iter().map(record).collect::<Vec<_>>());
        let before = pages(&rig, q, 1000, || {});
        let mut rest = order[early..].iter();
        let found = pages(&rig, q, limit, || {
            if let Some(number) = rest.next() {
                send(&rig, &[record(number)]);
            }
        });
        let distinct: BTreeSet<&String> = found.iter().collect();
        prop_assert_eq!(distinct.len(), found.len(), "each once");
        prop_assert!(before.iter().all(|id| found.contains(id)), "what was there is there");
        let after = pages(&rig, q, 1000, || {});
        prop_assert!(found.iter().all(|id| after.contains(id)));
        prop_assert_eq!(pages(&rig, q, limit, || {}), after);
    }
}

#[test]
fn an_export_obeys_compatibility_mode() {
    for compat in [false, true] {
        let rig = Rig::with(|options| options.compat_mode = compat);
        fill(&rig);
        let text = rig.get("/api/export").text();
        assert!(text.lines().count() > 4);
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let expected = if compat { &record["__tracer_meta__"]["timestamp"] } else { &Value::Null };
            assert_eq!(&record["timestamp"], expected, "{line}");
        }
        let other = Rig::start();
        let read = other.post("/api/ingest", NDJSON, text.clone()).json();
        assert_eq!(read["ingested"], text.lines().count(), "it is read back all the same: {read}");
    }
}
