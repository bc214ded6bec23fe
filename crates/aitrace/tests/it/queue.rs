//! Memory is bounded, and what is lost is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aitrace::{Batch, Exported, Exporter, SpanOptions, Tracer};

const WAIT: Duration = Duration::from_secs(20);

/// Refuses everything for a passing reason until it is opened, then counts.
#[derive(Debug, Clone, Default)]
struct Gate {
    open: Arc<std::sync::atomic::AtomicBool>,
    exported: Arc<AtomicU64>,
}

impl Exporter for Gate {
    fn export(&self, batch: &Batch) -> Exported {
        if self.open.load(Ordering::SeqCst) {
            self.exported.fetch_add(batch.spans.len() as u64, Ordering::SeqCst);
            return Exported::Sent { rejected: 0 };
        }
        Exported::Retry { after: None, reason: "shut".into() }
    }
}

fn fill(tracer: &Tracer, count: usize) {
    for _ in 0..count {
        tracer.start(SpanOptions::new("s")).end();
    }
}

#[test]
fn what_is_beyond_the_bound_is_dropped_newest_first_and_counted_exactly() {
    let gate = Gate::default();
    let tracer = Tracer::builder().exporter(gate.clone()).queue_items(10).build();
    fill(&tracer, 25);
    let result = tracer.flush(Duration::from_millis(50));
    assert!(!result.ok);
    assert_eq!((result.sent, result.remaining, result.dropped["queue_full"]), (0, 10, 15));
    gate.open.store(true, Ordering::SeqCst);
    let result = tracer.flush(WAIT);
    assert!(result.ok, "{result:?}");
    assert_eq!((result.sent, result.remaining), (10, 0));
    // There is room again.
    fill(&tracer, 5);
    assert_eq!(tracer.flush(WAIT).sent, 5);
    assert_eq!(gate.exported.load(Ordering::SeqCst), 15);
    let stats = tracer.stats();
    assert_eq!((stats.sent, stats.remaining, stats.dropped["queue_full"]), (15, 0, 15));
}

#[test]
fn bytes_are_bounded_too() {
    let gate = Gate::default();
    let tracer = Tracer::builder().exporter(gate.clone()).queue_bytes(1 << 20).build();
    for _ in 0..40 {
        tracer.start(SpanOptions::new("big").attribute("text", "x".repeat(100_000))).end();
    }
    let result = tracer.flush(Duration::from_millis(50));
    assert_eq!(result.remaining, 10);
    assert_eq!(result.dropped["queue_full"], 30);
}

#[test]
fn created_is_sent_and_queued_and_dropped_also_from_many_threads() {
    let gate = Gate::default();
    let tracer = Tracer::builder().exporter(gate.clone()).queue_items(3000).build();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let tracer = tracer.clone();
            let work = move || fill(&tracer, 1000);
            std::thread::Builder::new().name("test".into()).spawn(work).expect("a thread")
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    let stats = tracer.stats();
    assert!(stats.remaining <= 3000, "{stats:?}");
    assert_eq!(stats.remaining + stats.dropped["queue_full"], 8000);
    gate.open.store(true, Ordering::SeqCst);
    let result = tracer.flush(WAIT);
    assert_eq!((result.sent, result.remaining), (stats.remaining, 0));
    assert_eq!(gate.exported.load(Ordering::SeqCst), stats.remaining);
}

#[test]
fn many_spans_all_arrive() {
    let gate = Gate::default();
    gate.open.store(true, Ordering::SeqCst);
    let tracer = Tracer::builder().exporter(gate.clone()).build();
    fill(&tracer, 100_000);
    let result = tracer.flush(WAIT);
    assert!(result.ok, "{result:?}");
    assert_eq!((result.sent, gate.exported.load(Ordering::SeqCst)), (100_000, 100_000));
}

#[test]
fn an_exporter_that_panics_or_fails_is_told_of() {
    #[derive(Debug)]
    struct Bad(bool);
    impl Exporter for Bad {
        fn export(&self, _batch: &Batch) -> Exported {
            assert!(!self.0, "on purpose");
            Exported::Failed { reason: "refused".into() }
        }
    }
    for (panics, reason) in [(true, "exporter_panicked"), (false, "refused")] {
        let tracer = Tracer::builder().exporter(Bad(panics)).build();
        fill(&tracer, 3);
        let result = tracer.flush(WAIT);
        assert!(!result.ok);
        assert_eq!((result.sent, result.remaining, result.dropped[reason]), (0, 0, 3));
        assert!(tracer.flush(WAIT).ok, "what was told is not told again");
        fill(&tracer, 1);
        assert!(!tracer.flush(WAIT).ok, "the worker is still there");
    }
}

/// Is traced by the tracer that it exports for, in every way there is.
#[derive(Debug, Clone, Default)]
struct Traced {
    tracer: Arc<std::sync::OnceLock<Tracer>>,
    exported: Arc<AtomicU64>,
}

#[aitrace::trace]
fn sent(count: u64) -> u64 {
    count
}

impl Exporter for Traced {
    fn export(&self, batch: &Batch) -> Exported {
        let tracer = self.tracer.get().expect("set before the first span");
        let _span = tracer.start_span("export");
        tracer.start(SpanOptions::new("inside")).end();
        tracer.log(aitrace::Log::new("said"));
        let other = Tracer::builder().target("memory").build();
        other.start_span("of another").end();
        assert!(other.spans().is_empty());
        self.exported.fetch_add(sent(batch.spans.len() as u64), Ordering::SeqCst);
        Exported::Sent { rejected: 0 }
    }
}

#[test]
fn an_exporter_that_is_traced_by_its_own_tracer_does_not_go_round() {
    let exporter = Traced::default();
    let tracer = Tracer::builder().exporter(exporter.clone()).build();
    exporter.tracer.set(tracer.clone()).expect("the first");
    fill(&tracer, 2);
    for _ in 0..3 {
        assert!(tracer.flush(WAIT).ok);
    }
    assert_eq!((exporter.exported.load(Ordering::SeqCst), tracer.stats().remaining), (2, 0));
    // In the thread of the host all is recorded still.
    fill(&tracer, 1);
    assert_eq!(tracer.flush(WAIT).sent, 1);
}
