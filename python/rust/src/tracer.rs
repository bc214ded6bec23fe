//! The native half of a tracer: what is fast or waits. `aitrace.Tracer` is its subclass.

use std::time::Duration;

use aitrace::{
    CodeLocation, Context, Enrich, Json, Level, Log, LogSpan, NewEvent, Parent, SpanOptions, Text, Timestamp,
};
use aitrace_model::Scope as Library;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyDict;

use crate::arguments::{Arguments, event_type_of, kind_of};
use crate::capture::to_json;
use crate::classes::{Scope, Span, State, Tracer};
use crate::convert::{name_of, pairs, text_of};
use crate::enrich::{self, Enrichment};
use crate::here::Here;
use crate::process;
use crate::record::{SpanRecord, normalised};
use crate::settings;
use crate::slot;

/// A file, a line from 1 and a function.
pub(crate) type Place = (String, u32, String);

pub(crate) fn location((file, line, function): Place) -> CodeLocation {
    CodeLocation { file, line, function }
}

impl Tracer {
    /// Starts a span under what is current. It is not current itself.
    pub(crate) fn begin<'py>(
        slf: Bound<'py, Self>,
        here: Here<'py>,
        options: impl FnOnce(Parent) -> SpanOptions,
    ) -> PyResult<Bound<'py, Span>> {
        let py = slf.py();
        let options = options(Parent::Context(here.context.clone()));
        let name = options.name.clone();
        let handle = slf.get().core.start(options);
        if let Some(session) = here.session_of(slf.get().tracer_id()) {
            handle.enrich(Enrich::new().session_id(session));
        }
        let inside = handle.within(&here.context);
        let parent = here.context.span().map(|span| span.span_id);
        let tracer = slf.unbind();
        Bound::new(
            py,
            Span {
                handle,
                inside,
                extra: here.extra,
                tracer,
                parent,
                name,
                state: Mutex::new(State::default()),
            },
        )
    }
}

impl Tracer {
    fn log_records(&self, py: Python<'_>) -> Vec<LogAndPlace> {
        let logs = py.detach(|| self.core.logs());
        let tuple = |log: aitrace::LogRecord| {
            let ids = (log.trace_id.map(aitrace::TraceId::to_hex), log.span_id.map(aitrace::SpanId::to_hex));
            let place = log.code.map(|code| (code.file, code.line, code.function));
            let attrs = log.attrs.as_str().to_owned();
            ((log.event, log.level.as_str(), ids.0, ids.1, log.logger, attrs), log.time.nanos(), place)
        };
        logs.into_iter().map(tuple).collect()
    }
}

/// A duration from seconds; what is no duration is none.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

#[pymethods]
impl Tracer {
    /// `settings` are checked by the caller: strings or None by the names of the recorder's builder, and
    /// `exporter`, `clock`, `sequential_ids`, `verbose`.
    #[new]
    #[pyo3(signature = (settings))]
    fn new(settings: &Bound<'_, PyDict>) -> PyResult<Self> {
        let builder = settings::builder(settings)?;
        let (builder, processors) = process::read(settings, builder)?;
        Ok(Self { core: builder.build(), processors })
    }

