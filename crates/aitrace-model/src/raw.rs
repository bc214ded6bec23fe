//! What a decoder hands to a normaliser: spans as they were received, typed but not
//! interpreted.

use std::sync::Arc;

use crate::id::{SpanId, TraceId};
use crate::time::Timestamp;
use crate::value::AnyValue;

/// The resource (process, service) that produced a batch of spans; shared by them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resource {
    /// Attributes in the order received.
    pub attributes: Vec<(String, AnyValue)>,
    /// Attributes that the sender left out.
    pub dropped_attributes: u32,
    /// Schema of its attributes, usually empty.
    pub schema_url: String,
}

/// The instrumentation scope (library) that produced spans; shared by them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scope {
    /// Name of the instrumentation library, for example `opentelemetry.instrumentation.openai`.
    pub name: String,
    /// Its version, empty where unknown.
    pub version: String,
    /// Attributes in the order received.
    pub attributes: Vec<(String, AnyValue)>,
    /// Attributes that the sender left out.
    pub dropped_attributes: u32,
    /// Schema of the attributes of it and of its spans, usually empty.
    pub schema_url: String,
}

/// A span's status as sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RawStatus {
    /// Never set.
    #[default]
    Unset,
    /// Set to OK.
    Ok,
    /// Set to error, with its description (may be empty).
    Error(String),
}

/// An event of a span as sent.
#[derive(Debug, Clone, PartialEq)]
pub struct RawEvent {
    /// When it happened.
    pub time: Timestamp,
    /// Its name, for example `exception`.
    pub name: String,
    /// Attributes in the order received.
    pub attributes: Vec<(String, AnyValue)>,
    /// Attributes that the sender left out.
    pub dropped_attributes: u32,
}

/// A link of a span as sent.
#[derive(Debug, Clone, PartialEq)]
pub struct RawLink {
    /// The linked trace.
    pub trace_id: TraceId,
    /// The linked span.
    pub span_id: SpanId,
    /// W3C tracestate of the linked span, usually empty.
    pub trace_state: String,
    /// Attributes in the order received.
    pub attributes: Vec<(String, AnyValue)>,
    /// Attributes that the sender left out.
    pub dropped_attributes: u32,
    /// OTLP's flags: the eight of W3C, and from 0x100 on whether the linked span is remote.
    pub flags: u32,
}

impl RawLink {
    /// A link of which nothing more is said.
    pub fn new(trace_id: TraceId, span_id: SpanId, attributes: Vec<(String, AnyValue)>) -> Self {
        Self { trace_id, span_id, trace_state: String::new(), attributes, dropped_attributes: 0, flags: 0 }
    }
}

/// How much of a span its sender left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Attributes.
    pub attributes: u32,
    /// Events.
    pub events: u32,
    /// Links.
    pub links: u32,
}

/// A span as received over OTLP.
#[derive(Debug, Clone, PartialEq)]
pub struct RawSpan {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
    /// Its parent, `None` on a root.
    pub parent_span_id: Option<SpanId>,
    /// Name as sent, may be empty.
    pub name: String,
    /// OTLP's span kind (0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer).
    pub otel_kind: i32,
    /// W3C tracestate, usually empty.
    pub trace_state: String,
    /// Start.
    pub start: Timestamp,
    /// End; `None` where the sender wrote 0 (the span is not over).
    pub end: Option<Timestamp>,
    /// Attributes in the order received.
    pub attributes: Vec<(String, AnyValue)>,
    /// Events in the order received.
    pub events: Vec<RawEvent>,
    /// Links in the order received.
    pub links: Vec<RawLink>,
    /// Status as sent.
    pub status: RawStatus,
    /// What the sender left out.
    pub dropped: Dropped,
    /// OTLP's flags: the eight of W3C, and from 0x100 on whether the parent is remote.
    pub flags: u32,
    /// The resource of the batch.
    pub resource: Arc<Resource>,
    /// The scope of the batch.
    pub scope: Arc<Scope>,
}

/// A log record as received over OTLP.
#[derive(Debug, Clone, PartialEq)]
pub struct RawLog {
    /// Its trace; `None` outside of any.
    pub trace_id: Option<TraceId>,
    /// Its span; `None` outside of any.
    pub span_id: Option<SpanId>,
    /// When it happened; `None` where the sender does not know.
    pub time: Option<Timestamp>,
    /// When it was first seen; `None` where the sender does not say.
    pub observed: Option<Timestamp>,
    /// OTLP's severity number: 1 to 4 trace, 5 to 8 debug, 9 to 12 info, 13 to 16 warning, 17 to 20 error, 21 to 24
    /// fatal, 0 unknown.
    pub severity: i32,
    /// The severity in the sender's words, usually empty.
    pub severity_text: String,
    /// Name of the event, empty on an ordinary log record.
    pub event_name: String,
    /// The body: a message, or an event's contents.
    pub body: AnyValue,
    /// Attributes in the order received.
    pub attributes: Vec<(String, AnyValue)>,
    /// Attributes that the sender left out.
    pub dropped_attributes: u32,
    /// OTLP's flags: the eight of W3C.
    pub flags: u32,
    /// The resource of the batch.
    pub resource: Arc<Resource>,
    /// The scope of the batch.
    pub scope: Arc<Scope>,
}
