//! The evaluated function, behind one type; what it fails with as text.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aitrace_eval::Datapoint;
use aitrace_model::ErrorInfo;
use serde::Serialize;
use serde_json::Value;

use crate::span::error_info;
use crate::tracer::Tracer;

pub(super) type Outcome = Result<Value, ErrorInfo>;
pub(super) type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A function to be evaluated.
#[derive(Clone)]
pub(super) enum Function {
    Sync(SyncFunction),
    Async(AsyncFunction),
}

type Call = dyn Fn(&Datapoint, &Tracer) -> Outcome + Send + Sync;

#[derive(Clone)]
pub(super) struct SyncFunction(Arc<Call>);

impl SyncFunction {
    pub(super) fn new<F, T, E>(function: F) -> Self
    where
        F: Fn(&Datapoint, &Tracer) -> Result<T, E> + Send + Sync + 'static,
        T: Serialize,
        E: Display,
    {
        Self(Arc::new(move |row, tracer| taken(&function(row, tracer))))
    }

    /// Calls it; a panic is a failure like any other.
    pub(super) fn call(&self, row: &Datapoint, tracer: &Tracer) -> Outcome {
        catch_unwind(AssertUnwindSafe(|| (self.0)(row, tracer)))
            .unwrap_or_else(|panic| Err(panicked(&*panic)))
    }
}

type AsyncCall = dyn Fn(Datapoint, Tracer) -> Pending<Outcome> + Send + Sync;

#[derive(Clone)]
pub(super) struct AsyncFunction(Arc<AsyncCall>);

impl AsyncFunction {
    pub(super) fn new<F, R, T, E>(function: F) -> Self
    where
        F: Fn(Datapoint, Tracer) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize,
        E: Display,
    {
        Self(Arc::new(move |row, tracer| {
            let future = function(row, tracer);
            Box::pin(async move { taken(&future.await) })
        }))
    }

    pub(super) async fn call(&self, row: Datapoint, tracer: Tracer) -> Outcome {
        let made = catch_unwind(AssertUnwindSafe(|| (self.0)(row, tracer)));
        match made {
            Ok(future) => Unwinding(future).await.unwrap_or_else(Err),
            Err(panic) => Err(panicked(&*panic)),
        }
    }
}

/// A future whose panics are failures.
pub(super) struct Unwinding<T>(pub(super) Pending<T>);

impl<T> Future for Unwinding<T> {
    type Output = Result<T, ErrorInfo>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(task))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panicked(&*panic))),
        }
    }
}

fn taken<T: Serialize, E: Display>(result: &Result<T, E>) -> Outcome {
    match result {
        Ok(output) => serde_json::to_value(output).map_err(|error| failure(&error)),
        Err(error) => Err(failure(error)),
    }
}

/// An error as the model tells it; a bare text is an `Error`.
pub(super) fn failure<E: Display + ?Sized>(error: &E) -> ErrorInfo {
    let mut info = error_info(error);
    if matches!(info.kind.as_str(), "String" | "str" | "&str") {
        "Error".clone_into(&mut info.kind);
    }
    info
}

pub(super) fn panicked(panic: &(dyn Any + Send)) -> ErrorInfo {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panicked");
    ErrorInfo { kind: "Panic".to_owned(), message: text.to_owned(), ..ErrorInfo::default() }
}

/// `Type: message`.
pub(super) fn told(error: &ErrorInfo) -> String {
    format!("{}: {}", error.kind, error.message)
}

/// The name of a function; for a closure, of the function that it stands in.
pub(super) fn name_of<F>() -> String {
    let path = std::any::type_name::<F>();
    let path = path.split('<').next().unwrap_or(path);
    let name = path.rsplit("::").find(|name| !name.starts_with('{')).unwrap_or(path);
    name.to_owned()
}
