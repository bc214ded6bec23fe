//! Many random damages of each kind of file: the store opens, serves all that was not hit, and says what it lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use aitrace_model::TraceId;
use aitrace_store::conformance::{end, log, trace_id};
use aitrace_store::{
    Batch, PageRequest, ProjectScope, QueryStore, Search, SqlLimits, SqlStore, StatisticsQuery,
    TelemetryStore, Trace, TraceFilter, Upkeep,
};
use aitrace_store_embedded::{EmbeddedStore, Options, doctor};

/// Traces of the sealed files, two each; one more is in the log only.
const SEALED: u64 = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Spans,
    Logs,
    Database,
    Log,
    /// Batches of the log that stand beside the database.
    Bodies,
}

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

fn open(dir: &Path) -> EmbeddedStore {
    open_with(dir, Options::default())
}

fn open_with(dir: &Path, options: Options) -> EmbeddedStore {
    EmbeddedStore::open(dir, options).expect("a damaged store opens")
}

fn batch(trace: u64) -> Batch {
    let logs = vec![log("p", Some(trace), &format!("l{trace}"), 1), log("p", None, &format!("o{trace}"), 1)];
    Batch { spans: (0..20).map(|id| end("p", trace, id)).collect(), logs }
}

/// A store as a kill leaves it: three pairs of files, and batches in the log.
async fn good(dir: &Path, kind: Kind) -> BTreeMap<TraceId, Trace> {
    let live = crate::place();
    let apart = if kind == Kind::Bodies { 0 } else { usize::MAX };
    let store = open_with(live.path(), Options { apart, ..Options::default() });
    for trace in 0..SEALED {
        store.append(batch(trace)).await.expect("appends");
        if trace % 2 == 1 {
            store.seal().await.expect("seals");
        }
    }
    for trace in SEALED..SEALED + 3 {
        store.append(batch(trace)).await.expect("appends");
    }
    copy(live.path(), dir);
    read(&store).await
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries =
        ["", "segments", "log"].into_iter().flat_map(|part| fs::read_dir(dir.join(part)).expect("reads"));
    entries.map(|entry| entry.expect("reads").path()).filter(|path| path.is_file()).collect()
}

fn copy(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    for part in ["segments", "log"] {
        fs::create_dir_all(to.join(part)).expect("creates");
    }
    for path in files(from) {
        // An index of the log is made anew, as it is after a loss of power.
        if !path.to_string_lossy().ends_with("-shm") {
            let name = path.strip_prefix(from).expect("is within");
            fs::copy(&path, to.join(name)).expect("copies");
        }
    }
}

async fn read(store: &EmbeddedStore) -> BTreeMap<TraceId, Trace> {
    let mut seen = BTreeMap::new();
    for number in 0..SEALED + 3 {
        let id = trace_id(number);
        let trace = store.trace(&ProjectScope::All, id).await.expect("reads around the damage");
        seen.extend(trace.map(|trace| (id, trace)));
    }
    seen
}

/// Damages one file of a kind. Returns what was done.
fn damage(dir: &Path, kind: Kind, numbers: &mut Numbers) -> String {
    let suffix = match kind {
        Kind::Spans => ".spans.parquet",
        Kind::Logs => ".logs.parquet",
        Kind::Database => "aitrace.db",
        Kind::Log => "aitrace.db-wal",
        Kind::Bodies => ".bodies",
    };
    let mut paths = files(dir);
    paths.retain(|path| path.to_string_lossy().ends_with(suffix));
    paths.sort();
    let path = &paths[numbers.below(paths.len())];
    let mut bytes = fs::read(path).expect("reads");
    let place = numbers.below(bytes.len());
    let what = numbers.below(8);
    match what {
        0..=3 => bytes[place] ^= 1 << numbers.below(8),
        4 => {
            let end = (place + 512).min(bytes.len());
            bytes[place..end].fill(0);
        }
        5 => bytes.truncate(place),
        6 => {
            let tail = bytes[place..].to_vec();
            bytes.extend(tail);
        }
        _ => bytes.clear(),
    }
    fs::write(path, bytes).expect("writes");
    format!("{what} at {place} of {}", path.display())
}

