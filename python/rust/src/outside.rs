//! Calls of the user's code.
//!
//! When the interpreter ends, a daemon thread never gets its lock again. Until Python 3.14 such a thread is
//! unwound (`pthread_exit`) at its next need of the lock, wherever it is: also inside of a function that we
//! called. A frame of Rust that catches panics takes this for a panic that it may swallow, and the process
//! aborts. So the thread is parked here, before the unwinding reaches any such frame, which is what Python
//! 3.14 does itself. Code of the user that may run long has to be called through this module.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

// SAFETY: the declaration is that of Python's limited API, less the promise of pyo3's that it never unwinds.
#[expect(unsafe_code, reason = "a function of Python that may be unwound through")]
unsafe extern "C-unwind" {
    fn PyObject_Call(
        callable: *mut ffi::PyObject,
        args: *mut ffi::PyObject,
        kwargs: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
}

// SAFETY: the type of the function above.
type Call = unsafe extern "C-unwind" fn(
    *mut ffi::PyObject,
    *mut ffi::PyObject,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// Stops whoever unwinds through it.
struct Park;

impl Drop for Park {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

/// Calls a function as Python does.
#[inline]
#[expect(unsafe_code, reason = "calls the function above")]
pub(crate) fn call<'py>(
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = function.py();
    let kwargs = kwargs.map_or(std::ptr::null_mut(), Bound::as_ptr);
    let park = Park;
    // By a pointer that the optimiser cannot see through: where all is compiled as one, this function and pyo3's
    // declaration of it are one as well, with that declaration's promise.
    let call: Call = std::hint::black_box(PyObject_Call);
    // SAFETY: the interpreter's lock is held (`py`); the three pointers are borrowed for the call. What comes
    // back is a new reference, or null with an exception set.
    unsafe {
        let result = call(function.as_ptr(), args.as_ptr(), kwargs);
        std::mem::forget(park);
        Bound::from_owned_ptr_or_err(py, result)
    }
}
