//! What the code written by `#[trace]` calls. Not for people: it changes without notice.
//!
//! How to capture a value is chosen by method lookup: the traits are implemented for ever fewer references
//! to [`Wrap`], and the compiler takes the first that applies. So a type that serialises is captured as
//! JSON, one that only has `Debug` as text, any other not at all, and nobody has to say which.

use std::fmt::{Debug, Display};
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use aitrace_model::{ErrorInfo, EventType, Json, SpanKind};
use serde::Serialize;

use crate::attach::ContextGuard;
use crate::bounded;
use crate::code::{Code, Function};
use crate::context::Context;
use crate::fields::Enrich;
use crate::local;
use crate::span::{Span, SpanHandle, SpanOptions, error_info};
use crate::tracer::Tracer;

/// The tracer that an option names.
pub fn tracer(tracer: &Tracer) -> Tracer {
    tracer.clone()
}

/// Starts the span of a function.
pub fn start(
    tracer: Option<Tracer>,
    name: &'static str,
    function: &'static Function,
    event_type: Option<&'static str>,
    kind: Option<&'static str>,
) -> SpanHandle {
    let Some(tracer) = tracer else { return SpanHandle::none() };
    let mut options = SpanOptions::new(name).code(Code::Function(function));
    options.event_type = event_type.and_then(EventType::from_word);
    options.kind = kind.and_then(SpanKind::from_word);
    tracer.start(options)
}

/// Makes a span current for the rest of a function.
pub fn enter(span: SpanHandle) -> Span {
    let token = span.context().and_then(|_| local::enter(span.within(&Context::current())));
    Span::new(span, token)
}

/// Calls a function once. A closure that is given here may give away what it captured.
pub fn call<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Holds the span of an async function.
#[derive(Debug)]
pub struct Held(SpanHandle);

/// Holds a span until the function is done or dropped.
pub fn hold(span: SpanHandle) -> Held {
    Held(span)
}

/// Runs a pinned future inside a span.
pub fn inside<'f, F: Future>(span: &Held, future: Pin<&'f mut F>) -> Inside<'f, F> {
    Inside { future, context: span.0.within(&Context::current()) }
}

/// A future that is polled inside of a span.
#[derive(Debug)]
pub struct Inside<'f, F> {
    future: Pin<&'f mut F>,
    context: Context,
}

impl<F: Future> Future for Inside<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let _context = self.context.clone().attach();
        self.future.as_mut().poll(task)
    }
}

/// Runs a stream inside a span, which ends with it.
#[cfg(feature = "stream")]
pub fn stream<S: futures_core::Stream>(span: Held, stream: S) -> crate::stream::InStream<S> {
    crate::stream::InStream::new(stream, span.take())
}

impl Held {
    /// The span.
    pub fn handle(&self) -> &SpanHandle {
        &self.0
    }

    /// Makes the span current until the guard is dropped.
    pub fn attach(&self) -> ContextGuard {
        self.0.within(&Context::current()).attach()
    }

    /// The function is done.
    pub fn done(self) {
        self.0.end();
    }

    #[cfg(feature = "stream")]
    fn take(mut self) -> SpanHandle {
        std::mem::replace(&mut self.0, SpanHandle::none())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.cut_off();
    }
}

/// Sets the captured arguments as inputs.
pub fn inputs(span: &SpanHandle, captured: &[(&'static str, Option<Json>)]) {
    let members = captured.iter().filter_map(|(name, json)| Some((*name, json.as_ref()?)));
    let object = Json::object(members);
    if object.as_str() != "{}" {
        span.enrich(Enrich::new().inputs_json(object));
    }
}

/// Sets the captured result as the output.
pub fn output(span: &SpanHandle, captured: Option<Json>) {
    if let Some(json) = captured.filter(|json| json.as_str() != "null") {
        span.enrich(Enrich::new().outputs_json(json));
    }
}

/// A value that may be captured.
#[derive(Debug)]
pub struct Wrap<'v, T: ?Sized>(pub &'v T);

/// Captures as JSON.
pub trait AsJson {
    /// The captured value.
    fn capture(&self) -> Option<Json>;
    /// The captured result.
    fn capture_output(&self) -> Option<Json> {
        self.capture()
    }
}

impl<T: Serialize + ?Sized> AsJson for &&Wrap<'_, T> {
    fn capture(&self) -> Option<Json> {
        Some(bounded::capture(self.0))
    }
}

/// Captures as text.
pub trait AsDebug {
    /// The captured value.
    fn capture(&self) -> Option<Json>;
    /// The captured result.
    fn capture_output(&self) -> Option<Json> {
        self.capture()
    }
}

impl<T: Debug + ?Sized> AsDebug for &Wrap<'_, T> {
    fn capture(&self) -> Option<Json> {
        Some(bounded::capture_debug(self.0))
    }
}

/// Captures nothing.
pub trait AsNothing {
    /// Nothing.
    fn capture(&self) -> Option<Json> {
        None
    }
    /// Nothing.
    fn capture_output(&self) -> Option<Json> {
        None
    }
}

impl<T: ?Sized> AsNothing for Wrap<'_, T> {}

/// Captures what a result holds as JSON.
pub trait AsOkJson {
    /// The captured result.
    fn capture_output(&self) -> Option<Json>;
}

impl<T: Serialize, E> AsOkJson for &&&&Wrap<'_, Result<T, E>> {
    fn capture_output(&self) -> Option<Json> {
        self.0.as_ref().ok().map(bounded::capture)
    }
}

/// Captures what a result holds as text.
pub trait AsOkDebug {
    /// The captured result.
    fn capture_output(&self) -> Option<Json>;
}

impl<T: Debug, E> AsOkDebug for &&&Wrap<'_, Result<T, E>> {
    fn capture_output(&self) -> Option<Json> {
        self.0.as_ref().ok().map(bounded::capture_debug)
    }
}

/// An error that says something.
pub trait AsFailure {
    /// The error, if the result is one.
    fn failure(&self) -> Option<ErrorInfo>;
}

impl<T, E: Display> AsFailure for &&Wrap<'_, Result<T, E>> {
    fn failure(&self) -> Option<ErrorInfo> {
        self.0.as_ref().err().map(error_info)
    }
}

/// An error that only its developer can read, or nobody.
pub trait AsSilentFailure {
    /// The error, if the result is one.
    fn failure(&self) -> Option<ErrorInfo>;
}

impl<T, E> AsSilentFailure for &Wrap<'_, Result<T, E>> {
    fn failure(&self) -> Option<ErrorInfo> {
        let kind = std::any::type_name::<E>().to_owned();
        self.0.as_ref().err().map(|_| ErrorInfo { kind, ..ErrorInfo::default() })
    }
}

/// No result at all.
pub trait AsFine {
    /// Nothing.
    fn failure(&self) -> Option<ErrorInfo> {
        None
    }
}

impl<T: ?Sized> AsFine for Wrap<'_, T> {}
