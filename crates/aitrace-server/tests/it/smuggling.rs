//! Requests whose end can be seen in two ways: what an intermediary took for a body never becomes a request.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use crate::http::connect;
use crate::rig::Rig;
use crate::samples::{NDJSON, log};

/// Heads with two lengths, or with one that some read otherwise. `ALL` is the length of everything that follows.
const CONFUSED: &[&str] = &[
    "transfer-encoding: chunked\r\ncontent-length: ALL",
    "content-length: ALL\r\ntransfer-encoding: chunked",
    "content-length: ALL\r\ntransfer-encoding: Chunked",
    "content-length: ALL\r\ntransfer-encoding: xchunked",
    "content-length: ALL\r\ntransfer-encoding: chunked, identity",
    "content-length: ALL\r\ntransfer-encoding: identity, chunked",
    "content-length: ALL\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity",
    "content-length: ALL\r\ntransfer-encoding : chunked",
    "content-length: ALL\r\n transfer-encoding: chunked",
    "content-length: ALL\r\ntransfer-encoding:\u{b}chunked",
    "content-length: ALL\r\nx: y\rtransfer-encoding: chunked",
    "content-length: ALL\r\nx: y\ntransfer-encoding: chunked",
    "content-length: ALL\r\ncontent-length: 0",
    "content-length: 0\r\ncontent-length: ALL",
    "content-length: ALL, 0",
    "content-length: 0, ALL",
    "content-length: +0",
    "content-length: -0",
    "content-length: 0x0",
    "content-length: 00\r\ncontent-length: ALL",
    "content-length: ALL\r\ncontent-length: ALL\r\ntransfer-encoding: gzip, chunked",
];

/// Ends of a chunked body that some do not see, or see too early.
const CHUNKS: &[&str] = &[
    "0;x=\n\r\n\r\n",
    "0;x\r\r\n\r\n",
    "0\n\n",
    "0\r\n\n",
    "0 \r\n\r\n",
    "0x0\r\n\r\n",
    "-0\r\n\r\n",
    "+0\r\n\r\n",
    "10000000000000000\r\n\r\n",
    "\r\n0\r\n\r\n",
    "2\r\n{}0\r\n\r\n",
    "2\r\n{}\n0\r\n\r\n",
    "0\r\ncontent-length: 5\r\n\r\n",
];

/// A server that does not wait long for what is missing.
fn rig() -> Rig {
    Rig::limited(|limits| {
        limits.head_timeout = Duration::from_millis(500);
        limits.body_idle_timeout = Duration::from_millis(500);
    })
}

/// Sends it and reads until the server has ended the connection.
fn exchange(rig: &Rig, bytes: &[u8]) -> String {
    let mut socket = connect(rig.addr);
    drop(socket.write_all(bytes));
    let mut answer = Vec::new();
    drop(socket.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn stored(rig: &Rig) -> u64 {
    let stats = rig.runtime.block_on(aitrace_store::TelemetryStore::stats(&*rig.store));
    stats.expect("counts").logs
}

fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

#[test]
fn what_follows_two_lengths_is_no_request() {
    let rig = rig();
    let hidden = rig.call("POST", "/api/ingest").body(NDJSON, log("smuggled")).bytes();
    let hidden = String::from_utf8(hidden).expect("text");
    // As one JSON value what is hidden says nothing: it is stored only where it is taken for a request.
    let start =
        format!("POST /api/ingest HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n", rig.addr);
    for line in CONFUSED {
        // Once the chunks end early, once the hidden request is a chunk and the length ends before it.
        let within = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
        for body in [format!("0\r\n\r\n{hidden}"), within] {
            for all in [body.len(), body.find("\r\n").expect("a line") + 2] {
                let head = line.replace("ALL", &all.to_string());
                let answer = exchange(&rig, format!("{start}{head}\r\n\r\n{body}").as_bytes());
                let what = format!("{head:?} before {:?}: {answer}", &body[..8]);
                assert!(!answer.contains("HTTP/1.1 5"), "{what}");
                assert_eq!(stored(&rig), 0, "{what}");
            }
        }
    }
    assert_eq!(rig.post_json("/api/ingest", &log("alive")).json()["ingested"], 1);
}

#[test]
fn what_follows_chunks_that_do_not_end_is_no_request() {
    for chunks in CHUNKS {
        let rig = rig();
        let hidden = rig.call("POST", "/api/ingest").body(NDJSON, log("smuggled")).bytes();
        let start =
            format!("POST /api/ingest HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n", rig.addr);
        let head = format!("{start}transfer-encoding: chunked\r\n\r\n{chunks}");
        let answer = exchange(&rig, &[head.as_bytes(), &hidden].concat());
        assert!(!answer.contains("HTTP/1.1 5"), "{chunks:?}: {answer}");
        // What ends as it should, blanks behind a size forgiven, is followed by a request; nothing else is.
        let ended = ["0\r\ncontent-length: 5\r\n\r\n", "0 \r\n\r\n"].contains(chunks);
        assert!(ended || stored(&rig) == 0, "{chunks:?}: {answer}");
        assert_eq!(rig.post_json("/api/ingest", &log("alive")).json()["ingested"], 1);
    }
}

#[test]
fn a_body_that_nobody_wants_is_no_request() {
    let rig = rig();
    let hidden = rig.call("POST", "/api/ingest").body(NDJSON, log("smuggled")).bytes();
    for (method, path) in
        [("GET", "/healthz"), ("GET", "/nothing"), ("POST", "/healthz"), ("HEAD", "/"), ("DELETE", "/")]
    {
        let call = rig.call(method, path).body("text/plain", hidden.clone()).without("connection");
        let answer = exchange(&rig, &call.bytes());
        assert!(answers(&answer) <= 1 && stored(&rig) == 0, "{method} {path}: {answer}");
        let chunked = [format!("{:x}\r\n", hidden.len()).as_bytes(), &hidden, b"\r\n0\r\n\r\n"].concat();
        let call = rig.call(method, path).body("text/plain", chunked).without("connection");
        let call = call.without("content-length").header("transfer-encoding", "chunked");
        let answer = exchange(&rig, &call.bytes());
        assert!(answers(&answer) <= 1 && stored(&rig) == 0, "{method} {path}, chunked: {answer}");
    }
    assert_eq!(rig.post_json("/api/ingest", &log("alive")).json()["ingested"], 1);
}
