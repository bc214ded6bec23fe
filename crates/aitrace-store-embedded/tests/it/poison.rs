//! Traces that are too large: answered, sealed, opened again, within bounds of memory.

use std::path::Path;
use std::process::Command;

use aitrace_model::{Json, Timestamp};
use aitrace_store::conformance::{end, span_id, trace_id};
use aitrace_store::{
    Batch, PageRequest, ProjectScope, QueryStore, Search, StatisticsQuery, TelemetryStore, TraceFilter,
    Upkeep,
};
use aitrace_store_embedded::{EmbeddedStore, HotLimits, Options};

/// MiB that 40 000 further sealed spans of a trace may take.
const MORE: u64 = 64;

fn open(dir: &Path) -> EmbeddedStore {
    EmbeddedStore::open(dir, Options::default()).expect("opens")
}

/// The same for so many spans: by far fewer are in memory, so that what is measured is what sealed ones take.
fn open_for(dir: &Path, spans: u64) -> EmbeddedStore {
    let hot = HotLimits { rows: (spans / 20).clamp(1000, 50_000) as usize, ..HotLimits::default() };
    EmbeddedStore::open(dir, Options { hot, ..Options::default() }).expect("opens")
}

async fn append(store: &EmbeddedStore, spans: Vec<aitrace_model::Span>) {
    store.append(Batch { spans, logs: Vec::new() }).await.expect("appends");
}

/// The most memory this process ever had, in MiB, from Linux's /proc; 0 elsewhere.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) >> 10
}

/// One trace of many spans, each the child of the one before or all of the first.
async fn large(dir: &Path, spans: u64, chain: bool) {
    let store = open_for(dir, spans);
    let mut number = 0;
    while number < spans {
        let batch = (number..(number + 5000).min(spans)).map(|id| {
            let mut span = end("p", 1, id);
            span.start = Timestamp::from_nanos(1_800_000_000_000_000_000 + id as i64 * 1000);
            span.end = Some(span.start.saturating_add(500));
            span.parent_span_id = (id > 0).then(|| span_id(if chain { id - 1 } else { 0 }));
            span
        });
        append(&store, batch.collect()).await;
        number += 5000;
    }
    append(&store, vec![end("p", 2, 0)]).await;
    for _ in ["hot", "sealed"] {
        check(&store, spans, chain).await;
        store.seal().await.expect("seals");
    }
    drop(store);
    let store = open_for(dir, spans);
    check(&store, spans, chain).await;
    // Known already: looked up in the sealed rows.
    let again =
        store.append(Batch { spans: vec![end("p", 1, spans / 2)], logs: Vec::new() }).await.expect("appends");
    assert_eq!(again.stored + again.duplicates, 1);
    store.compact().await.expect("merges");
}

async fn check(store: &EmbeddedStore, spans: u64, chain: bool) {
    let page = store.list_traces(&TraceFilter::default(), &PageRequest::default()).await.expect("lists");
    let line = page.traces.iter().find(|line| line.trace_id == trace_id(1)).expect("is listed");
    assert_eq!(line.spans, spans);
    let bones = store.skeleton(&ProjectScope::All, trace_id(1)).await.expect("reads").expect("there").spans;
    assert_eq!(bones.len() as u64, spans);
    if chain {
        assert!(
            bones.windows(2).all(|pair| pair[1].parent_span_id == Some(pair[0].span_id)),
            "parents first"
        );
    }
    let one = store.span(&ProjectScope::All, trace_id(1), span_id(spans / 2)).await.expect("reads");
    assert!(one.is_some());
    let other = store.trace(&ProjectScope::All, trace_id(2)).await.expect("reads").expect("there");
    assert_eq!(other.spans.len(), 1, "its neighbours are served");
}

#[tokio::test]
async fn long_chains_and_wide_traces_are_answered() {
    for chain in [true, false] {
        large(crate::place().path(), 12_000, chain).await;
    }
}

