//! What is current, in one `contextvars.ContextVar`: a span, a scope, or None.
//!
//! Python's own functions for context variables are not in its limited API, which this module is built for; they are
//! documented, exported by every CPython since 3.7.1, and have not changed. A call of the variable's methods looks up
//! a method and makes a tuple: three of them in a traced call took a fifth of it.

use std::ptr::{NonNull, null_mut};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

// SAFETY: the declarations are those of `contextvars` in Python's C API.
#[expect(unsafe_code, reason = "functions of Python that pyo3 does not offer for the limited API")]
unsafe extern "C" {
    fn PyContextVar_Get(
        variable: *mut ffi::PyObject,
        default: *mut ffi::PyObject,
        value: *mut *mut ffi::PyObject,
    ) -> std::ffi::c_int;
    fn PyContextVar_Set(variable: *mut ffi::PyObject, value: *mut ffi::PyObject) -> *mut ffi::PyObject;
    fn PyContextVar_Reset(variable: *mut ffi::PyObject, token: *mut ffi::PyObject) -> std::ffi::c_int;
}

static SLOT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

#[inline]
fn slot(py: Python<'_>) -> PyResult<&Py<PyAny>> {
    SLOT.get_or_try_init(py, || {
        let default = [("default", py.None())];
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        let variable =
            class.call(("aitrace",), Some(&pyo3::types::IntoPyDict::into_py_dict(default, py)?))?;
        Ok(variable.unbind())
    })
}

/// The variable itself, for tests and tools.
pub(crate) fn variable(py: Python<'_>) -> PyResult<Py<PyAny>> {
    Ok(slot(py)?.clone_ref(py))
}

/// The value in the slot.
#[inline]
#[expect(unsafe_code, reason = "calls a function above")]
pub(crate) fn get(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let variable = slot(py)?.as_ptr();
    let mut value = null_mut();
    // SAFETY: the interpreter's lock is held (`py`); `variable` is a context variable, kept for good. Its default is
    // written where nothing is set: a new reference, or null with an exception and -1.
    unsafe {
        if PyContextVar_Get(variable, null_mut(), &raw mut value) != 0 {
            return Err(PyErr::fetch(py));
        }
        match NonNull::new(value) {
            Some(value) => Ok(Bound::from_owned_ptr(py, value.as_ptr())),
            None => Ok(py.None().into_bound(py)),
        }
    }
}

/// Puts a value into the slot; the token takes it out again.
#[inline]
#[expect(unsafe_code, reason = "calls a function above")]
pub(crate) fn set<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    let variable = slot(py)?.as_ptr();
    // SAFETY: the interpreter's lock is held (`py`); `variable` is a context variable, `value` is borrowed for the
    // call. What comes back is a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, PyContextVar_Set(variable, value.as_ptr())) }
}

/// Takes a value out again. From another context (a generator closed elsewhere) there is nothing to take out.
#[inline]
#[expect(unsafe_code, reason = "calls a function above")]
pub(crate) fn reset(py: Python<'_>, token: &Bound<'_, PyAny>) {
    let Ok(slot) = slot(py) else { return };
    // SAFETY: the interpreter's lock is held (`py`); both are borrowed for the call, which looks at their types.
    let failed = unsafe { PyContextVar_Reset(slot.as_ptr(), token.as_ptr()) != 0 };
    if failed {
        // ValueError: set in another context. RuntimeError: taken out before. TypeError: no token at all.
        drop(PyErr::take(py));
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
