//! The native module of the Python package: what of start, context, enrich and end has to be fast.
//!
//! ```text
//! start → context → enrich → end → batch → export ⇒ ingest → decode → normalise → store → query → view
//! ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
//! ```
//!
//! Stage: start to end, for Python.
//! In: calls of `aitrace`'s Python side, which holds the policy.
//! Out: calls of the recorder (crate `aitrace`), which batches and exports without the interpreter.

mod arguments;
mod capture;
mod classes;
mod config;
mod convert;
mod enrich;
mod exporter;
mod free;
mod here;
mod intern;
mod otel;
mod outside;
mod process;
mod record;
mod registry;
mod settings;
mod signature;
mod slot;
mod span;
mod stage;
mod testing;
mod traced;
mod tracer;

/// Spans are made by the program's threads and freed by the worker: the system's allocator makes such threads
/// wait for each other. One that takes its locks around a fork, so that a child finds them free.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The ids of a span of which nothing is recorded.
const NO_TRACE_ID: &str = "00000000000000000000000000000000";
const NO_SPAN_ID: &str = "0000000000000000";

/// `types.MethodType`.
fn method_type(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static METHOD: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let get = || Ok::<_, PyErr>(py.import("types")?.getattr("MethodType")?.unbind());
    Ok(METHOD.get_or_try_init(py, get)?.bind(py))
}

/// The text of one JSON value for any Python value; bounded, never raises.
#[pyfunction]
fn to_json(value: &Bound<'_, PyAny>) -> String {
    capture::to_json(value)
}

/// A line of JSON with its secrets masked; None for what is no object.
#[pyfunction]
fn masked_line(line: &str) -> Option<String> {
    aitrace::masked_line(line)
}

/// Puts lines of trace records aside for the next start: how many, in which folder, and the page that shows
/// them; None where nothing is put aside. Raises OSError.
#[pyfunction]
#[pyo3(signature = (url, project, lines))]
#[expect(clippy::needless_pass_by_value, reason = "made of Python's list")]
fn put_aside(
    py: Python<'_>,
    url: &str,
    project: Option<&str>,
    lines: Vec<String>,
) -> PyResult<Option<(u64, std::path::PathBuf, Option<std::path::PathBuf>)>> {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let put = py.detach(|| aitrace::put_aside(url, project, &lines))?;
    Ok(put.map(|put| (put.records, put.folder, put.page)))
}

#[pymodule(gil_used = false)]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::classes::{Scope, Span, Tracer};
    #[pymodule_export]
    use crate::config::{compat_mode, config_current, config_folder, config_reload, set_compat_mode};
    #[pymodule_export]
    use crate::enrich::Enrichment;
    #[pymodule_export]
    use crate::exporter::forget_interpreter;
    #[pymodule_export]
    use crate::free::{attach, current_span, detach, discover_tracer, enrich_span, shutdown_leaving};
    #[pymodule_export]
    use crate::masked_line;
    #[pymodule_export]
    use crate::otel::set_otel_hook;
    #[pymodule_export]
    use crate::process::check_rules;
    #[pymodule_export]
    use crate::put_aside;
    #[pymodule_export]
    use crate::record::SpanRecord;
    #[pymodule_export]
    use crate::registry::{register, set_default_tracer, tracers, unregister};
    #[pymodule_export]
    use crate::stage::{Items, Stage};
    #[pymodule_export]
    use crate::testing::{Clock, tick, tree};
    #[pymodule_export]
    use crate::to_json;
    #[pymodule_export]
    use crate::traced::{Spec, TracedFunction};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("slot", crate::slot::variable(module.py())?)
    }
}
