//! Spans and events of the `tracing` crate.

use aitrace::{Level, testing};
use tracing_subscriber::prelude::*;

#[test]
fn spans_of_both_crates_nest_and_events_become_log_records() {
    let (tracer, clock) = testing::tracer();
    let subscriber = tracing_subscriber::registry().with(aitrace::layer().with_tracer(&tracer));
    tracing::subscriber::with_default(subscriber, || {
        let _outer = tracer.start_span("outer");
        let middle = tracing::info_span!("middle", query = "q", hits = tracing::field::Empty);
        middle.in_scope(|| {
            clock.advance(1000);
            middle.record("hits", 3_u64);
            tracer.start_span("inner").end();
            tracing::warn!(target: "search", left = 2, "nothing {}", "found");
        });
        tracing::info!("after");
    });
    let spans = tracer.spans();
    assert!(spans.is_empty() || spans.len() == 3, "{spans:?}");
    assert_eq!(testing::tree(&spans), "outer 1µs\n  middle 1µs\n    inner 0ns\n");
    let middle = spans.iter().find(|span| span.name == "middle").expect("recorded");
    let attributes = middle.attributes.to_value().expect("an object");
    assert_eq!((attributes["query"].as_str(), attributes["hits"].as_i64()), (Some("q"), Some(3)));
    let logs = tracer.logs();
    assert_eq!((logs[0].event.as_str(), logs[0].level), ("nothing found", Level::Warning));
    assert_eq!(logs[0].logger.as_deref(), Some("search"));
    assert_eq!(logs[0].span_id, Some(middle.span_id));
    assert_eq!(logs[0].attrs.as_str(), r#"{"left":2}"#);
    assert!(logs[0].code.as_ref().is_some_and(|code| code.file.ends_with("tracing_layer.rs")));
    let outer = spans.iter().find(|span| span.name == "outer").expect("recorded");
    assert_eq!((logs[1].event.as_str(), logs[1].span_id), ("after", Some(outer.span_id)));
}

#[test]
fn a_span_that_is_entered_twice_and_closed_elsewhere() {
    let (tracer, _clock) = testing::tracer();
    let subscriber = tracing_subscriber::registry().with(aitrace::layer().with_tracer(&tracer));
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("again");
        let first = span.enter();
        let second = span.enter();
        drop(first);
        tracer.start_span("inside").end();
        drop(second);
        assert_eq!(aitrace::Context::current().span(), None);
    });
    assert_eq!(testing::tree(&tracer.spans()), "again 0ns\n  inside 0ns\n");
}
