//! Retention, deletion down to the bytes, open spans, full disks.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aitrace_model::{Json, ManualClock, Span, TraceStatus};
use aitrace_store::conformance::{contents, end, heartbeat, log, start, tentative, time, trace_id};
use aitrace_store::{
    Batch, DocumentStore, ErrorKind, PageRequest, ProjectScope, QueryStore, Retention, Retired,
    StatisticsQuery, Target, TelemetryStore, TraceFilter, Upkeep,
};
use aitrace_store_embedded::{EmbeddedStore, HotLimits, Options};
use futures_util::FutureExt as _;

const DAY: i64 = 86_400;

fn open(dir: &Path, clock: &Arc<ManualClock>) -> EmbeddedStore {
    EmbeddedStore::open(dir, Options { clock: Arc::clone(clock) as _, ..Options::default() }).expect("opens")
}

/// A trace of hardly compressible spans received on a day.
fn batch(trace: u64, day: i64, spans: u64) -> Batch {
    let mut numbers = trace + 1;
    let spans = (0..spans).map(|id| {
        let mut span = end("p", trace, id);
        (span.start, span.received) = (time(day * DAY), time(day * DAY));
        let mut text = String::new();
        for _ in 0..60 {
            numbers = numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(id + 1);
            text = format!("{text}{:08x}", numbers >> 32);
        }
        (span.inputs, span.session_id) = (Some(Json::string(&text)), Some(format!("s{trace}")));
        span
    });
    Batch { spans: spans.collect(), logs: vec![log("p", Some(trace), &format!("l{trace}"), day * DAY)] }
}

async fn traces(store: &EmbeddedStore) -> Vec<u64> {
    let all = PageRequest { limit: 1000, cursor: None };
    let page = store.list_traces(&TraceFilter::default(), &all).await.expect("lists");
    let mut known: Vec<u64> =
        (0..50).filter(|number| page.traces.iter().any(|line| line.trace_id == trace_id(*number))).collect();
    known.sort_unstable();
    known
}

#[tokio::test]
async fn what_is_too_old_leaves_by_days_and_the_disk_comes_back() {
    let (dir, clock) = (crate::place(), Arc::new(ManualClock::new(time(0))));
    let mut store = open(dir.path(), &clock);
    for day in 0..6 {
        clock.set(time(day * DAY));
        // One seal over two days: each goes into its own file.
        store.append(batch(day as u64, day, 300)).await.expect("appends");
        if day % 2 == 1 {
            store.seal().await.expect("seals");
        }
    }
    // A trace of days 1 and 4: its earlier rows leave alone.
    let mut late = batch(1, 4, 301);
    late.spans.drain(..300);
    late.logs[0].id = "late".into();
    store.append(late).await.expect("appends");
    store.seal().await.expect("seals");
    let before = store.stats().await.expect("figures");
    clock.set(time(6 * DAY));
    let age = Retention { max_age: Some(Duration::from_secs(3 * DAY as u64)), max_size: None };
    let retired = store.retain(age).await.expect("retires");
    assert_eq!((retired.segments, retired.rows), (6, 3 * 301), "spans and log records of three days");
    assert_eq!(store.retain(age).await.expect("again"), Retired::default());
    for step in 0..2 {
        assert_eq!(traces(&store).await, [1, 3, 4, 5], "step {step}");
        let left = store.trace(&ProjectScope::All, trace_id(1)).await.expect("reads").expect("there");
        assert_eq!((left.spans.len(), left.logs.len(), left.summary.spans), (1, 1, 1), "step {step}");
        let after = store.stats().await.expect("figures");
        assert_eq!((after.spans, after.logs), (901, 4), "step {step}");
        assert!(after.disk_bytes + retired.bytes <= before.disk_bytes + 65_536, "{before:?}, {after:?}");
        let counted = StatisticsQuery::new(time(-DAY), time(9 * DAY));
        assert_eq!(store.statistics(&counted).await.expect("counts").rows[0].count, 901);
        assert!(store.session_line(&ProjectScope::All, "s0").await.expect("reads").is_none());
        drop(store);
        store = open(dir.path(), &clock);
    }
    // What has left and is sent again is taken as new.
    assert_eq!(store.append(batch(0, 6, 3)).await.expect("appends").stored, 4);
}

