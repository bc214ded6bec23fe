//! What an operator sees: readiness, metrics, retention, request ids.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use aitrace_server::Disk;
use aitrace_store::{
    Deleted, Health, Problem, ProblemKind, Result, Retention, Retired, StoreError, Target, Upkeep,
};
use async_trait::async_trait;

use crate::rig::Rig;
use crate::samples::{PROTOBUF, log, otlp, span};

/// A store that tells what it is asked to keep, and that is as healthy as told.
struct Told {
    retained: mpsc::SyncSender<Retention>,
    problem: Option<ProblemKind>,
}

#[async_trait]
impl Upkeep for Told {
    async fn delete(&self, _: Target) -> Result<Deleted> {
        Ok(Deleted::default())
    }

    async fn compact(&self) -> Result<()> {
        Ok(())
    }

    async fn retain(&self, retention: Retention) -> Result<Retired> {
        // Nobody may listen any more.
        self.retained.try_send(retention).unwrap_or_default();
        if retention.max_size == Some(1) {
            return Err(StoreError::new(aitrace_store::ErrorKind::Unavailable, "not now"));
        }
        Ok(Retired { segments: 1, rows: 10, bytes: 1000 })
    }

    async fn health(&self) -> Result<Health> {
        let problem = |kind| Problem {
            kind,
            text: "the path /secret cannot be written".to_owned(),
            file: String::new(),
            rows: None,
            since: None,
            until: None,
        };
        Ok(Health { problems: self.problem.map(problem).into_iter().collect() })
    }
}

#[derive(Debug)]
struct Room(AtomicU64);

impl Disk for Room {
    fn free(&self) -> io::Result<u64> {
        match self.0.load(Ordering::SeqCst) {
            u64::MAX => Err(io::Error::other("no disk")),
            free => Ok(free),
        }
    }
}

fn told(problem: Option<ProblemKind>) -> (Arc<Told>, mpsc::Receiver<Retention>) {
    let (retained, receiver) = mpsc::sync_channel(16);
    (Arc::new(Told { retained, problem }), receiver)
}

#[test]
fn readiness_follows_the_store_and_the_disk() {
    assert_eq!(Rig::start().get("/readyz").json()["status"], "ready");
    for (problem, expected) in [(ProblemKind::WritesFail, 503), (ProblemKind::SegmentLost, 200)] {
        let rig = Rig::of(|_| {}, |stores| stores.upkeep = told(Some(problem)).0);
        let answer = rig.get("/readyz");
        assert_eq!(answer.status, expected, "{problem:?}");
        assert!(!answer.text().contains("/secret"), "paths are for the log");
        assert_eq!(rig.get("/healthz").status, 200, "it lives");
    }
    let room = Arc::new(Room(AtomicU64::new(64 << 20)));
    let disk = room.clone();
    let rig = Rig::with(|options| options.disk = Some(disk));
    assert_eq!(rig.get("/readyz").status, 200);
    for free in [(64 << 20) - 1, 0, u64::MAX] {
        room.0.store(free, Ordering::SeqCst);
        let answer = rig.get("/readyz");
        assert_eq!((answer.status, answer.kind().as_str()), (503, "unavailable"));
        assert!(answer.header("retry-after").is_some());
    }
}

#[test]
fn retention_comes_again_and_again_also_after_a_failure() {
    for retention in [
        Retention { max_age: Some(Duration::from_hours(1)), max_size: None },
        Retention { max_age: None, max_size: Some(1) },
    ] {
        let (upkeep, retained) = told(None);
        let options = |options: &mut aitrace_server::ServerOptions| {
            options.retention = retention;
            options.retain_every = Duration::from_millis(1);
        };
        let rig = Rig::of(options, |stores| stores.upkeep = upkeep);
        for _ in 0..3 {
            assert_eq!(retained.recv_timeout(Duration::from_secs(10)), Ok(retention));
        }
        if retention.max_size.is_none() {
            let text = rig.get("/metrics").text();
            assert!(figure(&text, "aitrace_retired_bytes_total") >= 2000.0, "{text}");
        }
    }
    let (upkeep, retained) = told(None);
    drop(Rig::of(|options| options.retain_every = Duration::from_millis(1), |stores| stores.upkeep = upkeep));
    assert!(retained.try_recv().is_err(), "everything is kept unless told otherwise");
}

