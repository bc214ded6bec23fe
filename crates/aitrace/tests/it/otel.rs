//! OpenTelemetry over the same recorder: nesting both ways, several providers, the global one untouched.

use std::time::{Duration, SystemTime};

use aitrace::{Context, Enrich, Tracer, testing};
use opentelemetry::trace::{
    FutureExt as _, Link, Span as _, SpanContext as OtelSpanContext, SpanId as OtelSpanId, SpanKind, Status,
    TraceContextExt as _, TraceFlags, TraceId as OtelTraceId, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context as OtelContext, InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};

fn tree(tracer: &Tracer) -> String {
    testing::tree(&tracer.spans())
}

fn attributes(span: &aitrace_model::Span) -> serde_json::Value {
    span.attributes.to_value().expect("an object")
}

#[test]
fn theirs_nest_in_ours_and_ours_in_theirs() {
    let (tracer, clock) = testing::tracer();
    let library = tracer.provider().tracer("library");
    {
        let _outer = tracer.start_span("outer");
        library.in_span("theirs", |context| {
            clock.advance(1_000);
            context.span().set_attribute(KeyValue::new("by", "context"));
            assert_eq!(tracer.current_span(), Context::current().span());
            assert!(tracer.enrich_span(Enrich::new().metadata("n", 1)), "the current span is theirs");
            let _inner = tracer.start_span("ours");
            // What a library says of the current span, not knowing whose it is.
            OtelContext::current().span().set_attribute(KeyValue::new("said", true));
            library.start("innermost").end();
        });
        tracer.start_span("after").end();
    }
    assert_eq!(Context::current().span(), None);
    assert!(!OtelContext::current().has_active_span());
    assert_eq!(
        tree(&tracer),
        "outer 1µs\n  theirs 1µs {\"n\":1}\n    ours 0ns\n      innermost 0ns\n  after 0ns\n"
    );
    let spans = tracer.spans();
    let find = |name: &str| spans.iter().find(|span| span.name == name).expect(name);
    assert_eq!(attributes(find("theirs"))["by"], "context");
    assert_eq!(attributes(find("ours"))["said"], true);
    assert_eq!(find("theirs").scope, "library");
}

