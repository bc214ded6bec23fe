//! Too much, too large, too slow.

use std::io::Write as _;
use std::time::Duration;

use crate::http::{connect, read};
use crate::rig::Rig;
use crate::samples::{PROTOBUF, gzip, log, otlp};

const UPLOADS: [&str; 3] = ["/api/ingest", "/v1/traces", "/opentelemetry/v1/traces"];

#[test]
fn bodies_are_bounded_as_sent_and_as_decompressed() {
    let rig = Rig::limited(|limits| {
        limits.body_bytes = 100_000;
        limits.decoded_bytes = 200_000;
    });
    let bomb = gzip(&vec![b' '; 300_000]);
    let fits = gzip(format!("{}{}", " ".repeat(150_000), log("a")).as_bytes());
    for path in UPLOADS {
        let large = rig.call("POST", path).body("application/json", vec![b' '; 100_001]);
        assert_eq!(large.send().status, 413);
        let chunked = [b"186a1\r\n".to_vec(), vec![b' '; 100_001], b"\r\n0\r\n\r\n".to_vec()].concat();
        let chunked = rig.call("POST", path).body("application/json", chunked);
        let chunked = chunked.without("content-length").header("transfer-encoding", "chunked");
        assert_eq!(chunked.send().status, 413, "{path}");
        let bomb = rig.call("POST", path).body("application/json", bomb.clone());
        assert_eq!(bomb.header("content-encoding", "gzip").send().status, 413, "{path}");
    }
    let fits = rig.call("POST", "/api/ingest").body("application/json", fits);
    assert_eq!(fits.header("content-encoding", "gzip").send().json()["ingested"], 1);
}

#[test]
fn a_refusal_is_read_also_by_a_client_that_is_still_sending() {
    let rig = Rig::limited(|limits| limits.body_bytes = 1000);
    // More than the sockets' buffers hold: unless the server reads it away, the client cannot send it all.
    let body = vec![b' '; 8 << 20];
    let chunk = [b"800000\r\n", body.as_slice(), b"\r\n0\r\n\r\n"].concat();
    let announced = rig.call("POST", "/api/ingest").body("application/json", body);
    let chunked = rig.call("POST", "/api/ingest").body("application/json", chunk).without("content-length");
    for call in [announced, chunked.header("transfer-encoding", "chunked")] {
        let mut socket = connect(rig.addr);
        socket.write_all(&call.bytes()).expect("the server reads on");
        let answer = read(&mut socket).expect("an answer");
        assert_eq!((answer.status, answer.kind().as_str()), (413, "too_large"));
    }
}

#[test]
fn memory_that_is_taken_is_answered_429_and_given_back() {
    let rig = Rig::limited(|limits| limits.memory_bytes = 64 << 10);
    let call = rig.call("POST", "/api/ingest").body("application/json", log(&"x".repeat(80_000)));
    let bytes = call.bytes();
    let (first, rest) = bytes.split_at(bytes.len() - 10);
    // A request that has announced more than the budget and sent most of it holds all of it, unless another one
    // was there first: then it is refused itself, and the next one tries.
    let hold = || {
        let mut holder = connect(rig.addr);
        holder.write_all(first).unwrap();
        let mut answers = (0..50).map(|_| rig.post_json("/api/ingest", &log("b")));
        Some((holder, answers.find(|answer| answer.status != 200)?))
    };
    let (mut holder, refused) = (0..50).find_map(|_| hold()).expect("a refusal");
    assert_eq!((refused.status, refused.kind().as_str()), (429, "overloaded"));
    assert!(refused.header("retry-after").is_some());
    let refused = rig.post("/v1/traces", PROTOBUF, otlp(1, 1));
    assert_eq!((refused.status, refused.body[..2].to_vec()), (429, vec![8, 8]));
    holder.write_all(rest).unwrap();
    assert!(read(&mut holder).is_some());
    assert_eq!(rig.post_json("/api/ingest", &log("b")).status, 200);
}

#[test]
fn a_body_that_stops_coming_is_given_up() {
    let rig = Rig::limited(|limits| limits.body_idle_timeout = Duration::from_millis(50));
    for path in UPLOADS {
        let mut socket = connect(rig.addr);
        let call = rig.call("POST", path).body("application/json", log("a"));
        let bytes = call.bytes();
        socket.write_all(&bytes[..bytes.len() - 5]).unwrap();
        assert_eq!(read(&mut socket).expect("an answer").status, 408, "{path}");
    }
}

#[test]
fn a_head_that_stops_coming_is_given_up() {
    let rig = Rig::limited(|limits| limits.head_timeout = Duration::from_millis(50));
    let mut socket = connect(rig.addr);
    socket.write_all(b"GET / HTTP/1.1\r\nhost: ").unwrap();
    assert!(read(&mut socket).is_none_or(|answer| answer.status == 408));
    let mut silent = connect(rig.addr);
    assert!(read(&mut silent).is_none_or(|answer| answer.status == 408));
}

#[test]
fn connections_beyond_the_limit_wait_their_turn() {
    let rig = Rig::limited(|limits| limits.connections = 1);
    let first = connect(rig.addr);
    let mut second = connect(rig.addr);
    second.write_all(&rig.call("GET", "/healthz").bytes()).unwrap();
    second.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut byte = [0];
    assert!(std::io::Read::read(&mut second, &mut byte).is_err(), "no answer while the place is taken");
    drop(first);
    second.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(read(&mut second).expect("an answer").status, 200);
}

#[test]
fn deep_json_costs_its_record_only() {
    let rig = Rig::start();
    for depth in [200, 1_000_000] {
        let deep =
            log("deep").replace(r#""n":1"#, &format!(r#""n":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
        let answer = rig.post_json("/api/ingest", &format!("[{deep},{}]", log("fine")));
        assert_eq!((answer.status, &answer.json()["ingested"]), (200, &1.into()), "{depth}");
    }
}
