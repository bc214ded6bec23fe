//! Every route with every kind of caller, from the server's own table of routes.

use aitrace_server::{Pepper, RouteInfo, Scope, routes};

use crate::http::{Answer, Call};
use crate::rig::Rig;
use crate::samples::{span_id, trace_id};

/// A request to each route and method, with bodies that are typed right and say nothing.
pub(crate) fn requests(rig: &Rig) -> Vec<(RouteInfo, String, Call)> {
    let mut requests = Vec::new();
    for route in routes() {
        for method in &route.methods {
            let mut call = rig.call(method, &target(route.path));
            if let Some(media) = route.bodies.first() {
                call = call.body(media, "");
            }
            requests.push((route.clone(), method.clone(), call));
        }
    }
    assert!(requests.len() > 20, "the table is there");
    requests
}

/// A path with its names replaced by something of the right shape.
pub(crate) fn target(path: &str) -> String {
    path.split('/')
        .map(|segment| match segment {
            "{trace_id}" => trace_id(1),
            "{span_id}" => span_id(1),
            "{id}" | "{run_id}" | "{session_id}" | "{name}" => "x1".to_owned(),
            "{project}" => "p".to_owned(),
            "{*path}" => "index.js".to_owned(),
            plain if !plain.contains('{') => plain.to_owned(),
            other => panic!("say what {other} of {path} may be"),
        })
        .collect::<Vec<_>>()
        .join("/")
}

/// 401 or 403 as the route writes it; `None` for a caller that was let in.
fn refusal(answer: &Answer) -> Option<u16> {
    match (answer.status, answer.header("grpc-status")) {
        (200, Some("16")) => Some(401),
        (200, Some("7")) => Some(403),
        (status @ (401 | 403), _) => Some(status),
        _ => None,
    }
}

#[test]
fn every_caller_gets_what_the_table_says() {
    // More wrong keys are shown here than an address may.
    let rig = Rig::limited(|limits| limits.wrong_keys = u32::MAX);
    let mut callers: Vec<(&str, Option<String>, &[Scope])> = vec![("nobody", None, &[])];
    for (name, project, scopes) in [
        ("ingest", "p", &[Scope::Ingest][..]),
        ("read", "p", &[Scope::Read]),
        ("admin", "p", &[Scope::Admin]),
        ("both", "p", &[Scope::Ingest, Scope::Read]),
        ("admin of another project", "q", &[Scope::Admin]),
    ] {
        callers.push((name, Some(rig.key(project, scopes).key), scopes));
    }
    let revoked = rig.key("p", &[Scope::Admin]);
    let scope = aitrace_store::ProjectScope::All;
    rig.runtime.block_on(rig.keys().revoke(&scope, &revoked.id)).expect("revokes").expect("known");
    rig.clock.advance(500_000_000);
    let good = rig.key("p", &[Scope::Admin]).key;
    let last = if good.ends_with('0') { '1' } else { '0' };
    let off_by_one = format!("{}{last}", &good[..good.len() - 1]);
    callers.push(("revoked", Some(revoked.key), &[]));
    callers.push(("malformed", Some("aitrace_x".to_owned()), &[]));
    callers.push(("empty", Some(String::new()), &[]));
    callers.push(("one digit off", Some(off_by_one), &[]));
    callers.push(("another server's operator", Some(Pepper::new([1; 32]).operator_token()), &[]));
    callers.push(("operator", Some(Pepper::new([0; 32]).operator_token()), &[Scope::Admin]));
    for (route, method, call) in requests(&rig) {
        for (name, key, scopes) in &callers {
            let call = match key {
                Some(key) => call.clone().bearer(key),
                None => call.clone(),
            };
            let expected = match route.scope {
                None => None,
                Some(_) if scopes.is_empty() => Some(401),
                Some(_) if route.path.contains("{project}") && name.contains("another project") => Some(403),
                // A link opens all projects: no key of one project makes it.
                Some(_) if route.path == "/api/keys/login" && *name != "operator" => Some(403),
                Some(scope) if scopes.contains(&scope) || scopes.contains(&Scope::Admin) => None,
                Some(_) => Some(403),
            };
            let answer = call.head();
            assert_eq!(refusal(&answer), expected, "{name}: {method} {}", route.path);
            if answer.status == 401 {
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{}", route.path);
            }
            assert!(answer.status < 500, "{name}: {method} {}: {}", route.path, answer.status);
        }
    }
}

#[test]
fn other_ways_to_write_a_path_do_not_get_around() {
    let rig = Rig::start();
    let reader = rig.key("p", &[Scope::Read]).key;
    for (route, method, _) in requests(&rig).into_iter().filter(|(route, ..)| route.scope.is_some()) {
        let path = target(route.path);
        let (head, tail) = path.split_at(1);
        for changed in [
            format!("{path}/"),
            format!("/{path}"),
            format!("{head}.;/{tail}"),
            format!("{head}x/../{tail}"),
            format!("{head}%2e/{tail}"),
            path.replacen("/api", "/%61pi", 1),
            path.replacen('/', "%2F", 2),
            path.to_uppercase(),
        ] {
            if changed == path || !changed.starts_with('/') {
                continue;
            }
            let nobody = rig.call(&method, &changed).head().status;
            assert!(matches!(nobody, 400..=499), "{method} {changed}: {nobody}");
            if route.writes {
                let answer = rig.call(&method, &changed).bearer(&reader).head().status;
                assert!(matches!(answer, 400..=499), "{method} {changed}: {answer}");
            }
        }
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            let answer = rig.call(method, &path).head().status;
            assert!(matches!(answer, 401 | 405), "{method} {path}: {answer}");
        }
    }
}

#[test]
fn hosts_and_sites_are_checked_on_every_route() {
    let rig = Rig::start();
    let port = rig.addr.port();
    for (route, method, call) in requests(&rig) {
        let told = format!("{method} {}", route.path);
        for host in ["evil.example", &format!("localhost.evil:{port}"), &format!("0.0.0.0:{port}")] {
            assert_eq!(call.clone().header("host", host).head().status, 421, "{host} {told}");
        }
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let answer = call.clone().header(name, value).head();
            let refused = answer.status == 403 || answer.header("grpc-status") == Some("7");
            assert!(refused, "{name}: {value} {told}: {}", answer.status);
        }
        let answer = call.head();
        assert!(answer.header("content-security-policy").is_some(), "{told}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{told}");
        assert!(answer.header("cache-control").is_some(), "{told}");
        assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control")), "{told}");
    }
}
