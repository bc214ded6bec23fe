//! What the recorder promises beside speed: how long the end of a span can take, and how much memory spans hold
//! while the server is away.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use aitrace::{Batch, Exported, Exporter, SpanOptions, Tracer};

const THREADS: usize = 8;
const SPANS_OF_A_THREAD: usize = 50_000;
const MILLION: u64 = 1_000_000;

/// A server that takes everything, or is away.
#[derive(Debug)]
struct Server {
    away: bool,
}

impl Exporter for Server {
    fn export(&self, batch: &Batch) -> Exported {
        black_box(batch);
        if self.away {
            return Exported::Retry { after: None, reason: "away".into() };
        }
        Exported::Sent { rejected: 0 }
    }

    fn wants_open_spans(&self) -> bool {
        true
    }
}

/// Nanoseconds of each `end()` of one thread.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn ends(tracer: &Tracer) -> Vec<u64> {
    let mut nanos = Vec::with_capacity(SPANS_OF_A_THREAD);
    for _ in 0..SPANS_OF_A_THREAD {
        let span = tracer.start_span("span");
        span.set_attribute("one", 1);
        let begun = Instant::now();
        span.end();
        nanos.push(begun.elapsed().as_nanos() as u64);
    }
    nanos
}

/// p50, p99, p99.9 and the longest of all threads' ends, in microseconds.
fn latency() -> [f64; 4] {
    let tracer = Tracer::builder().exporter(Server { away: false }).tick(Duration::from_millis(50)).build();
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        let work = || ends(&tracer);
        let threads: Vec<_> = (0..THREADS)
            .map(|_| std::thread::Builder::new().spawn_scoped(scope, work).expect("a thread"))
            .collect();
        for thread in threads {
            all.extend(thread.join().expect("no panic"));
        }
    });
    all.sort_unstable();
    let at = |part: f64| all[((all.len() - 1) as f64 * part) as usize] as f64 / 1e3;
    [at(0.5), at(0.99), at(0.999), at(1.0)]
}

/// Growth of resident memory in MiB over a million spans that nobody takes, and what became of them.
fn memory() -> (f64, u64, u64) {
    let tracer = Tracer::builder().exporter(Server { away: true }).build();
    tracer.start(SpanOptions::new("warm")).end();
    let before = resident();
    for number in 1..MILLION {
        let span = tracer.start_span("span");
        span.set_attribute("number", number);
        span.set_attribute("word", "some text of a usual length");
    }
    let grown = resident().saturating_sub(before) as f64 / 1024.0;
    let stats = tracer.stats();
    (grown, stats.remaining, stats.dropped.values().sum())
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn main() {
    let (grown, kept, dropped) = memory();
    let [half, p99, p999, longest] = latency();
    let mut text = String::from("| limit | measured | goal |\n|---|---|---|\n");
    let rows = [
        format!("| `end()` p50, {THREADS} threads | {half:.2} µs | |"),
        format!("| `end()` p99 | {p99:.2} µs | 50 µs |"),
        format!("| `end()` p99.9 | {p999:.2} µs | |"),
        format!("| `end()` longest | {longest:.0} µs | |"),
        format!("| memory of {MILLION} spans, server away | {grown:.0} MiB | 100 MiB |"),
        format!("| of these kept and dropped | {kept} + {dropped} = {} | {MILLION} |", kept + dropped),
    ];
    for row in rows {
        writeln!(text, "{row}").expect("a String takes everything");
    }
    std::io::stdout().lock().write_all(text.as_bytes()).expect("stdout takes the table");
    assert_eq!(kept + dropped, MILLION, "every span is counted once");
}