#[tokio::test]
async fn the_size_is_kept_by_letting_the_oldest_go() {
    let (dir, clock) = (crate::place(), Arc::new(ManualClock::new(time(0))));
    let store = open(dir.path(), &clock);
    for day in 0..5 {
        store.append(batch(day as u64, day, 300)).await.expect("appends");
        store.seal().await.expect("seals");
    }
    let before = store.stats().await.expect("figures").disk_bytes;
    let max_size = before * 6 / 10;
    store.retain(Retention { max_age: None, max_size: Some(max_size) }).await.expect("retires");
    let after = store.stats().await.expect("figures").disk_bytes;
    assert!(after <= max_size && after > max_size / 2, "{before} to {after}, allowed {max_size}");
    let left = traces(&store).await;
    assert!(left.ends_with(&[4]) && !left.contains(&0), "{left:?}");
}

#[tokio::test]
async fn deleted_bytes_are_nowhere_in_the_directory() {
    let (dir, clock) = (crate::place(), Arc::new(ManualClock::new(time(0))));
    let store = open(dir.path(), &clock);
    let holds = |text: &str| {
        let files =
            ["", "segments", "log"].into_iter().flat_map(|part| std::fs::read_dir(dir.path().join(part)));
        let files = files.flatten().map(|entry| entry.expect("reads").path()).filter(|path| path.is_file());
        let has = |path: &Path| {
            let bytes = std::fs::read(path).expect("reads");
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        };
        files.filter(|path| has(path)).count()
    };
    for (number, sealed) in [(1, true), (2, false)] {
        let mut span = end("p", number, 0);
        // In the catalog as a name, in the file as a name; too short to be compressed.
        span.name = format!("canary-{number}");
        let keep = end("q", number, 0);
        store.append(Batch { spans: vec![span, keep], logs: Vec::new() }).await.expect("appends");
        if sealed {
            store.seal().await.expect("seals");
        }
    }
    assert!(holds("canary-1") >= 2, "in a file and in the catalog");
    store.delete(Target::Project("p".into())).await.expect("deletes");
    store.seal().await.expect("seals");
    store.compact().await.expect("compacts");
    assert_eq!((holds("canary-1"), holds("canary-2")), (0, 0));
    assert_eq!(store.projects(&ProjectScope::All).await.expect("lists"), ["q"]);
}

#[tokio::test]
async fn open_spans_leave_memory_and_still_end() {
    let (dir, clock) = (crate::place(), Arc::new(ManualClock::new(time(0))));
    let hot = HotLimits { open: 10, ..HotLimits::default() };
    let options = || Options { clock: Arc::clone(&clock) as _, hot, ..Options::default() };
    let mut store = EmbeddedStore::open(dir.path(), options()).expect("opens");
    for number in 0..40 {
        let spans = vec![start("p", number, 0), heartbeat("q", number, 0, 30)];
        store.append(Batch { spans, logs: Vec::new() }).await.expect("appends");
    }
    store.seal().await.expect("seals");
    assert!(store.stats().await.expect("figures").segments > 0, "some left memory");
    let status = async |store: &EmbeddedStore, wanted| {
        let filter = TraceFilter { status: Some(wanted), ..TraceFilter::default() };
        let all = PageRequest { limit: 1000, cursor: None };
        store.list_traces(&filter, &all).await.expect("lists").traces.len()
    };
    for step in 0..2 {
        for (now, running, lost) in [(40, 80, 0), (95, 40, 40), (2000, 0, 80)] {
            clock.set(time(now));
            let seen = (status(&store, TraceStatus::Running).await, status(&store, TraceStatus::Lost).await);
            assert_eq!(seen, (running, lost), "step {step} at {now} s");
        }
        assert_eq!(store.stats().await.expect("figures").open_spans, 80);
        drop(store);
        store = EmbeddedStore::open(dir.path(), options()).expect("opens");
    }
    let ends = (0..40).map(|number| end("p", number, 0)).collect();
    store.append(Batch { spans: ends, logs: Vec::new() }).await.expect("appends");
    assert_eq!(status(&store, TraceStatus::Ok).await, 40);
    store.seal().await.expect("seals");
    let stats = store.stats().await.expect("figures");
    assert_eq!((stats.spans, stats.open_spans), (40, 40));
    let ended =
        store.trace(&ProjectScope::One("p".into()), trace_id(3)).await.expect("reads").expect("there");
    assert_eq!((ended.spans.len(), ended.spans[0].span.inputs.is_some()), (1, true));
}

