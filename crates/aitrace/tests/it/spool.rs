//! What could not be sent waits on disk, is sent by whoever comes next, and is the same then.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aitrace::{FlushResult, Log, SpanOptions, Tracer, testing};

use crate::network::{WAIT, builder, conserved, folder};
use crate::stub::{Answer, Stub};

/// A stub that does not answer until it is told to.
fn broken() -> Stub {
    Stub::start(vec![Answer::Close; 10_000])
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    files.sort();
    files
}

fn ok(sent: u64) -> FlushResult {
    FlushResult { ok: true, sent, ..FlushResult::default() }
}

#[test]
fn the_next_tracer_sends_what_was_left_and_removes_it() {
    let (stub, folder) = (broken(), folder());
    let tracer = builder(&stub.url, &folder).build();
    {
        let span = tracer.start_span("kept");
        tracer.enrich_span(
            aitrace::Enrich::new().inputs(serde_json::json!({"q": "grüße\n\"<"})).metric("m", 0.5),
        );
        span.record_error(&std::io::Error::other("went wrong"));
    }
    tracer.log(Log::new("said").field("n", 1));
    let result = tracer.flush(WAIT);
    assert_eq!((result.spooled, result.remaining), (2, 0));
    conserved(&tracer, 2);
    drop(tracer.shutdown(WAIT));
    drop(tracer);
    let lines = fs::read_to_string(&files(folder.path())[0]).expect("reads");
    assert!(lines.lines().all(|line| line.contains("\"crc32\":\"")), "{lines}");

    stub.answer([]);
    let before = stub.requests().len();
    let next = wait_for_claim(&stub, &folder, |tracer| tracer.stats().replayed == 2);
    conserved(&next, next.stats().sent);
    assert_eq!(files(folder.path()).len(), 0);
    assert!(stub.requests().len() > before);
    let records = stub.records();
    let end =
        records.iter().find(|record| record["__tracer_meta__"]["event"] == "kept.end").expect("the span");
    assert_eq!(end["attributes"]["inputs"]["q"], "grüße\n\"<");
    assert_eq!(end["attributes"]["metrics"]["m"], 0.5);
    assert_eq!(end["__tracer_meta__"]["error"]["message"], "went wrong");
    assert!(end["__tracer_meta__"].get("crc32").is_none(), "the checksum is the file's, not the span's");
    assert!(records.iter().any(|record| record["__tracer_meta__"]["event"] == "said" && record["n"] == 1));
}

/// Tracers that each send a span, until one has done what is wanted: the lock of a file is free only when the
/// thread of the one before has ended.
fn wait_for_claim(stub: &Stub, folder: &tempfile::TempDir, done: impl Fn(&Tracer) -> bool) -> Tracer {
    for _ in 0..100 {
        let tracer = builder(&stub.url, folder).build();
        tracer.start_span("next").end();
        assert!(tracer.flush(WAIT).ok);
        for _ in 0..50 {
            if done(&tracer) {
                return tracer;
            }
            tracer.start_span("next").end();
            assert!(tracer.flush(WAIT).ok);
        }
    }
    panic!("nobody sent what was left");
}

#[test]
fn the_same_tracer_sends_it_when_the_server_is_back_and_the_figures_move_over() {
    let (stub, folder) = (broken(), folder());
    let tracer = builder(&stub.url, &folder).build();
    (0..1000).for_each(|_| tracer.start(SpanOptions::new("s")).end());
    let result = tracer.flush(WAIT);
    assert_eq!((result.ok, result.spooled, result.remaining), (false, 1000, 0));
    conserved(&tracer, 1000);
    // Still away: nothing is new, and it is still not well.
    assert_eq!(tracer.flush(WAIT), FlushResult { spooled: 1000, ..FlushResult::default() });
    stub.answer([]);
    assert_eq!(tracer.flush(WAIT), ok(1000));
    conserved(&tracer, 1000);
    assert_eq!(files(folder.path()).len(), 0);
    let ids: std::collections::BTreeSet<String> =
        stub.records().iter().map(|record| record["__tracer_meta__"]["span_id"].to_string()).collect();
    assert_eq!(ids.len(), 1000);
    tracer.start_span("s").end();
    assert_eq!(tracer.flush(WAIT), ok(1));
}

#[test]
fn without_a_flush_it_is_sent_as_well() {
    let (stub, folder) = (broken(), folder());
    let tracer = builder(&stub.url, &folder).build();
    tracer.start_span("s").end();
    assert_eq!(tracer.flush(WAIT).spooled, 1);
    stub.answer([]);
    testing::advance(&tracer, Duration::from_mins(1));
    let requests = stub.wait_for(4);
    assert_eq!(requests[3].path, "/api/ingest");
}

