//! Rules, sampling and masking, as a program sees them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aitrace::testing::{self, SequentialIds};
use aitrace::{
    Batch, Context, Enrich, ErrorInfo, EventType, Exported, Exporter, InSpan as _, Level, Log, Parent, Rules,
    RulesFormat, SpanKind, SpanOptions, Tracer, TracerBuilder,
};

use crate::stub::Stub;

const WAIT: Duration = Duration::from_secs(40);

fn rules(text: &str) -> Rules {
    Rules::parse(text, RulesFormat::Toml, "rules").expect("valid")
}

fn memory(text: &str) -> Tracer {
    Tracer::builder().project("p").source("prod").target("memory").rules(rules(text)).build()
}

fn names(tracer: &Tracer) -> Vec<String> {
    tracer.spans().iter().map(|span| span.name.clone()).collect()
}

#[test]
fn rules_drop_rename_and_change_in_their_order() {
    let tracer = memory(
        r#"
        [[rules]]
        name = "late"
        priority = 9
        rename = "last"
        when = { name = "lookup *" }

        [[rules]]
        name = "health"
        drop = true
        when = { name = "GET /health*" }

        [[rules]]
        rename = "found by $1"
        kind = "retriever"
        event_type = "tool"
        set = { team = "search", n = 1 }
        when = { name = '/^lookup (\w+)$/', attributes = { "http.route" = "/v1/*", hits = 3, "metadata.tier" = "gold", gone = { present = false } } }

        [[rules]]
        drop = true
        when = { project = "other", name = "*" }
        "#,
    );
    drop(tracer.start_span("GET /healthz"));
    {
        let span = tracer.start_span("lookup id");
        span.set_attribute("http.route", "/v1/x");
        span.set_attribute("hits", 3.0);
        span.enrich(Enrich::new().metadata("tier", "gold"));
    }
    drop(tracer.start_span("lookup other"));
    let spans = tracer.spans();
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["found by id", "last"]);
    assert_eq!((spans[0].kind, spans[0].event_type), (SpanKind::Retriever, EventType::Tool));
    let attributes = spans[0].attributes.as_str();
    assert!(attributes.contains(r#""team":"search""#) && attributes.contains(r#""n":1"#), "{attributes}");
    assert_eq!(tracer.stats().filtered, [("health".to_owned(), 1)].into());
    let flushed = tracer.flush(WAIT);
    assert!(flushed.ok && flushed.remaining == 0, "{flushed:?}");
}

#[test]
fn a_rule_redacts_keys_values_and_whole_parts() {
    let tracer = memory(
        r#"
        mask = { enabled = false }
        [[rules]]
        name = "patients"
        when = { kind = "llm" }
        redact = { keys = ["name*"], values = ['\d{3}-\d{2}'], buckets = ["outputs", "user_properties", "events"] }
        "#,
    );
    for kind in [SpanKind::Llm, SpanKind::Tool] {
        let span = tracer.start_span_with(SpanOptions::new("call").kind(kind));
        span.set_attribute("Name.first", "Ada");
        span.set_attribute("note", "is 123-45, sk-abcdefghijkl1234");
        span.enrich(Enrich::new().inputs([("name", "x")]).outputs("whole output").user_property("city", "Q"));
        span.add_event("seen", vec![("who".into(), "Ada".into())], None);
    }
    let spans = tracer.spans();
    let text = format!("{:?}", spans[0]);
    for gone in ["Ada", "123-45", "whole output", "\"Q\""] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    assert!(text.contains("sk-abcdefghijkl1234"), "masking is off: {text}");
    assert!(spans[0].outputs.as_ref().expect("set").as_str() == "\"[masked]\"");
    assert_eq!(spans[0].user_properties.as_ref().expect("set").as_str(), r#"{"city":"[masked]"}"#);
    let other = format!("{:?}", spans[1]);
    assert!(other.contains("Ada") && other.contains("123-45"), "{other}");
    assert_eq!(tracer.stats().masked, [("patients".to_owned(), 5)].into());
}

#[test]
fn what_a_rule_redacts_is_redacted_in_log_records_too() {
    let tracer = memory(
        r#"
        [[rules]]
        name = "patients"
        when = { project = "p" }
        redact = { keys = ["patient*"], values = ['\bP-\d{6}\b'] }

        [[rules]]
        when = { project = "other" }
        redact = { keys = ["elsewhere"] }

        [[rules]]
        when = { name = "visit" }
        redact = { keys = ["of_one_span"] }
        "#,
    );
    {
        let _visit = tracer.start_span("visit");
        tracer.log(
            Log::new("asked about P-123456")
                .field("patient_name", "Ann")
                .field("note", "see P-654321")
                .field("elsewhere", "stays")
                .field("of_one_span", "stays"),
        );
    }
    let expected = r#"info asked about [masked] {"patient_name":"[masked]","note":"see [masked]","elsewhere":"stays","of_one_span":"stays"}"#;
    assert_eq!(testing::logs(&tracer).trim_end(), expected);
    assert_eq!(tracer.stats().masked.get("patients"), Some(&3));
}

/// The secrets that a traced program says, one in every place; each has the mark in it.
const MARK: &str = "CANARY7";

fn say_everything(tracer: &Tracer) {
    let secret = format!("sk-{MARK}abcdefghij");
    let error = || ErrorInfo {
        kind: format!("Error {secret}"),
        message: format!("password={MARK}"),
        stacktrace: format!("at x\n  Bearer {MARK}abcdefgh\n"),
    };
    tracer.create_session(Some("demo"), None, Enrich::new().metadata("token", MARK));
    let span = tracer.start_span(format!("call {secret}"));
    span.set_attribute("http.request.header.authorization", MARK);
    span.set_attribute("url", format!("https://user:{MARK}@host/x"));
    span.set_attribute("input.value", format!("{{\"api_key\":\"{MARK}\"}}"));
    span.set_attribute("list", vec![secret.as_str(), "b"]);
    span.set_attribute("map", serde_json::json!({"a": {"client_secret": MARK, "n": [1, MARK.len()]}}));
    span.set_attribute("gen_ai.usage.input_tokens", 12);
    span.enrich(
        Enrich::new()
            .inputs(serde_json::json!({"messages": [{"content": secret, "headers": {"Cookie": MARK}}]}))
            .outputs(format!("ok {secret}"))
            .metadata("password", MARK)
            .metadata("nested", serde_json::json!({"arguments": format!("{{\"token\": \"{MARK}\"}}")}))
            .metric("max_tokens", 100)
            .feedback("text", &secret)
            .config("api_key", MARK)
            .user_property("jwt", MARK)
            .user_id(secret.clone()),
    );
    span.add_event(format!("event {secret}"), vec![("password".into(), MARK.into())], None);
    span.record_exception(error());
    tracer.log(
        Log::new(format!("log {secret}")).level(Level::Error).field("secret", MARK).field("note", &secret),
    );
    testing::tick(tracer, WAIT);
    drop(span);
    assert!(tracer.flush(WAIT).sent > 0);
}

/// Nothing of the secrets, all of the rest.
fn assert_masked(place: &str, text: &str) {
    assert!(!text.contains(MARK), "{place}: {text}");
    for kept in ["gen_ai.usage.input_tokens", "max_tokens", "[masked]", "messages"] {
        assert!(text.contains(kept), "{place} lacks {kept}: {text}");
    }
}

/// Keeps what it is given, open spans too.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<String>>);

impl Exporter for Keep {
    fn export(&self, batch: &Batch) -> Exported {
        let mut text = self.0.lock().expect("not poisoned");
        for span in &batch.spans {
            write!(text, "{:?}\n{:?}\n{:?}\n{}\n", span.to_span(), span.to_raw(), span.phase(), span.name())
                .expect("a String takes everything");
        }
        for log in &batch.logs {
            write!(text, "{:?}\n{}\n", log.to_log_record(), log.event()).expect("a String takes everything");
        }
        Exported::Sent { rejected: 0 }
    }

    fn wants_open_spans(&self) -> bool {
        true
    }
}

#[test]
fn no_secret_leaves_by_any_way() {
    let keep = Keep::default();
    let tracer = Tracer::builder().exporter(keep.clone()).tick(Duration::from_hours(1)).build();
    say_everything(&tracer);
    let text = keep.0.lock().expect("not poisoned").clone();
    assert!(text.contains("Start"), "an open span was told of: {text}");
    assert_masked("exporter", &text);

    let tracer = Tracer::builder().target("memory").build();
    say_everything(&tracer);
    assert_masked("memory", &format!("{:?} {:?}", tracer.spans(), tracer.logs()));

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.jsonl");
    let tracer = Tracer::builder().target(path.to_str().expect("text")).build();
    say_everything(&tracer);
    let text = std::fs::read_to_string(&path).expect("written");
    assert!(text.contains(".start") && text.contains("session.started"), "{text}");
    assert_masked("file", &text);

    for route in ["", "/api/ingest"] {
        let stub = Stub::start([]);
        let tracer = Tracer::builder().target(format!("{}{route}", stub.url)).gzip(false).build();
        say_everything(&tracer);
        let bodies: Vec<u8> = stub.requests().into_iter().flat_map(|request| request.body).collect();
        assert_masked(route, &String::from_utf8_lossy(&bodies));
    }
}

#[test]
fn masking_counts_can_be_off_and_is_on_where_rules_are_broken() {
    let tracer = Tracer::builder().target("memory").build();
    tracer.start_span("a").set_attribute("password", "x");
    assert!(format!("{:?}", tracer.spans()).contains("[masked]"));
    assert_eq!(tracer.stats().masked, [("key".to_owned(), 1)].into());

    let tracer = Tracer::builder().target("memory").mask(false).build();
    tracer.start_span("a").set_attribute("password", "x");
    assert!(tracer.spans()[0].attributes.as_str().contains(r#""password":"x""#));
    assert!(tracer.stats().masked.is_empty());
}

#[test]
fn what_takes_too_long_to_mask_is_replaced() {
    // A pattern that has to keep many beginnings in mind, on long values that are full of them.
    let tracer = memory("mask = { values = ['[a-m][a-z]{200}[n-z][a-z]{100}[!?]'] }");
    let mut random = 1_u32;
    let mut letter = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (random >> 24) as u8 % 26)
    };
    let text: String = (0..180_000).map(|_| letter()).collect();
    {
        let span = tracer.start_span("slow");
        (0..100).for_each(|number| span.set_attribute(format!("k{number}"), format!("canary {text}")));
    }
    // What takes a second of the worker's own time takes many where others want the processor.
    assert!(tracer.flush(WAIT).ok);
    let text = format!("{:?}", tracer.spans());
    assert!(!text.contains("canary") && text.contains("[masked]"), "{} bytes", text.len());
    assert_eq!(tracer.stats().masked.get("mask_too_late"), Some(&1));
}

#[test]
fn a_span_of_a_megabyte_is_masked_in_its_time() {
    let tracer = memory("");
    {
        let span = tracer.start_span("large");
        for number in 0..10 {
            span.set_attribute(format!("k{number}"), "prose, prose, password=x; ".repeat(4000));
        }
    }
    tracer.log(Log::new("said").field("text", "prose, prose, password=x; ".repeat(4000)));
    let (spans, logs) = (tracer.spans(), tracer.logs());
    let text = spans[0].attributes.as_str();
    assert!(text.len() > 1 << 20 && text.contains("prose") && !text.contains("password=x"));
    assert!(logs[0].event == "said" && logs[0].attrs.as_str().contains("prose, password=[masked]"));
    assert_eq!(tracer.stats().masked, [("assignment".to_owned(), 44_000)].into());
}

#[test]
fn what_was_masked_and_left_out_is_told_with_the_next_batch_and_told_once() {
    use aitrace_model::{AnyValue, key};
    let stub = Stub::start([]);
    let text = "rules = [{name = 'health', drop = true, when = {name = 'GET *'}}, {sample = 0.0, when = {name = 'not*'}}]";
    let tracer =
        Tracer::builder().target(&*stub.url).rules(rules(text)).tick(Duration::from_hours(1)).build();
    for name in ["GET /", "GET /x", "not this", "first"] {
        tracer.start_span(name).set_attribute("password", "x");
    }
    assert!(tracer.flush(WAIT).ok);
    drop(tracer.start_span("second"));
    assert!(tracer.flush(WAIT).ok);
    let spans = stub.spans();
    let told: Vec<_> = spans
        .iter()
        .flat_map(|span| span.attributes.iter().map(move |(key, value)| (span.name.as_str(), key, value)))
        .filter(|(_, known, _)| [key::FILTERED, key::MASKED].contains(&known.as_str()))
        .map(|(name, key, value)| (name, key.as_str(), value.clone()))
        .collect();
    let (filtered, masked) =
        (AnyValue::from(r#"{"health":2,"not_sampled":1}"#), AnyValue::from(r#"{"key":1}"#));
    assert_eq!(told, [("first", key::FILTERED, filtered), ("first", key::MASKED, masked)]);
}

fn sampled(ratio: f64) -> Tracer {
    memory(&format!("rules = [{{sample = {ratio}, when = {{name = 'root*'}}}}]"))
}

#[test]
fn a_part_of_the_traces_is_recorded_whole() {
    let tracer = sampled(0.25);
    for number in 0..400 {
        let _root = tracer.start_span(format!("root {number}"));
        let _child = tracer.start_span("child");
        drop(tracer.start_span("root inside"));
        tracer.enrich_span(Enrich::new().metadata("a", 1));
        tracer.log(Log::new("said"));
    }
    drop(tracer.start_span("other root"));
    let spans = tracer.spans();
    let roots = spans.iter().filter(|span| span.parent_span_id.is_none()).count() - 1;
    assert!((50..150).contains(&roots), "{roots}");
    assert_eq!(spans.len(), 3 * roots + 1);
    assert_eq!(tracer.logs().len(), roots);
    assert_eq!(tracer.stats().filtered["not_sampled"], 4 * (400 - roots as u64));
    let ids: std::collections::BTreeSet<_> = spans.iter().map(|span| span.span_id).collect();
    assert!(spans.iter().all(|span| span.parent_span_id.is_none_or(|parent| ids.contains(&parent))));
}

#[test]
fn a_trace_that_is_not_recorded_is_not_in_any_process() {
    let (tracer, downstream) = (sampled(0.0), memory(""));
    let headers = {
        let root = tracer.start_span("root");
        assert!(!root.is_recording());
        let child = tracer.start(SpanOptions::new("child"));
        assert_eq!(child.context().expect("ids").trace_id, root.context().expect("ids").trace_id);
        let mut headers = HashMap::new();
        Context::current().inject(|name, value| drop(headers.insert(name, value)));
        headers
    };
    assert!(headers["traceparent"].ends_with("-00"), "{headers:?}");
    let context = Context::extract(|name| headers.get(name).map(String::as_str));
    {
        let _attached = context.clone().attach();
        let span = downstream.start_span("server");
        assert!(!span.is_recording());
        downstream.enrich_span(Enrich::new().metadata("a", 1));
        drop(downstream.start_span("child"));
    }
    drop(downstream.start_span_with(SpanOptions::new("explicit").parent(Parent::Context(context))));
    assert_eq!((names(&tracer), names(&downstream)), (vec![], vec![]));
    assert_eq!(downstream.stats().filtered["not_sampled"], 3);
    // What comes after is recorded again.
    drop(downstream.start_span("next"));
    assert_eq!(names(&downstream), ["next"]);
}

#[test]
fn a_future_in_a_span_that_is_not_recorded_runs() {
    let tracer = sampled(0.0);
    let span = tracer.start(SpanOptions::new("root"));
    let inner = tracer.clone();
    let future = async move {
        drop(inner.start_span("child"));
        7
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(runtime.block_on(future.in_span(span)), 7);
    assert!(tracer.spans().is_empty());
}

#[test]
fn free_functions_find_the_tracer_of_a_span_that_is_not_recorded() {
    let (tracer, other) = (sampled(0.0), memory(""));
    let _outer = other.start_span("outer");
    let _root = tracer.start_span_with(SpanOptions::new("root").parent(Parent::Root));
    let found = Tracer::discover().expect("a tracer");
    assert_eq!(found.identity().tracer_id, tracer.identity().tracer_id);
    assert!(!aitrace::enrich_span(Enrich::new().metadata("a", 1)));
}

fn tailed(text: &str) -> (Tracer, Keep) {
    let keep = Keep::default();
    let builder: TracerBuilder = Tracer::builder().exporter(keep.clone()).tick(Duration::from_hours(1));
    (builder.id_generator(Arc::new(SequentialIds::default())).rules(rules(text)).build(), keep)
}

#[test]
fn the_tail_keeps_errors_with_all_their_spans() {
    let (tracer, keep) = tailed("tail = {ratio = 0.0}");
    for number in 0..3 {
        let _root = tracer.start_span(format!("root {number}"));
        drop(tracer.start_span(format!("first {number}")));
        let child = tracer.start_span(format!("child {number}"));
        tracer.log(Log::new(format!("log {number}")));
        if number == 1 {
            child.record_error("broken");
        }
    }
    let flushed = tracer.flush(WAIT);
    assert_eq!((flushed.ok, flushed.sent, flushed.remaining), (true, 4, 0), "{flushed:?}");
    let text = keep.0.lock().expect("not poisoned").clone();
    for name in ["root 1", "first 1", "child 1", "log 1"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert!(!text.contains("root 0") && !text.contains("log 2"), "{text}");
    assert_eq!(tracer.stats().filtered, [("tail".to_owned(), 8)].into());
}

#[test]
fn open_spans_are_held_where_a_rule_may_still_drop_them() {
    let (tracer, keep) =
        tailed("rules = [{drop = true, name = 'noise', when = {attributes = {noise = true}}}]");
    {
        let span = tracer.start_span("noisy");
        assert!(testing::tick(&tracer, WAIT));
        span.set_attribute("noise", true);
    }
    drop(tracer.start_span("good"));
    assert_eq!(tracer.flush(WAIT).sent, 1);
    let text = keep.0.lock().expect("not poisoned").clone();
    assert!(text.contains("good") && !text.contains("noisy"), "{text}");
    assert_eq!(tracer.stats().filtered, [("noise".to_owned(), 1)].into());
}

#[test]
fn a_program_leaves_spans_out_and_conceals_what_it_could_not_process() {
    let tracer = Tracer::builder().target("memory").hold_open_spans(true).mask(false).build();
    let noise = tracer.start(SpanOptions::new("noise"));
    noise.leave_out("own");
    assert!(!noise.is_recording());
    {
        let span = tracer.start_span("name of a patient");
        span.enrich(Enrich::new().inputs("canary").metadata("k", "canary"));
        span.set_attribute("k", "canary");
        span.add_event("canary", vec![], None);
        span.record_error("canary");
        span.conceal();
    }
    let spans = tracer.spans();
    assert_eq!(names(&tracer), ["[masked]"]);
    let text = format!("{spans:?}");
    assert!(!text.contains("canary") && !text.contains("patient"), "{text}");
    assert!(spans[0].is_error(), "that it failed is kept");
    assert_eq!(tracer.stats().filtered, [("own".to_owned(), 1)].into());
    assert_eq!(tracer.stats().masked, [("processor_failed".to_owned(), 1)].into());
}
