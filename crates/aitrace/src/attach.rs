//! Making a context current: for a scope, and for each poll of a future.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{self, Poll};

use crate::context::Context;
use crate::local::{self, Token};
use crate::span::SpanHandle;

impl Context {
    /// What is current in the calling thread; empty where nothing is.
    pub fn current() -> Self {
        local::current()
    }

    /// The top of our own stack, whatever OpenTelemetry says.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn current_of_stack() -> Self {
        local::top()
    }

    /// Makes this context current until the guard is dropped.
    pub fn attach(self) -> ContextGuard {
        ContextGuard { token: local::enter(self), stays: PhantomData }
    }
}

/// Keeps a context current while it lives. It stays in its thread.
#[derive(Debug)]
#[must_use = "the context is current only while the guard lives"]
pub struct ContextGuard {
    token: Option<Token>,
    stays: PhantomData<*const ()>,
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        local::leave(self.token.take());
    }
}

/// Futures that run inside a span or a context.
pub trait InSpan: Future + Sized {
    /// Runs this future inside `span`, which ends when the future is done or dropped.
    ///
    /// The span is current while the future is polled, in whatever thread, and never between.
    fn in_span(self, span: SpanHandle) -> InContext<Self> {
        let context = span.within(&Context::current());
        InContext { future: Box::pin(self), context, span: Some(span) }
    }

    /// Runs this future with `context` current.
    fn in_context(self, context: Context) -> InContext<Self> {
        InContext { future: Box::pin(self), context, span: None }
    }
}

impl<F: Future> InSpan for F {}

/// A future that is polled in a context: [`InSpan`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct InContext<F> {
    // Boxed, so that pinning needs no unsafe code.
    future: Pin<Box<F>>,
    context: Context,
    span: Option<SpanHandle>,
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let guard = self.context.clone().attach();
        let poll = self.future.as_mut().poll(task);
        drop(guard);
        if poll.is_ready()
            && let Some(span) = self.span.take()
        {
            span.end();
        }
        poll
    }
}

impl<F> Drop for InContext<F> {
    fn drop(&mut self) {
        // Cancelled: what was asked of it is over, so this is an end and no accident.
        if let Some(span) = self.span.take() {
            span.cut_off();
        }
    }
}
