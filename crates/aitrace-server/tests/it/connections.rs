//! Connections that are used in odd ways: each ends or is served, and a good request right after is answered.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::http::{connect, raw, read, read_many};
use crate::rig::Rig;
use crate::samples::{NDJSON, log};

/// Time limits that are short enough to be reached in a test.
const SHORT: Duration = Duration::from_millis(100);

fn check_alive(rig: &Rig) {
    assert_eq!(rig.get("/healthz").status, 200);
    assert_eq!(rig.post_json("/api/ingest", &log("alive")).json()["ingested"], 1);
}

/// Log records that are stored.
fn stored(rig: &Rig) -> u64 {
    let stats = rig.runtime.block_on(aitrace_store::TelemetryStore::stats(&*rig.store));
    stats.expect("counts").logs
}

/// Sends a byte now and then until the server has answered or hung up: what it answered.
fn dribble(socket: &mut TcpStream, bytes: impl Iterator<Item = u8>) -> Vec<u8> {
    socket.set_read_timeout(Some(Duration::from_millis(5))).expect("sets");
    let mut buffer = [0; 4096];
    for byte in bytes {
        if socket.write_all(&[byte]).is_err() {
            return Vec::new();
        }
        match socket.read(&mut buffer) {
            Ok(count) => return buffer[..count].to_vec(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Vec::new(),
        }
    }
    panic!("the server waits for ever");
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    const ROUNDS: usize = 100;
    let rig = Rig::start();
    let keep = |call: crate::http::Call| call.without("connection").bytes();
    let mut all = Vec::new();
    for round in 0..ROUNDS {
        let call = rig.call("POST", "/api/ingest");
        all.extend(keep(call.clone().body(NDJSON, log(&format!("event {round}")))));
        all.extend(keep(rig.call("GET", "/healthz")));
        all.extend(keep(call.clone().body("application/json", "[7]")));
        all.extend(keep(call.body("text/plain", "rubbish")));
    }
    let mut socket = connect(rig.addr);
    let mut writer = socket.try_clone().expect("the same socket");
    let answers = std::thread::scope(|scope| {
        scope.spawn(move || writer.write_all(&all).expect("the server reads on"));
        read_many(&mut socket, 4 * ROUNDS)
    });
    let found: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(found, [200, 200, 400, 415].repeat(ROUNDS));
    assert_eq!(stored(&rig), ROUNDS as u64);
    check_alive(&rig);
}

#[test]
fn a_client_may_hang_up_anywhere() {
    let rig = Rig::start();
    let bytes = rig.call("POST", "/api/ingest").body(NDJSON, log("cut")).bytes();
    for length in 0..bytes.len() {
        let mut socket = connect(rig.addr);
        socket.write_all(&bytes[..length]).expect("the server reads");
        if length % 2 == 0 {
            drop(socket.shutdown(Shutdown::Write));
        }
    }
    check_alive(&rig);
    assert_eq!(stored(&rig), 1, "nothing but the good one");
}

#[test]
fn an_answer_may_be_thrown_away() {
    let rig = Rig::start();
    for _ in 0..50 {
        let mut socket = connect(rig.addr);
        socket.write_all(&rig.call("GET", "/healthz").bytes()).expect("the server reads");
        // Once it is there, closing without reading it resets the connection.
        assert!(socket.peek(&mut [0]).expect("an answer") > 0);
    }
    check_alive(&rig);
}

#[test]
fn a_client_that_says_no_more_is_answered_or_left() {
    let rig = Rig::start();
    for number in 0..20 {
        let mut socket = connect(rig.addr);
        let body = log(&format!("half {number}"));
        let call = rig.call("POST", "/api/ingest").body(NDJSON, body).without("connection");
        socket.write_all(&call.bytes()).expect("the server reads");
        socket.shutdown(Shutdown::Write).expect("shuts down");
        // To the server it looks like one that hangs up, for whom no work is done.
        if let Some(answer) = read(&mut socket) {
            assert_eq!(answer.json()["ingested"], 1);
            assert!(read(&mut socket).is_none(), "and then it is over");
        }
    }
    check_alive(&rig);
}

#[test]
fn a_head_that_dribbles_is_given_up() {
    let rig = Rig::limited(|limits| limits.head_timeout = SHORT);
    let head = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\nx: ", rig.addr).into_bytes();
    let answer = dribble(&mut connect(rig.addr), head.into_iter().chain(std::iter::repeat_n(b'y', 50_000)));
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    // The first bytes, which tell the protocol, are waited for in another place.
    let answer = dribble(
        &mut connect(rig.addr),
        b"PRI".iter().copied().cycle().take(3).chain([b' ']).chain(std::iter::repeat_n(b'*', 50_000)),
    );
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    check_alive(&rig);
}

#[test]
fn a_body_that_dribbles_is_given_up() {
    let rig = Rig::limited(|limits| {
        limits.body_idle_timeout = SHORT;
        limits.body_rate = 1 << 20;
    });
    for path in ["/api/ingest", "/v1/traces", "/v1/logs"] {
        let call = rig.call("POST", path).body("application/json", vec![b' '; 50_000]);
        let mut socket = connect(rig.addr);
        let bytes = call.bytes();
        let head = bytes.len() - 50_000;
        socket.write_all(&bytes[..head]).expect("the server reads");
        let answer = dribble(&mut socket, bytes[head..].iter().copied());
        // Who still sends while it is refused may miss the answer.
        let told = answer.is_empty() || answer.starts_with(b"HTTP/1.1 408");
        assert!(told, "{path}: {}", String::from_utf8_lossy(&answer));
    }
    check_alive(&rig);
}

#[test]
fn silent_clients_leave_their_places_to_others() {
    let rig = Rig::limited(|limits| {
        limits.connections = 20;
        limits.head_timeout = SHORT;
    });
    let mut silent: Vec<TcpStream> = (0..60).map(|_| connect(rig.addr)).collect();
    check_alive(&rig);
    for socket in &mut silent {
        assert!(read(socket).is_none(), "it was closed");
    }
}

#[test]
fn a_client_that_never_reads_is_left() {
    let rig = Rig::limited(|limits| {
        // A good request is answered only once the other connection has gone.
        limits.connections = 1;
        limits.write_idle_timeout = SHORT;
    });
    let mut socket = connect(rig.addr);
    let many = rig.call("GET", "/healthz").without("connection").bytes().repeat(1000);
    let error = loop {
        if let Err(error) = socket.write_all(&many) {
            break error;
        }
    };
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    check_alive(&rig);
}

#[test]
fn heads_beyond_any_use_are_refused() {
    let rig = Rig::start();
    let with = |line: &str| format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n{line}\r\n\r\n", rig.addr);
    let long = "y".repeat(1 << 20);
    let lines = "x: y\r\n".repeat(2000);
    for (name, head) in [
        ("a long value", with(&format!("x: {long}"))),
        ("a long name", with(&format!("{long}: x"))),
        ("many headers", with(lines.trim_end())),
        ("a long target", format!("GET /{long} HTTP/1.1\r\nhost: {}\r\n\r\n", rig.addr)),
        ("a long method", format!("{long} / HTTP/1.1\r\nhost: {}\r\n\r\n", rig.addr)),
        ("empty lines without end", "\r\n".repeat(1 << 19)),
    ] {
        let status = raw(rig.addr, head.as_bytes()).map(|answer| answer.status);
        assert!(matches!(status, None | Some(400 | 414 | 431)), "{name}: {status:?}");
    }
    check_alive(&rig);
}

#[test]
fn odd_targets_name_no_other_host_and_no_other_place() {
    let rig = Rig::start();
    let own = rig.addr.to_string();
    for (line, expected) in [
        (format!("GET http://{own}/healthz HTTP/1.1"), 200),
        (format!("GET HTTP://{own}/healthz HTTP/1.1"), 200),
        (format!("GET http://{own}/healthz?x#y HTTP/1.1"), 200),
        (format!("POST http://{own}/healthz HTTP/1.1"), 405),
    ] {
        let answer = raw(rig.addr, format!("{line}\r\nhost: {own}\r\nconnection: close\r\n\r\n").as_bytes());
        assert_eq!(answer.expect("an answer").status, expected, "{line}");
    }
    for line in [
        "GET http://evil/healthz HTTP/1.1".to_owned(),
        format!("GET http://{own}@evil/healthz HTTP/1.1"),
        format!("GET http://evil@{own}:1/healthz HTTP/1.1"),
        "GET http:///healthz HTTP/1.1".to_owned(),
        "OPTIONS * HTTP/1.1".to_owned(),
        "GET * HTTP/1.1".to_owned(),
        "CONNECT evil:80 HTTP/1.1".to_owned(),
        format!("CONNECT {own} HTTP/1.1"),
        "GET healthz HTTP/1.1".to_owned(),
        "GET  /healthz HTTP/1.1".to_owned(),
        "GET /healthz  HTTP/1.1".to_owned(),
        "GET /healthz HTTP/1.1 x".to_owned(),
        "GET /healthz HTTP/1.2".to_owned(),
        "GET /healthz HTTP/3.0".to_owned(),
        "GET /healthz".to_owned(),
        "GET\t/healthz\tHTTP/1.1".to_owned(),
        "TRACE /healthz HTTP/1.1".to_owned(),
    ] {
        let head = format!("{line}\r\nhost: {own}\r\nconnection: close\r\n\r\n");
        let status = raw(rig.addr, head.as_bytes()).map(|answer| answer.status);
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{line}: {status:?}");
    }
    check_alive(&rig);
}
