//! Functions of the module that find their tracer, and those that Python's side needs besides the classes.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arguments::Arguments;
use crate::classes::{Scope, Span, Tracer};
use crate::enrich::{self, Enrichment};
use crate::here::Here;
use crate::otel;
use crate::registry;
use crate::slot;
use crate::tracer::{Flushed, report, seconds};

/// Adds to the current span of the tracer that is found here: `tracer`, the context's, the default one.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the names are the public interface")]
#[pyo3(signature = (metadata = None, *, metrics = None, feedback = None, inputs = None, outputs = None,
    config = None, error = None, user_properties = None, event_id = None, tracer = None, **kwargs))]
pub(crate) fn enrich_span(
    py: Python<'_>,
    metadata: Option<&Bound<'_, PyAny>>,
    metrics: Option<&Bound<'_, PyAny>>,
    feedback: Option<&Bound<'_, PyAny>>,
    inputs: Option<&Bound<'_, PyAny>>,
    outputs: Option<&Bound<'_, PyAny>>,
    config: Option<&Bound<'_, PyAny>>,
    error: Option<&Bound<'_, PyAny>>,
    user_properties: Option<&Bound<'_, PyAny>>,
    event_id: Option<&Bound<'_, PyAny>>,
    tracer: Option<Bound<'_, Tracer>>,
    kwargs: Option<&Bound<'_, PyDict>>,
) -> PyResult<Py<Enrichment>> {
    let arguments =
        Arguments { metadata, metrics, feedback, inputs, outputs, config, error, user_properties, kwargs };
    let here = Here::look(py);
    let tracer = tracer.or_else(|| here.tracer(py));
    enrich::apply(py, tracer.as_ref().map(Bound::get), arguments.read(), event_id, here)
}

/// The current span, whichever tracer's; None where there is none of this process.
#[pyfunction]
pub(crate) fn current_span(py: Python<'_>) -> Option<Bound<'_, Span>> {
    Here::look(py).span
}

/// Puts a value into the slot, and a span of another process into OpenTelemetry's context where that is in
/// use; the tokens take them out again.
#[pyfunction]
pub(crate) fn attach<'py>(scope: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, Option<Py<PyAny>>)> {
    let inner = scope.cast_exact::<Scope>().ok().filter(|_| otel::is_active());
    let context = inner.map(|scope| &scope.get().context);
    let ids = context.and_then(|context| Some((context.span()?, context.is_sampled())));
    let other = ids.and_then(|(ids, sampled)| otel::attach_ids(scope.py(), ids, sampled));
    Ok((slot::set(scope)?, other))
}

/// Takes a value out of the slot again; from another context there is nothing to take out.
#[pyfunction]
pub(crate) fn detach(py: Python<'_>, token: (Bound<'_, PyAny>, Option<Py<PyAny>>)) {
    if let Some(other) = token.1 {
        otel::detach(py, &other);
    }
    slot::reset(py, &token.0);
}

/// At exit: flushes and ends the tracers that Python has let go of, within `timeout` seconds each; what each
/// came to, with its project.
#[pyfunction]
pub(crate) fn shutdown_leaving(py: Python<'_>, timeout: f64) -> Vec<(String, Flushed)> {
    let end = |tracer: aitrace::Tracer| {
        let project = tracer.identity().project.to_string();
        (project, report(tracer.shutdown(seconds(timeout))))
    };
    py.detach(|| registry::leaving().into_iter().map(end).collect())
}

/// The tracer that a free function would use here: `tracer`, the context's, the default; else None.
#[pyfunction]
#[pyo3(signature = (tracer = None))]
pub(crate) fn discover_tracer<'py>(
    py: Python<'py>,
    tracer: Option<Bound<'py, Tracer>>,
) -> Option<Bound<'py, Tracer>> {
    tracer.or_else(|| Here::look(py).tracer(py))
}
