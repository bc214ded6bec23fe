//! Tracers share nothing.

use aitrace::{Baggage, Context, Enrich, Tracer};
use serde_json::json;

fn memory(project: &str) -> Tracer {
    Tracer::builder().project(project).source(format!("{project}-source")).target("memory").build()
}

#[test]
fn nested_spans_of_two_tracers_keep_their_own_identity() {
    let (a, b) = (memory("a"), memory("b"));
    {
        let _outer = a.start_span("outer");
        let _inner = b.start_span("inner");
        let _innermost = a.start_span("innermost");
        assert!(a.enrich_span(Enrich::new().metadata("of", "a")));
        assert!(b.enrich_span(Enrich::new().metadata("of", "b")));
    }
    let (a_spans, b_spans) = (a.spans(), b.spans());
    assert_eq!(a_spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["innermost", "outer"]);
    assert_eq!(b_spans.len(), 1);
    let inner = &b_spans[0];
    assert_eq!((inner.project.as_str(), inner.source.as_deref()), ("b", Some("b-source")));
    assert_eq!(inner.session_id.as_deref(), Some(&*b.identity().session().id));
    assert_ne!(inner.session_id, a_spans[0].session_id);
    // One tree all the same.
    assert_eq!(inner.trace_id, a_spans[0].trace_id);
    assert_eq!(inner.parent_span_id, Some(a_spans[1].span_id));
    assert_eq!(a_spans[0].parent_span_id, Some(inner.span_id));
    // Each enrichment went to its own tracer's nearest span.
    assert_eq!(a_spans[0].metadata.as_ref().map(ToString::to_string), Some(r#"{"of":"a"}"#.into()));
    assert_eq!(inner.metadata.as_ref().map(ToString::to_string), Some(r#"{"of":"b"}"#.into()));
    assert_eq!(a_spans[1].metadata, None);
}

#[test]
fn enriching_without_a_span_of_ones_own_does_nothing() {
    let (a, b) = (memory("a"), memory("b"));
    let span = a.start_span("of a");
    assert!(!b.enrich_span(Enrich::new().metadata("x", 1)));
    drop(span);
    assert!(!a.enrich_span(Enrich::new().metadata("x", 1)));
    assert_eq!(a.spans()[0].metadata, None);
    assert!(b.spans().is_empty());
}

#[test]
fn free_functions_go_to_the_tracer_of_the_innermost_span() {
    let (a, b) = (memory("a"), memory("b"));
    {
        let _a = a.start_span("a");
        assert!(aitrace::enrich_span(Enrich::new().metric("n", 1)));
        let b_span = b.start_span("b");
        assert!(aitrace::enrich_span(Enrich::new().metric("n", 2)));
        drop(b_span);
        assert!(aitrace::enrich_span(Enrich::new().metric("n", 3)));
    }
    assert_eq!(b.spans()[0].metrics.as_ref().map(ToString::to_string), Some(r#"{"n":2}"#.into()));
    assert_eq!(a.spans()[0].metrics.as_ref().map(ToString::to_string), Some(r#"{"n":3}"#.into()));
}

#[test]
fn the_tracer_named_by_the_baggage_is_found_and_a_dropped_one_is_not() {
    let a = memory("a");
    let id = a.identity().tracer_id.clone();
    let context =
        Context::default().with_baggage(Baggage { tracer_id: Some(id.clone()), ..Baggage::default() });
    let found = Tracer::discover_in(&context).expect("is there");
    assert_eq!(found.identity().tracer_id, id);
    drop((a, found));
    let found = Tracer::discover_in(&context);
    assert_ne!(found.map(|tracer| tracer.identity().tracer_id.clone()), Some(id));
}

#[test]
fn the_tracers_own_run_comes_before_the_contexts() {
    let own = Tracer::builder().project("p").run_id("own").target("memory").build();
    let other = memory("other");
    let baggage =
        Baggage { run_id: Some("travels".into()), datapoint_id: Some("d1".into()), ..Baggage::default() };
    {
        let _context = Context::current().with_baggage(baggage).attach();
        let _one = own.start_span("one");
        let _two = other.start_span("two");
    }
    {
        let _later = other.start_span("later");
    }
    let one = &own.spans()[0];
    assert_eq!((one.run_id.as_deref(), one.datapoint_id.as_deref()), (Some("own"), Some("d1")));
    let spans = other.spans();
    assert_eq!(spans[0].run_id.as_deref(), Some("travels"));
    assert_eq!(spans[1].run_id, None);
}

#[test]
fn what_a_user_says_is_stored_exactly() {
    let tracer = memory("exact");
    {
        let span = tracer.start_span("s");
        span.set_attribute("k", 1);
        span.set_attribute("k", "two");
        tracer.enrich_span(
            Enrich::new()
                .metadata("Order-Id", json!({"n": [1, 2.0, null], "é": true}))
                .feedback("rating", 5)
                .config("temperature", 0.2)
                .user_property("plan", "pro")
                .user_id("u1")
                .inputs("plain")
                .outputs(json!({"answer": 42}))
                .event_type(aitrace::EventType::Model),
        );
    }
    let span = &tracer.spans()[0];
    let text = |json: &Option<aitrace::Json>| json.as_ref().map(ToString::to_string).unwrap_or_default();
    assert_eq!(text(&span.metadata), r#"{"Order-Id":{"n":[1,2.0,null],"é":true}}"#);
    assert_eq!(text(&span.feedback), r#"{"rating":5}"#);
    assert_eq!(text(&span.config), r#"{"temperature":0.2}"#);
    assert_eq!(text(&span.user_properties), r#"{"plan":"pro"}"#);
    assert_eq!(text(&span.inputs), r#""plain""#);
    assert_eq!(text(&span.outputs), r#"{"answer":42}"#);
    assert_eq!(span.kind, aitrace::SpanKind::Llm);
    let attributes = span.attributes.to_value().expect("an object");
    assert_eq!(attributes["k"], "two");
    assert_eq!(attributes["input.value"], "plain");
    assert_eq!(attributes["input.mime_type"], "text/plain");
    assert_eq!(attributes["output.mime_type"], "application/json");
    assert_eq!(attributes["openinference.span.kind"], "LLM");
    assert_eq!(attributes["aitrace.event_type"], "model");
}

#[test]
fn the_place_of_the_callers_code_is_noted() {
    let tracer = memory("code");
    let line = line!() + 1;
    tracer.start_span("here").end();
    let code = tracer.spans()[0].code.clone().expect("a place");
    assert!(code.file.ends_with("tests/it/isolation.rs"), "{}", code.file);
    assert_eq!(code.line, line);
}

#[test]
fn the_limit_of_attributes_is_kept_and_told() {
    let tracer = memory("limit");
    {
        let span = tracer.start_span("many");
        for index in 0..1100 {
            span.set_attribute(format!("k{index}"), index);
        }
        span.set_attribute("k0", "changed");
    }
    let attributes = tracer.spans()[0].attributes.to_value().expect("an object");
    assert_eq!(attributes["k0"], "changed");
    assert_eq!(attributes["k1023"], 1023);
    assert!(attributes.get("k1024").is_none());
    assert_eq!(attributes["aitrace.dropped_parts"], 76);
}
