//! Traced functions: what a span of one is, and the callable that takes the place of a plain one.

use std::sync::Arc;

use aitrace::{Code, CodeLocation, Enrich, EventType, Json, SpanKind, SpanOptions, Text};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::arguments::{event_type_of, kind_of};
use crate::classes::{Span, Tracer};
use crate::convert::outputs;
use crate::here::Here;
use crate::intern;
use crate::outside;
use crate::signature::Signature;
use crate::tracer::{Place, location};

/// How the spans of a function are made.
#[pyclass(frozen, module = "aitrace._native")]
pub(crate) struct Spec {
    name: Text,
    tracer: Option<Py<Tracer>>,
    event_type: Option<EventType>,
    kind: Option<SpanKind>,
    code: Option<Arc<CodeLocation>>,
    signature: Signature,
    outputs: bool,
}

impl Spec {
    /// Starts a span under what is current, with the arguments as inputs. None where no tracer is found.
    fn begin<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, Span>>> {
        let py = args.py();
        let here = Here::look(py);
        let own = self.tracer.as_ref().map(|tracer| tracer.bind(py).clone());
        let Some(tracer) = own.or_else(|| here.tracer(py)) else { return Ok(None) };
        if tracer.get().core.is_off() {
            return Ok(None);
        }
        let span = Tracer::begin(tracer, here, |under| {
            let mut options = SpanOptions::new(self.name.clone()).parent(under);
            options.event_type = self.event_type;
            options.kind = self.kind;
            options.code = self.code.clone().map_or(Code::Unknown, Code::Shared);
            options
        })?;
        if let Some(inputs) = self.signature.capture(args, kwargs) {
            span.get().handle.enrich(Enrich::new().inputs_json(Json::from_trusted(inputs)));
        }
        Ok(Some(span))
    }

    /// Takes the result as outputs; None says nothing.
    fn result(&self, span: &Span, result: &Bound<'_, PyAny>) {
        if self.outputs && !result.is_none() {
            span.handle.enrich(outputs(result));
        }
    }

    pub(crate) fn wants_outputs(&self) -> bool {
        self.outputs
    }
}

#[pymethods]
impl Spec {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "Python's side names them")]
    #[pyo3(signature = (name, *, tracer = None, event_type = None, kind = None, place = None,
        parameters = None, outputs = true))]
    fn new(
        py: Python<'_>,
        name: &str,
        tracer: Option<Py<Tracer>>,
        event_type: Option<&Bound<'_, PyAny>>,
        kind: Option<&Bound<'_, PyAny>>,
        place: Option<Place>,
        parameters: Option<&Bound<'_, PyTuple>>,
        outputs: bool,
    ) -> PyResult<Self> {
        let signature = match parameters {
            Some(parameters) => Signature::new(py, parameters)?,
            None => Signature::default(),
        };
        Ok(Self {
            name: intern::text(name),
            tracer,
            event_type: event_type.and_then(event_type_of),
            kind: kind.and_then(kind_of),
            code: place.map(|place| Arc::new(location(place))),
            signature,
            outputs,
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tracer)?;
        self.signature.traverse(&visit)
    }

    /// Starts a span with the arguments as inputs, not current; None where no tracer is found.
    fn start<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> Option<Bound<'py, Span>> {
        self.begin(args, kwargs).ok().flatten()
    }

    /// Takes the result of a call as outputs.
    fn finish(&self, span: &Bound<'_, Span>, result: &Bound<'_, PyAny>) {
        self.result(span.get(), result);
    }
}

/// A plain function whose calls are spans. Names and docstring are put on it by Python's side; what else a
/// function has is the function's own.
///
/// A local function that calls itself holds itself through its closure: the collector has to see that. It
/// does not see this class's `__dict__`, so the function must not stand in there.
#[pyclass(frozen, dict, weakref, module = "aitrace._native")]
pub(crate) struct TracedFunction {
    function: Py<PyAny>,
    spec: Py<Spec>,
}

#[pymethods]
impl TracedFunction {
    #[new]
    fn new(function: Py<PyAny>, spec: Py<Spec>) -> Self {
        Self { function, spec }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        visit.call(&self.spec)
    }

    /// The function itself.
    #[getter]
    fn __wrapped__(&self, py: Python<'_>) -> Py<PyAny> {
        self.function.clone_ref(py)
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = args.py();
        let function = self.function.bind(py);
        let spec = self.spec.get();
        let Ok(Some(span)) = spec.begin(args, kwargs) else { return outside::call(function, args, kwargs) };
        let entered = Span::enter(&span).is_ok();
        let result = outside::call(function, args, kwargs);
        let handle = span.get();
        if entered {
            handle.leave(py);
        }
        match &result {
            Ok(value) => spec.result(handle, value),
            Err(error) => handle.raised(py, error),
        }
        Span::end_now(&span);
        result
    }

    /// As a method: bound to its instance.
    fn __get__<'py>(
        slf: Bound<'py, Self>,
        instance: &Bound<'py, PyAny>,
        _owner: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if instance.is_none() {
            return Ok(slf.into_any());
        }
        let method = crate::method_type(slf.py())?;
        method.call1((slf, instance))
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.function.bind(py).getattr(name.cast::<pyo3::types::PyString>()?)
    }

    /// By its name, like a function.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.getattr("__qualname__")
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Ok(format!("<traced function {}>", slf.getattr("__qualname__")?.str()?))
    }
}
