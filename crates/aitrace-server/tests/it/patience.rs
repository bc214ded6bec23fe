//! A store that never answers: how long readers wait, and who is told when nobody does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aitrace_model::{LogRecord, SpanId, Timestamp, TraceId};
use aitrace_store::{
    Appended, Batch, Change, Extent, Hit, LostSpan, PageRequest, ProjectScope, QueryStore, Result, Search,
    Searched, SessionFilter, SessionPage, SessionPageRequest, SessionSummary, Skeleton, Statistics,
    StatisticsQuery, StoreStats, StoredSpan, TelemetryStore, Trace, TraceFilter, TracePage,
};
use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc};

use crate::http::connect;
use crate::rig::Rig;
use crate::samples::{span_id, trace_id};

/// Begins to answer and never ends.
#[derive(Debug)]
struct Stuck {
    inner: Arc<dyn TelemetryStore>,
    working: Arc<AtomicUsize>,
}

/// Counts while somebody waits.
struct Work<'a>(&'a AtomicUsize);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Stuck {
    async fn work<T>(&self) -> Result<T> {
        self.working.fetch_add(1, Ordering::SeqCst);
        let _work = Work(&self.working);
        std::future::pending().await
    }
}

#[async_trait]
impl TelemetryStore for Stuck {
    async fn append(&self, batch: Batch) -> Result<Appended> {
        self.inner.append(batch).await
    }

    async fn list_traces(&self, _filter: &TraceFilter, _page: &PageRequest) -> Result<TracePage> {
        self.work().await
    }

    async fn trace(&self, _scope: &ProjectScope, _trace_id: TraceId) -> Result<Option<Trace>> {
        self.work().await
    }

    fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.inner.subscribe()
    }

    async fn seal(&self) -> Result<()> {
        self.inner.seal().await
    }

    async fn stats(&self) -> Result<StoreStats> {
        self.inner.stats().await
    }

    async fn shutdown(&self) -> Result<()> {
        self.inner.shutdown().await
    }
}

#[async_trait]
impl QueryStore for Stuck {
    async fn extent(&self, _scope: &ProjectScope, _trace_id: TraceId) -> Result<Option<Extent>> {
        self.work().await
    }

    async fn sent_trace(&self, _scope: &ProjectScope, _trace_id: TraceId) -> Result<Option<Trace>> {
        self.work().await
    }

    async fn skeleton(&self, _scope: &ProjectScope, _trace_id: TraceId) -> Result<Option<Skeleton>> {
        self.work().await
    }

    async fn span(
        &self,
        _scope: &ProjectScope,
        _trace_id: TraceId,
        _span_id: SpanId,
    ) -> Result<Option<StoredSpan>> {
        self.work().await
    }

    async fn sessions(&self, _filter: &SessionFilter, _page: &SessionPageRequest) -> Result<SessionPage> {
        self.work().await
    }

    async fn session_line(&self, _scope: &ProjectScope, _session: &str) -> Result<Option<SessionSummary>> {
        self.work().await
    }

    async fn search(&self, _search: &Search, hits: mpsc::Sender<Hit>) -> Result<Searched> {
        hits.closed().await;
        Ok(Searched::default())
    }

    async fn loose_logs(&self, _scope: &ProjectScope, _logs: mpsc::Sender<LogRecord>) -> Result<()> {
        self.work().await
    }

    async fn became_lost(&self, _after: Timestamp, _until: Timestamp) -> Result<Vec<LostSpan>> {
        self.work().await
    }

    async fn statistics(&self, _query: &StatisticsQuery) -> Result<Statistics> {
        self.work().await
    }
}

fn stuck(time: Duration) -> (Rig, Arc<AtomicUsize>) {
    let working = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&working);
    let rig = Rig::of(
        |options| options.limits.query_time = time,
        |stores| {
            let store = Arc::new(Stuck { inner: stores.telemetry.clone(), working: counted });
            (stores.telemetry, stores.query) = (store.clone(), store);
        },
    );
    (rig, working)
}

fn questions() -> Vec<String> {
    let trace = trace_id(1);
    let span = span_id(1);
    [
        "/api/traces",
        "/api/traces?q=kind:llm",
        &format!("/api/trace/{trace}"),
        &format!("/api/trace/{trace}/skeleton"),
        &format!("/api/span/{trace}/{span}"),
        "/api/sessions",
        "/api/session/s",
        "/api/stats",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[test]
fn a_question_that_takes_too_long_is_answered_with_an_error_that_passes() {
    let (rig, working) = stuck(Duration::from_millis(20));
    for target in questions() {
        let answer = rig.get(&target);
        assert_eq!((answer.status, answer.kind().as_str()), (429, "overloaded"), "{target}");
        assert!(answer.header("retry-after").is_some(), "{target}");
        assert_eq!(working.load(Ordering::SeqCst), 0, "{target}: the work has ended");
    }
    let search = rig.get("/api/search?q=x").json();
    assert_eq!((&search["complete"], &search["next"]), (&false.into(), &serde_json::Value::Null));
}

#[test]
fn who_goes_away_ends_the_work() {
    use std::io::Write as _;

    let (rig, working) = stuck(Duration::from_hours(1));
    let wait_for = |count| while working.load(Ordering::SeqCst) != count {};
    for target in questions() {
        let mut socket = connect(rig.addr);
        socket.write_all(&rig.call("GET", &target).bytes()).expect("sends");
        wait_for(1);
        drop(socket);
        wait_for(0);
    }
}
