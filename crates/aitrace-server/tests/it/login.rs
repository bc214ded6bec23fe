//! Browsers: a key or a link for a cookie.

use aitrace_server::{Pepper, Scope};
use serde_json::json;

use crate::http::{Answer, Call};
use crate::rig::Rig;
use crate::samples::{log, trace_id};

fn login(rig: &Rig, body: &serde_json::Value) -> Answer {
    let origin = format!("http://{}", rig.addr);
    rig.call("POST", "/login").header("origin", &origin).body("application/json", body.to_string()).send()
}

/// The cookie as the browser sends it back.
fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned()
}

fn with(rig: &Rig, cookie: &str, method: &str, target: &str) -> Call {
    rig.call(method, target).header("cookie", cookie)
}

#[test]
fn a_key_is_exchanged_for_a_cookie_that_reads_its_project() {
    let rig = Rig::start();
    let key = rig.key("p", &[Scope::Read]);
    let answer = login(&rig, &json!({"key": key.key}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let set = answer.header("set-cookie").unwrap();
    for part in
        [&format!("aitrace_{}=", rig.addr.port()), "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"]
    {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Secure") && !set.contains(&key.key[24..]), "{set}");
    let cookie = cookie(&answer);
    assert_eq!(
        with(&rig, &cookie, "GET", "/api/me").send().json(),
        json!({"project": "p", "scopes": ["read"]})
    );
    assert_eq!(with(&rig, &format!("a=b; {cookie}"), "GET", "/api/traces").send().status, 200);
    assert_eq!(with(&rig, &cookie, "GET", "/api/traces?project=q").send().status, 403);
    assert_eq!(with(&rig, &cookie, "GET", "/api/keys").send().status, 403);
    assert_eq!(with(&rig, &cookie[..cookie.len() - 1], "GET", "/api/traces").send().status, 401);
    let scope = aitrace_store::ProjectScope::All;
    rig.runtime.block_on(rig.keys().revoke(&scope, &key.id)).expect("revokes").expect("known");
    rig.clock.advance(500_000_000);
    assert_eq!(with(&rig, &cookie, "GET", "/api/traces").send().status, 401, "it ends with its key");
}

#[test]
fn a_cookie_changes_something_only_from_our_own_pages() {
    let rig = Rig::start();
    let key = rig.key("p", &[Scope::Admin]).key;
    let cookie = cookie(&login(&rig, &json!({"key": key})));
    let post = |headers: &[(&str, &str)]| {
        let call = with(&rig, &cookie, "POST", "/api/ingest").body("application/json", log("a"));
        headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().status
    };
    let own = format!("http://{}", rig.addr);
    assert_eq!(post(&[]), 401);
    assert_eq!(post(&[("sec-fetch-site", "none")]), 401);
    assert_eq!(post(&[("origin", "http://localhost:1")]), 403);
    assert_eq!(post(&[("sec-fetch-site", "same-site")]), 403);
    assert_eq!(post(&[("origin", &own), ("sec-fetch-site", "same-origin")]), 200);
    assert_eq!(post(&[("sec-fetch-site", "same-origin")]), 200);
}

#[test]
fn a_link_opens_everything_once_and_only_the_operator_gets_one() {
    let rig = Rig::start();
    let admin = rig.key("p", &[Scope::Admin]).key;
    let link =
        |key: &str| rig.call("POST", "/api/keys/login").bearer(key).body("application/json", "{}").send();
    assert_eq!(link(&admin).status, 403);
    let answer = link(&Pepper::new([0; 32]).operator_token()).json();
    let code = answer["path"].as_str().unwrap().strip_prefix("/login#code=").unwrap().to_owned();
    let first = login(&rig, &json!({"code": code}));
    assert_eq!(first.status, 200, "{}", first.text());
    let me = with(&rig, &cookie(&first), "GET", "/api/me").send().json();
    assert_eq!(me, json!({"project": null, "scopes": ["ingest", "read", "admin"]}));
    assert_eq!(login(&rig, &json!({"code": code})).status, 403, "once");
    let left = with(&rig, &cookie(&first), "POST", "/logout").body("application/json", "{}").send();
    assert!(left.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(with(&rig, &cookie(&first), "GET", "/api/me").send().status, 401);
}

#[test]
fn who_may_not_read_gets_no_cookie() {
    let rig = Rig::start();
    let ingest = rig.key("p", &[Scope::Ingest]).key;
    for body in
        [json!({"key": ingest}), json!({"key": "aitrace_x"}), json!({"key": ""}), json!({"code": "x"})]
    {
        let answer = login(&rig, &body);
        assert_eq!(answer.status, 403, "{body}");
        assert!(answer.header("set-cookie").is_none());
        assert!(!answer.text().contains(&ingest[24..]));
    }
    for body in [json!({}), json!([]), json!({"key": 1}), json!({"key": "a", "code": "b"})] {
        assert_eq!(login(&rig, &body).status, 400, "{body}");
    }
    let plain = rig.call("POST", "/login").body("application/x-www-form-urlencoded", "key=a").send();
    assert_eq!(plain.status, 415);
}

#[test]
fn pages_lead_to_the_login_and_back() {
    let rig = Rig::start();
    let page = format!("/trace/{}", trace_id(1));
    assert_ne!(rig.get(&page).status, 303, "nobody must log in while there is no key");
    let key = rig.key("p", &[]).key;
    let answer = rig.get(&format!("{page}?a=b&c=%22"));
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), Some(&*format!("/login?to={page}%3Fa%3Db%26c%3D%2522")));
    let form = rig.get("/login?to=/");
    assert_eq!(form.status, 200);
    for file in ["/login/page.js", "/login/page.css"] {
        assert!(form.text().contains(file));
        assert_eq!(rig.get(file).status, 200);
    }
    assert!(!form.text().contains("<script>") && !form.text().contains("style="), "the policy forbids it");
    let cookie = cookie(&login(&rig, &json!({"key": key})));
    assert_ne!(with(&rig, &cookie, "GET", &page).send().status, 303);
}
