//! A span as every dialect comes out: what the store keeps and the viewer shows.

use serde::{Deserialize, Serialize};

use crate::id::{SpanId, TraceId};
use crate::json::Json;
use crate::log::LogRecord;
use crate::place::CodeLocation;
use crate::time::Timestamp;
use crate::words::words;

words! {
    /// What a span does: OpenInference's ten kinds in lower case, or plain `span`.
    SpanKind {
        /// A call of a language model.
        Llm = "llm",
        /// A step that links others.
        Chain = "chain",
        /// A call of a tool.
        Tool = "tool",
        /// A search for documents.
        Retriever = "retriever",
        /// A call of an embedding model.
        Embedding = "embedding",
        /// An agent's run.
        Agent = "agent",
        /// A re-ordering of documents.
        Reranker = "reranker",
        /// A check of input or output.
        Guardrail = "guardrail",
        /// A judgement.
        Evaluator = "evaluator",
        /// The rendering of a prompt.
        Prompt = "prompt",
        /// Anything else.
        Span = "span",
    }
}

words! {
    /// HoneyHive's coarser classification.
    EventType {
        /// A call of a model.
        Model = "model",
        /// A call of a tool or any other function.
        Tool = "tool",
        /// A step that links others.
        Chain = "chain",
        /// A whole session.
        Session = "session",
    }
}

words! {
    /// How a span ended.
    Status {
        /// Well, or never set.
        Ok = "ok",
        /// With an error.
        Error = "error",
    }
}

words! {
    /// Which part of a span's life a message reports. Of start, heartbeat and end the later ranks higher in a merge.
    Phase {
        /// It began and has not ended (provisional).
        Start = "start",
        /// It is still running.
        Heartbeat = "heartbeat",
        /// It ended.
        End = "end",
        /// No part of its life: contents that a log record of it tells. `name` is the id of the record, `start` its time;
        /// `inputs` and `outputs` count where the span says none itself.
        Contents = "contents",
    }
}

/// Why a span failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct ErrorInfo {
    /// Class of the exception, for example `ValueError`; empty where unknown.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What it said.
    #[serde(default)]
    pub message: String,
    /// Where it came from, empty where unknown.
    #[serde(default)]
    pub stacktrace: String,
}

/// Something that happened at a moment within a span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpanEvent {
    /// When.
    pub time: Timestamp,
    /// Its name.
    pub name: String,
    /// Its attributes, an object.
    pub attributes: Json,
}

/// A reference to another span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpanLink {
    /// The linked trace.
    pub trace_id: TraceId,
    /// The linked span.
    pub span_id: SpanId,
    /// Its attributes, an object.
    pub attributes: Json,
}

