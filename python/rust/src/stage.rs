//! Generators: their pieces run inside of their span, and what they give is collected.

use aitrace::Enrich;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::capture::Writer;
use crate::classes::Span;
use crate::otel;
use crate::outside;
use crate::slot;
use crate::traced::Spec;

/// Runs the pieces of a generator's body. What the body leaves current is current in its next piece.
#[pyclass(frozen, module = "aitrace._native")]
pub(crate) struct Stage {
    span: Py<Span>,
    inside: Mutex<Py<PyAny>>,
}

#[pymethods]
impl Stage {
    #[new]
    fn new(py: Python<'_>, span: Py<Span>) -> Self {
        let inside = Mutex::new(span.clone_ref(py).into_any());
        Self { span, inside }
    }

    /// Calls a function on this stage.
    #[pyo3(signature = (function, /, *args, **kwargs))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let inside = self.inside.lock().clone_ref(py);
        let current = inside.bind(py);
        // OpenTelemetry's own context is kept per piece: an instrumentor that holds one over a yield is on its own.
        let deepest = current.cast_exact::<Span>().unwrap_or(self.span.bind(py));
        let token = if otel::is_active() { otel::attach(deepest) } else { None };
        let (result, after) = slot::visit(current, || outside::call(function, args, kwargs))?;
        if let Some(token) = token {
            otel::detach(py, &token);
        }
        let before = std::mem::replace(&mut *self.inside.lock(), after.unbind());
        drop(before);
        result
    }
}

/// The items of a generator as its outputs, as far as the bounds of capturing go.
#[pyclass(frozen, module = "aitrace._native")]
pub(crate) struct Items {
    wanted: bool,
    writer: Mutex<(Writer, u64)>,
}

#[pymethods]
impl Items {
    #[new]
    fn new(spec: &Bound<'_, Spec>) -> Self {
        Self { wanted: spec.get().wants_outputs(), writer: Mutex::new((Writer::new(), 0)) }
    }

    /// Takes one item.
    fn add(&self, item: &Bound<'_, PyAny>) {
        if !self.wanted {
            return;
        }
        // The lock is not held while code of the item runs.
        let (mut writer, mut skipped) = std::mem::replace(&mut *self.writer.lock(), (Writer::new(), 0));
        if writer.spent() {
            skipped += 1;
        } else {
            writer.raw(if writer.is_empty() { "[" } else { "," });
            writer.again();
            writer.value(item);
        }
        *self.writer.lock() = (writer, skipped);
    }

    /// Writes what was taken as the span's outputs; a returned value that is not None stands beside the items.
    fn finish(&self, span: &Bound<'_, Span>, returned: &Bound<'_, PyAny>) {
        if !self.wanted {
            return;
        }
        let (mut writer, skipped) = std::mem::replace(&mut *self.writer.lock(), (Writer::new(), 0));
        if writer.is_empty() {
            writer.raw("[");
        }
        if skipped > 0 {
            writer.raw(",");
            writer.text(&format!("… {skipped} more"));
        }
        writer.raw("]");
        let mut text = writer.finish();
        if !returned.is_none() {
            text = format!(r#"{{"items":{text},"returned":{}}}"#, crate::capture::to_json(returned));
        }
        span.get().handle.enrich(Enrich::new().outputs_json(aitrace::Json::from_trusted(text)));
    }
}
