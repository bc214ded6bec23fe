//! What a live reader is told.

use std::sync::Arc;

use aitrace_model::{LogRecord, TraceSummary};

use crate::stored::StoredSpan;

/// A span that became lost by silence alone: nothing was stored, so no [`Change`] tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct LostSpan {
    /// The span, with the status of a lost one.
    pub stored: Arc<StoredSpan>,
    /// The line of its trace as it stands then.
    pub line: Arc<TraceSummary>,
}

/// Something that has just become durable.
#[derive(Debug, Clone)]
pub enum Change {
    /// A span was seen for the first time and has not ended.
    SpanStarted(Arc<StoredSpan>),
    /// A span ended (also when it was never seen before).
    SpanEnded(Arc<StoredSpan>),
    /// A log record told contents of a span that was known.
    SpanTold(Arc<StoredSpan>),
    /// A log record.
    Log(Arc<LogRecord>),
    /// The line of a trace changed; one for each trace and append.
    TraceUpdated(Arc<TraceSummary>),
}

impl Change {
    /// The project that the change belongs to.
    pub fn project(&self) -> &str {
        match self {
            Self::SpanStarted(stored) | Self::SpanEnded(stored) | Self::SpanTold(stored) => {
                &stored.span.project
            }
            Self::Log(log) => &log.project,
            Self::TraceUpdated(summary) => &summary.project,
        }
    }
}