/// One message about one span, normalised: its start, a heartbeat, or its end.
///
/// The identity is (project, trace, span). Several messages about one span are merged by the
/// laws of the `merge` module. The serde form is the store's log format, not the API's `S`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Project, never empty.
    pub project: String,
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id, unique within project and trace.
    pub span_id: SpanId,
    /// Its parent, `None` on a root.
    pub parent_span_id: Option<SpanId>,
    /// Which part of its life this message reports.
    pub phase: Phase,
    /// Whether the sender sends heartbeats while the span runs (then 60 s without one mean it is lost).
    pub heartbeats: bool,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: SpanKind,
    /// HoneyHive's event type.
    pub event_type: EventType,
    /// Status as sent; unset counts as ok once the span has ended.
    pub status: Option<Status>,
    /// The error, if any.
    pub error: Option<ErrorInfo>,
    /// Start. Of an end without a known start: the end less its duration.
    pub start: Timestamp,
    /// End; set exactly when `phase` is [`Phase::End`].
    pub end: Option<Timestamp>,
    /// When the server received this message.
    pub received: Timestamp,
    /// Environment, for example `prod`.
    pub source: Option<String>,
    /// Name of the service.
    pub service: Option<String>,
    /// Session.
    pub session_id: Option<String>,
    /// User.
    pub user_id: Option<String>,
    /// Evaluation run.
    pub run_id: Option<String>,
    /// Evaluation dataset.
    pub dataset_id: Option<String>,
    /// Evaluation datapoint.
    pub datapoint_id: Option<String>,
    /// Provider of the model, for example `openai`.
    pub provider: Option<String>,
    /// Model that answered, else the one asked for.
    pub model: Option<String>,
    /// Input tokens, cached ones included.
    pub input_tokens: Option<u64>,
    /// Output tokens, reasoning included.
    pub output_tokens: Option<u64>,
    /// Of the input, tokens read from a cache.
    pub cache_read_tokens: Option<u64>,
    /// Of the input, tokens written to a cache.
    pub cache_write_tokens: Option<u64>,
    /// Of the output, tokens of reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Cost in US dollars; `None` is unknown, never free.
    pub cost: Option<f64>,
    /// How the cost was reckoned, where a price table told it; `None` where the sender states it or it is unknown.
    pub cost_formula: Option<String>,
    /// When the cost was reckoned anew; `None` where it is the one of the receipt.
    pub repriced: Option<Timestamp>,
    /// What went in.
    pub inputs: Option<Json>,
    /// What came out.
    pub outputs: Option<Json>,
    /// User's metadata, an object.
    pub metadata: Option<Json>,
    /// User's metrics, an object.
    pub metrics: Option<Json>,
    /// User's feedback.
    pub feedback: Option<Json>,
    /// User's configuration, an object.
    pub config: Option<Json>,
    /// Properties of the user, an object.
    pub user_properties: Option<Json>,
    /// Everything received, as received: an object.
    pub attributes: Json,
    /// Attributes of the resource, an object.
    pub resource: Json,
    /// Name of the instrumentation scope, empty where unknown.
    pub scope: String,
    /// Where the traced code is.
    pub code: Option<CodeLocation>,
    /// Events in order of time.
    pub events: Vec<SpanEvent>,
    /// Links.
    pub links: Vec<SpanLink>,
    /// What OTLP says of a span beside all this, an object: `kind`, `trace_state`, `flags`, `dropped_*_count`,
    /// `scope_*`, `resource_*`, and of `events` and `links` the same. `None` where it is nothing.
    pub otel: Option<Json>,
    /// Set on an end that is told only by the suffix `.end` of a format 2.0 record: the log record
    /// that this is unless a start of the span is known, before or after.
    pub tentative: Option<Box<LogRecord>>,
}

impl Span {
    /// A message with nothing but its identity: phase start, kind `span`, event type `tool`.
    pub fn new(project: &str, trace_id: TraceId, span_id: SpanId, name: &str, start: Timestamp) -> Self {
        Self {
            project: project.to_owned(),
            trace_id,
            span_id,
            parent_span_id: None,
            phase: Phase::Start,
            heartbeats: false,
            name: name.to_owned(),
            kind: SpanKind::Span,
            event_type: EventType::Tool,
            status: None,
            error: None,
            start,
            end: None,
            received: start,
            source: None,
            service: None,
            session_id: None,
            user_id: None,
            run_id: None,
            dataset_id: None,
            datapoint_id: None,
            provider: None,
            model: None,
            input_tokens: None,
            output_tokens: None,
            cache_read_tokens: None,
            cache_write_tokens: None,
            reasoning_tokens: None,
            cost: None,
            cost_formula: None,
            repriced: None,
            inputs: None,
            outputs: None,
            metadata: None,
            metrics: None,
            feedback: None,
            config: None,
            user_properties: None,
            attributes: Json::from_trusted("{}"),
            resource: Json::from_trusted("{}"),
            scope: String::new(),
            code: None,
            events: Vec::new(),
            links: Vec::new(),
            otel: None,
            tentative: None,
        }
    }

    /// The contents under their names, in the order of the record's format.
    pub fn contents(&self) -> [(&'static str, Option<&Json>); 7] {
        [
            ("inputs", self.inputs.as_ref()),
            ("outputs", self.outputs.as_ref()),
            ("metadata", self.metadata.as_ref()),
            ("metrics", self.metrics.as_ref()),
            ("feedback", self.feedback.as_ref()),
            ("config", self.config.as_ref()),
            ("user_properties", self.user_properties.as_ref()),
        ]
    }

    /// Duration in nanoseconds, never negative; `None` while it runs.
    pub fn duration_ns(&self) -> Option<i64> {
        self.end.map(|end| end.since(self.start).max(0))
    }

    /// Whether this message says the span failed.
    pub fn is_error(&self) -> bool {
        self.status == Some(Status::Error) || (self.status.is_none() && self.error.is_some())
    }
}
