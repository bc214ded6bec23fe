//! Reading back, late corrections, sessions, events, test helpers.

use std::time::Duration;

use aitrace::{Enrich, EventType, Level, Log, NewEvent, SpanOptions, Tracer, testing};
use serde_json::json;

fn memory() -> Tracer {
    Tracer::builder().project("p").source("s").session_id("one").target("memory").build()
}

#[test]
fn an_open_span_is_read_back_and_stored_as_it_was_given() {
    let tracer = memory();
    let span = tracer.start_span("s");
    span.set_attribute("Plain-Key", 1);
    span.enrich(
        Enrich::new()
            .metadata("Order-Id", json!({"Deep": {"er": [1, {"A-b": 2}]}, "empty": {}}))
            .metric("score", 0.5)
            .inputs(json!({"Q": "why"}))
            .outputs("text")
            .user_id("u1")
            .event_type(EventType::Model),
    );
    let attributes = span.attributes();
    for (name, value) in [
        ("plain_key", json!(1)),
        ("metadata.order_id.deep.er", json!([1, {"A-b": 2}])),
        ("metadata.order_id.empty", json!({})),
        ("metrics.score", json!(0.5)),
        ("inputs.q", json!("why")),
        ("outputs", json!("text")),
        ("project", json!("p")),
        ("source", json!("s")),
        ("session_id", json!("one")),
        ("user_id", json!("u1")),
        ("event_type", json!("model")),
        ("kind", json!("llm")),
    ] {
        assert_eq!(attributes.get(name), Some(&value), "{name}");
    }
    assert!(!attributes.contains_key("input.value") && !attributes.contains_key("error"));
    span.set_status(aitrace::SpanStatus::Error, Some("bad"));
    assert_eq!(span.attributes()["error"], "bad");
    let handle = tracer.start(SpanOptions::new("ended"));
    handle.end();
    assert!(handle.attributes().is_empty());
    drop(span);
    let stored = testing::span(&tracer, "s").metadata.expect("set");
    assert_eq!(stored.as_str(), r#"{"Order-Id":{"Deep":{"er":[1,{"A-b":2}]},"empty":{}}}"#);
}

#[test]
fn what_is_said_late_reaches_the_span_that_was_named() {
    let tracer = memory();
    let first = tracer.start_span("first");
    let id = first.context().expect("recording").span_id.to_string();
    drop(first);
    let second = tracer.start_span("second");
    assert!(
        tracer.enrich_span(Enrich::new().event_id(id.clone()).feedback("rating", 5).metric("late", true))
    );
    assert!(aitrace::enrich_span(Enrich::new().event_id(id).feedback("rating", 4)));
    drop(second);
    let (first, second) = (testing::span(&tracer, "first"), testing::span(&tracer, "second"));
    assert_eq!(first.feedback.map(|json| json.to_string()), Some(r#"{"rating":4}"#.into()));
    assert_eq!(first.metrics.map(|json| json.to_string()), Some(r#"{"late":true}"#.into()));
    assert_eq!((second.feedback, second.metrics), (None, None));
}

#[test]
fn sessions_and_events() {
    let tracer = memory();
    tracer.start_span("before").end();
    let session = tracer.create_session(Some("chat"), None, Enrich::new().user_property("plan", "pro"));
    tracer.enrich_session(Enrich::new().metadata("topic", "shoes").metric("turns", 3).user_id("u1"));
    let id = tracer.create_event(
        "lookup",
        NewEvent {
            event_type: Some(EventType::Tool),
            about: Enrich::new().inputs("q").outputs(json!({"hits": 1})).error("slow"),
            duration: Some(Duration::from_millis(5)),
        },
    );
    tracer.log(Log::new("said").level(Level::Warning));
    tracer.start_span("after").end();
    assert_eq!(testing::span(&tracer, "before").session_id.as_deref(), Some("one"));
    assert_eq!(testing::span(&tracer, "after").session_id, Some(session.clone()));
    let logs = tracer.logs();
    let data: Vec<_> =
        logs.iter().map(|log| (log.event.as_str(), log.attrs.to_value().expect("JSON"))).collect();
    assert_eq!(
        data[0],
        (
            "session.started",
            json!({"session_id": session, "session_name": "chat", "user_properties": {"plan": "pro"}})
        )
    );
    assert_eq!(data[1].0, "session.updated");
    assert_eq!(
        (&data[1].1["metadata"], &data[1].1["metrics"]),
        (&json!({"topic": "shoes"}), &json!({"turns": 3}))
    );
    assert_eq!((data[2].0, &data[2].1["event_id"]), ("event.created", &json!(id)));
    assert_eq!((&data[2].1["duration_ms"], &data[2].1["error"]), (&json!(5.0), &json!("slow")));
    assert_eq!((logs[3].level, logs[3].session_id.as_deref()), (Level::Warning, Some(&*session)));
}

#[test]
fn the_session_of_a_single_span() {
    let tracer = memory();
    tracer.start_span("other").enrich(Enrich::new().session_id("two").user_property("plan", "pro"));
    let span = testing::span(&tracer, "other");
    assert_eq!(span.session_id.as_deref(), Some("two"));
    assert_eq!(span.user_properties.map(|json| json.to_string()), Some(r#"{"plan":"pro"}"#.into()));
}

#[test]
fn a_tree_that_differs_is_shown() {
    let (tracer, _clock) = testing::tracer();
    tracer.start_span("one").end();
    testing::assert_tree(&tracer, "one 0ns");
    let says = |work: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).expect_err("panics");
        panic.downcast_ref::<String>().cloned().expect("a text")
    };
    let differs = |expected: &str| says(&|| testing::assert_tree(&tracer, expected));
    assert!(differs("two 0ns").contains("expected:\ntwo 0ns\nfound:\none 0ns\n"));
    assert!(differs("").contains("found:\none 0ns"));
    let none = says(&|| drop(testing::span(&tracer, "two")));
    assert!(none.contains("no finished span \"two\""), "{none}");
}
