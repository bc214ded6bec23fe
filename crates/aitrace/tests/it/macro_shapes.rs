//! `#[trace]` on what returns futures and streams.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Poll, Waker};

use aitrace::{Context, Tracer, testing};
use futures_core::Stream;
use futures_util::StreamExt as _;
use serde_json::json;

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(Waker::noop()))
}

fn attribute(span: &aitrace_model::Span, key: &str) -> serde_json::Value {
    span.attributes.to_value().expect("an object").get(key).cloned().unwrap_or_default()
}

#[aitrace::trace(tracer = tracer, skip(tracer))]
fn returned(tracer: &Tracer, number: u8) -> impl Future<Output = Result<u8, std::fmt::Error>> + Send + use<> {
    let inner = tracer.clone();
    tracer.start_span("at the call").end();
    async move {
        tokio::task::yield_now().await;
        inner.start_span("in the future").end();
        if number == 0 { Err(std::fmt::Error) } else { Ok(number) }
    }
}

#[aitrace::trace(tracer = tracer, capture(number))]
fn boxed(tracer: &Tracer, number: u8) -> Pin<Box<dyn Future<Output = u8> + Send + '_>> {
    Box::pin(async move {
        tokio::task::yield_now().await;
        tracer.start_span("inside").end();
        number + 1
    })
}

#[async_trait::async_trait]
trait Tool {
    async fn run(
        &self,
        tracer: &Tracer,
        text: &str,
    ) -> Result<String, Box<dyn std::error::Error + Send + Sync>>;
}

struct Echo;

#[async_trait::async_trait]
impl Tool for Echo {
    #[aitrace::trace(tracer = tracer, name = "echo", event_type = "tool", skip(tracer))]
    async fn run(
        &self,
        tracer: &Tracer,
        text: &str,
    ) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        tokio::task::yield_now().await;
        tracer.start_span("inside").end();
        if text.is_empty() {
            return Err("no text".into());
        }
        Ok(text.to_owned())
    }
}

#[aitrace::trace(tracer = tracer, skip(tracer))]
fn tokens(tracer: &Tracer, most: u8) -> impl Stream<Item = u8> + Send + use<> {
    let tracer = tracer.clone();
    futures_util::stream::iter(0..most)
        .inspect(move |index| tracer.start_span(format!("token {index}")).end())
}

fn spans_of(tracer: &Tracer) -> String {
    testing::tree(&tracer.spans())
}

#[test]
fn a_returned_future_is_the_span() {
    let (tracer, clock) = testing::tracer();
    let future = returned(&tracer, 3);
    assert_eq!(Context::current().span(), None, "current only while it is polled");
    clock.advance(1_000);
    assert_eq!(block_on(future), Ok(3));
    assert_eq!(spans_of(&tracer), "returned 1µs\n  at the call 0ns\n  in the future 0ns\n");
    let span = tracer.spans().pop().expect("three spans");
    assert_eq!(span.inputs.and_then(|inputs| inputs.to_value()), Some(json!({"number": 3})));
    assert_eq!(span.outputs.and_then(|outputs| outputs.to_value()), Some(json!(3)));
    tracer.clear();
    assert!(block_on(returned(&tracer, 0)).is_err());
    let span = tracer.spans().pop().expect("three spans");
    assert_eq!(span.error.map(|error| error.kind), Some("Error".to_owned()));
}

#[test]
fn a_returned_future_that_is_dropped_is_cancelled() {
    let (tracer, _clock) = testing::tracer();
    drop(returned(&tracer, 1));
    {
        let mut polled = pin!(returned(&tracer, 1));
        assert!(poll_once(polled.as_mut()).is_pending());
    }
    let cancelled = tracer.spans().into_iter().filter(|span| span.name == "returned");
    assert_eq!(cancelled.map(|span| attribute(&span, "aitrace.cancelled")).collect::<Vec<_>>(), [true, true]);
}

#[test]
fn a_boxed_future_is_the_span() {
    let (tracer, _clock) = testing::tracer();
    assert_eq!(block_on(boxed(&tracer, 1)), 2);
    assert_eq!(spans_of(&tracer), "boxed 0ns\n  inside 0ns\n");
}