/// A small file system of its own; `None` where this user may not mount one.
struct Small(std::path::PathBuf, tempfile::TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let dir = crate::place();
        let path = dir.path().join("small");
        std::fs::create_dir(&path).expect("creates");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
            .arg(&path)
            .stderr(std::process::Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path, dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg(&self.0).status());
        debug_assert!(self.1.path().is_dir(), "the folder outlives the mount");
    }
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a test that proves nothing here must say so")]
async fn a_full_disk_refuses_for_a_while_and_loses_nothing() {
    let Some(small) = Small::mount() else {
        return eprintln!("skipped: no file system can be mounted here");
    };
    let clock = Arc::new(ManualClock::new(time(0)));
    let dir = small.0.join("data");
    let store = open(&dir, &clock);
    store.append(batch(0, 0, 10)).await.expect("appends");
    let filler = small.0.join("filler");
    std::fs::write(&filler, vec![1; 4_500_000]).expect("there is room");
    let mut taken = 1;
    let refused = loop {
        match store.append(batch(taken, 0, 200)).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 50, "6 MiB are never full");
    };
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(!store.health().await.expect("reads").is_good());
    assert_eq!(traces(&store).await, (0..taken).collect::<Vec<_>>(), "reads still work");
    std::fs::remove_file(&filler).expect("removes");
    store.append(batch(taken, 0, 200)).await.expect("there is room again, without a restart");
    assert!(store.health().await.expect("reads").is_good());
    drop(store);
    let store = open(&dir, &clock);
    assert_eq!(
        traces(&store).await,
        (0..=taken).collect::<Vec<_>>(),
        "all that was acknowledged, nothing else"
    );
    assert_eq!(store.stats().await.expect("figures").spans, 10 + taken * 200);
}

/// Questions that nobody waits for any more harm no file: none is taken for damaged because it was not read.
#[tokio::test]
async fn whoever_gives_up_harms_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(time(0)));
    let store = open(dir.path(), &clock);
    for trace in 0..8 {
        store.append(batch(trace, 0, 200)).await.expect("appends");
        store.seal().await.expect("seals");
    }
    let query = StatisticsQuery::new(time(-1), time(DAY));
    let filter =
        TraceFilter { filter: "kind:llm inputs:a".parse().expect("a filter"), ..TraceFilter::default() };
    let (all, page) = (ProjectScope::All, PageRequest { limit: 1000, cursor: None });
    for _ in 0..20 {
        // Each begins, and is given up at once.
        assert!(store.statistics(&query).now_or_never().is_none());
        assert!(store.list_traces(&filter, &page).now_or_never().is_none());
        assert!(store.trace(&all, trace_id(3)).now_or_never().is_none());
        assert!(store.skeleton(&all, trace_id(4)).now_or_never().is_none());
    }
    assert_eq!(store.statistics(&query).await.expect("counts").rows[0].count, 1600);
    assert_eq!(store.trace(&all, trace_id(3)).await.expect("reads").expect("there").spans.len(), 200);
    assert_eq!(traces(&store).await.len(), 8);
    assert_eq!(store.health().await.expect("tells").problems, []);
    store.shutdown().await.expect("shuts down");
}

/// What was deleted while it was only log records as yet stays deleted, however often the log is read again with
/// little memory.
#[tokio::test]
async fn what_is_deleted_does_not_come_back_with_the_log() {
    let (dir, clock) = (crate::place(), Arc::new(ManualClock::new(time(0))));
    let open = || {
        let hot = HotLimits { rows: 4, ..HotLimits::default() };
        let options = Options { clock: Arc::clone(&clock) as _, hot, ..Options::default() };
        EmbeddedStore::open(dir.path(), options).expect("opens")
    };
    let store = open();
    let spans = (0..3).map(|id| end("a", 0, id)).chain([tentative("b", 0, 0)]).collect();
    let logs = vec![log("a", Some(1), "x", 0), log("a", Some(1), "y", 0)];
    store.append(Batch { spans, logs }).await.expect("appends");
    store.delete(Target::Project("b".into())).await.expect("deletes");
    drop(store);
    for _ in 0..3 {
        let store = open();
        let page = store.list_traces(&TraceFilter::default(), &PageRequest::default()).await.expect("lists");
        assert_eq!(page.traces.iter().map(|line| line.project.as_str()).collect::<Vec<_>>(), ["a", "a"]);
        drop(store);
    }
}