/// Does the above in a process of its own, whose memory is its own: the name of the folder says what.
#[tokio::test]
#[ignore = "the child of the tests below; does nothing elsewhere"]
async fn child() {
    let place = std::env::current_dir().expect("a folder");
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((kind, spans)) = name.strip_prefix("poison-").and_then(|name| name.split_once('-')) else {
        return;
    };
    large(&place, spans.parse().expect("a number"), kind == "chain").await;
    let query = StatisticsQuery::new(Timestamp::from_nanos(0), Timestamp::from_nanos(i64::MAX));
    assert!(!open(&place).statistics(&query).await.expect("counts").rows.is_empty());
    std::fs::write("peak", peak().to_string()).expect("writes");
}

/// The most memory in MiB that a process takes which deals with one trace of so many spans.
fn taken(place: &Path, spans: u64, kind: &str) -> u64 {
    let folder = place.join(format!("poison-{kind}-{spans}"));
    std::fs::create_dir(&folder).expect("creates");
    let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
    command.args(["--exact", "poison::child", "--ignored", "--nocapture"]).current_dir(&folder);
    // Else what is measured is mostly what the C library keeps, which the binary does without.
    command.env("MALLOC_MMAP_THRESHOLD_", "262144").env("MALLOC_ARENA_MAX", "4");
    let done = command.output().expect("runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    std::fs::read_to_string(folder.join("peak")).expect("it ran").parse().expect("a number")
}

#[test]
#[expect(clippy::print_stderr, reason = "says its figure")]
fn memory_does_not_follow_the_size_of_a_trace() {
    let place = crate::place();
    let (small, large) = (taken(place.path(), 10_000, "fan"), taken(place.path(), 50_000, "fan"));
    eprintln!("one trace of 10 000 spans: {small} MiB at the most, of 50 000 spans: {large} MiB");
    // 40 000 spans more.
    assert!(large <= small + MORE, "{small} and {large} MiB");
}

#[tokio::test]
async fn a_huge_span_and_a_hundred_thousand_attributes_are_kept() {
    let dir = crate::place();
    let store = open(dir.path());
    let mut huge = end("p", 1, 0);
    huge.inputs = Some(Json::string(&"sixty-three mebibytes ".repeat((63 << 20) / 22)));
    huge.attributes = Json::object([("input.value", huge.inputs.as_ref().expect("set"))]);
    let mut many = end("p", 1, 1);
    let one = Json::from_trusted("1");
    let names: Vec<String> = (0..100_000).map(|number| format!("attribute.{number}")).collect();
    many.attributes = Json::object(names.iter().map(|name| (name.as_str(), &one)));
    let sent = vec![huge, many];
    append(&store, sent.clone()).await;
    append(&store, vec![end("p", 2, 0)]).await;
    for step in ["hot", "sealed"] {
        let found = store.trace(&ProjectScope::All, trace_id(1)).await.expect("reads").expect("there");
        let spans: Vec<_> = found.spans.into_iter().map(|stored| stored.span).collect();
        assert!(spans == sent, "{step}: as they were sent");
        let (sender, mut hits) = tokio::sync::mpsc::channel(10);
        store.search(&Search::new("attribute.99999\""), sender).await.expect("searches");
        assert_eq!(hits.recv().await.map(|hit| hit.span_id), Some(Some(span_id(1))), "{step}");
        store.seal().await.expect("seals");
    }
    assert!(store.stats().await.expect("figures").disk_bytes < 16 << 20);
}

/// The long form: `cargo xtask soak`.
#[test]
#[ignore = "takes minutes: `cargo xtask soak`"]
#[expect(clippy::print_stderr, reason = "says its figures")]
fn soak() {
    let place = tempfile::tempdir().expect("a directory");
    for (spans, kind) in [(100_000, "chain"), (1_000_000, "fan")] {
        let most = taken(place.path(), spans, kind);
        eprintln!("{kind} of {spans} spans in one trace: answered; {most} MiB at the most");
        assert!(most <= 900, "{most} MiB");
    }
}
