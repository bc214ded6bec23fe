//! An exporter written in Python: the one thing for which the worker takes the interpreter.

use std::sync::atomic::{AtomicBool, Ordering};

use aitrace::{Batch, Exported, Exporter, SpanData};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::outside;
use crate::record::{SpanRecord, normalised};

/// Set when the interpreter is about to end: from then on no thread of ours may wait for it.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Called at exit, after the last flush.
#[pyfunction]
pub(crate) fn forget_interpreter() {
    ENDING.store(true, Ordering::SeqCst);
}

/// Hands finished spans to Python: `export(list[SpanRecord]) -> bool` says whether they were taken.
pub(crate) struct PythonExporter {
    export: Py<PyAny>,
    shutdown: Py<PyAny>,
}

impl PythonExporter {
    fn call<'py>(&self, py: Python<'py>, spans: Vec<SpanRecord>) -> PyResult<Bound<'py, PyAny>> {
        outside::call(self.export.bind(py), &PyTuple::new(py, [spans])?, None)
    }
}

impl Exporter for PythonExporter {
    fn export(&self, batch: &Batch) -> Exported {
        let ended = batch.spans.iter().filter(|span| span.phase() == aitrace::Phase::End);
        let read = |span: &SpanData| {
            SpanRecord::new(normalised(span.to_span(), span.is_raw().then(|| span.to_raw())))
        };
        let spans: Vec<SpanRecord> = ended.map(read).collect();
        if spans.is_empty() {
            // An exporter is told of finished spans and of nothing else.
            return Exported::Sent { rejected: 0 };
        }
        let failed = |reason: &str| Exported::Failed { reason: reason.to_owned() };
        if ENDING.load(Ordering::SeqCst) {
            return failed("interpreter_ended");
        }
        let answer = Python::try_attach(|py| {
            self.call(py, spans).and_then(|answer| answer.extract::<bool>()).map_err(|error| {
                error.write_unraisable(py, None);
            })
        });
        match answer {
            Some(Ok(true)) => Exported::Sent { rejected: 0 },
            Some(Ok(false)) => failed("exporter_refused"),
            Some(Err(())) => failed("exporter_raised"),
            None => failed("interpreter_ended"),
        }
    }

    fn shutdown(&self) {
        if ENDING.load(Ordering::SeqCst) {
            return;
        }
        Python::try_attach(|py| {
            if let Err(error) = outside::call(self.shutdown.bind(py), &PyTuple::empty(py), None) {
                error.write_unraisable(py, None);
            }
        });
    }
}

/// Reads an exporter: any object with `export`, and perhaps `shutdown`. Python's side gives both as callables.
pub(crate) fn read(exporter: &Bound<'_, PyAny>) -> PyResult<PythonExporter> {
    let py = exporter.py();
    let export = exporter.getattr(intern!(py, "export"))?.unbind();
    let shutdown = exporter.getattr(intern!(py, "shutdown"))?.unbind();
    Ok(PythonExporter { export, shutdown })
}
