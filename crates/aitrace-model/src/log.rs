//! A log record: an event that is not a span's start or end.

use serde::{Deserialize, Serialize};

use crate::id::{SpanId, TraceId};
use crate::json::Json;
use crate::place::CodeLocation;
use crate::time::Timestamp;
use crate::words::words;

words! {
    /// Severity.
    Level {
        /// For the developer.
        Debug = "debug",
        /// Normal operation.
        Info = "info",
        /// Something to look at.
        Warning = "warning",
        /// Something failed.
        Error = "error",
    }
}

/// A normalised log record.
///
/// The identity is (project, id): two records with one id are one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Project, never empty.
    pub project: String,
    /// Unique id: the record's own, else derived from its bytes.
    pub id: String,
    /// Its trace; a log outside any span has none.
    pub trace_id: Option<TraceId>,
    /// Its span.
    pub span_id: Option<SpanId>,
    /// When it happened.
    pub time: Timestamp,
    /// Name of the event, or the message.
    pub event: String,
    /// Severity.
    pub level: Level,
    /// Name of the logger.
    pub logger: Option<String>,
    /// Where in the code.
    pub code: Option<CodeLocation>,
    /// Session.
    pub session_id: Option<String>,
    /// The user's data, an object.
    pub attrs: Json,
    /// When the server received it.
    pub received: Timestamp,
}
