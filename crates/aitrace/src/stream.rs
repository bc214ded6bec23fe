//! Streams that run inside a span.

use std::pin::Pin;
use std::task::{self, Poll};

use futures_core::Stream;

use crate::context::Context;
use crate::span::SpanHandle;

/// How many items a stream gave.
const ITEMS: &str = "aitrace.items";

/// Streams that run inside a span.
///
/// ```
/// use aitrace::{SpanOptions, StreamInSpan as _, Tracer};
/// use futures_util::StreamExt as _;
///
/// let tracer = Tracer::builder().target("memory").build();
/// let tokens = futures_util::stream::iter(["to", "ken"]).in_span(tracer.start(SpanOptions::new("tokens")));
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// assert_eq!(tokens.collect::<Vec<_>>().await, ["to", "ken"]);
/// # });
/// assert_eq!(tracer.spans()[0].name, "tokens");
/// ```
pub trait StreamInSpan: Stream + Sized {
    /// Runs this stream inside `span`, which ends after the last item or when the stream is dropped.
    ///
    /// The span is current while the stream is polled, in whatever thread, and never between. The attribute
    /// `aitrace.items` says how many items there were.
    fn in_span(self, span: SpanHandle) -> InStream<Self> {
        InStream::new(self, span)
    }
}

impl<S: Stream> StreamInSpan for S {}

/// A stream that is polled inside a span: [`StreamInSpan`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct InStream<S> {
    // Boxed, so that pinning needs no unsafe code.
    stream: Pin<Box<S>>,
    context: Context,
    span: SpanHandle,
    items: u64,
}

impl<S> InStream<S> {
    pub(crate) fn new(stream: S, span: SpanHandle) -> Self {
        let context = span.within(&Context::current());
        Self { stream: Box::pin(stream), context, span, items: 0 }
    }

    fn count(&self) {
        if self.span.is_recording() {
            self.span.set_attribute(ITEMS, self.items);
        }
    }
}

impl<S: Stream> Stream for InStream<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Option<S::Item>> {
        let poll = {
            let _context = self.context.clone().attach();
            self.stream.as_mut().poll_next(task)
        };
        match &poll {
            Poll::Ready(Some(_)) => self.items += 1,
            Poll::Ready(None) => {
                self.count();
                self.span.end();
            }
            Poll::Pending => {}
        }
        poll
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S> Drop for InStream<S> {
    fn drop(&mut self) {
        self.count();
        self.span.cut_off();
    }
}