    /// What was counted since it was made: sent, remaining, dropped, filtered, masked, problem.
    fn _stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.core.stats();
        let dict = PyDict::new(py);
        dict.set_item("sent", stats.sent)?;
        dict.set_item("remaining", stats.remaining)?;
        dict.set_item("dropped", stats.dropped)?;
        dict.set_item("filtered", stats.filtered)?;
        dict.set_item("masked", stats.masked)?;
        dict.set_item("problem", stats.problem)?;
        Ok(dict)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.processors)
    }

    /// Unique id of this tracer.
    #[getter]
    fn tracer_id(&self) -> &str {
        &self.core.identity().tracer_id
    }

    /// Project of everything it records.
    #[getter]
    fn project_name(&self) -> &str {
        &self.core.identity().project
    }

    /// Environment of everything it records.
    #[getter]
    fn source(&self) -> &str {
        &self.core.identity().source
    }

    /// Its session.
    #[getter]
    fn session_id(&self) -> String {
        self.core.identity().session().id.to_string()
    }

    /// The name of its session, None where it has none.
    #[getter]
    fn session_name(&self) -> Option<String> {
        self.core.identity().session().name.as_deref().map(str::to_owned)
    }

    /// Evaluation run of everything it records.
    #[getter]
    fn run_id(&self) -> Option<&str> {
        self.core.identity().run_id.as_deref()
    }

    /// Evaluation dataset of everything it records.
    #[getter]
    fn dataset_id(&self) -> Option<&str> {
        self.core.identity().dataset_id.as_deref()
    }

    /// Evaluation datapoint of everything it records.
    #[getter]
    fn datapoint_id(&self) -> Option<&str> {
        self.core.identity().datapoint_id.as_deref()
    }

    #[expect(clippy::too_many_arguments, reason = "Python's side names them")]
    #[pyo3(signature = (name, *, event_type = None, kind = None, attributes = None, links = None,
        start_time = None, place = None, parent = None, root = false, scope = None, otel_kind = None, ids = None))]
    fn _start_span<'py>(
        slf: Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
        event_type: Option<&Bound<'py, PyAny>>,
        kind: Option<&Bound<'py, PyAny>>,
        attributes: Option<&Bound<'py, PyAny>>,
        links: Option<Vec<(String, String)>>,
        start_time: Option<i64>,
        place: Option<Place>,
        parent: Option<&Bound<'py, PyAny>>,
        root: bool,
        scope: Option<(String, String)>,
        otel_kind: Option<i32>,
        ids: Option<(String, String)>,
    ) -> PyResult<Bound<'py, Span>> {
        let here = match parent {
            Some(parent) => Here::of(parent),
            None if root => Here::of(slf.py().None().bind(slf.py())),
            None => Here::look(slf.py()),
        };
        Self::begin(slf, here, |under| {
            let mut options = SpanOptions::new(name_of(name)).parent(under);
            options.event_type = event_type.and_then(event_type_of);
            options.kind = kind.and_then(kind_of);
            options.attributes = attributes.map(pairs).unwrap_or_default();
            options.start = start_time.map(Timestamp::from_nanos);
            options.code =
                place.map_or(aitrace::Code::Unknown, |place| aitrace::Code::Shared(location(place).into()));
            options.scope =
                scope.map(|(name, version)| Library { name, version, ..Library::default() }.into());
            options.otel_kind = otel_kind;
            options.ids = ids.and_then(|(trace_id, span_id)| {
                Some(aitrace::SpanContext {
                    trace_id: trace_id.parse().ok()?,
                    span_id: span_id.parse().ok()?,
                })
            });
            for (trace_id, span_id) in links.unwrap_or_default() {
                if let (Ok(trace_id), Ok(span_id)) = (trace_id.parse(), span_id.parse()) {
                    options = options.link(aitrace::SpanContext { trace_id, span_id });
                }
            }
            options
        })
    }

    /// Adds to this tracer's current span, never to another's. True where there is one; usable with `with`.
    ///
    /// Dicts are added key by key. `event_type` and `kind` among the other names set these, `user_id` and
    /// `session_id` those of the span; all others are metadata.
    #[expect(clippy::too_many_arguments, reason = "the names are the public interface")]
    #[pyo3(signature = (metadata = None, *, metrics = None, feedback = None, inputs = None, outputs = None,
        config = None, error = None, user_properties = None, event_id = None, **kwargs))]
    fn enrich_span(
        &self,
        py: Python<'_>,
        metadata: Option<&Bound<'_, PyAny>>,
        metrics: Option<&Bound<'_, PyAny>>,
        feedback: Option<&Bound<'_, PyAny>>,
        inputs: Option<&Bound<'_, PyAny>>,
        outputs: Option<&Bound<'_, PyAny>>,
        config: Option<&Bound<'_, PyAny>>,
        error: Option<&Bound<'_, PyAny>>,
        user_properties: Option<&Bound<'_, PyAny>>,
        event_id: Option<&Bound<'_, PyAny>>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<Enrichment>> {
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
        enrich::apply_here(py, self, arguments.read(), event_id)
    }

    /// Adds to this tracer's session: a log record `session.updated`.
    #[expect(clippy::too_many_arguments, reason = "the names are the public interface")]
    #[pyo3(signature = (metadata = None, *, metrics = None, feedback = None, inputs = None, outputs = None,
        config = None, error = None, user_properties = None, **kwargs))]
    fn enrich_session(
        &self,
        metadata: Option<&Bound<'_, PyAny>>,
        metrics: Option<&Bound<'_, PyAny>>,
        feedback: Option<&Bound<'_, PyAny>>,
        inputs: Option<&Bound<'_, PyAny>>,
        outputs: Option<&Bound<'_, PyAny>>,
        config: Option<&Bound<'_, PyAny>>,
        error: Option<&Bound<'_, PyAny>>,
        user_properties: Option<&Bound<'_, PyAny>>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> Enrichment {
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
        Enrichment::of_session(self.core.enrich_session(arguments.read()))
    }

    /// Begins a new session, which all spans of this tracer belong to from now on; its id.
    #[expect(clippy::too_many_arguments, reason = "the names are the public interface")]
    #[pyo3(signature = (session_name = None, *, session_id = None, inputs = None, metadata = None,
        user_properties = None, **kwargs))]
    fn create_session(
        &self,
        session_name: Option<&Bound<'_, PyAny>>,
        session_id: Option<&Bound<'_, PyAny>>,
        inputs: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyAny>>,
        user_properties: Option<&Bound<'_, PyAny>>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> String {
        let name = session_name.map(text_of);
        let id = session_id.map(text_of);
        let arguments = Arguments { metadata, inputs, user_properties, kwargs, ..Arguments::default() };
        self.core.create_session(
            name.as_ref().map(Text::as_str),
            id.as_ref().map(Text::as_str).filter(|id| !id.is_empty()),
            arguments.read(),
        )
    }

    /// Records something that happened outside of traced code, under the current span if there is one. Its
    /// id, None where nothing is recorded. `duration` is in milliseconds.
    #[expect(clippy::too_many_arguments, reason = "the names are the public interface")]
    #[pyo3(signature = (name, *, event_type = None, inputs = None, outputs = None, error = None,
        duration = None, metadata = None, config = None, feedback = None, metrics = None, **kwargs))]
    fn create_event(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyAny>,
        event_type: Option<&Bound<'_, PyAny>>,
        inputs: Option<&Bound<'_, PyAny>>,
        outputs: Option<&Bound<'_, PyAny>>,
        error: Option<&Bound<'_, PyAny>>,
        duration: Option<f64>,
        metadata: Option<&Bound<'_, PyAny>>,
        config: Option<&Bound<'_, PyAny>>,
        feedback: Option<&Bound<'_, PyAny>>,
        metrics: Option<&Bound<'_, PyAny>>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> Option<String> {
        let arguments = Arguments {
            metadata,
            metrics,
            feedback,
            inputs,
            outputs,
            config,
            error,
            kwargs,
            ..Arguments::default()
        };
        let event = NewEvent {
            event_type: event_type.and_then(event_type_of),
            about: arguments.read(),
            duration: duration.map(|millis| seconds(millis / 1e3)),
        };
        let _here = Here::look(py).context.attach();
        self.core.create_event(text_of(name).as_str(), event)
    }

    /// Writes a log record under the current span, if there is one; its id, None where nothing is recorded.
    #[expect(clippy::too_many_arguments, reason = "Python's side names them")]
    #[pyo3(signature = (event, level, fields, place, logger = None))]
    fn _log(
        &self,
        py: Python<'_>,
        event: &Bound<'_, PyAny>,
        level: &Bound<'_, PyAny>,
        fields: &Bound<'_, PyDict>,
        place: Option<Place>,
        logger: Option<&str>,
    ) -> Option<String> {
        let context = Here::look(py).context;
        let span = match context.span() {
            Some(span) if context.is_sampled() => LogSpan::Span(span),
            Some(_) => LogSpan::Current,
            None => LogSpan::None,
        };
        // The recorder leaves out what belongs to a trace that is not recorded, and counts it.
        let _attached = (!context.is_sampled()).then(|| context.attach());
        let mut log = Log::new(text_of(event))
            .level(Level::from_word(text_of(level).as_str()).unwrap_or(Level::Info))
            .span(span);
        if let Some(logger) = logger {
            log = log.logger(logger.to_owned());
        }
        if let Some(place) = place {
            log = log.code(location(place));
        }
        for item in fields.items() {
            if let Ok((key, value)) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>() {
                log = log.field_json(text_of(&key), Json::from_trusted(to_json(&value)));
            }
        }
        self.core.log(log)
    }

    /// A value of the current baggage, None where it is not set.
    #[staticmethod]
    fn get_baggage(py: Python<'_>, key: &str) -> Option<String> {
        let here = Here::look(py);
        // Inside of a span the tracer is the span's, whatever was said before.
        let span = here.span.as_ref().filter(|_| key == "tracer_id" && here.baggage(key).is_none());
        span.map(|span| span.get().tracer.bind(py).get().tracer_id().to_owned()).or_else(|| here.baggage(key))
    }

    /// Sets a value of the baggage for the rest of the current context; None takes it out. Only run_id,
    /// dataset_id, datapoint_id and tracer_id travel to other processes.
    #[pyo3(signature = (key, value))]
    #[staticmethod]
    fn set_baggage(py: Python<'_>, key: &str, value: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let value = value.map(text_of);
        let scope = Here::look(py).with_baggage(py, key, value.as_ref().map(Text::as_str))?;
        slot::set(scope.as_any())?;
        Ok(())
    }

    /// The headers of the current context: `traceparent`, and `baggage` with the four keys that travel.
    fn _headers(&self, py: Python<'_>) -> Vec<(&'static str, String)> {
        let here = Here::look(py);
        let mut headers = Vec::new();
        let mut context = here.context.clone();
        let mut baggage = context.baggage().map(|baggage| baggage.as_ref().clone()).unwrap_or_default();
        let identity = self.core.identity();
        for (key, own) in [
            ("run_id", identity.run_id.as_deref()),
            ("dataset_id", identity.dataset_id.as_deref()),
            ("datapoint_id", identity.datapoint_id.as_deref()),
            ("tracer_id", Some(identity.tracer_id.as_ref())),
        ] {
            if let Some(own) = own {
                baggage.set(key, Some(own));
            }
        }
        context = context.with_baggage(baggage);
        context.inject(|name, value| headers.push((name, value)));
        headers
    }

    /// What headers say, as a value for the slot.
    #[staticmethod]
    fn _scope(headers: &Bound<'_, PyDict>) -> PyResult<Scope> {
        let read: Vec<(String, String)> = headers.items().extract()?;
        let get = |name: &str| read.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        Ok(Scope { context: Context::extract(get), span: None, extra: None })
    }

    /// Waits up to `timeout` seconds for everything that has ended to be sent:
    /// ok, sent, remaining, spooled, dropped.
    fn _flush(&self, py: Python<'_>, timeout: f64) -> Flushed {
        let result = py.detach(|| self.core.flush(seconds(timeout)));
        report(result)
    }

    /// Flushes, then records nothing more.
    fn _shutdown(&self, py: Python<'_>, timeout: f64) -> Flushed {
        let result = py.detach(|| self.core.shutdown(seconds(timeout)));
        report(result)
    }

    /// The finished spans of a tracer with the target `memory`.
    fn _spans(&self, py: Python<'_>) -> Vec<SpanRecord> {
        let spans = py.detach(|| self.core.spans_read(normalised));
        spans.into_iter().map(SpanRecord::new).collect()
    }

    /// The log records of a tracer with the target `memory`: event, level, trace id, span id, logger, data.
    fn _logs(&self, py: Python<'_>) -> Vec<LogTuple> {
        let tuple = |(log, _, _): LogAndPlace| log;
        self.log_records(py).into_iter().map(tuple).collect()
    }

    /// The same with nanoseconds since 1970 and place.
    fn _log_records(&self, py: Python<'_>) -> Vec<LogAndPlace> {
        self.log_records(py)
    }

    /// Whether it writes trace records to standard output.
    fn _writes_stdout(&self) -> bool {
        *self.core.target() == aitrace::Target::Stdout
    }

    /// Forgets what the target `memory` holds.
    fn _clear(&self, py: Python<'_>) {
        py.detach(|| self.core.clear());
    }

    fn __repr__(&self) -> String {
        let identity = self.core.identity();
        format!("<Tracer {} project={:?} source={:?}>", identity.tracer_id, identity.project, identity.source)
    }
}

/// ok, sent, remaining, spooled, dropped.
pub(crate) type Flushed = (bool, u64, u64, u64, Vec<(String, u64)>);
type LogTuple = (String, &'static str, Option<String>, Option<String>, Option<String>, String);
type LogAndPlace = (LogTuple, i64, Option<Place>);

pub(crate) fn report(result: aitrace::FlushResult) -> Flushed {
    (result.ok, result.sent, result.remaining, result.spooled, result.dropped.into_iter().collect())
}
