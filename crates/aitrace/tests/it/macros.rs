//! `#[trace]` on functions of every shape.

use std::collections::BTreeMap;

use aitrace::{Tracer, testing};
use serde_json::json;

/// Serialises not, prints not.
struct Opaque(u8);

#[derive(Debug, Clone, Copy)]
struct Printed(#[expect(dead_code, reason = "printed")] u8);

#[derive(Debug)]
struct Failure;

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it failed")
    }
}

struct Agent {
    tracer: Tracer,
    calls: u32,
}

impl Agent {
    #[aitrace::trace(tracer = self.tracer, event_type = "tool")]
    fn count(&mut self, by: u32) -> u32 {
        self.calls += by;
        self.calls
    }

    #[aitrace::trace(tracer = &self.tracer, name = "ask", kind = "agent", skip(secret))]
    async fn ask(&self, question: &str, secret: &str) -> Result<String, Failure> {
        tokio::task::yield_now().await;
        if question.is_empty() {
            return Err(Failure);
        }
        self.inner(question).await?;
        Ok(format!("{question}{}", secret.len()))
    }

    #[aitrace::trace(tracer = self.tracer)]
    async fn inner<'a>(&self, text: &'a str) -> Result<&'a str, Failure> {
        tokio::task::yield_now().await;
        Ok(text)
    }
}

#[aitrace::trace(tracer = tracer, skip(tracer))]
fn shapes<T>(
    tracer: &Tracer,
    number: i32,
    printed: Printed,
    opaque: Opaque,
    generic: T,
    _: u8,
) -> Option<Opaque> {
    drop((number, printed, generic));
    Some(opaque).filter(|opaque| opaque.0 > 0)
}

#[aitrace::trace(tracer = tracer, skip_all, skip_output)]
fn early(tracer: &Tracer, map: &BTreeMap<String, u8>) -> Result<u8, Failure> {
    let first = *map.get("first").ok_or(Failure)?;
    if first > 1 {
        return Ok(first);
    }
    Ok(0)
}

#[aitrace::trace(tracer = tracer, skip(tracer))]
fn lazily(tracer: &Tracer, most: u8) -> impl Iterator<Item = u8> + use<> {
    0..most
}

#[aitrace::trace]
fn untraced(number: u8) -> u8 {
    number + 1
}

fn values(span: &aitrace_model::Span) -> (serde_json::Value, serde_json::Value) {
    let value =
        |json: &Option<aitrace::Json>| json.as_ref().and_then(aitrace::Json::to_value).unwrap_or_default();
    (value(&span.inputs), value(&span.outputs))
}

#[test]
fn methods_capture_arguments_and_results() {
    let (tracer, _clock) = testing::tracer();
    let mut agent = Agent { tracer: tracer.clone(), calls: 1 };
    assert_eq!(agent.count(2), 3);
    let span = &tracer.spans()[0];
    assert_eq!(span.name, "count");
    assert_eq!(values(span), (json!({"by": 2}), json!(3)));
    assert_eq!((span.kind, span.event_type), (aitrace::SpanKind::Tool, aitrace::EventType::Tool));
    let code = span.code.as_ref().expect("a place");
    assert!(code.file.ends_with("tests/it/macros.rs"));
    assert_eq!(code.function, "it::macros::count");
}

#[test]
fn async_methods_nest_and_report_errors() {
    let (tracer, _clock) = testing::tracer();
    let agent = Agent { tracer: tracer.clone(), calls: 0 };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let answer = runtime.block_on(agent.ask("why", "pw"));
    assert_eq!(answer.expect("an answer"), "why2");
    assert!(runtime.block_on(agent.ask("", "pw")).is_err());
    let spans = tracer.spans();
    assert_eq!(testing::tree(&spans), "ask 0ns [agent]\n  inner 0ns\nask 0ns [agent] error: it failed\n");
    assert_eq!(values(&spans[1]), (json!({"question": "why"}), json!("why2")));
    assert_eq!(spans[2].error.as_ref().map(|error| error.kind.as_str()), Some("Failure"));
    assert!(spans[2].outputs.is_none());
}

#[test]
fn a_cancelled_async_function_says_so() {
    let (tracer, _clock) = testing::tracer();
    let agent = Agent { tracer: tracer.clone(), calls: 0 };
    {
        let mut future = std::pin::pin!(agent.ask("why", "pw"));
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::future::Future::poll(future.as_mut(), &mut task).is_pending());
    }
    let attributes = tracer.spans()[0].attributes.to_value().expect("an object");
    assert_eq!(attributes["aitrace.cancelled"], true);
}

#[test]
fn what_cannot_be_captured_is_left_out() {
    let (tracer, _clock) = testing::tracer();
    assert!(shapes(&tracer, 1, Printed(2), Opaque(3), Opaque(4), 5).is_some());
    let span = &tracer.spans()[0];
    assert_eq!(values(span), (json!({"number": 1, "printed": "Printed(2)"}), json!(null)));
}

#[test]
fn early_returns_leave_the_function_and_not_the_span() {
    let (tracer, _clock) = testing::tracer();
    let map = |value| BTreeMap::from([("first".to_owned(), value)]);
    assert_eq!(early(&tracer, &map(2)).expect("fine"), 2);
    assert_eq!(early(&tracer, &map(1)).expect("fine"), 0);
    assert!(early(&tracer, &BTreeMap::new()).is_err());
    let spans = tracer.spans();
    assert_eq!(spans.len(), 3);
    assert!(spans[2].is_error() && !spans[0].is_error());
    assert!(spans.iter().all(|span| span.inputs.is_none() && span.outputs.is_none()));
}

#[test]
fn opaque_results_and_no_tracer() {
    let (tracer, _clock) = testing::tracer();
    assert_eq!(lazily(&tracer, 3).count(), 3);
    assert_eq!(tracer.spans().len(), 1);
    let own = Tracer::builder().project("own").target("memory").build();
    let span = own.start_span("outer");
    assert_eq!(untraced(1), 2);
    drop(span);
    assert_eq!(own.spans()[0].name, "untraced");
}
