//! Directories that earlier versions wrote: this one opens them and answers the same.
//!
//! `fixtures/schema-N` was written by the version whose tables had number N, by [`write`]. To keep one of the
//! present version before its tables change: `KEEP=1 cargo test -p aitrace-store-embedded --test it schema::keep -- --ignored`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aitrace_model::{Json, LostRules, ManualClock, Status};
use aitrace_store::conformance::{Full, end, heartbeat, log, start, tentative, time, trace_id};
use aitrace_store::memory::MemoryStore;
use aitrace_store::{
    Batch, PageRequest, ProjectScope, QueryStore, Search, SessionPatch, SqlLimits, SqlStore, StatisticsQuery,
    Target, TelemetryStore, TraceFilter, Upkeep,
};
use aitrace_store_embedded::{EmbeddedStore, HotLimits, Options, Watch, doctor};

/// Versions of which a directory is kept.
pub(crate) const OLDER: [i64; 3] = [2, 3, 4];

fn fixture(schema: i64) -> PathBuf {
    Path::new("tests/fixtures").join(format!("schema-{schema}"))
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(time(0)))
}

pub(crate) fn open(dir: &Path) -> EmbeddedStore {
    open_watched(dir, Watch::default())
}

pub(crate) fn open_watched(dir: &Path, watch: Watch) -> EmbeddedStore {
    let hot = HotLimits { open: 2, ..HotLimits::default() };
    EmbeddedStore::open(dir, Options { clock: clock(), hot, watch, ..Options::default() }).expect("opens")
}

/// A history with everything in it: merged and single files, marks of deletion, spans stored anew, open spans in
/// files and in the log, log records in and outside of traces, sessions, contents that repeat.
async fn write(store: &impl Full) {
    let batch = |trace: u64| {
        let mut spans: Vec<_> = (0..5).map(|id| end("p", trace, id)).collect();
        for span in &mut spans {
            let text =
                format!("a long text of span {} that its attributes repeat {}", span.name, "x".repeat(60));
            span.inputs = Some(Json::string(&text));
            span.attributes =
                Json::object([("input.value", &Json::string(&text)), ("n", &Json::string("1"))]);
            span.session_id = Some(format!("s{}", trace % 2));
        }
        spans[4].status = Some(Status::Error);
        let logs =
            vec![log("p", Some(trace), &format!("l{trace}"), 3), log("q", None, &format!("o{trace}"), 4)];
        Batch { spans, logs }
    };
    for trace in 1..5 {
        store.append(batch(trace)).await.expect("appends");
        store.seal().await.expect("seals");
    }
    store.compact().await.expect("merges");
    let open = vec![start("p", 5, 0), heartbeat("p", 6, 0, 5), start("p", 7, 0), start("p", 1, 9)];
    store.append(Batch { spans: open, logs: Vec::new() }).await.expect("appends");
    let late = vec![end("p", 2, 7), tentative("p", 7, 0), tentative("p", 3, 8)];
    store.append(Batch { spans: late, logs: Vec::new() }).await.expect("appends");
    store.seal().await.expect("seals");
    let ends = vec![end("p", 1, 9), end("p", 5, 0)];
    store.append(Batch { spans: ends, logs: Vec::new() }).await.expect("appends");
    store.seal().await.expect("seals");
    store.delete(Target::Trace { project: "p".into(), trace_id: trace_id(4) }).await.expect("deletes");
    let name = Some("a session".to_owned());
    let patch = SessionPatch { project: "p".into(), session_id: "s1".into(), name, at: time(0), data: None };
    store.put_session(patch).await.expect("writes");
    let last = Batch { spans: vec![end("q", 8, 0), start("q", 8, 1)], logs: Vec::new() };
    store.append(last).await.expect("appends");
}

#[tokio::test]
#[ignore = "writes into the repository: see above"]
async fn keep() {
    let dir = crate::place();
    write(&open(dir.path())).await;
    let report = doctor::examine(dir.path()).expect("looks");
    let target = fixture(report.newest_schema);
    drop(std::fs::remove_dir_all(&target));
    doctor::backup(dir.path(), &target).expect("copies");
}