#[test]
fn a_server_that_rejects_or_does_not_know_spooled_records() {
    let rejected = br#"{"ingested":1,"rejected":[{"index":0,"error":"no"}]}"#.to_vec();
    let headers = "Content-Type: application/json\r\n";
    let (stub, folder) = (broken(), folder());
    let tracer = builder(&stub.url, &folder).build();
    (0..2).for_each(|_| tracer.start_span("s").end());
    assert_eq!(tracer.flush(WAIT).spooled, 2);
    // What does not take them leaves them where they are, for `aitrace import`.
    stub.answer(vec![Answer::status(404); 10]);
    assert_eq!(tracer.flush(WAIT).spooled, 2);
    assert_eq!(files(folder.path()).len(), 1);
    conserved(&tracer, 2);

    let (stub, folder) = (broken(), crate::network::folder());
    let tracer = builder(&stub.url, &folder).build();
    (0..2).for_each(|_| tracer.start_span("s").end());
    assert_eq!(tracer.flush(WAIT).spooled, 2);
    stub.answer([Answer::status(503), Answer::Http { status: 200, headers, body: rejected }]);
    let mut flushes = std::iter::repeat_with(|| tracer.flush(WAIT)).take(100);
    let last = flushes.find(|result| result.spooled == 0).expect("sent in the end");
    assert_eq!(last.dropped["rejected"], 1);
    assert_eq!(tracer.stats().sent, 1);
    conserved(&tracer, 2);
}

#[test]
fn a_shutdown_puts_aside_what_waits_also_for_a_server_that_is_busy() {
    let busy = Answer::Http { status: 503, headers: "Retry-After: 100\r\n", body: Vec::new() };
    let (stub, folder) = (Stub::start([busy]), folder());
    let tracer = builder(&stub.url, &folder).build();
    (0..1100).for_each(|_| tracer.start(SpanOptions::new("s")).end());
    // Of a shutdown's time a quarter, a second at most, is for putting aside: enough where others want the processor.
    let result = tracer.shutdown(Duration::from_secs(4));
    assert_eq!(result, FlushResult { spooled: 1100, ..FlushResult::default() });
    conserved(&tracer, 1100);
    let text = fs::read_to_string(&files(folder.path())[0]).expect("reads");
    assert_eq!(text.lines().count(), 1100);
    assert_eq!(tracer.shutdown(WAIT), ok(0), "a second call does nothing");
}

#[test]
fn a_folder_that_cannot_be_made_is_said_once_and_nothing_is_lost_before_the_end() {
    let (stub, folder) = (broken(), folder());
    let occupied = folder.path().join("file");
    fs::write(&occupied, "").expect("writes");
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let own = heard.clone();
    let note = move |problem: &aitrace::Problem| own.lock().expect("whole").push(problem.cause.clone());
    let tracer = builder(&stub.url, &folder).spool_dir(occupied.join("spool")).on_error(note).build();
    for _ in 0..5 {
        tracer.start_span("s").end();
        assert_eq!(tracer.flush(Duration::from_millis(50)).spooled, 0);
    }
    assert_eq!(tracer.stats().remaining, 5);
    let result = tracer.shutdown(Duration::from_millis(100));
    assert_eq!((result.remaining, result.dropped["shutdown"]), (0, 5));
    conserved(&tracer, 5);
    assert_eq!(*heard.lock().expect("whole"), ["unreachable", "spool"]);
}

#[test]
fn a_page_shows_what_was_not_sent() {
    let (stub, folder) = (broken(), folder());
    let pages = folder.path().join("pages");
    let spool = folder.path().join("spool");
    let tracer = builder(&stub.url, &folder).spool_dir(&spool).fallback_html(&pages).build();
    {
        let _root = tracer.start_span("root");
        let _child = tracer.start_span("<script>alert(1)</script>");
    }
    // Put aside, and tried again since: what is about to be sent has not been sent.
    assert_eq!(tracer.flush(WAIT).spooled, 2);
    let tries = stub.requests().len();
    while stub.requests().len() == tries {
        assert_eq!(tracer.flush(Duration::from_millis(200)).remaining, 0);
    }
    assert_eq!(tracer.shutdown(WAIT).spooled, 2);
    let page = files(&pages).remove(0);
    let text = fs::read_to_string(&page).expect("reads");
    assert!(
        text.contains("&lt;script&gt;alert(1)") && text.contains("<b>root</b>") && !text.contains("<script")
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&page).expect("is there").permissions().mode() & 0o777, 0o600);
    }
    // All was sent: no page.
    let well = Stub::start([]);
    let tracer = builder(&well.url, &folder).spool_dir(&spool).fallback_html(&pages).build();
    tracer.start_span("s").end();
    assert!(tracer.shutdown(WAIT).ok);
    assert_eq!(files(&pages).len(), 1);
}
