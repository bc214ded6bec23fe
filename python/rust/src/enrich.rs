//! Enrichment: to whose span it goes, and what Python gets back.

use aitrace::Enrich;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::classes::{Span, Tracer};
use crate::here::Here;

/// What an enrichment did: true where a span took it, and usable with `with`.
#[pyclass(frozen, module = "aitrace._native")]
pub(crate) struct Enrichment {
    span: Option<Py<Span>>,
    done: bool,
}

#[pymethods]
impl Enrichment {
    fn __bool__(&self) -> bool {
        self.done
    }

    /// The current span, None where there is none.
    fn __enter__<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Span>> {
        self.span.as_ref().map(|span| span.bind(py).clone())
    }

    #[expect(clippy::unused_self, reason = "the protocol has it")]
    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, PyTuple>) -> bool {
        false
    }

    fn __repr__(&self) -> &'static str {
        if self.done { "<Enrichment: done>" } else { "<Enrichment: no span of this tracer here>" }
    }
}

/// Adds to the innermost span of `tracer` that is current, never to another tracer's.
pub(crate) fn apply(
    py: Python<'_>,
    tracer: Option<&Tracer>,
    enrich: Enrich,
    here: Here<'_>,
) -> PyResult<Py<Enrichment>> {
    let done = tracer.is_some_and(|tracer| tracer.core.enrich_span_in(&here.context, enrich));
    let span = here.span.map(Bound::unbind).filter(|_| done);
    Py::new(py, Enrichment { span, done })
}
