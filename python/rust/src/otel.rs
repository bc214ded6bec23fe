//! The bridge to OpenTelemetry's context, silent until a tracer's provider is used.

use std::sync::atomic::{AtomicBool, Ordering};

use aitrace::SpanContext;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::classes::Span;

static ACTIVE: AtomicBool = AtomicBool::new(false);
static HOOK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// OpenTelemetry's current span.
pub(crate) enum Current<'py> {
    None,
    /// One of ours.
    Ours(Bound<'py, Span>),
    /// One of another provider, or of another process; whether what is below it is recorded.
    Foreign(SpanContext, bool),
}

/// Whether the bridge is in use.
#[inline]
pub(crate) fn is_active() -> bool {
    ACTIVE.load(Ordering::Relaxed)
}

/// Puts the bridge into use: an object with `current()`, `attach(span)` and `detach(token)`.
#[pyfunction]
pub(crate) fn set_otel_hook(py: Python<'_>, hook: Py<PyAny>) {
    HOOK.get_or_init(py, || hook);
    ACTIVE.store(true, Ordering::Relaxed);
}

/// Asks OpenTelemetry what is current. Whatever fails, nothing is.
pub(crate) fn current(py: Python<'_>) -> Current<'_> {
    let Some(hook) = HOOK.get(py) else { return Current::None };
    let Ok(found) = hook.bind(py).call_method0(intern!(py, "current")) else { return Current::None };
    if let Ok(span) = found.cast_exact::<Span>() {
        return Current::Ours(span.clone());
    }
    let ids: Option<(String, String, bool)> = found.extract().ok();
    let ids = ids.and_then(|(trace_id, span_id, followed)| {
        let ids = SpanContext { trace_id: trace_id.parse().ok()?, span_id: span_id.parse().ok()? };
        Some(Current::Foreign(ids, followed))
    });
    ids.unwrap_or(Current::None)
}

/// Makes our span OpenTelemetry's current one; the token undoes it. One that has no ids leaves what is.
pub(crate) fn attach(span: &Bound<'_, Span>) -> Option<Py<PyAny>> {
    let py = span.py();
    span.get().handle.context()?;
    let hook = HOOK.get(py)?;
    hook.bind(py).call_method1(intern!(py, "attach"), (span,)).ok().map(Bound::unbind)
}

/// Makes a span of another process OpenTelemetry's current one; the token undoes it.
pub(crate) fn attach_ids(py: Python<'_>, ids: SpanContext, sampled: bool) -> Option<Py<PyAny>> {
    let hook = HOOK.get(py)?;
    let ids = (ids.trace_id.to_hex(), ids.span_id.to_hex(), sampled);
    hook.bind(py).call_method1(intern!(py, "attach_ids"), ids).ok().map(Bound::unbind)
}

/// Undoes [`attach`].
pub(crate) fn detach(py: Python<'_>, token: &Py<PyAny>) {
    if let Some(hook) = HOOK.get(py) {
        // From another context there is nothing to undo.
        drop(hook.bind(py).call_method1(intern!(py, "detach"), (token,)));
    }
}