/// A copy that may be changed.
fn copy(schema: i64) -> tempfile::TempDir {
    let dir = crate::place();
    copy_to(schema, dir.path());
    dir
}

pub(crate) fn copy_to(schema: i64, dir: &Path) {
    std::fs::create_dir_all(dir.join("segments")).expect("creates");
    for part in ["", "segments"] {
        for entry in std::fs::read_dir(fixture(schema).join(part)).expect("is in the repository") {
            let path = entry.expect("reads").path();
            if path.is_file() {
                let name = path.file_name().expect("a name");
                std::fs::copy(&path, dir.join(part).join(name)).expect("copies");
            }
        }
    }
}

/// What every directory that is kept holds.
pub(crate) async fn model() -> MemoryStore {
    let model = MemoryStore::new(clock(), LostRules::default());
    write(&model).await;
    model
}

#[tokio::test]
async fn what_earlier_versions_wrote_is_read_the_same() {
    let model = model().await;
    let fresh = crate::place();
    let newest = open(fresh.path());
    write(&newest).await;
    same(&newest, &model).await;
    for schema in OLDER {
        let dir = copy(schema);
        assert_eq!(doctor::examine(dir.path()).expect("looks").schema, Some(schema));
        for step in 0..3 {
            let store = open(dir.path());
            same(&store, &model).await;
            match step {
                // What it writes beside the old files is read as well.
                0 => store.seal().await.expect("seals"),
                _ => store.compact().await.expect("merges"),
            }
            same(&store, &model).await;
        }
        let report = doctor::examine(dir.path()).expect("looks");
        assert!(report.is_good() && report.schema == Some(report.newest_schema), "{report:?}");
        assert!(report.problems.is_empty() && report.set_aside.is_empty(), "{report:?}");
    }
}

pub(crate) async fn same(store: &EmbeddedStore, model: &MemoryStore) {
    let page = PageRequest { limit: 100, cursor: None };
    let lines = model.list_traces(&TraceFilter::default(), &page).await.expect("lists");
    assert_eq!(store.list_traces(&TraceFilter::default(), &page).await.expect("lists"), lines);
    assert_eq!(lines.traces.len(), 7);
    for line in lines.traces {
        let scope = ProjectScope::One(line.project.clone());
        let (one, other) =
            (store.trace(&scope, line.trace_id).await, model.trace(&scope, line.trace_id).await);
        assert_eq!(one.expect("reads"), other.expect("reads"), "{}", line.trace_id);
    }
    let session =
        async |store: &dyn QueryStore| store.session_line(&ProjectScope::All, "s1").await.expect("reads");
    assert_eq!(session(store).await, session(model).await);
    for text in ["repeat", "x\",\"n", "event o2", "input.value\":\"a long", "tentative"] {
        let hits = async |store: &dyn QueryStore| {
            let (sender, mut receiver) = tokio::sync::mpsc::channel(1000);
            assert!(store.search(&Search::new(text), sender).await.expect("searches").complete);
            let mut hits = Vec::new();
            while let Some(hit) = receiver.recv().await {
                hits.push((hit.trace_id, hit.span_id, hit.log_id, hit.field, hit.excerpt));
            }
            hits.sort();
            hits
        };
        assert_eq!(hits(store).await, hits(model).await, "{text}");
    }
    let query = StatisticsQuery::new(time(-100), time(1000));
    let (one, other) = (store.statistics(&query).await, model.statistics(&query).await);
    assert_eq!(one.expect("counts"), other.expect("counts"));
    let sql = "SELECT count(*) FROM spans WHERE attributes LIKE '%\"a long text of span span 3 %'";
    let counted = store.sql(&ProjectScope::All, sql, &SqlLimits::default()).await.expect("counts");
    assert_eq!(counted.rows, [[aitrace_store::SqlValue::Int(3)]], "in SQL attributes are whole");
}
