//! Who is answered at all, on every route.

use crate::http::Call;
use crate::rig::Rig;
use crate::samples::{log, otlp, trace_id};

/// A request to each route that it would answer well.
pub(crate) fn every_route(rig: &Rig) -> Vec<Call> {
    let mut calls: Vec<Call> =
        ["/api/traces", "/api/projects", "/api/live", "/healthz", "/", "/assets/x.js", "/nothing"]
            .iter()
            .map(|target| rig.call("GET", target))
            .collect();
    calls.push(rig.call("GET", &format!("/api/trace/{}", trace_id(1))));
    calls.push(rig.call("GET", &format!("/trace/{}", trace_id(1))));
    calls.push(rig.call("POST", "/api/ingest").body("application/json", log("a")));
    for path in ["/v1/traces", "/opentelemetry/v1/traces"] {
        calls.push(rig.call("POST", path).body("application/x-protobuf", otlp(1, 1)));
    }
    calls
}

#[test]
fn a_foreign_host_is_never_answered() {
    let rig = Rig::start();
    let port = rig.addr.port();
    for call in every_route(&rig) {
        for host in [
            "evil.example".to_owned(),
            format!("evil.example:{port}"),
            "localhost".to_owned(),
            format!("localhost.:{port}"),
            format!("localhost.evil:{port}"),
            format!("0.0.0.0:{port}"),
        ] {
            assert_eq!(call.clone().header("host", &host).send().status, 421, "{host} {call:?}");
        }
        assert_eq!(call.clone().without("host").send().status, 421, "{call:?}");
    }
    assert!(rig.get("/api/traces").json()["traces"].as_array().unwrap().is_empty(), "nothing was stored");
}

#[test]
fn our_names_and_configured_ones_are_answered() {
    let rig = Rig::with(|options| options.hosts.push("box.example:8000".to_owned()));
    let port = rig.addr.port();
    for host in [
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
        "Box.example:8000".to_owned(),
    ] {
        assert_eq!(rig.call("GET", "/healthz").header("host", &host).send().status, 200, "{host}");
    }
}

#[test]
fn other_sites_are_refused_on_every_route() {
    let rig = Rig::start();
    for call in every_route(&rig) {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://localhost:1"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let answer = call.clone().header(name, value).send();
            assert_eq!(answer.status, 403, "{name}: {value} {call:?}");
            assert!(answer.header("access-control-allow-origin").is_none());
        }
    }
    assert!(rig.get("/api/traces").json()["traces"].as_array().unwrap().is_empty(), "nothing was stored");
}

#[test]
fn our_own_pages_are_served() {
    let rig = Rig::start();
    let origin = format!("http://localhost:{}", rig.addr.port());
    let call =
        rig.call("GET", "/api/traces").header("origin", &origin).header("sec-fetch-site", "same-origin");
    assert_eq!(call.send().status, 200);
    let link = |target: &str| {
        let call = rig.call("GET", target).header("sec-fetch-site", "same-site");
        call.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document").send().status
    };
    assert_eq!(link("/"), rig.get("/").status, "a notebook on this machine may link to the viewer");
    assert_eq!(link("/api/traces"), 403, "but not to data");
}

#[test]
fn every_answer_carries_the_headers() {
    let rig = Rig::start();
    let mut answers: Vec<_> = every_route(&rig)
        .iter()
        .filter(|call| !format!("{call:?}").contains("/api/live"))
        .map(Call::send)
        .collect();
    answers.push(rig.call("GET", "/").header("host", "evil").send());
    answers.push(rig.call("DELETE", "/api/traces").send());
    for answer in answers {
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert!(answer.header("cache-control").is_some());
        assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control")));
    }
}

#[test]
fn a_plain_form_cannot_post() {
    let rig = Rig::start();
    for path in ["/api/ingest", "/v1/traces", "/opentelemetry/v1/traces"] {
        for content_type in
            ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
        {
            assert_eq!(rig.post(path, content_type, log("a")).status, 415, "{path} {content_type}");
        }
        let untyped = rig.call("POST", path).body("x", log("a")).without("content-type");
        assert_eq!(untyped.send().status, 415);
    }
}

#[test]
fn wrong_methods_are_told_the_right_ones() {
    let rig = Rig::start();
    for call in every_route(&rig) {
        let text = format!("{call:?}");
        if text.contains("/nothing") {
            continue;
        }
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"] {
            let target = text.split("target: \"").nth(1).unwrap().split('"').next().unwrap();
            let taken = aitrace_server::routes().any(|route| {
                crate::matrix::target(route.path) == target
                    && route.methods.iter().any(|known| known == method)
            });
            if taken {
                continue;
            }
            let answer = rig.call(method, target).send();
            assert_eq!(answer.status, 405, "{method} {target}");
            assert!(answer.header("allow").is_some(), "{method} {target}");
        }
    }
    assert_eq!(rig.call("HEAD", "/api/live").send().status, 405);
}