#[test]
fn everything_that_their_span_can_say() {
    let (tracer, _clock) = testing::tracer();
    let scope = InstrumentationScope::builder("library")
        .with_version("1.2")
        .with_attributes([KeyValue::new("scope.k", 1)])
        .build();
    let library = tracer.provider().tracer_with_scope(scope);
    let linked = library.start("linked");
    let link = Link::with_context(linked.span_context().clone());
    let began = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
    let mut span = library
        .span_builder("first name")
        .with_kind(SpanKind::Client)
        .with_start_time(began)
        .with_attributes([KeyValue::new("gen_ai.request.model", "m"), KeyValue::new("n", 7)])
        .with_links(vec![link])
        .start(&library);
    span.update_name("name");
    span.add_event("event", vec![KeyValue::new("k", 1.5)]);
    span.add_event_with_timestamp("early", began, vec![]);
    span.record_error(&std::fmt::Error);
    span.add_link(linked.span_context().clone(), vec![KeyValue::new("why", "because")]);
    span.set_status(Status::error("bad"));
    assert!(span.is_recording());
    span.end_with_timestamp(began + Duration::from_secs(2));
    assert!(!span.is_recording());
    span.set_attribute(KeyValue::new("late", 1));
    drop(linked);
    let spans = tracer.spans();
    let span = spans.iter().find(|span| span.name == "name").expect("recorded");
    assert_eq!(span.duration_ns(), Some(2_000_000_000));
    assert_eq!((span.model.as_deref(), &attributes(span)["n"]), (Some("m"), &7.into()));
    assert!(attributes(span).get("late").is_none());
    assert_eq!(
        span.events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(),
        ["event", "early", "exception"]
    );
    let links: Vec<_> = span.links.iter().map(|link| link.attributes.to_string()).collect();
    assert_eq!(links, ["{}", r#"{"why":"because"}"#]);
    assert_eq!(span.error.as_ref().map(|error| error.message.as_str()), Some("bad"));
    let linked = spans.iter().find(|span| span.name == "linked").expect("dropping ends it");
    assert!(attributes(linked).get("aitrace.abandoned").is_none());
}

#[test]
fn an_explicit_parent_and_an_explicit_root() {
    let (tracer, _clock) = testing::tracer();
    let library = tracer.provider().tracer("library");
    let parent = OtelContext::new().with_span(library.start("parent"));
    {
        let _current = tracer.start_span("current");
        library.start_with_context("child", &parent).end();
        library.start_with_context("root", &OtelContext::new()).end();
        library.start("of the current").end();
    }
    parent.span().end();
    let spans = tracer.spans();
    let parent_of = |name: &str| {
        let span = spans.iter().find(|span| span.name == name).expect(name);
        spans.iter().find(|other| Some(other.span_id) == span.parent_span_id).map(|span| span.name.as_str())
    };
    assert_eq!(parent_of("child"), Some("parent"));
    assert_eq!(parent_of("root"), None);
    assert_eq!(parent_of("of the current"), Some("current"));
}

#[test]
fn several_providers_keep_their_identity() {
    let memory = |project: &str| Tracer::builder().project(project).target("memory").build();
    let (a, b) = (memory("a"), memory("b"));
    let (of_a, of_b) = (a.provider().tracer("x"), b.provider().tracer("x"));
    of_a.in_span("outer", |_| {
        of_b.in_span("inner", |_| {
            assert!(a.enrich_span(Enrich::new().metadata("of", "a")));
            assert!(b.enrich_span(Enrich::new().metadata("of", "b")));
        });
    });
    let (outer, inner) = (a.spans().remove(0), b.spans().remove(0));
    assert_eq!((outer.project.as_str(), inner.project.as_str()), ("a", "b"));
    assert_eq!((inner.trace_id, inner.parent_span_id), (outer.trace_id, Some(outer.span_id)));
    assert_eq!(outer.metadata.as_ref().map(ToString::to_string), Some(r#"{"of":"a"}"#.into()));
    assert_eq!(inner.metadata.as_ref().map(ToString::to_string), Some(r#"{"of":"b"}"#.into()));
}

#[test]
fn the_sdk_of_others_nests_with_ours() {
    let (tracer, _clock) = testing::tracer();
    let _ours = tracer.provider();
    let exporter = InMemorySpanExporter::default();
    let others = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let theirs = others.tracer("other");
    {
        let outer = tracer.start_span("outer");
        let ids = outer.context().expect("recording");
        theirs.in_span("middle", |_| tracer.start_span("inner").end());
        let middle = exporter.get_finished_spans().expect("kept").remove(0);
        assert_eq!(middle.span_context.trace_id().to_bytes(), ids.trace_id.to_bytes());
        assert_eq!(middle.parent_span_id.to_bytes(), ids.span_id.to_bytes());
        drop(outer);
        let inner = tracer.spans().into_iter().find(|span| span.name == "inner").expect("recorded");
        let parent = inner.parent_span_id.map(aitrace::SpanId::to_bytes);
        assert_eq!(parent, Some(middle.span_context.span_id().to_bytes()));
    }
    assert!(!OtelContext::current().has_active_span());
}

#[test]
fn contexts_travel_with_futures_and_threads_of_either_side() {
    let tracer = Tracer::builder().target("memory").build();
    let library = tracer.provider().tracer("library");
    let context = OtelContext::new().with_span(library.start("request"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let own = tracer.clone();
    let work = async move {
        tokio::task::yield_now().await;
        own.start_span("in the task").end();
    };
    runtime.block_on(runtime.spawn(work.with_context(context.clone()))).expect("no panic");
    let (own, carried) = (tracer.clone(), {
        let _attached = context.clone().attach();
        Context::current()
    });
    let library_there = library.clone();
    std::thread::Builder::new()
        .spawn(move || {
            let _carried = carried.attach();
            library_there.start("theirs in the thread").end();
            own.start_span("ours in the thread").end();
        })
        .expect("a thread")
        .join()
        .expect("no panic");
    context.span().end();
    drop(context);
    let tree = tree(&tracer);
    let names: Vec<_> = tree.lines().map(|line| line.rsplit_once(' ').expect("a duration").0).collect();
    assert_eq!(names, ["request", "  in the task", "  theirs in the thread", "  ours in the thread"]);
}

#[test]
fn baggage_reaches_their_spans() {
    let (tracer, _clock) = testing::tracer();
    let library = tracer.provider().tracer("library");
    let context = tracer.with_baggage("datapoint_id", Some("d1")).expect("travels");
    {
        let _baggage = context.attach();
        library.in_span("row", |_| tracer.start_span("step").end());
    }
    let points: Vec<_> = tracer.spans().into_iter().map(|span| span.datapoint_id).collect();
    assert_eq!(points, [Some("d1".to_owned()), Some("d1".to_owned())]);
}

/// What a propagator would write: the flags of what is current.
fn flags() -> u8 {
    OtelContext::map_current(|current| current.span().span_context().trace_flags().to_u8())
}

#[test]
fn whether_a_trace_is_recorded_is_followed_and_handed_on_by_both_sides() {
    for (remote, sampled, recorded) in
        [(true, true, true), (true, false, false), (false, false, true), (false, true, true)]
    {
        let (tracer, _clock) = testing::tracer();
        let library = tracer.provider().tracer("library");
        let flag = if sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        let (trace, span) = (OtelTraceId::from_bytes([7; 16]), OtelSpanId::from_bytes([7; 8]));
        let parent = OtelSpanContext::new(trace, span, flag, remote, TraceState::NONE);
        let above = OtelContext::new().with_remote_span_context(parent);
        {
            let _above = above.clone().attach();
            let ours = tracer.start_span("ours");
            assert_eq!((ours.is_recording(), flags()), (recorded, u8::from(recorded)));
            assert!(ours.context().is_some_and(|ids| ids.trace_id.to_bytes() == [7; 16]));
            library.in_span("inside", |_| assert_eq!(flags(), u8::from(recorded)));
        }
        let span = library.start_with_context("theirs", &above);
        assert_eq!((span.is_recording(), span.span_context().is_sampled()), (recorded, recorded));
        assert!(!span.span_context().is_remote());
        drop(span);
        assert_eq!(tracer.spans().len(), if recorded { 3 } else { 0 }, "{remote} {sampled}");
        // Our own way in says the same.
        let header = if sampled { "01" } else { "00" };
        let header = format!("00-{trace}-07070707070707ff-{header}");
        let _context = tracer.extract_context([("traceparent", header)]).attach();
        assert_eq!(flags(), u8::from(sampled));
        OtelContext::map_current(|current| assert!(current.span().span_context().is_remote()));
    }
}

#[test]
fn what_is_suppressed_is_not_recorded() {
    let (tracer, _clock) = testing::tracer();
    let library = tracer.provider().tracer("library");
    let outer = tracer.start_span("outer");
    {
        let _quiet = OtelContext::enter_telemetry_suppressed_scope();
        let span = library.start("quiet");
        assert!(!span.is_recording());
        // It passes on its parent's ids, so that what follows is not torn off.
        let passed = span.span_context().span_id().to_bytes();
        assert_eq!(Some(passed), outer.context().map(|ids| ids.span_id.to_bytes()));
    }
    drop(outer);
    assert_eq!(tree(&tracer), "outer 0ns\n");
}

/// Other tests run beside this one: only what this one does to the global provider is looked at.
#[test]
fn the_global_provider_is_ours_only_when_asked() {
    let tracer = Tracer::builder().project("global").target("memory").build();
    let provider = tracer.provider();
    opentelemetry::global::tracer("x").start("lost").end();
    assert!(tracer.spans().is_empty());
    provider.install_global();
    opentelemetry::global::tracer("x").start("found").end();
    assert_eq!(tracer.spans().len(), 1);
    tracer.shutdown(Duration::from_secs(5));
    let after = opentelemetry::global::tracer("x").start("after the end");
    assert!(!after.is_recording());
}

#[test]
fn guards_of_both_sides_in_the_wrong_order() {
    let (tracer, _clock) = testing::tracer();
    let library = tracer.provider().tracer("library");
    let outer = tracer.start_span("outer");
    let theirs = OtelContext::current_with_span(library.start("theirs")).attach();
    let inner = tracer.start_span("inner");
    drop(outer);
    drop(theirs);
    let current = Context::current().span();
    assert_eq!(current, inner.context());
    library.start("last").end();
    drop(inner);
    assert_eq!(Context::current().span(), None);
    assert!(!OtelContext::current().has_active_span());
    let spans = tracer.spans();
    let last = spans.iter().find(|span| span.name == "last").expect("recorded");
    assert_eq!(last.parent_span_id, current.map(|span| span.span_id));
}
