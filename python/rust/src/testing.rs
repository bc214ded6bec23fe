//! For tests: a clock that stands still, a tick of the worker, spans as a tree.

use std::sync::Arc;
use std::time::Duration;

use aitrace::Timestamp;
use aitrace::testing::{BEGINNING, ManualClock};
use pyo3::prelude::*;

use crate::classes::Tracer;
use crate::record::SpanRecord;

/// A clock that stands still until it is moved; nanoseconds since 1970.
#[pyclass(frozen, module = "aitrace.testing")]
pub(crate) struct Clock {
    pub(crate) inner: Arc<ManualClock>,
}

#[pymethods]
impl Clock {
    #[new]
    #[pyo3(signature = (now_ns = None))]
    fn new(now_ns: Option<i64>) -> Self {
        let now = now_ns.map_or(BEGINNING, Timestamp::from_nanos);
        Self { inner: Arc::new(ManualClock::new(now)) }
    }

    /// What it shows: nanoseconds since 1970.
    #[getter]
    fn now_ns(&self) -> i64 {
        aitrace::Clock::now(&*self.inner).nanos()
    }

    /// Moves it forward by nanoseconds.
    fn advance(&self, nanos: i64) {
        self.inner.advance(nanos);
    }

    fn __repr__(&self) -> String {
        format!("<Clock {}>", aitrace::Clock::now(&*self.inner))
    }
}

/// Has the worker look at open spans now, and waits up to `timeout` seconds; true when it has sent them.
#[pyfunction]
pub(crate) fn tick(tracer: &Bound<'_, Tracer>, timeout: f64) -> bool {
    let core = tracer.get().core.clone();
    let timeout = Duration::try_from_secs_f64(timeout.max(0.0)).unwrap_or(Duration::MAX);
    tracer.py().detach(|| aitrace::testing::tick(&core, timeout))
}

/// Spans as text, one a line, children below their parents.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "that is how arguments come from Python")]
pub(crate) fn tree(spans: Vec<PyRef<'_, SpanRecord>>) -> String {
    let spans: Vec<_> = spans.iter().map(|span| span.inner().clone()).collect();
    aitrace::testing::tree(&spans)
}
