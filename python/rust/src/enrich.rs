//! Enrichment: to whose span it goes, and what Python gets back.

use aitrace::{Enrich, Text};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::classes::{Span, Tracer};
use crate::convert::text_of;
use crate::here::Here;
use crate::{otel, slot};

/// What an enrichment did: true where it was recorded, and usable with `with`.
#[pyclass(frozen, module = "aitrace._native")]
pub(crate) struct Enrichment {
    span: Option<Py<Span>>,
    done: bool,
}

impl Enrichment {
    /// Of a session: recorded or not.
    pub(crate) fn of_session(done: bool) -> Self {
        Self { span: None, done }
    }
}

#[pymethods]
impl Enrichment {
    fn __bool__(&self) -> bool {
        self.done
    }

    /// The span that took it, None where there is none here.
    fn __enter__<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Span>> {
        self.span.as_ref().map(|span| span.bind(py).clone())
    }

    #[expect(clippy::unused_self, reason = "the protocol has it")]
    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, PyTuple>) -> bool {
        false
    }

    fn __repr__(&self) -> &'static str {
        if self.done { "<Enrichment: done>" } else { "<Enrichment: nothing to add to here>" }
    }
}

/// What `event_id=` names: one of our spans, or an event by its id.
fn named<'py>(event: &Bound<'py, PyAny>) -> (Option<Bound<'py, Span>>, Text) {
    match event.cast_exact::<Span>() {
        Ok(span) => {
            let id = span.get().handle.context().map_or(String::new(), |ids| ids.span_id.to_hex());
            (Some(span.clone()), Text::from(id))
        }
        Err(_) => (None, text_of(event)),
    }
}

/// Whether a span is the tracer's own: what was added to may be a span around the one that is current here.
fn is_of(span: &Bound<'_, Span>, tracer: &Tracer) -> bool {
    std::ptr::eq(span.get().tracer.get(), tracer)
}

/// As [`apply`] to what is current here.
pub(crate) fn apply_here(
    py: Python<'_>,
    tracer: &Tracer,
    enrich: Enrich,
    event: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<Enrichment>> {
    // Mostly a span of ours is current, and nothing else has to be looked at.
    if event.is_none()
        && !otel::is_active()
        && let Ok(span) = slot::get(py)
        && let Ok(span) = span.cast_into_exact::<Span>()
    {
        let done = tracer.core.enrich_span_in(&span.get().inside, enrich);
        let span = Some(span).filter(|span| done && is_of(span, tracer)).map(Bound::unbind);
        return Py::new(py, Enrichment { span, done });
    }
    apply(py, Some(tracer), enrich, event, Here::look(py))
}

/// Adds to the innermost span of `tracer` that is current, never to another tracer's. With an `event`, to that
/// one: at once where it is open here, else as a late correction.
pub(crate) fn apply(
    py: Python<'_>,
    tracer: Option<&Tracer>,
    enrich: Enrich,
    event: Option<&Bound<'_, PyAny>>,
    here: Here<'_>,
) -> PyResult<Py<Enrichment>> {
    let Some(tracer) = tracer else { return Py::new(py, Enrichment { span: None, done: false }) };
    let Some(event) = event.filter(|event| !event.is_none()) else {
        let done = tracer.core.enrich_span_in(&here.context, enrich);
        let span = here.span.filter(|span| done && is_of(span, tracer)).map(Bound::unbind);
        return Py::new(py, Enrichment { span, done });
    };
    let (span, id) = named(event);
    let ours = |span: &Bound<'_, Span>| is_of(span, tracer);
    let is_it =
        |span: &Bound<'_, Span>| span.get().handle.context().is_some_and(|ids| *ids.span_id.to_hex() == *id);
    let open = span.or_else(|| here.span.filter(is_it));
    if let Some(span) = open.filter(|span| ours(span) && span.get().handle.is_recording()) {
        span.get().handle.enrich(enrich);
        return Py::new(py, Enrichment { span: Some(span.unbind()), done: true });
    }
    let done = !id.is_empty() && tracer.core.update_event(id.as_str(), enrich);
    Py::new(py, Enrichment { span: None, done })
}
