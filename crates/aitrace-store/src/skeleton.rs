//! A trace without its contents, for trees of any size.

use std::sync::Arc;

use aitrace_model::{EventType, Span, SpanId, SpanKind, Timestamp, TraceStatus, TraceSummary};

use crate::stored::StoredSpan;

/// The tree of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Skeleton {
    /// Its line.
    pub summary: TraceSummary,
    /// Its spans in tree order: parents first, siblings by start; each exactly once.
    pub spans: Vec<Bone>,
}

/// A span without its contents.
#[derive(Debug, Clone, PartialEq)]
pub struct Bone {
    /// Its id.
    pub span_id: SpanId,
    /// Its parent, `None` on a root.
    pub parent_span_id: Option<SpanId>,
    /// Name. Spans of a tree that have the same one share it.
    pub name: Arc<str>,
    /// Kind.
    pub kind: SpanKind,
    /// HoneyHive's event type.
    pub event_type: EventType,
    /// How it stands now.
    pub status: TraceStatus,
    /// Start.
    pub start: Timestamp,
    /// End; `None` while it has not ended.
    pub end: Option<Timestamp>,
    /// Provider of the model.
    pub provider: Option<Arc<str>>,
    /// Model.
    pub model: Option<Arc<str>>,
    /// Input tokens.
    pub input_tokens: Option<u64>,
    /// Output tokens.
    pub output_tokens: Option<u64>,
    /// Cost in US dollars.
    pub cost: Option<f64>,
}

impl Bone {
    /// What is left of a span without its contents.
    pub fn of(span: &Span, status: TraceStatus) -> Self {
        Self {
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            name: span.name.as_str().into(),
            kind: span.kind,
            event_type: span.event_type,
            status,
            start: span.start,
            end: span.end,
            provider: span.provider.as_deref().map(Arc::from),
            model: span.model.as_deref().map(Arc::from),
            input_tokens: span.input_tokens,
            output_tokens: span.output_tokens,
            cost: span.cost,
        }
    }
}

impl From<&StoredSpan> for Bone {
    fn from(stored: &StoredSpan) -> Self {
        Self::of(&stored.span, stored.status)
    }
}
