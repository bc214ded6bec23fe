//! `GET /api/live`.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::http::{Call, connect};
use crate::rig::Rig;
use crate::samples::{log, span, trace_id};

/// A reader of the stream, as a browser's EventSource reads.
pub(crate) struct Events {
    lines: BufReader<TcpStream>,
    /// The last id that was told.
    pub(crate) id: String,
}

impl Events {
    pub(crate) fn open(rig: &Rig, query: &str) -> Self {
        Self::send(&rig.call("GET", &format!("/api/live{query}")), rig)
    }

    /// The same, of one that heard something before.
    pub(crate) fn again(rig: &Rig, query: &str, id: &str) -> Self {
        Self::send(&rig.call("GET", &format!("/api/live{query}")).header("last-event-id", id), rig)
    }

    pub(crate) fn send(call: &Call, rig: &Rig) -> Self {
        use std::io::Write as _;

        let mut socket = connect(rig.addr);
        socket.write_all(&call.bytes()).expect("sends");
        let mut events = Self { lines: BufReader::new(socket), id: String::new() };
        assert!(events.line().contains("200"));
        while events.line() != ": listening" {}
        events
    }

    /// The next line; empty at the end of the stream as well. Chunk sizes are lines of their own, and skipped by
    /// whoever looks for `event:` or `data:`.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the stream goes on");
        let line = line.trim_end();
        if let Some(id) = line.strip_prefix("id: ") {
            id.clone_into(&mut self.id);
        }
        line.to_owned()
    }

    /// Reads on until an id is told.
    pub(crate) fn wait_for_id(&mut self, id: &str) {
        while self.id != id {
            self.line();
        }
    }

    fn at_end(&mut self) -> bool {
        let mut line = String::new();
        while self.lines.read_line(&mut line).expect("an orderly end") > 0 {}
        line.ends_with("0\r\n\r\n")
    }

    pub(crate) fn next(&mut self) -> (String, Value) {
        loop {
            if let Some(event) = self.line().strip_prefix("event: ") {
                assert!(self.line().starts_with("id: "), "each event has an id");
                let data = self.line();
                let data = data.strip_prefix("data: ").expect("data follows");
                return (event.to_owned(), serde_json::from_str(data).expect("JSON"));
            }
        }
    }
}

#[test]
fn a_span_is_seen_to_begin_and_to_end() {
    let rig = Rig::start();
    let mut events = Events::open(&rig, "");
    rig.post_json("/api/ingest", &span("start", 1, 1, 0, "{}"));
    let (name, data) = events.next();
    assert_eq!((name.as_str(), &data["status"]), ("span.started", &"running".into()));
    let (name, data) = events.next();
    assert_eq!((name.as_str(), &data["spans"]), ("trace.updated", &1.into()));
    rig.post_json("/api/ingest", &span("end", 1, 1, 0, "{\n\"inputs\": 1}"));
    let (name, data) = events.next();
    assert_eq!((name.as_str(), &data["status"]), ("span.ended", &"ok".into()));
    assert_eq!(data["inputs"], 1);
    assert_eq!(events.next().0, "trace.updated");
    rig.post_json("/api/ingest", &log("hello"));
    assert_eq!(events.next().0, "log");
}

#[test]
fn only_what_was_asked_for_is_told() {
    let rig = Rig::start();
    let mut one = Events::open(&rig, &format!("?trace_id={}", trace_id(2)));
    let mut other = Events::open(&rig, "?project=other");
    rig.post_json("/api/ingest", &span("end", 1, 1, 0, "{}"));
    rig.post_json("/api/ingest", &log("outside"));
    rig.post_json("/api/ingest", &span("end", 2, 2, 0, "{}"));
    let elsewhere = span("end", 3, 3, 0, "{}").replace(r#""level""#, r#""project":"other","level""#);
    rig.post_json("/api/ingest", &elsewhere);
    let (name, data) = one.next();
    assert_eq!((name.as_str(), &data["trace_id"]), ("span.ended", &trace_id(2).into()));
    let (name, data) = other.next();
    assert_eq!((name.as_str(), &data["trace_id"]), ("span.ended", &trace_id(3).into()));
}

#[test]
fn a_filter_decides_what_is_told() {
    let rig = Rig::start();
    let mut failed = Events::open(&rig, "?q=status:error");
    let mut logs = Events::open(&rig, "?q=level:info%20-kind:*");
    rig.post_json("/api/ingest", &span("end", 1, 1, 0, "{}"));
    rig.post_json("/api/ingest", &log("outside"));
    rig.post_json(
        "/api/ingest",
        &span("end", 2, 2, 0, "{}").replace(r#""status":"ok""#, r#""status":"error""#),
    );
    let (name, data) = failed.next();
    assert_eq!((name.as_str(), &data["trace_id"]), ("span.ended", &trace_id(2).into()));
    assert_eq!(failed.next().0, "trace.updated");
    loop {
        let (name, data) = logs.next();
        if name == "log" {
            assert_eq!(data["event"], "outside");
            break;
        }
        assert_eq!(name, "trace.updated", "no span is a log record");
    }
    assert_eq!(rig.get("/api/live?q=colour:red").status, 400);
}

#[test]
fn a_reader_that_fell_behind_is_told_to_read_again() {
    let rig = Rig::start();
    let mut events = Events::open(&rig, "");
    // One append of more changes than the store keeps for a reader: they come faster than any reader.
    let records: Vec<String> = (0..5000).map(|number| log(&format!("e{number}"))).collect();
    rig.post_json("/api/ingest", &format!("[{}]", records.join(",")));
    loop {
        let (name, data) = events.next();
        if name == "reset" {
            assert_eq!(data["reason"], "behind");
            break;
        }
    }
}

#[test]
fn silence_is_filled_with_pings() {
    let rig = Rig::limited(|limits| limits.ping_interval = Duration::from_millis(20));
    let mut events = Events::open(&rig, "");
    while events.line() != ": ping" {}
}

#[test]
fn streams_end_when_the_server_stops() {
    let mut rig = Rig::start();
    let mut events = Events::open(&rig, "");
    rig.stop();
    assert!(events.at_end());
    rig.join();
}

#[test]
fn readers_are_bounded() {
    let rig = Rig::limited(|limits| limits.live_readers = 1);
    let first = Events::open(&rig, "");
    let answer = rig.get("/api/live");
    assert_eq!((answer.status, answer.kind().as_str()), (503, "unavailable"));
    assert!(answer.header("retry-after").is_some());
    drop(first);
}
