//! What is current, in one `contextvars.ContextVar`: a span, a scope, or None.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The variable with its methods, looked up once.
struct Slot {
    variable: Py<PyAny>,
    get: Py<PyAny>,
    set: Py<PyAny>,
    reset: Py<PyAny>,
}

static SLOT: PyOnceLock<Slot> = PyOnceLock::new();

fn slot(py: Python<'_>) -> PyResult<&Slot> {
    SLOT.get_or_try_init(py, || {
        let default = [("default", py.None())];
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        let variable =
            class.call(("aitrace",), Some(&pyo3::types::IntoPyDict::into_py_dict(default, py)?))?;
        let method = |name: &str| variable.getattr(name).map(Bound::unbind);
        Ok(Slot {
            get: method("get")?,
            set: method("set")?,
            reset: method("reset")?,
            variable: variable.clone().unbind(),
        })
    })
}

/// The variable itself, for tests and tools.
pub(crate) fn variable(py: Python<'_>) -> PyResult<Py<PyAny>> {
    Ok(slot(py)?.variable.clone_ref(py))
}

/// The value in the slot.
pub(crate) fn get(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    slot(py)?.get.bind(py).call0()
}

/// Puts a value into the slot; the token takes it out again.
pub(crate) fn set<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    slot(py)?.set.bind(py).call1((value,))
}

/// Takes a value out again. From another context (a generator closed elsewhere) there is nothing to take out.
pub(crate) fn reset(py: Python<'_>, token: &Bound<'_, PyAny>) {
    // ValueError: set in another context. RuntimeError: taken out before.
    if let Ok(slot) = slot(py) {
        drop(slot.reset.bind(py).call1((token,)));
    }
}

/// Runs `work` with `value` in the slot, puts back what was there before, and gives what `work` left there.
///
/// No token is used: what ran may have put others in, or may have come from another context.
pub(crate) fn visit<'py, R>(
    value: &Bound<'py, PyAny>,
    work: impl FnOnce() -> R,
) -> PyResult<(R, Bound<'py, PyAny>)> {
    let before = get(value.py())?;
    set(value)?;
    let result = work();
    let after = get(value.py())?;
    set(&before)?;
    Ok((result, after))
}
