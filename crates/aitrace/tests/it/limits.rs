//! The limits that a traced program can rely on: memory while the server is away, time of an end.

#![expect(clippy::disallowed_methods, reason = "how long a call takes is what is tested")]

use std::time::{Duration, Instant};

use aitrace::{Batch, Exported, Exporter, SpanOptions, Tracer};

/// A server that is away.
#[derive(Debug)]
struct Away;

impl Exporter for Away {
    fn export(&self, _batch: &Batch) -> Exported {
        Exported::Retry { after: None, reason: "away".into() }
    }

    fn wants_open_spans(&self) -> bool {
        true
    }
}

/// Takes everything.
#[derive(Debug)]
struct There;

impl Exporter for There {
    fn export(&self, _batch: &Batch) -> Exported {
        Exported::Sent { rejected: 0 }
    }

    fn wants_open_spans(&self) -> bool {
        true
    }
}

/// Resident memory in KiB; 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

/// In a process of its own, whose memory nothing else uses.
#[test]
fn a_million_spans_with_the_server_away_stay_bounded_and_are_counted() {
    let program = std::env::current_exe().expect("this program");
    let arguments = ["--exact", "limits::a_million_spans", "--ignored"];
    let ended = std::process::Command::new(program).args(arguments).output().expect("it runs");
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && told.contains("1 passed"), "{told}");
}

#[test]
#[ignore = "run by the test above"]
fn a_million_spans() {
    const MILLION: u64 = 1_000_000;
    let tracer = Tracer::builder().exporter(Away).build();
    tracer.start(SpanOptions::new("first")).end();
    let before = resident();
    for number in 1..MILLION {
        tracer.start_span("s").set_attribute("number", number);
    }
    let grown = resident().saturating_sub(before) / 1024;
    let stats = tracer.stats();
    assert_eq!(stats.sent, 0);
    assert_eq!(stats.remaining + stats.dropped["queue_full"], MILLION, "{stats:?}");
    assert!(grown < 100, "{grown} MiB");
}

#[test]
fn each_span_is_in_one_count_whenever_somebody_looks() {
    const SPANS: u64 = 20_000;
    // Batches of one: what can be seen half done happens as often as can be.
    let builder = Tracer::builder().exporter(There).batch_items(1);
    let tracer = builder.tick(Duration::from_hours(1)).build();
    for _ in 0..SPANS {
        tracer.start_span("s").end();
    }
    let asked = std::thread::scope(|scope| {
        let flush = || tracer.flush(Duration::from_secs(20));
        let flushed = std::thread::Builder::new().name("flush".into()).spawn_scoped(scope, flush);
        loop {
            let stats = tracer.stats();
            assert_eq!(stats.sent + stats.remaining, SPANS, "{stats:?}");
            if stats.sent == SPANS {
                break flushed.expect("a thread").join();
            }
        }
    });
    assert!(asked.expect("no panic").ok);
}

#[test]
fn an_end_waits_for_nobody() {
    let tracer = Tracer::builder().exporter(There).tick(Duration::from_millis(5)).build();
    let mut micros = Vec::new();
    std::thread::scope(|scope| {
        let work = || {
            let ends = (0..4000).map(|_| {
                let span = tracer.start_span("s");
                let begun = Instant::now();
                span.end();
                begun.elapsed().as_micros()
            });
            ends.collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..8)
            .map(|_| {
                std::thread::Builder::new().name("ends".into()).spawn_scoped(scope, work).expect("a thread")
            })
            .collect();
        for thread in threads {
            micros.extend(thread.join().expect("no panic"));
        }
    });
    micros.sort_unstable();
    // The goal is 50; a loaded machine takes processors away in the middle.
    let p99 = micros[micros.len() * 99 / 100];
    assert!(p99 < 1000, "{p99} µs");
    assert!(tracer.flush(Duration::from_secs(20)).ok);
}
