//! A record as a value.

use serde::{Deserialize, Serialize};

use crate::id::{SpanId, TraceId};
use crate::json::Json;
use crate::log::Level;
use crate::span::{ErrorInfo, EventType, Status};
use crate::time::Timestamp;
use crate::words::words;

words! {
    /// What a record reports, said outright (new in 2.1).
    Lifecycle {
        /// A span began.
        Start = "start",
        /// A span ended.
        End = "end",
        /// Anything else.
        Log = "log",
    }
}

/// Suffix of the event of a span's start.
pub(super) const START: &str = ".start";
/// Suffix of the event of a span's end.
pub(super) const END: &str = ".end";

/// The metadata of a record: the keys of `__tracer_meta__`, each under its own name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Meta {
    /// When it happened.
    pub timestamp: Timestamp,
    /// The user's event name, or `{span name}.start` / `{span name}.end`.
    pub event: String,
    /// Its trace.
    pub trace_id: Option<TraceId>,
    /// Its span.
    pub span_id: Option<SpanId>,
    /// The span's parent.
    pub parent_span_id: Option<SpanId>,
    /// File of the code being traced, relative to the workspace root.
    pub file: Option<String>,
    /// Line from 1.
    pub line: Option<u32>,
    /// Function of the code being traced.
    pub function: Option<String>,
    /// Severity.
    pub level: Option<Level>,
    /// Name of the logger.
    pub logger: Option<String>,
    /// Set on a start: the span is not over.
    pub provisional: bool,
    /// Version of the format, absent before 2.1.
    pub version: Option<String>,
    /// Unique id. Where it is absent the reader derives it from the record's bytes, unless the lifecycle says that the
    /// record is about a span, which tells it from others.
    pub id: Option<String>,
    /// What the record reports, absent before 2.1.
    pub lifecycle: Option<Lifecycle>,
    /// How the span ended.
    pub status: Option<Status>,
    /// Why it failed.
    pub error: Option<ErrorInfo>,
    /// How long it took in nanoseconds.
    pub duration_ns: Option<i64>,
    /// HoneyHive's event type.
    pub event_type: Option<EventType>,
    /// Project.
    pub project: Option<String>,
    /// Environment.
    pub source: Option<String>,
    /// Session.
    pub session_id: Option<String>,
    /// Evaluation run.
    pub run_id: Option<String>,
    /// Evaluation dataset.
    pub dataset_id: Option<String>,
    /// Evaluation datapoint.
    pub datapoint_id: Option<String>,
    /// Name of the service.
    pub service: Option<String>,
    /// Keys that this table does not know, and known ones whose value is not of their type.
    pub extra: Vec<(String, Json)>,
}

/// One trace record.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// Its metadata.
    pub meta: Meta,
    /// Every other top-level key with its value, in their order; keys are distinct.
    pub data: Vec<(String, Json)>,
}

/// What a record means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role<'a> {
    /// A span of this name began.
    Start(&'a str),
    /// A span of this name ended.
    End(&'a str),
    /// A span of this name ended if there is such a span; else this is a log record. Only the
    /// event's suffix `.end` says so (format 2.0).
    TentativeEnd(&'a str),
    /// A log record.
    Log,
}

impl Record {
    /// What the record means: what its lifecycle says, else (format 2.0) the suffix of its event,
    /// `.start` only together with `provisional`. Without both ids it is a log record.
    pub fn role(&self) -> Role<'_> {
        let event = self.meta.event.as_str();
        if self.meta.trace_id.is_none() || self.meta.span_id.is_none() {
            return Role::Log;
        }
        let name = |suffix| event.strip_suffix(suffix).unwrap_or(event);
        match self.meta.lifecycle {
            Some(Lifecycle::Start) => Role::Start(name(START)),
            Some(Lifecycle::End) => Role::End(name(END)),
            Some(Lifecycle::Log) => Role::Log,
            None => match event.strip_suffix(END) {
                Some(name) => Role::TentativeEnd(name),
                None if self.meta.provisional && event.ends_with(START) => Role::Start(name(START)),
                None => Role::Log,
            },
        }
    }

    /// The value of a top-level key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.data.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The value of a metadata key that the format's table does not know.
    pub fn extra(&self, key: &str) -> Option<&Json> {
        self.meta.extra.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}