/// The value of the one line that begins so.
fn figure(text: &str, line: &str) -> f64 {
    let mut found = text.lines().filter_map(|text| text.strip_prefix(line)?.strip_prefix(' '));
    let value = found.next().unwrap_or_else(|| panic!("no {line} in:\n{text}"));
    assert_eq!(found.next(), None, "{line}");
    value.parse().expect("a number")
}

#[test]
fn metrics_count_what_happened() {
    let rig = Rig::start();
    let body = format!("[{},{},{{}}]", log("a"), span("start", 1, 1, 0, "{}"));
    assert_eq!(rig.post_json("/api/ingest", &body).status, 200);
    assert_eq!(rig.post("/v1/traces", PROTOBUF, otlp(1, 2)).status, 200);
    assert_eq!(rig.get("/nothing").status, 404);
    assert_eq!(rig.call("BREW", "/api/traces").send().status, 405);
    let answer = rig.get("/metrics");
    assert!(
        answer.header("content-type").is_some_and(|media| media.starts_with("application/openmetrics-text"))
    );
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"));
    for (line, expected) in [
        (r#"aitrace_ingested_total{kind="span"}"#, 2.0),
        (r#"aitrace_ingested_total{kind="log"}"#, 1.0),
        ("aitrace_rejected_total", 1.0),
        ("aitrace_received_bytes_total", (body.len() + otlp(1, 2).len()) as f64),
        ("aitrace_ack_seconds_count", 2.0),
        (r#"aitrace_ack_seconds_bucket{le="+Inf"}"#, 2.0),
        (r#"aitrace_http_requests_total{route="/api/ingest",method="POST",status="200"}"#, 1.0),
        (r#"aitrace_http_requests_total{route="",method="GET",status="404"}"#, 1.0),
        (r#"aitrace_http_requests_total{route="/api/traces",method="other",status="405"}"#, 1.0),
        ("aitrace_store_spans", 1.0),
        ("aitrace_store_open_spans", 1.0),
        ("aitrace_store_logs", 1.0),
        ("aitrace_ingest_memory_bytes", 0.0),
        ("aitrace_ingest_memory_limit_bytes", f64::from(128 << 20)),
        ("aitrace_live_readers", 0.0),
    ] {
        assert!((figure(&text, line) - expected).abs() < 1e-9, "{line}: {text}");
    }
    assert!(figure(&text, "aitrace_process_resident_memory_bytes") > 0.0);
    let key = rig.key("p", &[]).key;
    assert_eq!(rig.get("/metrics").status, 401);
    assert_eq!(rig.call("GET", "/metrics").bearer(&key).send().status, 200);
}

#[test]
fn each_answer_names_its_request() {
    let rig = Rig::start();
    let id = |given: Option<&str>| {
        let call = rig.call("GET", "/healthz");
        let call = given.into_iter().fold(call, |call, id| call.header("x-request-id", id));
        call.send().header("x-request-id").expect("an id").to_owned()
    };
    assert_eq!(id(Some("job-7_a.b")), "job-7_a.b");
    assert_ne!(id(None), id(None));
    for odd in ["", "two words", "a\"b", &"x".repeat(65), "aitrace_0123456789abcdef"] {
        let made = id(Some(odd));
        assert!(made.len() == 16 && made != odd, "{made}");
    }
    let refused = rig.call("GET", "/").header("host", "evil").send();
    assert!(refused.header("x-request-id").is_some());
}
