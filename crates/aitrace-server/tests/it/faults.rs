//! A store that fails: what senders and readers are told.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aitrace_model::TraceId;
use aitrace_store::{
    Appended, Batch, Change, ErrorKind, PageRequest, ProjectScope, Result, StoreError, StoreStats,
    TelemetryStore, Trace, TraceFilter, TracePage,
};
use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::http::{connect, read};
use crate::rig::Rig;
use crate::samples::{NDJSON, PROTOBUF, log, otlp, trace_id};

/// Fails with a kind while told to, and panics with none.
#[derive(Debug)]
struct Failing {
    inner: Arc<dyn TelemetryStore>,
    kind: Option<ErrorKind>,
    fail: Arc<AtomicBool>,
    /// Batches that it takes before.
    first: AtomicUsize,
    /// Whether it keeps nothing of what it takes.
    discards: bool,
}

impl Failing {
    fn check(&self) -> Result<()> {
        if !self.fail.load(Ordering::SeqCst) {
            return Ok(());
        }
        let kind = self.kind.expect("told to break");
        Err(StoreError::new(kind, "the disk is full"))
    }
}

#[async_trait]
impl TelemetryStore for Failing {
    async fn append(&self, batch: Batch) -> Result<Appended> {
        let taken = self.first.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if taken.is_err() {
            self.check()?;
        }
        if self.discards {
            return Ok(Appended::default());
        }
        self.inner.append(batch).await
    }

    async fn list_traces(&self, filter: &TraceFilter, page: &PageRequest) -> Result<TracePage> {
        self.check()?;
        self.inner.list_traces(filter, page).await
    }

    async fn trace(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Trace>> {
        self.check()?;
        self.inner.trace(scope, trace_id).await
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

    /// One that takes no more holds as much as can be.
    fn held(&self) -> usize {
        let full = self.kind == Some(ErrorKind::Overloaded) && self.fail.load(Ordering::SeqCst);
        if full && self.first.load(Ordering::SeqCst) == 0 { usize::MAX } else { 0 }
    }
}

pub(crate) fn failing(kind: Option<ErrorKind>) -> (Rig, Arc<AtomicBool>) {
    over(kind, 0, false)
}

/// The same, once it has taken some batches.
pub(crate) fn failing_after(kind: ErrorKind, batches: usize) -> (Rig, Arc<AtomicBool>) {
    over(Some(kind), batches, false)
}

/// A store that takes everything and keeps nothing.
pub(crate) fn discarding() -> Rig {
    over(None, usize::MAX, true).0
}

fn over(kind: Option<ErrorKind>, first: usize, discards: bool) -> (Rig, Arc<AtomicBool>) {
    let fail = Arc::new(AtomicBool::new(true));
    let shared = Arc::clone(&fail);
    let rig = Rig::over(
        |options| options.give_back = aitrace_allocator::GIVE_BACK,
        move |inner| {
            Arc::new(Failing { inner, kind, fail: shared, first: AtomicUsize::new(first), discards })
        },
    );
    (rig, fail)
}

#[test]
fn senders_keep_what_the_store_could_not_take() {
    for (kind, status) in [
        (ErrorKind::Unavailable, 503),
        (ErrorKind::Overloaded, 429),
        (ErrorKind::Closed, 503),
        (ErrorKind::Corrupt, 503),
        (ErrorKind::Internal, 503),
        (ErrorKind::Conflict, 503),
        (ErrorKind::Invalid, 400),
    ] {
        let (rig, fail) = failing(Some(kind));
        for answer in [rig.post_json("/api/ingest", &log("a")), rig.post("/v1/traces", PROTOBUF, otlp(1, 1))]
        {
            assert_eq!(answer.status, status, "{kind:?}");
            assert_eq!(answer.header("retry-after").is_some(), status != 400, "{kind:?}");
        }
        fail.store(false, Ordering::SeqCst);
        assert_eq!(rig.post_json("/api/ingest", &log("a")).status, 200, "it works again at once");
    }
}

#[test]
fn a_stream_that_is_refused_at_once_is_read_all_the_same() {
    let (rig, _fail) = failing(Some(ErrorKind::Overloaded));
    // More than the sockets' buffers hold: unless the server reads it away, the client cannot send it all.
    let body = format!("{}\n", log("a")).repeat((8 << 20) / log("a").len());
    let plain = rig.call("POST", "/api/ingest").body(NDJSON, body);
    for (call, status) in [(plain.clone(), 429), (plain.header("content-encoding", "br"), 415)] {
        let mut socket = connect(rig.addr);
        socket.write_all(&call.bytes()).expect("the server reads on");
        assert_eq!(read(&mut socket).expect("an answer").status, status);
    }
}

#[test]
fn readers_are_told_what_they_can_do() {
    for (kind, status, word) in [
        (ErrorKind::Unavailable, 503, "unavailable"),
        (ErrorKind::Overloaded, 429, "overloaded"),
        (ErrorKind::Closed, 503, "unavailable"),
        (ErrorKind::Corrupt, 500, "corrupt"),
        (ErrorKind::Internal, 500, "internal"),
        (ErrorKind::NotFound, 404, "not_found"),
        (ErrorKind::Invalid, 400, "bad_request"),
    ] {
        let (rig, _fail) = failing(Some(kind));
        for target in ["/api/traces".to_owned(), format!("/api/trace/{}", trace_id(1))] {
            let answer = rig.get(&target);
            assert_eq!((answer.status, answer.kind().as_str()), (status, word), "{kind:?}");
        }
    }
}

#[test]
fn a_handler_that_breaks_costs_its_request_only() {
    let (rig, fail) = failing(None);
    assert_eq!(rig.get("/api/traces").kind(), "internal");
    fail.store(false, Ordering::SeqCst);
    assert_eq!(rig.get("/api/traces").status, 200);
}
