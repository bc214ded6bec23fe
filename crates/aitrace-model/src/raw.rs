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
}

/// A link of a span as sent.
#[derive(Debug, Clone, PartialEq)]
pub struct RawLink {
    /// The linked trace.
    pub trace_id: TraceId,
    /// The linked span.
    pub span_id: SpanId,
    /// Attributes in the order received.
    pub attributes: Vec<(String, AnyValue)>,
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
    /// The resource of the batch.
    pub resource: Arc<Resource>,
    /// The scope of the batch.
    pub scope: Arc<Scope>,
}
