//! Memory under a flood: a server in a process of its own, over a store that keeps nothing, so that what is measured is
//! what receiving, decoding and normalising take.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::faults::discarding;
use crate::http::{Call, connect, read};
use crate::pb::{self, Message};
use crate::samples::{NDJSON, PROTOBUF, gzip, log, zstd};

/// The budget of 128 MiB, what the allocator keeps, and the process itself.
pub(crate) const MOST: u64 = 256 << 20;

/// The server of the tests below. It ends with its stdin.
#[test]
#[ignore = "runs within another test"]
#[expect(clippy::print_stdout, reason = "tells its address")]
fn server() {
    let rig = discarding();
    println!("\naddress {}", rig.addr);
    std::io::stdin().read_line(&mut String::new()).expect("waits");
}

pub(crate) struct Server {
    child: Child,
    /// Held open: the child may still say something.
    _stdout: Lines<BufReader<ChildStdout>>,
    pub(crate) addr: SocketAddr,
}

impl Server {
    pub(crate) fn start() -> Self {
        let own = std::env::current_exe().expect("a test has a file");
        let mut child = Command::new(own)
            .args(["--exact", "flood::server", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut told = lines.by_ref().map_while(Result::ok);
        let addr = told.find_map(|line| line.strip_prefix("address ")?.parse().ok()).expect("an address");
        Self { child, _stdout: lines, addr }
    }

    /// The most memory that was ever resident, in bytes; `None` where the system does not say.
    pub(crate) fn peak(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().expect("KiB") << 10)
    }

    /// Sends the same from eight sides at once, so many times each; every answer is one that a sender can use.
    #[expect(clippy::print_stderr, reason = "tells the figure")]
    fn flood(&self, what: &str, times: usize, call: &Call) {
        let bytes = call.bytes();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..times {
                        let mut socket = connect(self.addr);
                        drop(socket.write_all(&bytes));
                        let status = read(&mut socket).map(|answer| answer.status);
                        let expected = matches!(status, None | Some(200 | 400 | 413 | 429 | 503));
                        assert!(expected, "{what}: {status:?}");
                    }
                });
            }
        });
        let peak = self.peak();
        eprintln!("{what}: at most {} MiB resident so far", peak.unwrap_or(0) >> 20);
        assert!(peak.is_none_or(|peak| peak < MOST), "{what}: {peak:?} bytes");
    }

    pub(crate) fn call(&self, path: &str, media: &str, body: Vec<u8>) -> Call {
        Call::new(self.addr, "POST", path).body(media, body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn span(index: u64) -> Message {
    pb::span(&[1; 16], &index.to_be_bytes(), "", 1, 2)
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let server = Server::start();
    let tiny: Vec<Message> = (1..=60_000).map(span).collect();
    let tiny = pb::request(&tiny);
    server.flood("tiny spans", 1, &server.call("/v1/traces", PROTOBUF, tiny.clone()));
    let packed = server.call("/v1/traces", PROTOBUF, gzip(&tiny)).header("content-encoding", "gzip");
    server.flood("tiny spans, packed", 1, &packed);
    let attributed = |attributes: usize| (0..attributes).fold(span(1), |span, _| span.bytes(9, b""));
    let many = pb::request(&vec![attributed(100_000); 4]);
    server.flood("100 000 attributes", 1, &server.call("/v1/traces", PROTOBUF, many));
    let large = pb::request(&[span(1).message(9, &pb::text("k", &"x".repeat(63 << 20)))]);
    server.flood("a span of 63 MiB", 1, &server.call("/v1/traces", PROTOBUF, large));
    let large = pb::request(&[span(1).message(9, &pb::text("input.value", &"x".repeat(15 << 20)))]);
    server.flood("a span of 15 MiB", 1, &server.call("/v1/traces", PROTOBUF, large));
    for (packed, name) in [(gzip(&vec![b' '; 100 << 20]), "gzip"), (zstd(&vec![b' '; 100 << 20]), "zstd")] {
        for (path, media) in [("/v1/traces", PROTOBUF), ("/api/ingest", NDJSON)] {
            let bomb = server.call(path, media, packed.clone()).header("content-encoding", name);
            server.flood("a bomb", 1, &bomb);
        }
    }
    let members = format!("{{{}\"a\":1}}", "\"\":1,".repeat(2 << 20));
    server.flood("a record of members", 1, &server.call("/api/ingest", NDJSON, members.into_bytes()));
    let records = format!("{}\n", log("e")).repeat(20_000).into_bytes();
    server.flood("records", 1, &server.call("/api/ingest", NDJSON, records));
    let mut slow = Vec::new();
    let upload = server.call("/v1/traces", PROTOBUF, tiny).bytes();
    for _ in 0..200 {
        let mut socket = connect(server.addr);
        drop(socket.write_all(&upload[..200 << 10]));
        slow.push(socket);
    }
    server.flood("beside slow uploads", 3, &server.call("/api/ingest", NDJSON, log("e").into_bytes()));
    drop(slow);
    assert_eq!(Call::new(server.addr, "GET", "/healthz").send().status, 200);
}