#[test]
fn methods_of_async_trait() {
    let (tracer, _clock) = testing::tracer();
    let tool: Box<dyn Tool + Send> = Box::new(Echo);
    assert_eq!(block_on(tool.run(&tracer, "hi")).expect("fine"), "hi");
    assert!(block_on(tool.run(&tracer, "")).is_err());
    assert_eq!(
        spans_of(&tracer),
        "echo 0ns [tool]\n  inside 0ns\necho 0ns [tool] error: no text\n  inside 0ns\n"
    );
    let spans = tracer.spans();
    let [good, bad] = [&spans[1], &spans[3]];
    assert_eq!(good.inputs.as_ref().and_then(aitrace::Json::to_value), Some(json!({"text": "hi"})));
    assert_eq!(good.outputs.as_ref().and_then(aitrace::Json::to_value), Some(json!("hi")));
    assert_eq!(bad.error.as_ref().map(|error| error.kind.as_str()), Some("Error"));
}

#[test]
fn a_stream_is_open_until_its_last_item() {
    let (tracer, clock) = testing::tracer();
    let mut stream = pin!(tokens(&tracer, 2));
    block_on(async {
        assert_eq!(stream.next().await, Some(0));
        clock.advance(5);
        assert_eq!(stream.next().await, Some(1));
        assert!(!spans_of(&tracer).contains("tokens"), "not yet ended");
        assert_eq!(stream.next().await, None);
    });
    assert_eq!(spans_of(&tracer), "tokens 5ns\n  token 0 0ns\n  token 1 0ns\n");
    let span = tracer.spans().pop().expect("three spans");
    assert_eq!(attribute(&span, "aitrace.items"), 2);
    assert_eq!(attribute(&span, "aitrace.cancelled"), json!(null));
}

#[test]
fn a_stream_that_is_dropped_is_cancelled() {
    let (tracer, _clock) = testing::tracer();
    block_on(async {
        let mut stream = pin!(tokens(&tracer, 2));
        assert_eq!(stream.next().await, Some(0));
    });
    let span = tracer.spans().pop().expect("two spans");
    assert_eq!(
        (attribute(&span, "aitrace.cancelled"), attribute(&span, "aitrace.items")),
        (true.into(), 1.into())
    );
}

#[test]
fn a_panic_in_a_future_is_an_error_and_no_cancellation() {
    #[aitrace::trace(tracer = tracer, skip(tracer))]
    async fn fails(tracer: &Tracer) {
        tokio::task::yield_now().await;
        panic!("on purpose");
    }
    let (tracer, _clock) = testing::tracer();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block_on(fails(&tracer))));
    assert!(panicked.is_err());
    let span = tracer.spans().pop().expect("one span");
    assert_eq!(span.error.as_ref().map(|error| error.message.as_str()), Some("panicked"));
    assert_eq!(attribute(&span, "aitrace.cancelled"), json!(null));
    assert_eq!(Context::current().span(), None);
}

#[test]
fn patterns_are_captured_by_their_names() {
    #[aitrace::trace(tracer = tracer, skip(tracer))]
    fn pairs(tracer: &Tracer, (left, right): (u8, u8), [first, ..]: [u8; 2]) -> u8 {
        left + right + first
    }
    let (tracer, _clock) = testing::tracer();
    assert_eq!(pairs(&tracer, (1, 2), [3, 4]), 6);
    let inputs = tracer.spans()[0].inputs.as_ref().and_then(aitrace::Json::to_value);
    assert_eq!(inputs, Some(json!({"left": 1, "right": 2, "first": 3})));
}

/// What is `Send` without the macro is so with it.
#[test]
fn futures_stay_send() {
    fn send<T: Send>(_: &T) {}
    let (tracer, _clock) = testing::tracer();
    send(&returned(&tracer, 1));
    send(&boxed(&tracer, 1));
    send(&tokens(&tracer, 1));
    send(&Echo.run(&tracer, "x"));
}
