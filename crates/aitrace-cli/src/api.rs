//! What the API answers, as far as commands look into it.

use aitrace_model::{
    CodeLocation, ErrorInfo, EventType, Json, Level, LogRecord, Phase, Span, SpanEvent, SpanId, SpanKind,
    SpanLink, Status, Timestamp, TraceId, TraceStatus,
};
use serde::{Deserialize, Deserializer, de};

/// `T`: one line about a trace.
#[derive(Debug, Deserialize)]
pub(crate) struct TraceLine {
    pub(crate) trace_id: String,
    pub(crate) name: String,
    pub(crate) project: String,
    pub(crate) start_ts: Timestamp,
    pub(crate) duration_ms: Option<f64>,
    pub(crate) status: TraceStatus,
    #[serde(deserialize_with = "count")]
    pub(crate) spans: u64,
    #[serde(deserialize_with = "count")]
    pub(crate) events: u64,
    #[serde(deserialize_with = "count")]
    pub(crate) errors: u64,
    #[serde(deserialize_with = "maybe_count")]
    pub(crate) input_tokens: Option<u64>,
    #[serde(deserialize_with = "maybe_count")]
    pub(crate) output_tokens: Option<u64>,
    pub(crate) cost: Option<f64>,
}

/// A whole trace.
#[derive(Debug, Deserialize)]
pub(crate) struct Trace {
    #[serde(rename = "trace")]
    pub(crate) line: TraceLine,
    pub(crate) spans: Vec<SpanNode>,
    pub(crate) logs: Vec<LogLine>,
}

/// `S`, as far as a tree shows it.
#[derive(Debug, Deserialize)]
pub(crate) struct SpanNode {
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) status: TraceStatus,
    pub(crate) error: Option<ErrorInfo>,
    #[serde(deserialize_with = "nanos")]
    pub(crate) start_ns: Timestamp,
    #[serde(deserialize_with = "maybe_nanos")]
    pub(crate) end_ns: Option<Timestamp>,
    pub(crate) model: Option<String>,
    #[serde(deserialize_with = "maybe_count")]
    pub(crate) input_tokens: Option<u64>,
    #[serde(deserialize_with = "maybe_count")]
    pub(crate) output_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub(crate) depth: u64,
}

/// `L`.
#[derive(Debug, Deserialize)]
pub(crate) struct LogLine {
    #[serde(default)]
    id: String,
    project: Option<String>,
    session_id: Option<String>,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) span_id: Option<SpanId>,
    pub(crate) ts: Timestamp,
    pub(crate) event: String,
    pub(crate) level: Level,
    pub(crate) logger: Option<String>,
    pub(crate) code: Option<CodeLocation>,
    pub(crate) attrs: Json,
}

impl LogLine {
    /// The record behind it, in the project that was asked for where the server names none.
    pub(crate) fn into_record(self, project: Option<&str>) -> LogRecord {
        let project = self.project.or_else(|| project.map(str::to_owned));
        LogRecord {
            project: project.unwrap_or_else(|| "default".to_owned()),
            id: self.id,
            trace_id: self.trace_id,
            span_id: self.span_id,
            time: self.ts,
            event: self.event,
            level: self.level,
            logger: self.logger,
            code: self.code,
            session_id: self.session_id,
            attrs: self.attrs,
            received: self.ts,
        }
    }
}

/// `S` with all that a record of it says.
#[derive(Debug, Deserialize)]
pub(crate) struct FullSpan {
    trace_id: TraceId,
    span_id: SpanId,
    parent_span_id: Option<SpanId>,
    name: String,
    kind: SpanKind,
    event_type: EventType,
    status: TraceStatus,
    error: Option<ErrorInfo>,
    #[serde(deserialize_with = "nanos")]
    start_ns: Timestamp,
    #[serde(deserialize_with = "maybe_nanos")]
    end_ns: Option<Timestamp>,
    project: String,
    source: Option<String>,
    service: Option<String>,
    session_id: Option<String>,
    user_id: Option<String>,
    run_id: Option<String>,
    dataset_id: Option<String>,
    datapoint_id: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    #[serde(deserialize_with = "maybe_count")]
    input_tokens: Option<u64>,
    #[serde(deserialize_with = "maybe_count")]
    output_tokens: Option<u64>,
    cost: Option<f64>,
    inputs: Option<Json>,
    outputs: Option<Json>,
    metadata: Option<Json>,
    metrics: Option<Json>,
    feedback: Option<Json>,
    config: Option<Json>,
    user_properties: Option<Json>,
    attributes: Json,
    code: Option<CodeLocation>,
    events: Vec<Event>,
    links: Vec<Link>,
}

#[derive(Debug, Deserialize)]
struct Event {
    name: String,
    #[serde(deserialize_with = "nanos")]
    time_ns: Timestamp,
    attributes: Json,
}

#[derive(Debug, Deserialize)]
struct Link {
    trace_id: TraceId,
    span_id: SpanId,
    attributes: Json,
}

impl FullSpan {
    /// The span as the model knows it.
    pub(crate) fn into_span(self) -> Span {
        let event =
            |event: Event| SpanEvent { time: event.time_ns, name: event.name, attributes: event.attributes };
        let link = |link: Link| SpanLink {
            trace_id: link.trace_id,
            span_id: link.span_id,
            attributes: link.attributes,
        };
        let status = match self.status {
            TraceStatus::Error => Some(Status::Error),
            TraceStatus::Ok => Some(Status::Ok),
            TraceStatus::Running | TraceStatus::Lost => None,
        };
        Span {
            parent_span_id: self.parent_span_id,
            phase: if self.end_ns.is_some() { Phase::End } else { Phase::Start },
            kind: self.kind,
            event_type: self.event_type,
            status,
            error: self.error,
            end: self.end_ns,
            source: self.source,
            service: self.service,
            session_id: self.session_id,
            user_id: self.user_id,
            run_id: self.run_id,
            dataset_id: self.dataset_id,
            datapoint_id: self.datapoint_id,
            provider: self.provider,
            model: self.model,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cost: self.cost,
            inputs: self.inputs,
            outputs: self.outputs,
            metadata: self.metadata,
            metrics: self.metrics,
            feedback: self.feedback,
            config: self.config,
            user_properties: self.user_properties,
            attributes: self.attributes,
            code: self.code,
            events: self.events.into_iter().map(event).collect(),
            links: self.links.into_iter().map(link).collect(),
            ..Span::new(&self.project, self.trace_id, self.span_id, &self.name, self.start_ns)
        }
    }
}

/// A whole number: a JSON number, or its digits as a string where a double cannot hold it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number<N> {
    Plain(N),
    Digits(String),
}

impl<N: std::str::FromStr<Err: std::fmt::Display>> Number<N> {
    fn read<E: de::Error>(self) -> Result<N, E> {
        match self {
            Self::Plain(number) => Ok(number),
            Self::Digits(digits) => digits.parse().map_err(E::custom),
        }
    }
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Number::deserialize(deserializer)?.read()
}

fn maybe_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::<Number<u64>>::deserialize(deserializer)?.map(Number::read).transpose()
}

fn nanos<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Number::deserialize(deserializer)?.read().map(Timestamp::from_nanos)
}

fn maybe_nanos<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let number = Option::<Number<i64>>::deserialize(deserializer)?.map(Number::read).transpose()?;
    Ok(number.map(Timestamp::from_nanos))
}
