//! Floods of HTTP/2, frame by frame, against a server in a process of its own: it takes them or hangs up, its memory
//! stays bounded, and a good request right after is answered.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::flood::Server;
use crate::http::{Call, connect};
use crate::samples::{NDJSON, log};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Bytes of a flood.
const FLOOD: usize = 6 << 20;
/// The most memory that the server may ever have; it has less than 20 MiB when it starts.
const MOST: u64 = 96 << 20;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = &(payload.len() as u32).to_be_bytes()[1..];
    [length, &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A literal header field that is not indexed, its name and value each shorter than 127 bytes.
fn field(name: &str, value: &str) -> Vec<u8> {
    [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

/// The header block of a request.
fn head(method: &str, path: &str, address: SocketAddr) -> Vec<u8> {
    let address = address.to_string();
    [(":method", method), (":scheme", "http"), (":authority", &address), (":path", path)]
        .map(|(name, value)| field(name, value))
        .concat()
}

fn open(address: SocketAddr, settings: &[u8]) -> TcpStream {
    let mut socket = connect(address);
    // A server that reads no more is one that bounds its memory.
    socket.set_write_timeout(Some(Duration::from_secs(1))).expect("sets");
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &*frame(SETTINGS, 0, 0, settings)].concat();
    socket.write_all(&preface).expect("the server reads");
    socket
}

/// What became of a flood.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    HungUp,
    ReadsNoMore,
}

/// Sends frames until there are [`FLOOD`] bytes of them, or the server has had enough.
fn flood(socket: &mut TcpStream, mut frames: impl FnMut(u32) -> Vec<u8>) -> Outcome {
    let (mut sent, mut number) = (0, 0);
    while sent < FLOOD {
        let mut some = Vec::new();
        while some.len() < 256 << 10 {
            some.extend(frames(number));
            number += 1;
        }
        sent += some.len();
        if let Err(error) = socket.write_all(&some) {
            let waits = matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
            return if waits { Outcome::ReadsNoMore } else { Outcome::HungUp };
        }
    }
    Outcome::Taken
}

/// The frame types that the server sends until it hangs up or `wanted` has come.
fn received(socket: &mut TcpStream, wanted: u8) -> bool {
    let mut head = [0; 9];
    while socket.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        if head[3] == wanted {
            return true;
        }
        if std::io::copy(&mut (&*socket).take(length.into()), &mut std::io::sink()).is_err() {
            return false;
        }
    }
    false
}

#[expect(clippy::print_stderr, reason = "tells the figure")]
fn check(server: &Server, what: &str) {
    let peak = server.peak();
    eprintln!("{what}: at most {} MiB resident so far", peak.unwrap_or(0) >> 20);
    assert!(peak.is_none_or(|peak| peak < MOST), "{what}: {peak:?} bytes");
    assert_eq!(Call::new(server.addr, "GET", "/healthz").send().status, 200, "{what}");
    let good = server.call("/api/ingest", NDJSON, log("e").into_bytes());
    assert_eq!(good.send().status, 200, "{what}");
    let mut socket = open(server.addr, &[]);
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &head("GET", "/healthz", server.addr));
    socket.write_all(&request).expect("the server reads");
    assert!(received(&mut socket, HEADERS), "{what}: an answer over HTTP/2");
}

#[test]
fn streams_that_are_opened_and_reset_are_too_many_soon() {
    let server = Server::start();
    for flags in [END_STREAM | END_HEADERS, END_HEADERS] {
        let block = head("POST", "/api/ingest", server.addr);
        let mut socket = open(server.addr, &[]);
        let outcome = flood(&mut socket, |number| {
            let stream = 2 * number + 1;
            [frame(HEADERS, flags, stream, &block), frame(RESET, 0, stream, &8_u32.to_be_bytes())].concat()
        });
        assert_eq!(outcome, Outcome::HungUp, "rapid resets");
        check(&server, "rapid resets");
    }
    let mut socket = open(server.addr, &[]);
    let block = head("POST", "/api/ingest", server.addr);
    let outcome = flood(&mut socket, |number| frame(HEADERS, END_HEADERS, 2 * number + 1, &block));
    assert_ne!(outcome, Outcome::Taken, "streams without end");
    check(&server, "streams without end");
}

