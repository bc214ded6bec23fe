//! Keys over time: they expire, tell when they were used, wrong ones are slowed down, and what is done with them is noted.

use aitrace_model::Timestamp;
use aitrace_server::{NewKey, Pepper, Scope, WantedKey};
use aitrace_store::ProjectScope;
use serde_json::{Value, json};

use crate::http::Answer;
use crate::listening::Listening;
use crate::rig::{NOW, Rig};
use crate::samples::{span, trace_id};

const SECOND: i64 = 1_000_000_000;

fn after(seconds: i64) -> Timestamp {
    NOW.saturating_add(seconds * SECOND)
}

fn with(rig: &Rig, key: &str) -> Answer {
    rig.call("GET", "/api/traces").bearer(key).send()
}

/// The line of a key in the API's list.
fn listed(rig: &Rig, key: &NewKey) -> Value {
    let operator = Pepper::new([0; 32]).operator_token();
    let answer = rig.call("GET", "/api/keys").bearer(&operator).send().json();
    let keys = answer["keys"].as_array().expect("keys").clone();
    keys.into_iter().find(|line| line["id"] == key.id).expect("is listed")
}

#[test]
fn a_key_that_expires_opens_nothing_from_then_on() {
    let rig = Rig::start();
    let wanted = WantedKey { project: "p".to_owned(), expires: Some(after(10)), ..WantedKey::default() };
    let key = rig.key_like(wanted);
    let origin = format!("http://{}", rig.addr);
    let login = rig.call("POST", "/login").header("origin", &origin);
    let login = login.body("application/json", json!({"key": key.key}).to_string()).send();
    let cookie = login.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
    let browser = || rig.call("GET", "/api/traces").header("cookie", &cookie).send().status;
    assert_eq!((with(&rig, &key.key).status, browser()), (200, 200));
    assert_eq!(listed(&rig, &key)["expires"], after(10).to_string());
    rig.clock.set(after(10).saturating_add(-1));
    assert_eq!((with(&rig, &key.key).status, browser()), (200, 200));
    rig.clock.set(after(10));
    let refused = with(&rig, &key.key);
    assert_eq!((refused.status, browser()), (401, 401));
    assert!(refused.text().contains("expired"), "{}", refused.text());
}

#[test]
fn when_a_key_expires_is_said_with_its_making() {
    let rig = Rig::start();
    let make =
        |expires: &str| rig.post_json("/api/keys", &json!({"project": "p", "expires": expires}).to_string());
    for (wrong, told) in [("soon", "RFC 3339"), (&*after(0).to_string(), "is over")] {
        let answer = make(wrong);
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(answer.text().contains(told), "{}", answer.text());
    }
    let made = make(&after(5).to_string()).json();
    assert_eq!(made["expires"], after(5).to_string());
    assert_eq!(with(&rig, made["key"].as_str().expect("text")).status, 200);
}

#[test]
fn the_last_use_is_told_at_once_and_kept_once_a_minute() {
    let rig = Rig::start();
    let key = rig.key("p", &[Scope::Read]);
    let kept = || {
        let keys = rig.runtime.block_on(rig.keys().list(&ProjectScope::All)).expect("lists");
        keys.into_iter().find(|listed| listed.key.id == key.id).expect("is there").key.last_used
    };
    // The note is written beside the request.
    let wait_for = |at: Timestamp| {
        let noted = (0..10_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            kept() == Some(at)
        });
        assert!(noted, "{at} is not kept: {:?}", kept());
    };
    assert_eq!((listed(&rig, &key)["last_used"].clone(), kept()), (Value::Null, None));
    rig.clock.set(after(10));
    with(&rig, &key.key);
    assert_eq!(listed(&rig, &key)["last_used"], after(10).to_string());
    wait_for(after(10));
    rig.clock.set(after(69));
    with(&rig, &key.key);
    assert_eq!(listed(&rig, &key)["last_used"], after(69).to_string());
    assert_eq!(kept(), Some(after(10)), "not more than once a minute");
    rig.clock.set(after(70));
    with(&rig, &key.key);
    wait_for(after(70));
    let revoked = rig.runtime.block_on(rig.keys().revoke(&ProjectScope::All, &key.id)).expect("revokes");
    assert_eq!(revoked.expect("known").key.last_used, Some(after(70)));
    rig.clock.set(after(200));
    assert_eq!(with(&rig, &key.key).status, 401);
    assert_eq!(kept(), Some(after(70)), "what is void is not used");
}

