//! A span as it stands, with the names of the API's `S`; contents as JSON text.

use aitrace_model::{Json, RawSpan, Span as ModelSpan};
use aitrace_normalise::{Context, normalise_span};
use pyo3::prelude::*;

/// A finished span, or a span that is open as it is now. `FinishedSpan` reads it.
#[pyclass(frozen, module = "aitrace._native")]
#[derive(Clone)]
pub(crate) struct SpanRecord(Box<ModelSpan>);

impl SpanRecord {
    pub(crate) fn new(span: ModelSpan) -> Self {
        Self(Box::new(span))
    }

    pub(crate) fn inner(&self) -> &ModelSpan {
        &self.0
    }
}

/// A finished span as the server would show it: what instrumentors wrote is normalised here, when it is read,
/// not when it is recorded.
pub(crate) fn normalised(span: ModelSpan, raw: Option<RawSpan>) -> ModelSpan {
    let Some(raw) = raw else { return span };
    let context = Context { default_project: span.project, forced_project: None, received: span.received };
    normalise_span(raw, &context)
}

fn text(json: Option<&Json>) -> Option<String> {
    json.map(|json| json.as_str().to_owned())
}

#[pymethods]
impl SpanRecord {
    #[getter]
    fn trace_id(&self) -> String {
        self.0.trace_id.to_hex()
    }

    #[getter]
    fn span_id(&self) -> String {
        self.0.span_id.to_hex()
    }

    #[getter]
    fn parent_span_id(&self) -> Option<String> {
        self.0.parent_span_id.map(aitrace::SpanId::to_hex)
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind.as_str()
    }

    #[getter]
    fn event_type(&self) -> &'static str {
        self.0.event_type.as_str()
    }

    /// running, ok or error.
    #[getter]
    fn status(&self) -> &'static str {
        match (self.0.end, self.0.is_error()) {
            (_, true) => "error",
            (Some(_), false) => "ok",
            (None, false) => "running",
        }
    }

    /// Type, message and stack trace.
    #[getter]
    fn error(&self) -> Option<(&str, &str, &str)> {
        self.0.error.as_ref().map(|error| (&*error.kind, &*error.message, &*error.stacktrace))
    }

    #[getter]
    fn start_ns(&self) -> i64 {
        self.0.start.nanos()
    }

    #[getter]
    fn end_ns(&self) -> Option<i64> {
        self.0.end.map(aitrace::Timestamp::nanos)
    }

    #[getter]
    fn duration_ns(&self) -> Option<i64> {
        self.0.duration_ns()
    }

    #[getter]
    fn project(&self) -> &str {
        &self.0.project
    }

    #[getter]
    fn source(&self) -> Option<&str> {
        self.0.source.as_deref()
    }

    #[getter]
    fn service(&self) -> Option<&str> {
        self.0.service.as_deref()
    }

    #[getter]
    fn session_id(&self) -> Option<&str> {
        self.0.session_id.as_deref()
    }

    #[getter]
    fn user_id(&self) -> Option<&str> {
        self.0.user_id.as_deref()
    }

    #[getter]
    fn run_id(&self) -> Option<&str> {
        self.0.run_id.as_deref()
    }

    #[getter]
    fn dataset_id(&self) -> Option<&str> {
        self.0.dataset_id.as_deref()
    }

    #[getter]
    fn datapoint_id(&self) -> Option<&str> {
        self.0.datapoint_id.as_deref()
    }

    #[getter]
    fn provider(&self) -> Option<&str> {
        self.0.provider.as_deref()
    }

    #[getter]
    fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    #[getter]
    fn input_tokens(&self) -> Option<u64> {
        self.0.input_tokens
    }

    #[getter]
    fn output_tokens(&self) -> Option<u64> {
        self.0.output_tokens
    }

    /// US dollars, None where unknown.
    #[getter]
    fn cost(&self) -> Option<f64> {
        self.0.cost
    }

    #[getter]
    fn inputs(&self) -> Option<String> {
        text(self.0.inputs.as_ref())
    }

    #[getter]
    fn outputs(&self) -> Option<String> {
        text(self.0.outputs.as_ref())
    }

    #[getter]
    fn metadata(&self) -> Option<String> {
        text(self.0.metadata.as_ref())
    }

    #[getter]
    fn metrics(&self) -> Option<String> {
        text(self.0.metrics.as_ref())
    }

    #[getter]
    fn feedback(&self) -> Option<String> {
        text(self.0.feedback.as_ref())
    }

    #[getter]
    fn config(&self) -> Option<String> {
        text(self.0.config.as_ref())
    }

    #[getter]
    fn user_properties(&self) -> Option<String> {
        text(self.0.user_properties.as_ref())
    }

    #[getter]
    fn attributes(&self) -> &str {
        self.0.attributes.as_str()
    }

    /// File, line and function.
    #[getter]
    fn code(&self) -> Option<(&str, u32, &str)> {
        self.0.code.as_ref().map(|code| (&*code.file, code.line, &*code.function))
    }

    /// Name, nanoseconds since 1970, and attributes of each event.
    #[getter]
    fn events(&self) -> Vec<(&str, i64, &str)> {
        self.0
            .events
            .iter()
            .map(|event| (&*event.name, event.time.nanos(), event.attributes.as_str()))
            .collect()
    }

    /// Trace id, span id and attributes of each link.
    #[getter]
    fn links(&self) -> Vec<(String, String, &str)> {
        let links = self.0.links.iter();
        links.map(|link| (link.trace_id.to_hex(), link.span_id.to_hex(), link.attributes.as_str())).collect()
    }
}
