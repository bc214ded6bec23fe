//! The handle of a span in Python.

use aitrace::{SpanData, SpanId, SpanStatus, Text, Timestamp, Value};
use aitrace_model::{key, record};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arguments::{Arguments, event_type_of, kind_of};
use crate::classes::{Span, Tracer};
use crate::convert::{attribute, error_info, name_of, pairs, text_of};
use crate::record::SpanRecord;
use crate::slot;
use crate::{NO_SPAN_ID, NO_TRACE_ID, otel, process};

impl Span {
    /// Makes it current: in the slot, and in OpenTelemetry's context where that is in use.
    pub(crate) fn enter(slf: &Bound<'_, Self>) -> PyResult<()> {
        let token = slot::set(slf.as_any())?.unbind();
        let other = if otel::is_active() { otel::attach(slf) } else { None };
        let mut state = slf.get().state.lock();
        let before = (state.token.replace(token), std::mem::replace(&mut state.otel, other));
        drop(state);
        // What Python lets go of may run code of its own: never while the lock is held.
        drop(before);
        Ok(())
    }

    /// Undoes [`Span::enter`].
    pub(crate) fn leave(&self, py: Python<'_>) {
        let mut state = self.state.lock();
        let (token, other) = (state.token.take(), state.otel.take());
        drop(state);
        if let Some(other) = other {
            otel::detach(py, &other);
        }
        if let Some(token) = token {
            slot::reset(py, token.bind(py));
        }
    }

    /// Marks it as failed, except for a generator's close, which is no failure.
    pub(crate) fn failed(&self, error: &Bound<'_, PyAny>) {
        if !error.is_instance_of::<pyo3::exceptions::PyGeneratorExit>() && self.handle.is_recording() {
            self.handle.record_exception(error_info(error));
        }
    }

    /// Marks it as failed by what a call raised.
    pub(crate) fn raised(&self, py: Python<'_>, error: &PyErr) {
        let value = error.value(py);
        // Before 3.12 the trace is told apart from the exception.
        if let Some(traceback) = error.traceback(py) {
            drop(value.setattr(intern!(py, "__traceback__"), traceback));
        }
        self.failed(value.as_any());
    }

    /// Ends it, keeping what it was for those who still hold it. The tracer's processors see it first.
    pub(crate) fn finish(slf: &Bound<'_, Self>, end: Option<Timestamp>) {
        let (py, this) = (slf.py(), slf.get());
        if !this.handle.is_recording() || !Self::process(slf) {
            return;
        }
        let last = this.read(py).map(Box::new);
        this.state.lock().last = last;
        this.close(end);
    }

    /// Ends it without keeping anything. The tracer's processors see it first.
    #[inline]
    pub(crate) fn end_now(slf: &Bound<'_, Self>) {
        if Self::process(slf) {
            slf.get().handle.end();
        }
    }

    fn close(&self, end: Option<Timestamp>) {
        match end {
            Some(end) => self.handle.end_at(end),
            None => self.handle.end(),
        }
    }

    /// Whether it goes on to its end; the tracer's processors, where there are any, say so once.
    #[inline]
    fn process(slf: &Bound<'_, Self>) -> bool {
        match &slf.get().tracer.get().processors {
            Some(processors) => process::run(slf, processors),
            None => true,
        }
    }

    fn read(&self, py: Python<'_>) -> Option<SpanData> {
        self.tracer.bind(py).get().core.peek(&self.handle)
    }

    /// The span as it is now, or was when it ended.
    fn record(&self, py: Python<'_>) -> Option<SpanRecord> {
        let last = self.state.lock().last.as_ref().map(|last| last.to_span());
        let span = last.or_else(|| Some(self.read(py)?.to_span()))?;
        Some(SpanRecord::new(span))
    }
}

#[pymethods]
impl Span {
    /// Its name.
    #[getter]
    fn name(&self) -> String {
        let state = self.state.lock();
        state.renamed.as_ref().unwrap_or(&self.name).as_str().to_owned()
    }

    /// Its trace: 32 hex digits, zeros where nothing is recorded.
    #[getter]
    fn trace_id(&self) -> String {
        self.handle.context().map_or_else(|| NO_TRACE_ID.to_owned(), |ids| ids.trace_id.to_hex())
    }

    /// Its id: 16 hex digits, zeros where nothing is recorded.
    #[getter]
    fn span_id(&self) -> String {
        self.handle.context().map_or_else(|| NO_SPAN_ID.to_owned(), |ids| ids.span_id.to_hex())
    }

