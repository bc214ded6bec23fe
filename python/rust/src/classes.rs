//! The classes that refer to each other. What they do stands in `tracer`, `span` and `here`.

use std::sync::Arc;

use aitrace::{Context, SpanData, SpanHandle, SpanId, Text};
use parking_lot::Mutex;
use pyo3::prelude::*;

/// Identity, queue, worker and exporter of one tracer.
#[pyclass(subclass, frozen, weakref, name = "Tracer", module = "aitrace._native")]
pub(crate) struct Tracer {
    pub(crate) core: aitrace::Tracer,
    /// What sees spans before they end: called with a span, says whether it goes on.
    pub(crate) processors: Option<Py<PyAny>>,
}

/// A span. With `with` it is current and ends with the block; without, `end()` ends it.
///
/// Methods do nothing once it has ended, and raise nothing. One that is dropped unended is ended and
/// marked as abandoned.
#[pyclass(frozen, weakref, module = "aitrace")]
pub(crate) struct Span {
    pub(crate) handle: SpanHandle,
    /// The context with this span as the current one.
    pub(crate) inside: Context,
    pub(crate) extra: Option<Extra>,
    pub(crate) tracer: Py<Tracer>,
    pub(crate) parent: Option<SpanId>,
    pub(crate) name: Text,
    pub(crate) state: Mutex<State>,
}

/// What changes about a handle.
#[derive(Default)]
pub(crate) struct State {
    /// Takes it out of the slot again.
    pub(crate) token: Option<Py<PyAny>>,
    /// Takes it out of OpenTelemetry's context again.
    pub(crate) otel: Option<Py<PyAny>>,
    /// The tracer's processors have begun with it.
    pub(crate) processed: bool,
    pub(crate) renamed: Option<Text>,
    /// Somebody said that it is well: to OpenTelemetry that is the last word.
    pub(crate) settled: bool,
    /// What it was when it ended, so that `attributes` can be read afterwards.
    pub(crate) last: Option<Box<SpanData>>,
}

/// Values that `set_baggage` keeps in this process: they do not travel.
pub(crate) type Extra = Arc<Vec<(String, String)>>;

/// What is current where it is not simply a span of ours: other baggage, or a span of another process.
#[pyclass(frozen, module = "aitrace._native")]
pub(crate) struct Scope {
    pub(crate) context: Context,
    pub(crate) span: Option<Py<Span>>,
    pub(crate) extra: Option<Extra>,
}

impl Drop for Span {
    /// No processor can see a span that is gone: it is abandoned, and what was said about it must not leave.
    fn drop(&mut self) {
        if self.handle.is_recording() && self.tracer.get().processors.is_some() {
            self.handle.conceal();
        }
    }
}
