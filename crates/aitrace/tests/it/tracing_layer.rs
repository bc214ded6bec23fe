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

fn subscriber(tracer: &aitrace::Tracer) -> impl tracing::Subscriber + Send + Sync + use<> {
    tracing_subscriber::registry().with(aitrace::layer().with_tracer(tracer))
}

fn attributes(span: &aitrace_model::Span) -> serde_json::Value {
    span.attributes.to_value().expect("an object")
}

#[test]
fn levels_and_fields_of_every_kind() {
    let (tracer, _clock) = testing::tracer();
    tracing::subscriber::with_default(subscriber(&tracer), || {
        let span = tracing::warn_span!(target: "shop", "order", n = 1_u8, x = 1.5, ok = true, who = %"me", list = ?[1]);
        span.in_scope(|| {
            tracing::trace!("t");
            tracing::debug!("d");
            tracing::info!(big = u64::MAX, wide = -1_i128, "i");
            tracing::error!("e");
        });
    });
    let span = &tracer.spans()[0];
    let attributes = attributes(span);
    for (key, value) in [
        ("n", serde_json::json!(1)),
        ("x", 1.5.into()),
        ("ok", true.into()),
        ("who", "me".into()),
        ("list", "[1]".into()),
        ("level", "warning".into()),
        ("target", "shop".into()),
    ] {
        assert_eq!(attributes[key], value, "{key}");
    }
    let logs: Vec<_> = tracer.logs().into_iter().map(|log| (log.event, log.level)).collect();
    let expected = [("t", Level::Debug), ("d", Level::Debug), ("i", Level::Info), ("e", Level::Error)];
    assert_eq!(logs, expected.map(|(event, level)| (event.to_owned(), level)));
    assert_eq!(tracer.logs()[2].attrs.as_str(), r#"{"big":"18446744073709551615","wide":-1}"#);
    assert_eq!(span.status, None, "an error that is said is no failure");
}

#[test]
fn events_on_the_span() {
    let (tracer, _clock) = testing::tracer();
    let layer = aitrace::layer().with_tracer(&tracer).with_events(aitrace::Events::Spans);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info!("outside");
        tracing::info_span!("inside").in_scope(|| tracing::info!(n = 1, "happened"));
    });
    let event = &tracer.spans()[0].events[0];
    assert_eq!((event.name.as_str(), event.attributes.as_str()), ("happened", r#"{"n":1,"level":"info"}"#));
    assert!(tracer.logs().is_empty());
}

#[test]
fn what_follows_is_linked_and_what_is_recorded_later_counts() {
    let (tracer, _clock) = testing::tracer();
    tracing::subscriber::with_default(subscriber(&tracer), || {
        let first = tracing::info_span!("first");
        let second =
            tracing::info_span!("second", hits = tracing::field::Empty, otel.name = tracing::field::Empty);
        second.follows_from(&first);
        second.record("hits", 3);
        second.record("otel.name", "renamed");
        drop((first, second));
    });
    let spans = tracer.spans();
    let [first, second] = [&spans[0], &spans[1]];
    assert_eq!((second.name.as_str(), &attributes(second)["hits"]), ("renamed", &3.into()));
    assert_eq!(second.links.iter().map(|link| link.span_id).collect::<Vec<_>>(), [first.span_id]);
}

#[test]
fn fields_with_a_meaning() {
    let (tracer, _clock) = testing::tracer();
    tracing::subscriber::with_default(subscriber(&tracer), || {
        tracing::info_span!(
            "http",
            otel.name = "GET /",
            otel.kind = "server",
            otel.status_code = "ERROR",
            otel.status_description = "no such page"
        );
    });
    let span = &tracer.spans()[0];
    assert_eq!((span.name.as_str(), span.status), ("GET /", Some(aitrace::Status::Error)));
    assert_eq!(span.error.as_ref().map(|error| error.message.as_str()), Some("no such page"));
    assert!(attributes(span).get("otel.kind").is_none());
}

#[test]
fn instrumented_async_functions_interleave_and_fail() {
    #[tracing::instrument(skip(tracer), err)]
    async fn step(tracer: &aitrace::Tracer, number: u8) -> Result<u8, std::num::ParseIntError> {
        tokio::task::yield_now().await;
        let inner = tracer.start(aitrace::SpanOptions::new(format!("inner {number}")));
        inner.end();
        tokio::task::yield_now().await;
        if number == 2 { "x".parse() } else { Ok(number) }
    }
    let (tracer, _clock) = testing::tracer();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    tracing::subscriber::with_default(subscriber(&tracer), || {
        let _outer = tracer.start_span("outer");
        let results = runtime.block_on(async { tokio::join!(step(&tracer, 1), step(&tracer, 2)) });
        assert!(results.0.is_ok() && results.1.is_err());
    });
    let bad = "invalid digit found in string";
    assert_eq!(
        testing::tree(&tracer.spans()),
        format!("outer 0ns\n  step 0ns\n    inner 1 0ns\n  step 0ns error: {bad}\n    inner 2 0ns\n")
    );
    let spans = tracer.spans();
    let log = &tracer.logs()[0];
    let failed = spans.iter().find(|span| span.is_error()).expect("one failed");
    assert_eq!((log.level, log.span_id), (Level::Error, Some(failed.span_id)));
    assert_eq!(failed.code.as_ref().map(|code| code.function.as_str()), Some("it::tracing_layer::step"));
}

#[test]
fn filters_leave_out_and_what_is_below_stays_connected() {
    let (tracer, _clock) = testing::tracer();
    let filter = tracing_subscriber::filter::filter_fn(|metadata| {
        *metadata.level() <= tracing::Level::INFO && metadata.target() != "noise"
    });
    let layer = aitrace::layer().with_tracer(&tracer).with_filter(filter);
    // For the other layer the noise exists.
    let subscriber =
        tracing_subscriber::registry().with(layer).with(tracing_subscriber::layer::Identity::new());
    tracing::subscriber::with_default(subscriber, || {
        let outer = tracing::info_span!("outer");
        let noise = tracing::info_span!(target: "noise", parent: &outer, "noise");
        let inner = tracing::info_span!(parent: &noise, "inner");
        inner.in_scope(|| tracing::debug!("too fine"));
        outer.in_scope(|| tracing::info!(target: "noise", "too loud"));
    });
    assert_eq!(testing::tree(&tracer.spans()), "outer 0ns\n  inner 0ns\n");
    assert!(tracer.logs().is_empty());
}

#[test]
fn several_layers_record_each_for_its_own_tracer() {
    let (one, _clock) = testing::tracer();
    let two = aitrace::Tracer::builder().project("two").target("memory").build();
    let subscriber = tracing_subscriber::registry()
        .with(aitrace::layer().with_tracer(&one))
        .with(aitrace::layer().with_tracer(&two));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("outer").in_scope(|| {
            assert!(one.enrich_span(aitrace::Enrich::new().metadata("of", "one")));
            assert!(two.enrich_span(aitrace::Enrich::new().metadata("of", "two")));
            tracing::info_span!("inner").in_scope(|| tracing::info!("said"));
        });
        assert_eq!(aitrace::Context::current().span(), None);
    });
    for (tracer, name) in [(&one, "one"), (&two, "two")] {
        let spans = tracer.spans();
        assert_eq!(
            spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(),
            ["inner", "outer"],
            "{name}"
        );
        let metadata = spans[1].metadata.as_ref().map(ToString::to_string);
        assert_eq!(metadata, Some(format!("{{\"of\":\"{name}\"}}")));
        assert_eq!(tracer.logs().len(), 1);
    }
}
