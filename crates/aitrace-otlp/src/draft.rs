//! Spans, links and log records while their fields come in.

use std::sync::Arc;

use aitrace_model::{
    AnyValue, Dropped, RawEvent, RawLink, RawLog, RawSpan, RawStatus, Resource, Scope, SpanId, Timestamp,
    TraceId,
};

use crate::fault::Fault;

/// A list of attributes as the model has it.
pub(crate) type Attributes = Vec<(String, AnyValue)>;

/// What spans share.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) resource: Arc<Resource>,
    pub(crate) scope: Arc<Scope>,
}

/// A span whose fields are being read; unset fields have protobuf's defaults.
#[derive(Debug, Default)]
pub(crate) struct SpanDraft {
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) span_id: Option<SpanId>,
    pub(crate) parent_span_id: Option<SpanId>,
    pub(crate) name: String,
    pub(crate) kind: i32,
    pub(crate) trace_state: String,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: Attributes,
    pub(crate) events: Vec<RawEvent>,
    pub(crate) links: Vec<RawLink>,
    pub(crate) status: StatusDraft,
    pub(crate) dropped: Dropped,
    pub(crate) flags: u32,
}

impl SpanDraft {
    /// The span, unless it has no identity.
    pub(crate) fn finish(self, origin: &Origin) -> Result<RawSpan, Fault> {
        Ok(RawSpan {
            trace_id: self.trace_id.ok_or(Fault::Missing { field: "trace_id" })?,
            span_id: self.span_id.ok_or(Fault::Missing { field: "span_id" })?,
            parent_span_id: self.parent_span_id,
            name: self.name,
            otel_kind: self.kind,
            trace_state: self.trace_state,
            start: Timestamp::from_unix_nanos(self.start),
            end: (self.end != 0).then(|| Timestamp::from_unix_nanos(self.end)),
            attributes: self.attributes,
            events: self.events,
            links: self.links,
            status: self.status.finish(),
            dropped: self.dropped,
            flags: self.flags,
            resource: Arc::clone(&origin.resource),
            scope: Arc::clone(&origin.scope),
        })
    }
}

/// A status whose fields are being read.
#[derive(Debug, Default)]
pub(crate) struct StatusDraft {
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl StatusDraft {
    fn finish(self) -> RawStatus {
        match self.code {
            1 => RawStatus::Ok,
            2 => RawStatus::Error(self.message),
            _ => RawStatus::Unset,
        }
    }
}

/// A link whose fields are being read.
#[derive(Debug, Default)]
pub(crate) struct LinkDraft {
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) span_id: Option<SpanId>,
    pub(crate) trace_state: String,
    pub(crate) attributes: Attributes,
    pub(crate) dropped_attributes: u32,
    pub(crate) flags: u32,
}

impl LinkDraft {
    /// The link, `None` where it leads nowhere: its ids are missing, malformed or zero.
    pub(crate) fn finish(self) -> Option<RawLink> {
        Some(RawLink {
            trace_id: self.trace_id?,
            span_id: self.span_id?,
            trace_state: self.trace_state,
            attributes: self.attributes,
            dropped_attributes: self.dropped_attributes,
            flags: self.flags,
        })
    }
}

/// A log record whose fields are being read; unset fields have protobuf's defaults.
#[derive(Debug)]
pub(crate) struct LogDraft {
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) span_id: Option<SpanId>,
    pub(crate) time: u64,
    pub(crate) observed: u64,
    pub(crate) severity: i32,
    pub(crate) severity_text: String,
    pub(crate) event_name: String,
    pub(crate) body: AnyValue,
    pub(crate) attributes: Attributes,
    pub(crate) dropped_attributes: u32,
    pub(crate) flags: u32,
}

impl Default for LogDraft {
    fn default() -> Self {
        Self {
            trace_id: None,
            span_id: None,
            time: 0,
            observed: 0,
            severity: 0,
            severity_text: String::new(),
            event_name: String::new(),
            body: AnyValue::Null,
            attributes: Attributes::new(),
            dropped_attributes: 0,
            flags: 0,
        }
    }
}

impl LogDraft {
    /// The log record: every one that can be read is one.
    pub(crate) fn finish(self, origin: &Origin) -> RawLog {
        let time = |nanos: u64| (nanos != 0).then(|| Timestamp::from_unix_nanos(nanos));
        RawLog {
            trace_id: self.trace_id,
            span_id: self.span_id,
            time: time(self.time),
            observed: time(self.observed),
            severity: self.severity,
            severity_text: self.severity_text,
            event_name: self.event_name,
            body: self.body,
            attributes: self.attributes,
            dropped_attributes: self.dropped_attributes,
            flags: self.flags,
            resource: Arc::clone(&origin.resource),
            scope: Arc::clone(&origin.scope),
        }
    }
}