/// Everything that is asked of a store must be answered or refused by a typed error: no call panics.
async fn ask(store: &EmbeddedStore) -> Vec<TraceId> {
    let page = store.list_traces(&TraceFilter::default(), &PageRequest::default()).await.expect("lists");
    let (sender, mut hits) = tokio::sync::mpsc::channel(1000);
    assert!(store.search(&Search::new("in 1/"), sender).await.expect("searches").complete);
    while hits.recv().await.is_some() {}
    let all =
        StatisticsQuery::new(aitrace_store::conformance::time(-1), aitrace_store::conformance::time(1000));
    store.statistics(&all).await.expect("counts");
    for table in ["spans", "logs", "traces"] {
        let sql = format!("SELECT * FROM {table}");
        let limits = SqlLimits { rows: 10_000, ..SqlLimits::default() };
        store.sql(&ProjectScope::All, &sql, &limits).await.expect("answers");
    }
    page.traces.iter().map(|line| line.trace_id).collect()
}

/// Says on a panic what was done before it.
struct Saying(String);

impl Drop for Saying {
    #[expect(clippy::print_stderr, reason = "beside the panic's own words")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("after {}", self.0);
        }
    }
}

/// How often something was lost.
async fn sweep(kind: Kind, rounds: usize, seed: u64) -> usize {
    let (place, mut numbers) = (crate::place(), Numbers(seed));
    let (pristine, dir) = (place.path().join("good"), place.path().join("bad"));
    let whole = good(&pristine, kind).await;
    assert_eq!(whole.len() as u64, SEALED + 3);
    let mut lost = 0;
    for round in 0..rounds {
        copy(&pristine, &dir);
        let what = damage(&dir, kind, &mut numbers);
        let _saying = Saying(format!("{kind:?} {round}, {what}"));
        let store = open(&dir);
        let listed = ask(&store).await;
        let seen = read(&store).await;
        let missing = whole.iter().filter(|(id, trace)| seen.get(id) != Some(trace)).count();
        for (id, trace) in &seen {
            for stored in &trace.spans {
                let same = whole.get(id).is_some_and(|trace| trace.spans.contains(stored));
                assert!(same, "{kind:?} {round}, {what}: a span that was never sent");
            }
        }
        if kind == Kind::Spans || kind == Kind::Logs {
            assert!(missing <= 2, "{kind:?} {round}, {what}: what lies in other files is hidden");
        } else {
            for number in 0..SEALED {
                let id = trace_id(number);
                assert!(
                    listed.contains(&id) && seen.get(&id) == whole.get(&id),
                    "{kind:?} {round}, {what}: sealed trace {number} is hidden: {:?}",
                    seen.get(&id)
                );
            }
        }
        let problems = store.health().await.expect("reads").problems;
        // A log that was cut, or whose last commit is cut, is as a kill leaves it: nobody can tell.
        let cut = kind == Kind::Log && (what.starts_with('5') || what.starts_with('7'));
        assert!(
            missing == 0 || cut || !problems.is_empty(),
            "{kind:?} {round}, {what}: {missing} lost, not reported"
        );
        store.append(batch(40)).await.expect("the writer lives");
        assert!(store.trace(&ProjectScope::All, trace_id(40)).await.expect("reads").is_some());
        drop(store);
        drop(doctor::examine(&dir).expect("looks"));
        lost += usize::from(missing > 0);
    }
    lost
}

#[tokio::test]
async fn damage_of_any_file_costs_what_it_hit_and_is_reported() {
    let mut lost = 0;
    for (kind, rounds) in
        [(Kind::Spans, 16), (Kind::Logs, 8), (Kind::Database, 16), (Kind::Log, 16), (Kind::Bodies, 8)]
    {
        lost += sweep(kind, rounds, 0xDA_4A6E).await;
    }
    assert!(lost > 10, "only {lost} damages were felt");
}

/// The long forms: `cargo xtask soak`.
#[expect(clippy::print_stderr, reason = "says its figures")]
async fn many(kind: Kind) {
    let lost = sweep(kind, 1000, 1).await;
    eprintln!("1000 damages of {kind:?}: {lost} cost something, each was reported, the rest was served");
}

#[tokio::test]
#[ignore = "takes minutes: `cargo xtask soak`"]
async fn soak_spans() {
    many(Kind::Spans).await;
}

#[tokio::test]
#[ignore = "takes minutes: `cargo xtask soak`"]
async fn soak_logs() {
    many(Kind::Logs).await;
}

#[tokio::test]
#[ignore = "takes minutes: `cargo xtask soak`"]
async fn soak_database() {
    many(Kind::Database).await;
}

#[tokio::test]
#[ignore = "takes minutes: `cargo xtask soak`"]
async fn soak_log() {
    many(Kind::Log).await;
}

#[tokio::test]
#[ignore = "takes minutes: `cargo xtask soak`"]
async fn soak_bodies() {
    many(Kind::Bodies).await;
}
