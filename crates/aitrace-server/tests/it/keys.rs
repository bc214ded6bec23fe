//! Keys: from the first one on nobody gets around them, and each opens its own project only.

use std::io::Write as _;

use aitrace_server::{Pepper, Scope, routes};
use serde_json::json;

use crate::listening::Listening;
use crate::matrix::{requests, target};
use crate::rig::Rig;
use crate::samples::{log, span, trace_id};

#[test]
fn without_keys_everyone_may_and_with_one_nobody_without() {
    let rig = Rig::start();
    assert_eq!(rig.call("GET", "/api/traces").bearer("anything").send().status, 200);
    let made = rig.post_json("/api/keys", r#"{"project":"p","scopes":["admin"]}"#).json();
    assert_eq!(made["project"], "p");
    assert_eq!(made["scopes"], json!(["admin"]));
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(key.starts_with("aitrace_") && key.contains(id), "{key}");
    let answer = rig.get("/api/traces");
    assert_eq!((answer.status, answer.kind().as_str()), (401, "unauthorized"));
    assert_eq!(rig.get("/healthz").status, 200);
    for header in ["authorization", "x-api-key"] {
        let value = if header == "x-api-key" { key.to_owned() } else { format!("Bearer {key}") };
        assert_eq!(rig.call("GET", "/api/traces").header(header, &value).send().status, 200);
    }
    let revoked = rig.call("DELETE", &format!("/api/key/{id}")).bearer(key).send();
    assert!(revoked.json()["revoked"].is_string(), "{}", revoked.text());
    assert_eq!(rig.call("GET", "/api/traces").bearer(key).send().status, 401, "at once");
    assert_eq!(rig.get("/api/traces").status, 401, "revoking the last key opens nothing");
}

#[test]
fn a_key_that_is_revoked_elsewhere_is_void_within_a_second() {
    let rig = Rig::start();
    let made = rig.key("p", &[]);
    let status = || rig.call("GET", "/api/traces").bearer(&made.key).send().status;
    assert_eq!(status(), 200);
    let scope = aitrace_store::ProjectScope::All;
    rig.runtime.block_on(rig.keys().revoke(&scope, &made.id)).expect("revokes").expect("known");
    rig.clock.advance(1_000_000_000);
    assert_eq!(status(), 401);
}

#[test]
fn a_key_decides_the_project_of_what_it_brings() {
    let rig = Rig::start();
    let key = rig.key("mine", &[]).key;
    let record = span("end", 1, 1, 0, "{}").replacen(r#""level""#, r#""project":"other","level""#, 1);
    let call = rig.call("POST", "/api/ingest").bearer(&key).body("application/json", record);
    assert_eq!(call.send().json()["ingested"], 1);
    let otlp = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"aitrace.project","value":{"stringValue":"other"}}]},
        "scopeSpans":[{"spans":[{"traceId":"0101010101010101ffffffffffffffff","spanId":"01010101ffffffff","name":"x",
        "startTimeUnixNano":"1769860800000000000","endTimeUnixNano":"1769860800000000001"}]}]}]}"#;
    let call = rig.call("POST", "/v1/traces").bearer(&key).body("application/json", otlp);
    assert_eq!(call.send().status, 200);
    let operator = Pepper::new([0; 32]).operator_token();
    let traces = rig.call("GET", "/api/traces").bearer(&operator).send().json();
    let projects: Vec<_> =
        traces["traces"].as_array().unwrap().iter().map(|trace| &trace["project"]).collect();
    assert_eq!(projects, ["mine", "mine"]);
}