    /// Its parent's id, None on a root.
    #[getter]
    fn parent_span_id(&self) -> Option<String> {
        self.parent.map(SpanId::to_hex)
    }

    /// The tracer that records it.
    #[getter]
    fn tracer<'py>(&self, py: Python<'py>) -> Bound<'py, Tracer> {
        self.tracer.bind(py).clone()
    }

    /// Whether what is said about it is still recorded.
    fn is_recording(&self) -> bool {
        self.handle.is_recording()
    }

    /// Whether its trace is recorded.
    fn _is_sampled(&self) -> bool {
        self.inside.is_sampled()
    }

    /// What it carries, flattened: names joined by dots, lower case, `-` as `_`; a new dict each time.
    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let record = self.record(py).map(|record| Bound::new(py, record)).transpose()?;
        py.import(intern!(py, "aitrace._values"))?.call_method1(intern!(py, "read_back"), (record,))
    }

    /// Sets an attribute; the last value of a key counts.
    fn set_attribute(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) {
        if self.handle.is_recording() {
            self.handle.set_attribute(name_of(key), attribute(value));
        }
    }

    /// Sets several attributes.
    fn set_attributes(&self, attributes: &Bound<'_, PyAny>) {
        if self.handle.is_recording() {
            self.handle.set_attributes(pairs(attributes));
        }
    }

    /// Notes that something happened now, or at `timestamp` (nanoseconds since 1970).
    #[pyo3(signature = (name, attributes = None, timestamp = None))]
    fn add_event(
        &self,
        name: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<i64>,
    ) {
        if self.handle.is_recording() {
            let attributes = attributes.map(pairs).unwrap_or_default();
            self.handle.add_event(text_of(name), attributes, timestamp.map(Timestamp::from_nanos));
        }
    }

    /// Notes an exception; the status becomes an error.
    #[pyo3(signature = (exception, attributes = None))]
    fn record_exception(&self, exception: &Bound<'_, PyAny>, attributes: Option<&Bound<'_, PyAny>>) {
        if self.handle.is_recording() {
            self.handle.record_exception(error_info(exception));
            if let Some(attributes) = attributes {
                self.handle.set_attributes(pairs(attributes));
            }
        }
    }

    /// Notes an exception as OpenTelemetry has it: an event, and the status is the caller's to set.
    #[pyo3(signature = (exception, attributes, timestamp))]
    fn _note_exception(
        &self,
        exception: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<i64>,
    ) {
        if !self.handle.is_recording() {
            return;
        }
        let error = error_info(exception);
        let mut all: Vec<(Text, Value)> = vec![
            (Text::Static(key::EXCEPTION_TYPE), error.kind.into()),
            (Text::Static(key::EXCEPTION_MESSAGE), error.message.into()),
            (Text::Static(key::EXCEPTION_STACKTRACE), error.stacktrace.into()),
        ];
        // What the caller says of it wins.
        for (key, value) in attributes.map(pairs).unwrap_or_default() {
            all.retain(|(known, _)| *known != key);
            all.push((key, value));
        }
        let timestamp = timestamp.map(Timestamp::from_nanos);
        self.handle.add_event(Text::Static(key::EXCEPTION_EVENT), all, timestamp);
    }

    /// What it carries now, or carried when it ended.
    #[pyo3(name = "_record")]
    fn as_record(&self, py: Python<'_>) -> Option<SpanRecord> {
        self.record(py)
    }

    /// Sets the status as OpenTelemetry has it: "OK" is the last word, and "UNSET" says nothing.
    #[pyo3(signature = (status, description))]
    fn _settle(&self, status: &str, description: Option<&str>) {
        let mut state = self.state.lock();
        if state.settled || !self.handle.is_recording() {
            return;
        }
        match status {
            "OK" => {
                state.settled = true;
                drop(state);
                self.handle.set_status(SpanStatus::Ok, None);
            }
            "ERROR" => {
                drop(state);
                self.handle.set_status(SpanStatus::Error, description);
            }
            _ => {}
        }
    }

    /// Sets the status: "ok", "error" or "unset"; `description` says why it failed.
    #[pyo3(signature = (status, description = None))]
    fn set_status(&self, status: &Bound<'_, PyAny>, description: Option<&Bound<'_, PyAny>>) {
        let word = text_of(status).as_str().rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        let status = match word.as_str() {
            "ok" => SpanStatus::Ok,
            "error" => SpanStatus::Error,
            _ => SpanStatus::Unset,
        };
        let message = description.filter(|text| !text.is_none()).map(text_of);
        self.handle.set_status(status, message.as_ref().map(Text::as_str));
    }

    /// Renames it.
    fn update_name(&self, name: &Bound<'_, PyAny>) {
        if self.handle.is_recording() {
            let name = text_of(name);
            self.handle.set_name(name.clone());
            self.state.lock().renamed = Some(name);
        }
    }

    /// Links it to another span.
    #[pyo3(signature = (trace_id, span_id, attributes = None))]
    fn add_link(&self, trace_id: &str, span_id: &str, attributes: Option<&Bound<'_, PyAny>>) {
        if let (Ok(trace_id), Ok(span_id)) = (trace_id.parse(), span_id.parse()) {
            let attributes = attributes.map(pairs).unwrap_or_default();
            self.handle.add_link_with(aitrace::SpanContext { trace_id, span_id }, attributes);
        }
    }

    /// Adds metadata, metrics, inputs and the like; false once it has ended.
    #[expect(clippy::too_many_arguments, reason = "the names are the public interface")]
    #[pyo3(signature = (metadata = None, *, metrics = None, feedback = None, inputs = None, outputs = None,
        config = None, error = None, user_properties = None, event_type = None, kind = None, **kwargs))]
    fn enrich(
        &self,
        metadata: Option<&Bound<'_, PyAny>>,
        metrics: Option<&Bound<'_, PyAny>>,
        feedback: Option<&Bound<'_, PyAny>>,
        inputs: Option<&Bound<'_, PyAny>>,
        outputs: Option<&Bound<'_, PyAny>>,
        config: Option<&Bound<'_, PyAny>>,
        error: Option<&Bound<'_, PyAny>>,
        user_properties: Option<&Bound<'_, PyAny>>,
        event_type: Option<&Bound<'_, PyAny>>,
        kind: Option<&Bound<'_, PyAny>>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> bool {
        if !self.handle.is_recording() {
            return false;
        }
        let arguments = Arguments {
            metadata,
            metrics,
            feedback,
            inputs,
            outputs,
            config,
            error,
            user_properties,
            kwargs,
        };
        let mut enrich = arguments.read();
        if let Some(event_type) = event_type.and_then(event_type_of) {
            enrich = enrich.event_type(event_type);
        }
        if let Some(kind) = kind.and_then(kind_of) {
            enrich = enrich.kind(kind);
        }
        self.handle.enrich(enrich);
        true
    }

    /// Marks it as failed by this exception; a generator's close is no failure.
    fn fail(&self, error: &Bound<'_, PyAny>) {
        self.failed(error);
    }

    /// Ends it, now or at `end_time` (nanoseconds since 1970). A second call does nothing.
    #[pyo3(signature = (end_time = None))]
    fn end(slf: &Bound<'_, Self>, end_time: Option<i64>) {
        Self::finish(slf, end_time.map(Timestamp::from_nanos));
    }

    /// The trace record of its start.
    fn _start_line(&self, py: Python<'_>) -> Option<String> {
        let span = self.read(py)?.to_span();
        aitrace::masked_line(&record::start_record(&span).to_line(aitrace::config::compat_mode()))
    }

    /// Ends it; the trace record of that, None where it had ended before or a processor left it out.
    fn _end_line(slf: &Bound<'_, Self>) -> Option<String> {
        let (py, this) = (slf.py(), slf.get());
        if !this.handle.is_recording() {
            return None;
        }
        let end = this.tracer.bind(py).get().core.now();
        Self::finish(slf, Some(end));
        let mut span = this.state.lock().last.as_ref()?.to_span();
        span.end = Some(end);
        aitrace::masked_line(&record::end_record(&span)?.to_line(aitrace::config::compat_mode()))
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        // Without a slot to put it into, it is recorded but not current.
        drop(Self::enter(&slf));
        slf
    }

    fn __exit__(
        slf: &Bound<'_, Self>,
        _class: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> bool {
        let this = slf.get();
        this.leave(slf.py());
        if !error.is_none() {
            this.failed(error);
        }
        Self::finish(slf, None);
        false
    }

    fn __repr__(&self) -> String {
        format!("<Span {:?} trace_id={} span_id={}>", self.name(), self.trace_id(), self.span_id())
    }
}
