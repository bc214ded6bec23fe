//! File systems that fail at a step: nothing acknowledged is lost, nothing refused comes back twice.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aitrace_model::{Clock, ManualClock};
use aitrace_store::conformance::{end, time, trace_id};
use aitrace_store::{
    Batch, ErrorKind, PageRequest, ProjectScope, Retention, Target, TelemetryStore, TraceFilter, Upkeep,
};
use aitrace_store_embedded::{EmbeddedStore, HotLimits, Options, Step, Watch};

/// Fails at each `every`-th of the steps named, as long as it is on.
#[derive(Default)]
struct Failing {
    every: AtomicU64,
    seen: AtomicU64,
    failed: AtomicU64,
}

impl Failing {
    fn watch(self: &Arc<Self>, at: &'static [Step]) -> Watch {
        let failing = Arc::clone(self);
        Watch::new(move |step| {
            let every = failing.every.load(Ordering::SeqCst);
            if every > 0
                && at.contains(&step)
                && failing.seen.fetch_add(1, Ordering::SeqCst) % every == every - 1
            {
                failing.failed.fetch_add(1, Ordering::SeqCst);
                return Err(std::io::Error::other("the disk says no"));
            }
            Ok(())
        })
    }
}

fn open(dir: &Path, watch: Watch) -> aitrace_store::Result<EmbeddedStore> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(time(0)));
    let hot = HotLimits { rows: 30, ..HotLimits::default() };
    // What is logged stands in files beside the database.
    EmbeddedStore::open(dir, Options { clock, hot, watch, apart: 0, ..Options::default() })
}

fn batch(trace: u64) -> Batch {
    Batch { spans: vec![end("p", trace, 0), end("p", trace, 1)], logs: Vec::new() }
}

async fn traces(store: &EmbeddedStore) -> Vec<u64> {
    let page = PageRequest { limit: 1000, cursor: None };
    let lines = store.list_traces(&TraceFilter::default(), &page).await.expect("lists").traces;
    let number = |id: aitrace_model::TraceId| (u128::from_be_bytes(id.to_bytes()) >> 64) as u64;
    let mut numbers: Vec<u64> = lines.iter().map(|line| number(line.trace_id)).collect();
    numbers.sort_unstable();
    for line in lines {
        let trace = store.trace(&ProjectScope::All, line.trace_id).await.expect("reads").expect("is listed");
        assert_eq!((trace.spans.len(), line.spans), (2, 2));
    }
    numbers
}

/// Syncs, renames and commits that fail now and then: what was refused can be sent again, what was acknowledged
/// stays, also after the next start.
#[tokio::test]
async fn failing_syncs_and_commits_lose_nothing() {
    for (at, every) in [
        (&[Step::Commit][..], 3),
        (&[Step::Sync, Step::SyncFolder], 2),
        (&[Step::Rename, Step::Published], 2),
        (&[Step::Commit, Step::Sync, Step::Rename, Step::SyncFolder, Step::Published], 4),
    ] {
        let (dir, failing) = (crate::place(), Arc::new(Failing::default()));
        let store = open(dir.path(), failing.watch(at)).expect("opens");
        failing.every.store(every, Ordering::SeqCst);
        let (mut known, mut refused) = (Vec::new(), 0);
        for trace in 0..60 {
            match store.append(batch(trace)).await {
                Ok(_) => known.push(trace),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    refused += 1;
                }
            }
            if trace % 8 == 7 {
                // Fails or not: what is stored stays readable.
                drop(store.seal().await);
                drop(store.compact().await);
                drop(store.retain(Retention { max_age: None, max_size: Some(u64::MAX) }).await);
                let target = Target::Trace { project: "p".into(), trace_id: trace_id(trace - 1) };
                if store.delete(target).await.is_ok() {
                    known.retain(|known| *known != trace - 1);
                }
                assert_eq!(traces(&store).await, known, "{at:?} after trace {trace}");
            }
        }
        assert!(failing.failed.load(Ordering::SeqCst) > 3, "{at:?}: nothing failed");
        assert!(at != [Step::Commit] || refused > 5, "only {refused} were refused");
        failing.every.store(0, Ordering::SeqCst);
        store.append(batch(70)).await.expect("works again without a restart");
        known.push(70);
        assert!(store.health().await.expect("reads").is_good());
        assert_eq!(traces(&store).await, known, "{at:?}");
        drop(store);
        let store = open(dir.path(), Watch::default()).expect("opens");
        assert_eq!(traces(&store).await, known, "{at:?} after a restart");
        for trace in 0..60 {
            // What was refused is sent again; what was not is known.
            store.append(batch(trace)).await.expect("appends");
        }
        store.seal().await.expect("seals");
        known.extend((0..60).filter(|trace| !known.contains(trace)).collect::<Vec<_>>());
        known.sort_unstable();
        assert_eq!(traces(&store).await, known);
        assert_eq!(store.stats().await.expect("figures").spans, 2 * known.len() as u64);
    }
}

/// A start that fails at any step leaves all as it was for the next one.
#[tokio::test]
async fn a_start_that_fails_can_be_made_again() {
    for at in [&[Step::Open][..], &[Step::Migrate], &[Step::Replay], &[Step::Commit]] {
        for every in 1..4 {
            let dir = crate::place();
            let store = open(dir.path(), Watch::default()).expect("opens");
            for trace in 0..20 {
                store.append(batch(trace)).await.expect("appends");
            }
            drop(store);
            let failing = Arc::new(Failing::default());
            failing.every.store(every, Ordering::SeqCst);
            let failed = open(dir.path(), failing.watch(at));
            assert!(failed.is_err() || failing.failed.load(Ordering::SeqCst) == 0, "{at:?}");
            drop(failed);
            let store = open(dir.path(), Watch::default()).expect("opens");
            assert_eq!(traces(&store).await, (0..20).collect::<Vec<_>>(), "{at:?}");
        }
    }
}

/// Clocks that jump, forth and back by days: nothing is lost, lists stay in order, retention takes only what is
/// old by the clock of its day.
#[tokio::test]
async fn clocks_may_jump() {
    let (dir, clock) = (crate::place(), Arc::new(ManualClock::new(time(0))));
    let options = || Options { clock: Arc::clone(&clock) as _, ..Options::default() };
    let mut store = EmbeddedStore::open(dir.path(), options()).expect("opens");
    for (trace, seconds) in
        [0, 86_400 * 40, -86_400 * 400, 5, i64::MIN / 4_000_000_000, 86_400 * 7].into_iter().enumerate()
    {
        clock.set(time(seconds));
        let mut batch = batch(trace as u64);
        batch.spans.iter_mut().for_each(|span| span.received = time(seconds));
        store.append(batch).await.expect("appends");
        store.seal().await.expect("seals");
        assert_eq!(traces(&store).await, (0..=trace as u64).collect::<Vec<_>>(), "at {seconds}");
        if trace % 2 == 0 {
            drop(store);
            store = EmbeddedStore::open(dir.path(), options()).expect("opens");
        }
    }
    clock.set(time(86_400 * 7));
    store.compact().await.expect("merges");
    assert_eq!(traces(&store).await, [0, 1, 2, 3, 4, 5]);
    let month = std::time::Duration::from_hours(720);
    store.retain(Retention { max_age: Some(month), max_size: None }).await.expect("retires");
    assert_eq!(traces(&store).await, [0, 1, 3, 5], "what was received more than a month ago leaves");
}