#[test]
fn an_address_that_shows_many_wrong_keys_waits_and_known_ones_go_on() {
    let rig = Rig::limited(|limits| limits.wrong_keys = 5);
    let (known, other) = (rig.key("p", &[]), rig.key("p", &[]));
    let wrong = format!("aitrace_{}_{}", "0".repeat(16), "0".repeat(64));
    assert_eq!(with(&rig, &wrong).status, 401);
    assert_eq!(with(&rig, &known.key).status, 200);
    for _ in 1..5 {
        assert_eq!(with(&rig, &wrong).status, 401);
    }
    let answer = with(&rig, &wrong);
    assert_eq!((answer.status, answer.kind().as_str()), (429, "too_many_tries"));
    assert_eq!(answer.header("retry-after"), Some("60"));
    let login = rig.post_json("/login", &json!({"key": wrong}).to_string());
    assert_eq!(login.status, 429);
    let status = |key: &NewKey| with(&rig, &key.key).status;
    assert_eq!((status(&known), status(&other)), (200, 429));
    assert_eq!(rig.get("/api/traces").status, 401, "what shows none is told so");
    assert_eq!(rig.get("/healthz").status, 200);
    rig.clock.advance(60 * SECOND);
    assert_eq!((status(&known), status(&other), with(&rig, &wrong).status), (200, 200, 401));
}

#[test]
fn what_is_done_to_keys_and_data_is_noted() {
    let listening = Listening::begin();
    let rig = Rig::limited(|limits| limits.wrong_keys = 1);
    let made = rig.post_json("/api/keys", r#"{"project":"audited","scopes":["admin"]}"#).json();
    let (id, key) = (made["id"].as_str().expect("text"), made["key"].as_str().expect("text"));
    let call = |method: &str, path: &str| rig.call(method, path).bearer(key);
    let record = call("POST", "/api/ingest").body("application/json", span("end", 1, 1, 0, "{}"));
    assert_eq!(record.send().status, 200);
    assert_eq!(rig.post_json("/login", &json!({"key": key}).to_string()).status, 200);
    assert_eq!(call("GET", "/api/export?format=otlp").send().status, 200);
    assert_eq!(call("DELETE", &format!("/api/trace/{}", trace_id(1))).send().status, 200);
    let operator = Pepper::new([0; 32]).operator_token();
    let revoke = rig.call("DELETE", &format!("/api/key/{id}")).bearer(&operator).send();
    assert_eq!(revoke.status, 200, "{}", revoke.text());
    let unknown = format!("aitrace_{}_{}", "ab".repeat(8), "0".repeat(64));
    assert_eq!(rig.post_json("/login", &json!({"key": unknown}).to_string()).status, 403);
    let log = listening.text();
    let trace = format!("trace {}", trace_id(1));
    let by_key = format!(r#"by="key" key="{id}""#);
    for parts in [
        [r#"action="key created" by="anyone""#, r#"project="audited""#, id],
        [r#"action="login""#, &by_key, r#"outcome="done""#],
        [r#"action="login" by="nobody""#, "abababababababab", r#"outcome="refused""#],
        [r#"action="wrong keys""#, r#"by="nobody""#, "rest of a minute"],
        [r#"action="export""#, &by_key, r#"project="audited""#],
        [r#"action="deleted""#, &by_key, &trace],
        [r#"action="key revoked" by="operator""#, r#"project="audited""#, id],
    ] {
        let fits = |line: &&str| {
            line.contains("INFO")
                && line.contains("aitrace_audit")
                && parts.iter().all(|part| line.contains(part))
        };
        let line = log.lines().find(fits).unwrap_or_else(|| panic!("{parts:?} is not noted"));
        assert!(line.contains(r#"peer="127.0.0.1""#), "{line}");
    }
    assert!(!log.contains(&key[30..]) && !log.contains(&unknown[30..]), "no key");
}
