//! Files of trace records, read back by the reader.

use std::time::Duration;

use aitrace::{Enrich, Log, Tracer};
use aitrace_model::record::{self, Lifecycle, Record};

const WAIT: Duration = Duration::from_secs(20);

fn read(text: &str) -> Vec<Record> {
    text.lines()
        .map(|line| record::read(line.as_bytes(), &record::Limits::default()).expect("a record"))
        .collect()
}

#[test]
fn a_span_writes_its_start_at_once_and_its_end_when_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/trace.jsonl");
    let tracer = Tracer::builder()
        .project("files")
        .session_id("s1")
        .target(path.to_str().expect("UTF-8"))
        .tick(Duration::from_hours(1))
        .build();
    let span = tracer.start_span("plan");
    let ids = span.context().expect("recording");
    assert!(tracer.flush(WAIT).ok);
    let records = read(&std::fs::read_to_string(&path).expect("written"));
    assert_eq!(records.len(), 1);
    let start = &records[0].meta;
    assert_eq!(
        (start.event.as_str(), start.provisional, start.lifecycle),
        ("plan.start", true, Some(Lifecycle::Start))
    );
    assert_eq!(
        (start.trace_id, start.span_id, start.parent_span_id),
        (Some(ids.trace_id), Some(ids.span_id), None)
    );
    assert!(start.file.as_deref().is_some_and(|file| file.ends_with("tests/it/records.rs")));

    tracer.enrich_span(Enrich::new().metadata("order", 7).outputs("done"));
    span.set_attribute("k", 1);
    tracer.log(Log::new("inside").field("n", serde_json::json!({"deep": [1]})));
    tracer.start_span("child").end();
    drop(span);
    tracer.log(Log::new("outside"));
    let result = tracer.flush(WAIT);
    assert!(result.ok, "{result:?}");
    let records = read(&std::fs::read_to_string(&path).expect("written"));
    let events: Vec<_> = records.iter().map(|record| record.meta.event.as_str()).collect();
    assert_eq!(events, ["plan.start", "inside", "child.start", "child.end", "plan.end", "outside"]);
    assert_eq!(records[1].meta.span_id, Some(ids.span_id));
    assert_eq!(records[3].meta.parent_span_id, Some(ids.span_id));
    assert_eq!(records[5].meta.trace_id, None);
    let end = &records[4];
    assert_eq!((end.meta.provisional, end.meta.lifecycle), (false, Some(Lifecycle::End)));
    assert_eq!(end.meta.session_id.as_deref(), Some("s1"));
    let attributes = end.get("attributes").expect("attributes").to_value().expect("an object");
    assert_eq!(attributes["metadata"]["order"], 7);
    assert_eq!(attributes["outputs"], "done");
    assert_eq!(attributes["k"], 1);
    let ids: std::collections::BTreeSet<_> = records.iter().map(|record| record.meta.id.clone()).collect();
    assert_eq!(ids.len(), records.len());
}

#[test]
fn compatibility_mode_repeats_the_timestamp() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.jsonl");
    let tracer = Tracer::builder().target(path.to_str().expect("UTF-8")).compat_mode(true).build();
    tracer.start_span("s").end();
    assert!(tracer.flush(WAIT).ok);
    for line in std::fs::read_to_string(&path).expect("written").lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["timestamp"], value["__tracer_meta__"]["timestamp"]);
    }
}

#[test]
fn sessions_and_events_are_log_records() {
    let tracer = Tracer::builder().project("sessions").target("memory").build();
    let id = tracer.create_session(Some("demo"), None, Enrich::new());
    tracer.enrich_session(Enrich::new().metadata("tier", "gold").metric("score", 0.5));
    let event = aitrace::NewEvent {
        about: Enrich::new().inputs([1]).error("bad"),
        duration: Some(Duration::from_millis(5)),
        ..aitrace::NewEvent::default()
    };
    let event_id = tracer.create_event("call", event).expect("recorded");
    tracer.start_span("s").end();
    let logs = tracer.logs();
    let events: Vec<_> = logs.iter().map(|log| log.event.as_str()).collect();
    assert_eq!(events, ["session.started", "session.updated", "event.created"]);
    let attrs = |index: usize| logs[index].attrs.to_value().expect("an object");
    assert_eq!(attrs(0)["session_name"], "demo");
    assert_eq!(attrs(1)["metadata"]["tier"], "gold");
    assert_eq!(attrs(1)["session_id"], id.as_str());
    assert_eq!(attrs(2)["event_id"], event_id.as_str());
    assert_eq!(attrs(2)["duration_ms"], 5.0);
    assert_eq!(tracer.spans()[0].session_id.as_deref(), Some(id.as_str()));
}

#[test]
fn a_file_that_cannot_be_written_is_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let occupied = folder.path().join("file");
    std::fs::write(&occupied, "").expect("writes");
    let tracer = Tracer::builder().target(occupied.join("t.jsonl").to_str().expect("UTF-8")).build();
    tracer.start_span("s").end();
    let result = tracer.flush(Duration::from_millis(100));
    assert!(!result.ok && result.sent == 0 && result.remaining == 1, "{result:?}");
    assert!(tracer.stats().problem.is_some());
    // The folder is made after all.
    std::fs::remove_file(&occupied).expect("removes");
    let result = tracer.flush(WAIT);
    assert!(result.ok && result.sent == 1, "{result:?}");
}
