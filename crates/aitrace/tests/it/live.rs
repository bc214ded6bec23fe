//! Open spans are seen while they are open.

use std::sync::Arc;
use std::time::Duration;

use aitrace::{SpanOptions, Tracer, testing};
use aitrace_model::{AnyValue, RawSpan, key};

use crate::stub::{Answer, Stub};

const HOUR: Duration = Duration::from_hours(1);
const WAIT: Duration = Duration::from_secs(20);

fn tracer(stub: &Stub, clock: &Arc<testing::ManualClock>) -> Tracer {
    Tracer::builder().project("live").target(&stub.url).clock(clock.clone()).tick(HOUR).build()
}

fn clock() -> Arc<testing::ManualClock> {
    Arc::new(testing::ManualClock::new(testing::BEGINNING))
}

fn lifecycle(span: &RawSpan) -> &str {
    let attribute = span.attributes.iter().find(|(known, _)| known == key::LIFECYCLE);
    attribute.and_then(|(_, value)| value.as_str()).unwrap_or("end")
}

fn told(stub: &Stub) -> Vec<String> {
    stub.spans().iter().map(|span| format!("{} {}", span.name, lifecycle(span))).collect()
}

#[test]
fn an_open_span_is_told_of_at_the_tick_and_a_short_one_once() {
    let (stub, clock) = (Stub::start([]), clock());
    let tracer = tracer(&stub, &clock);
    let long = tracer.start(SpanOptions::new("long").attribute("k", 1));
    tracer.start(SpanOptions::new("short")).end();
    assert!(testing::tick(&tracer, WAIT));
    assert_eq!(told(&stub), ["short end", "long start"]);
    let start = stub.spans().remove(1);
    assert_eq!(start.end, None);
    assert!(start.attributes.contains(&("k".into(), AnyValue::Int(1))));

    // Nothing new, so nothing is said.
    assert!(testing::tick(&tracer, WAIT));
    assert_eq!(told(&stub).len(), 2);
    // A change is told at the next tick, a heartbeat when it is due.
    long.set_attribute("k", 2);
    assert!(testing::tick(&tracer, WAIT));
    clock.advance(9_999_999_999);
    assert!(testing::tick(&tracer, WAIT));
    clock.advance(1);
    assert!(testing::tick(&tracer, WAIT));
    assert_eq!(told(&stub)[2..], ["long heartbeat", "long heartbeat"]);
    assert!(stub.spans()[2].attributes.contains(&("k".into(), AnyValue::Int(2))));

    long.end();
    let result = tracer.flush(WAIT);
    assert!(result.ok, "{result:?}");
    assert_eq!(result.sent, 2);
    let end = stub.spans().remove(4);
    assert_eq!((end.span_id, lifecycle(&end)), (start.span_id, "end"));
    assert_eq!((end.start, end.end), (start.start, Some(start.start.saturating_add(10_000_000_000))));
}

#[test]
fn open_spans_are_told_of_again_when_the_first_telling_failed() {
    let (stub, clock) = (Stub::start([Answer::status(503)]), clock());
    let tracer = tracer(&stub, &clock);
    let long = tracer.start(SpanOptions::new("long"));
    assert!(testing::tick(&tracer, WAIT));
    assert!(testing::tick(&tracer, WAIT));
    assert_eq!(told(&stub), ["long start", "long heartbeat"]);
    long.end();
    let result = tracer.flush(WAIT);
    assert!(result.ok && result.sent == 1, "{result:?}");
}

#[test]
fn the_worker_looks_by_itself() {
    let stub = Stub::start([]);
    let tracer = Tracer::builder().project("live").target(&stub.url).tick(Duration::from_millis(5)).build();
    let open = tracer.start(SpanOptions::new("open"));
    stub.wait_for(1);
    assert_eq!(told(&stub), ["open start"]);
    open.end();
    stub.wait_for(2);
    assert_eq!(told(&stub), ["open start", "open end"]);
}

#[test]
fn what_goes_over_the_wire() {
    let (stub, clock) = (Stub::start([]), clock());
    let tracer = Tracer::builder()
        .project("wire")
        .source("prod")
        .session_id("s1")
        .session_name("demo")
        .run_id("r1")
        .service("bot")
        .api_key("secret")
        .target(&stub.url)
        .clock(clock)
        .build();
    {
        let span = tracer.start_span("plan");
        span.record_error(&std::io::Error::other("went wrong"));
    }
    tracer.log(aitrace::Log::new("said").field("n", 1));
    assert!(tracer.flush(WAIT).ok);
    let requests = stub.requests();
    let traces = requests.iter().find(|request| request.path == "/v1/traces").expect("spans");
    assert_eq!(traces.header("authorization"), Some("Bearer secret"));
    assert_eq!(traces.header("content-type"), Some("application/x-protobuf"));
    let span = traces.spans().remove(0);
    let attribute = |key: &str| {
        let found = span.attributes.iter().find(|(known, _)| known == key);
        found.and_then(|(_, value)| value.as_str()).map(str::to_owned)
    };
    assert_eq!(attribute("session.id").as_deref(), Some("s1"));
    assert_eq!(attribute("aitrace.session_name").as_deref(), Some("demo"));
    assert_eq!(attribute("aitrace.run_id").as_deref(), Some("r1"));
    assert_eq!(attribute(key::LIFECYCLE), None);
    let resource = format!("{:?}", span.resource);
    for part in [
        "\"service.name\", String(\"bot\")",
        "\"aitrace.project\", String(\"wire\")",
        "String(\"prod\")",
        "\"rust\"",
    ] {
        assert!(resource.contains(part), "{part} in {resource}");
    }
    assert_eq!(span.status, aitrace_model::RawStatus::Error("went wrong".into()));
    assert_eq!(span.events[0].name, "exception");
    assert_eq!(span.events[0].attributes[0], ("exception.type".into(), AnyValue::from("Error")));

    let logs = requests.iter().find(|request| request.path == "/api/ingest").expect("log records");
    let records: serde_json::Value = serde_json::from_slice(&logs.body).expect("JSON");
    assert_eq!(records[0]["__tracer_meta__"]["event"], "said");
    assert_eq!(records[0]["n"], 1);
}

#[test]
fn a_key_is_never_shown() {
    let builder = Tracer::builder().api_key("secret-key");
    assert!(!format!("{builder:?}").contains("secret-key"));
    let tracer = builder.build();
    assert!(!format!("{tracer:?}").contains("secret-key"));
}