#[test]
fn an_admin_administers_their_own_project_alone() {
    let rig = Rig::start();
    let (mine, other) = (rig.key("mine", &[Scope::Admin]), rig.key("other", &[Scope::Admin]));
    let make =
        |body: &str| rig.call("POST", "/api/keys").bearer(&mine.key).body("application/json", body).send();
    assert_eq!(make(r#"{"project":"other"}"#).status, 403);
    assert_eq!(make("{}").json()["scopes"], json!(["ingest", "read"]), "for their own project");
    for (body, told) in [(r#"{"scopes":["all"]}"#, "scope"), ("[]", "line 1"), (r#"{"x":1}"#, "line 1")] {
        let answer = make(body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text().contains(told), "{}", answer.text());
    }
    let listed = rig.call("GET", "/api/keys").bearer(&mine.key).send();
    assert_eq!(listed.json()["keys"].as_array().unwrap().len(), 2);
    assert!(!listed.text().contains("other") && !listed.text().contains("hash"), "{}", listed.text());
    let revoke = |id: &str| {
        let answer = rig.call("DELETE", &format!("/api/key/{id}")).bearer(&mine.key).send();
        (answer.status, answer.text())
    };
    assert_eq!(revoke(&other.id), revoke("0000000000000000"), "another project's key and none look alike");
    assert_eq!(rig.call("GET", "/api/traces").bearer(&other.key).send().status, 200);
    let me = rig.call("GET", "/api/me").bearer(&mine.key).send().json();
    assert_eq!(me, json!({"project": "mine", "scopes": ["admin"]}));
}

/// The same ids in two projects, each with a word of its own in every place that routes show.
fn two_projects(rig: &Rig) -> [String; 2] {
    ["apple", "banana"].map(|project| {
        let key = rig.key(project, &[Scope::Admin]).key;
        let word = format!("secret-{project}");
        let attributes = format!(
            r#"{{"inputs":{{"q":"{word}"}},"outputs":{{"a":"{word}"}},"metadata":{{"m":"{word}"}}}}"#
        );
        let records = [
            span("end", 1, 1, 0, &attributes).replace("step1", &format!("step-{word}")).replacen(
                r#""level""#,
                r#""session_id":"x1","level""#,
                1,
            ),
            log(&word),
            log("session.started").replace(r#""n":1"#, &format!(r#""session_id":"x1","name":"{word}""#)),
        ];
        let body = format!("[{}]", records.join(","));
        let call = rig.call("POST", "/api/ingest").bearer(&key).body("application/json", body);
        assert_eq!(call.send().json()["ingested"], 3);
        key
    })
}

#[test]
fn the_same_ids_in_two_projects_never_meet() {
    let rig = Rig::start();
    let [apple, banana] = two_projects(&rig);
    let mut showed = 0;
    for route in routes().filter(|route| route.scope == Some(Scope::Read) && route.path != "/api/live") {
        for method in &route.methods {
            let path = target(route.path);
            for query in ["", "?project=apple", "?project=banana", "?q=secret", "?session_id=x1"] {
                for (key, own, others) in [(&apple, "apple", "banana"), (&banana, "banana", "apple")] {
                    let mut call = rig.call(method, &format!("{path}{query}")).bearer(key);
                    if let Some(media) = route.bodies.first() {
                        call = call.body(media, r#"{"sql":"select * from spans"}"#);
                    }
                    let answer = call.send();
                    let text = answer.text();
                    let told = format!("{method} {path}{query} as {own}: {text}");
                    assert!(!text.contains(&format!("secret-{others}")), "{told}");
                    if query.ends_with(others) {
                        assert!(!text.contains(&format!("secret-{own}")), "{told}");
                    }
                    showed += usize::from(text.contains(&format!("secret-{own}")));
                }
            }
        }
    }
    assert!(showed >= 8, "the routes show something at all: {showed}");
    let trace = rig.call("GET", &format!("/api/trace/{}", trace_id(1))).bearer(&banana).send();
    assert_eq!(trace.json()["trace"]["project"], "banana");
    assert_eq!(trace.json()["spans"].as_array().unwrap().len(), 1);
}

#[test]
fn the_live_stream_tells_of_the_own_project_alone() {
    use std::io::Read as _;
    let rig = Rig::start();
    let [_, banana] = ["apple", "banana"].map(|project| rig.key(project, &[Scope::Admin]).key);
    let mut socket = crate::http::connect(rig.addr);
    socket.write_all(&rig.call("GET", "/api/live").bearer(&banana).bytes()).unwrap();
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&heard).contains("listening") {
        let count = socket.read(&mut buffer).unwrap();
        heard.extend_from_slice(&buffer[..count]);
    }
    two_projects(&rig);
    // What is told is told in order: apple's was stored first.
    while !String::from_utf8_lossy(&heard).contains("secret-banana") {
        let count = socket.read(&mut buffer).unwrap();
        assert!(count > 0, "the stream ended");
        heard.extend_from_slice(&buffer[..count]);
    }
    assert!(!String::from_utf8_lossy(&heard).contains("apple"));
}

#[test]
fn what_another_project_has_looks_like_what_nobody_has() {
    let rig = Rig::start();
    let _ = two_projects(&rig);
    let stranger = rig.key("cherry", &[Scope::Admin]).key;
    for (route, method, call) in requests(&rig) {
        if route.path == "/api/live" || !route.path.contains('{') || route.scope.is_none() {
            continue;
        }
        let there = call.bearer(&stranger).send();
        let path = target(route.path).replace(&trace_id(1), &trace_id(99)).replace("x1", "x9");
        let mut nowhere = rig.call(&method, &path).bearer(&stranger);
        if let Some(media) = route.bodies.first() {
            nowhere = nowhere.body(media, "");
        }
        let nowhere = nowhere.send();
        assert_eq!(there.status, nowhere.status, "{method} {}", route.path);
        let plain =
            |text: String| text.replace(&trace_id(1), "ID").replace(&trace_id(99), "ID").replace("x9", "x1");
        assert_eq!(plain(there.text()), plain(nowhere.text()), "{method} {}", route.path);
    }
}

#[test]
fn no_key_is_ever_logged_or_told_again() {
    let listening = Listening::begin();
    let rig = Rig::start();
    let good = rig.key("p", &[Scope::Ingest]).key;
    let bad = good.replace("aitrace_", "aitrace_z");
    let secret = good.rsplit('_').next().unwrap().to_owned();
    for (_, _, call) in requests(&rig) {
        for key in [&good, &bad] {
            for call in [
                call.clone().bearer(key),
                call.clone().header("x-api-key", key),
                call.clone().header("cookie", &format!("aitrace={key}")),
                call.clone().header("authorization", key),
            ] {
                let answer = call.head();
                assert!(!format!("{answer:?}").contains(&secret));
            }
        }
    }
    let answer = rig.call("GET", "/api/traces").bearer(&bad).send();
    assert!(!answer.text().contains(&secret), "{}", answer.text());
    let logged = listening.text();
    assert!(logged.contains("answered"), "it was listened to");
    assert!(!logged.contains(&secret), "a key was logged");
}