/// What cannot be sealed as it should must not fill memory for ever: the longest silent leave.
#[tokio::test]
async fn open_spans_and_ends_without_a_start_leave_memory_when_they_take_much() {
    let dir = crate::place();
    let (hot, clock) = (HotLimits { bytes: 1 << 20, ..HotLimits::default() }, ManualClock::new(time(0)));
    let options = Options { hot, clock: Arc::new(clock), ..Options::default() };
    let store = EmbeddedStore::open(dir.path(), options).expect("opens");
    let text = Json::string(&"x".repeat(20_000));
    let filled = |mut span: Span| {
        span.inputs = Some(text.clone());
        span
    };
    for number in 0..100 {
        let spans = vec![filled(start("p", number, 1)), filled(tentative("p", number, 2))];
        store.append(Batch { spans, logs: Vec::new() }).await.expect("appends");
    }
    store.seal().await.expect("seals");
    assert!(store.held() < 3 << 20, "{} bytes", store.held());
    for number in 0..100 {
        let trace = store.trace(&ProjectScope::All, trace_id(number)).await.expect("reads").expect("there");
        let shown: Vec<_> = trace.spans.iter().map(|stored| stored.status).collect();
        assert_eq!((shown, trace.logs.len()), (vec![TraceStatus::Running], 1), "{number}");
        assert_eq!((trace.summary.spans, trace.summary.events), (1, 1), "{number}");
    }
    // Sent again it is the same record; its span's end ends it as ever.
    let again = vec![filled(tentative("p", 0, 2)), end("p", 0, 1)];
    store.append(Batch { spans: again, logs: Vec::new() }).await.expect("appends");
    let trace = store.trace(&ProjectScope::All, trace_id(0)).await.expect("reads").expect("there");
    assert_eq!((trace.summary.status, trace.summary.events, trace.logs.len()), (TraceStatus::Ok, 1, 1));
}

#[tokio::test]
async fn contents_that_wait_for_spans_leave_memory_when_they_take_much() {
    let dir = crate::place();
    let options = || Options {
        hot: HotLimits { bytes: 1 << 20, ..HotLimits::default() },
        clock: Arc::new(ManualClock::new(time(0))),
        ..Options::default()
    };
    let store = EmbeddedStore::open(dir.path(), options()).expect("opens");
    let text = Json::string(&"x".repeat(20_000));
    // With the log records that tell them, and when those are in files already.
    for number in 0..300 {
        let mut told = contents("p", number, 1, "c", number as i64);
        told.inputs = Some(text.clone());
        let logs = if number < 100 { vec![log("p", Some(number), "l", 1)] } else { Vec::new() };
        store.append(Batch { spans: vec![told], logs }).await.expect("appends");
    }
    store.seal().await.expect("seals");
    assert!(store.held() < 1 << 20, "{} bytes", store.held());
    let all = PageRequest { limit: 1000, cursor: None };
    let listed = async |store: &EmbeddedStore| {
        store.list_traces(&TraceFilter::default(), &all).await.expect("lists").traces.len()
    };
    assert_eq!(listed(&store).await, 100, "the others are no traces");
    drop(store);
    let store = EmbeddedStore::open(dir.path(), options()).expect("opens");
    assert_eq!(listed(&store).await, 100);
    // The first were forgotten, the last wait.
    for (number, joined) in [(0, false), (150, false), (299, true)] {
        let span = Span { inputs: None, ..end("p", number, 1) };
        store.append(Batch { spans: vec![span], logs: Vec::new() }).await.expect("appends");
        let trace = store.trace(&ProjectScope::All, trace_id(number)).await.expect("reads").expect("there");
        assert_eq!(trace.spans[0].span.inputs.is_some(), joined, "{number}");
    }
}

/// A merge that somebody waits for ends, however much comes in meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merging_ends_while_much_is_written() {
    const BATCHES: u64 = 3000;
    let dir = crate::place();
    let hot = HotLimits { rows: 4, ..HotLimits::default() };
    let store =
        Arc::new(EmbeddedStore::open(dir.path(), Options { hot, ..Options::default() }).expect("opens"));
    let written = Arc::new(AtomicU64::new(0));
    let writer = {
        let (store, written) = (Arc::clone(&store), Arc::clone(&written));
        tokio::spawn(async move {
            for trace in 0..BATCHES {
                let spans = (0..4).map(|id| end("p", trace, id)).collect();
                store.append(Batch { spans, logs: Vec::new() }).await.expect("appends");
                written.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    for _ in 0..3 {
        store.compact().await.expect("merges");
    }
    assert!(written.load(Ordering::SeqCst) < BATCHES, "it ended with the writing only");
    writer.abort();
    drop(writer.await);
}