#[test]
fn headers_without_end_are_refused() {
    let server = Server::start();
    let filler = field("x", &"y".repeat(100)).repeat(100);
    for (what, part) in [("continuations", filler.as_slice()), ("empty continuations", &[])] {
        let mut socket = open(server.addr, &[]);
        socket.write_all(&frame(HEADERS, END_STREAM, 1, &head("GET", "/", server.addr))).expect("writes");
        let outcome = flood(&mut socket, |_| frame(CONTINUATION, 0, 1, part));
        assert_eq!(outcome, Outcome::HungUp, "{what}");
        check(&server, what);
    }
    // One large field in the table, and blocks that name it again and again.
    let mut socket = open(server.addr, &[]);
    let large = [&[0x40, 1, b'x', 0x7f, 0x81, 0x1e][..], &[b'y'; 4000]].concat();
    let first = [head("GET", "/healthz", server.addr), large].concat();
    socket.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &first)).expect("writes");
    let bomb = [head("GET", "/healthz", server.addr), vec![0xbe; 16_000]].concat();
    let outcome =
        flood(&mut socket, |number| frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 3, &bomb));
    check(&server, &format!("a bomb of headers, {outcome:?}"));
}

#[test]
fn frames_that_say_nothing_cost_nothing() {
    let server = Server::start();
    let settings = frame(SETTINGS, 0, 0, &[]);
    let changes = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 9].repeat(50));
    let priority = frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 7]);
    let window = frame(WINDOW, 0, 0, &1_u32.to_be_bytes());
    let rows: [(&str, Vec<u8>); 6] = [
        ("settings", settings),
        ("changes of the window", changes),
        ("pings", frame(PING, 0, 0, &[7; 8])),
        ("priorities", priority),
        ("windows", window),
        ("frames of no known type", frame(0xfa, 0xff, 0, &[1; 100])),
    ];
    for (what, one) in rows {
        let mut socket = open(server.addr, &[]);
        let outcome = flood(&mut socket, |_| one.clone());
        check(&server, &format!("{what}, {outcome:?}"));
    }
    let mut socket = open(server.addr, &[]);
    socket
        .write_all(&frame(HEADERS, END_HEADERS, 1, &head("POST", "/api/ingest", server.addr)))
        .expect("writes");
    let outcome = flood(&mut socket, |_| frame(DATA, 0, 1, &[]));
    check(&server, &format!("empty data, {outcome:?}"));
}

#[test]
fn a_peer_that_takes_no_answers_holds_little() {
    let server = Server::start();
    let get = head("GET", "/", server.addr);
    let mut held = Vec::new();
    for _ in 0..50 {
        // Windows of 0 bytes: answers wait with the server.
        let mut socket = open(server.addr, &[0, 4, 0, 0, 0, 0]);
        let requests: Vec<u8> = (0..100)
            .flat_map(|number| frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, &get))
            .collect();
        socket.write_all(&requests).expect("the server reads");
        assert!(received(&mut socket, HEADERS), "it is answered");
        held.push(socket);
    }
    check(&server, "answers that nobody takes");
}

#[test]
fn rubbish_after_the_preface_ends_the_connection() {
    let server = Server::start();
    for rubbish in [vec![0xff; 64 << 10], vec![0; 64 << 10], b"GET / HTTP/1.1\r\n\r\n".repeat(1000)] {
        let mut socket = open(server.addr, &[]);
        drop(socket.write_all(&rubbish));
        assert!(!received(&mut socket, HEADERS), "no answer");
        check(&server, "rubbish");
    }
    let mut socket = open(server.addr, &[]);
    let text = [&head("GET", "/healthz", server.addr)[..], &[0xff; 40]].concat();
    socket.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &text)).expect("writes");
    assert!(received(&mut socket, GO_AWAY), "a broken table ends the connection");
    check(&server, "a broken block of headers");
}
