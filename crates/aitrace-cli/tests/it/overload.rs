//! Ten times more than the server can take: forty clients that send streams of 3 MiB as fast as they can and take no
//! notice of being refused. Its memory stays bounded, everybody is answered, what was acknowledged is there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Home, Server};

/// What the server may take at the most, whatever is sent.
pub(crate) const MOST: u64 = 512 << 20;
const CLIENTS: u64 = 40;
/// Records of a stream; one takes some 1.6 KB of words.
const RECORDS: u64 = 2000;
/// Longest time for an answer: the machine may be ten times as busy as it should be.
const PATIENCE: Duration = Duration::from_mins(1);

/// Bodies whose ids have a number that is put in for each stream.
struct Template {
    bytes: Vec<u8>,
    marks: Vec<usize>,
}

impl Template {
    /// Records of spans that are each a trace of their own.
    fn new(seed: u64) -> Self {
        let mut state = seed;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut words = Vec::new();
        for _ in 0..4096 {
            let length = 2 + next(8);
            words.push((0..length).map(|_| char::from(b'a' + next(26) as u8)).collect::<String>());
        }
        let (mut text, mut marks) = (String::new(), Vec::new());
        for record in 1..=RECORDS {
            let meta = r#"{"__tracer_meta__":{"timestamp":"2026-01-31T12:00:00.000001Z","event":"x.end","version":"2.1","#;
            text.push_str(meta);
            text.push_str(r#""lifecycle":"end","duration_ns":5,"trace_id":""#);
            marks.push(text.len());
            write!(text, r#"{:016x}{record:016x}","span_id":"{record:016x}","id":""#, 0)
                .expect("a String takes everything");
            marks.push(text.len());
            write!(text, r#"{:016x}{record:x}"}},"attributes":{{"outputs":""#, 0)
                .expect("a String takes everything");
            for _ in 0..250 {
                text.push_str(&words[next(4096) as usize]);
                text.push(' ');
            }
            text.push_str("\"}}\n");
        }
        Self { bytes: text.into_bytes(), marks }
    }

    fn mark(&mut self, number: u64) {
        let mark = format!("{number:016x}");
        for place in &self.marks {
            self.bytes[*place..place + 16].copy_from_slice(mark.as_bytes());
        }
    }
}

/// How the clients fared.
#[derive(Debug, Default)]
struct Fared {
    /// Numbers of the streams that were acknowledged.
    acknowledged: Vec<u64>,
    refused: u64,
}

/// Sends one stream to its end and reads the answer: its status and body.
pub(crate) fn send(address: &str, body: &[u8]) -> std::io::Result<(u16, String)> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let head = format!(
        "POST /api/ingest HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-ndjson\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes())?;
    socket.write_all(body)?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("no answer: {answer:?}")))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

fn client(address: &str, number: u64, next: &AtomicU64, over: &AtomicBool) -> Fared {
    let (mut fared, mut template) = (Fared::default(), Template::new(number % 4));
    while !over.load(Ordering::Relaxed) {
        let stream = next.fetch_add(1, Ordering::Relaxed);
        template.mark(stream);
        match send(address, &template.bytes) {
            Ok((200, answer)) => {
                let answer: Value = serde_json::from_str(&answer).expect("JSON");
                assert_eq!(answer["ingested"], RECORDS, "{answer}");
                fared.acknowledged.push(stream);
            }
            Ok((429 | 503, _)) => fared.refused += 1,
            Ok((status, answer)) => panic!("{status}: {answer}"),
            Err(error) => panic!("a client got no answer: {error}"),
        }
    }
    fared
}

#[expect(clippy::disallowed_methods, reason = "the time that clients wait is real")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The most memory that the server ever had, in bytes; 0 where the system does not say.
pub(crate) fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// Records that are stored, by the number of their stream.
fn stored(url: &str) -> BTreeMap<u64, u64> {
    let sql = "SELECT substr(trace_id, 1, 16), count(*) FROM spans GROUP BY 1";
    let body = json!({"sql": sql}).to_string();
    let request = ureq::post(format!("{url}/api/sql")).header("content-type", "application/json");
    let answer =
        request.send(body).expect("counts").body_mut().with_config().limit(64 << 20).read_to_string();
    let answer: Value = serde_json::from_str(&answer.expect("a body")).expect("JSON");
    assert_ne!(answer["truncated"], true, "more streams than an answer has rows");
    let rows = answer["rows"].as_array().expect("rows").iter();
    rows.map(|row| {
        let stream = u64::from_str_radix(row[0].as_str().expect("a text"), 16).expect("a number");
        let count = row[1].as_u64().or_else(|| row[1].as_str()?.parse().ok()).expect("a count");
        (stream, count)
    })
    .collect()
}

#[expect(clippy::print_stderr, reason = "tells the figures")]
fn overload(lasts: Duration) {
    let home = Home::new();
    let server = home.serve();
    let address = server.url.strip_prefix("http://").expect("an address");
    let (next, over) = (AtomicU64::new(1), AtomicBool::new(false));
    let (fared, slowest) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (next, over) = (&next, &over);
                scope.spawn(move || client(address, number, next, over))
            })
            .collect();
        let (begin, mut slowest) = (now(), Duration::ZERO);
        while begin.elapsed() < lasts && clients.iter().all(|client| !client.is_finished()) {
            let asked = now();
            assert_eq!(ureq::get(format!("{}/healthz", server.url)).call().expect("answers").status(), 200);
            slowest = slowest.max(asked.elapsed());
            thread::sleep(Duration::from_millis(50));
        }
        over.store(true, Ordering::Relaxed);
        let fared: Vec<Fared> =
            clients.into_iter().map(|client| client.join().expect("fares well")).collect();
        (fared, slowest)
    });
    let refused: u64 = fared.iter().map(|one| one.refused).sum();
    let acknowledged: Vec<u64> = fared.into_iter().flat_map(|one| one.acknowledged).collect();
    let most = peak(&server);
    eprintln!(
        "{lasts:?}: {} streams acknowledged, {refused} refused, /healthz after {slowest:?} at the latest, {} MiB at \
         the most",
        acknowledged.len(),
        most >> 20
    );
    assert!(!acknowledged.is_empty(), "some of it is taken");
    let check = |url: &str| {
        let stored = stored(url);
        for stream in &acknowledged {
            assert_eq!(stored.get(stream), Some(&RECORDS), "stream {stream} was acknowledged");
        }
        assert!(stored.values().all(|count| *count <= RECORDS), "each record once");
    };
    check(&server.url);
    assert_eq!(server.terminate().0, 0, "an orderly end");
    check(&home.serve().url);
    assert!(most <= MOST, "{} MiB", most >> 20);
}

#[test]
fn a_flood_is_refused_and_nothing_acknowledged_is_lost() {
    overload(Duration::from_secs(3));
}

/// The long form: `cargo xtask soak`.
#[test]
#[ignore = "takes minutes: `cargo xtask soak`"]
fn soak() {
    overload(Duration::from_mins(1));
}
