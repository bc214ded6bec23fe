//! One line for one trace.

use serde::{Deserialize, Serialize};

use crate::id::TraceId;
use crate::time::Timestamp;
use crate::words::words;

words! {
    /// How a trace, or a span as shown, stands.
    TraceStatus {
        /// Something in it is still running.
        Running = "running",
        /// All ended, no error.
        Ok = "ok",
        /// All ended, the root (or with no root: any span) failed.
        Error = "error",
        /// Something never ended and its sender has fallen silent.
        Lost = "lost",
    }
}

/// What a list shows of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceSummary {
    /// Project.
    pub project: String,
    /// Its id.
    pub trace_id: TraceId,
    /// Name of the root span; of the earliest span while no root is known.
    pub name: String,
    /// Session of the root, else of any span.
    pub session_id: Option<String>,
    /// Earliest start.
    pub start: Timestamp,
    /// Latest end; `None` while it runs.
    pub end: Option<Timestamp>,
    /// Status.
    pub status: TraceStatus,
    /// Number of spans.
    pub spans: u64,
    /// Number of log records.
    pub events: u64,
    /// Number of spans that failed.
    pub errors: u64,
    /// Sum over model calls; `None` where no span had any.
    pub input_tokens: Option<u64>,
    /// Sum over model calls; `None` where no span had any.
    pub output_tokens: Option<u64>,
    /// Sum over model calls in US dollars; `None` where unknown.
    pub cost: Option<f64>,
}
