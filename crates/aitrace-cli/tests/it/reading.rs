//! Reading all that there is at once, from many sides, while data comes: statements over contents, statistics, large traces
//! whole and as trees, exports. The memory of the real binary stays bounded, data is taken all the time, everybody is answered.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::overload::{MOST, now, peak, send};
use crate::support::{Home, Server};

/// Spans of the large trace, and bytes of the contents of each.
const SPANS: u64 = 6000;
const LENGTH: usize = 12_000;
/// Spans of a stream.
const STREAM: u64 = 200;
/// Longest time without an acknowledgement, on a machine that may be ten times as busy as it should be.
const SILENCE: Duration = Duration::from_mins(1);

fn id(trace: u64) -> String {
    format!("{:032x}", trace + 1)
}

/// Trace records of ended spans of a trace, with text that does not repeat itself.
fn records(trace: u64, ids: std::ops::Range<u64>, length: usize) -> String {
    let mut text = String::new();
    for own in ids {
        let mut state = trace.wrapping_mul(1_000_003) + own + 1;
        write!(
            text,
            r#"{{"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:00.{own:06}Z","event":"x.end","version":"2.1","lifecycle":"end","duration_ns":5,"trace_id":"{}","span_id":"{:016x}","id":"{trace}-{own}"}},"attributes":{{"outputs":""#,
            id(trace),
            own + 1
        )
        .expect("a String takes everything");
        for _ in 0..length / 12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            write!(text, "{:011x} ", state >> 20).expect("a String takes everything");
        }
        text.push_str("\"}}\n");
    }
    text
}

/// Sends until it is taken.
fn put(address: &str, body: &str) {
    let begin = now();
    loop {
        match send(address, body.as_bytes()).expect("an answer") {
            (200, _) => return,
            (429 | 503, _) if begin.elapsed() < SILENCE => thread::sleep(Duration::from_millis(100)),
            (status, answer) => panic!("{status}: {answer}"),
        }
    }
}

/// Ends the others when this one ends, also by a failure.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What readers ask for; each again and again.
enum Asks {
    Get(String),
    Sql(&'static str),
}

fn asks() -> Vec<Asks> {
    let sql = [
        "SELECT max(length(outputs)), count(*) FROM spans WHERE outputs LIKE '%0f0f%'",
        "SELECT span_id, outputs FROM spans ORDER BY outputs LIMIT 1000",
        "SELECT outputs, count(*) AS n FROM spans GROUP BY outputs ORDER BY n LIMIT 10",
        "SELECT * FROM spans",
        "SELECT a.outputs FROM spans a JOIN spans b ON a.outputs = b.outputs LIMIT 10000",
        "SELECT name, count(*) FROM spans GROUP BY name",
    ];
    let get = [
        format!("/api/trace/{}", id(0)),
        format!("/api/trace/{}", id(1)),
        format!("/api/trace/{}/skeleton", id(0)),
        format!("/api/span/{}/{:016x}", id(0), 7),
        "/api/export?format=jsonl".to_owned(),
        "/api/stats?since=2026-01-31T00:00:00Z&until=2026-02-01T00:00:00Z&by=name".to_owned(),
        "/api/stats?since=2026-01-31T00:00:00Z&until=2026-02-01T00:00:00Z&by=session&q=outputs:0f0f"
            .to_owned(),
        "/api/traces?q=outputs:0f0f".to_owned(),
        "/api/search?q=0f0f0".to_owned(),
    ];
    sql.into_iter().map(Asks::Sql).chain(get.into_iter().map(Asks::Get)).collect()
}

/// Asks once; the status and how many bytes came, read as they come.
fn ask(server: &Server, asks: &Asks) -> (u16, u64) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_mins(5)))
        .build()
        .into();
    let answer = match asks {
        Asks::Get(path) => agent.get(format!("{}{path}", server.url)).call(),
        Asks::Sql(sql) => {
            let request = agent.post(format!("{}/api/sql", server.url));
            request.header("content-type", "application/json").send(json!({"sql": sql}).to_string())
        }
    };
    let mut answer = answer.expect("an answer");
    let status = answer.status().as_u16();
    let retry = answer.headers().contains_key("retry-after");
    assert!(status == 200 || [429, 503].contains(&status) && retry, "{status}");
    let read = std::io::copy(&mut answer.body_mut().as_reader(), &mut std::io::sink());
    (status, read.expect("it is whole"))
}

#[expect(clippy::print_stderr, reason = "tells the figures")]
fn reading(lasts: Duration) {
    let home = Home::new();
    let server = home.serve();
    let address = server.url.strip_prefix("http://").expect("an address");
    for from in (0..SPANS).step_by(STREAM as usize) {
        put(address, &records(0, from..from + STREAM, LENGTH));
    }
    put(address, &records(1, 0..STREAM, LENGTH));
    let (over, answered, refused) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let asks = asks();
    let (taken, silence) = thread::scope(|scope| {
        let ends = Over(&over);
        let readers: Vec<_> = (0..3 * asks.len())
            .map(|number| {
                let (server, asks, over) = (&server, &asks, &over);
                let (answered, refused) = (&answered, &refused);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let (status, _) = ask(server, &asks[number % asks.len()]);
                        let counted = if status == 200 { answered } else { refused };
                        counted.fetch_add(1, Ordering::Relaxed);
                        if status != 200 {
                            thread::sleep(Duration::from_millis(200));
                        }
                    }
                })
            })
            .collect();
        let (begin, mut silence, mut taken) = (now(), Duration::ZERO, 0);
        while begin.elapsed() < lasts && readers.iter().all(|reader| !reader.is_finished()) {
            let sent = now();
            put(address, &records(taken + 2, 0..STREAM, 1200));
            silence = silence.max(sent.elapsed());
            taken += 1;
        }
        drop(ends);
        for reader in readers {
            reader.join().expect("is answered");
        }
        (taken, silence)
    });
    let most = peak(&server);
    let (answered, refused) = (answered.into_inner(), refused.into_inner());
    eprintln!(
        "{lasts:?}: {answered} reads answered, {refused} refused; {taken} streams taken, each within {silence:?}; {} MiB \
         at the most",
        most >> 20
    );
    assert!(answered > 0 && taken > 0);
    let (status, bytes) = ask(&server, &Asks::Get(format!("/api/trace/{}", id(0))));
    assert_eq!((status, bytes > SPANS * LENGTH as u64), (200, true), "the large trace is read whole");
    assert_eq!(server.terminate().0, 0, "an orderly end");
    assert!(most <= MOST, "{} MiB", most >> 20);
    assert!(silence < SILENCE, "{silence:?}");
}

#[test]
fn whatever_is_read_at_once_memory_is_bounded_and_data_is_taken() {
    reading(Duration::from_secs(5));
}

/// The long form: `cargo xtask soak`.
#[test]
#[ignore = "takes minutes: `cargo xtask soak`"]
fn soak() {
    reading(Duration::from_mins(1));
}
