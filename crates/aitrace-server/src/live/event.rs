//! One event of the live stream.

use std::sync::Arc;

use aitrace_model::{LogRecord, TraceId, TraceSummary};
use aitrace_store::{Change, Filter, StoredSpan, log_bytes, span_bytes};

use crate::view;

/// What happened, and to what.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Its name on the wire.
    pub(crate) name: &'static str,
    pub(crate) what: What,
}

/// What an event shows.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Span(Arc<StoredSpan>),
    Log(Arc<LogRecord>),
    Line(Arc<TraceSummary>),
}

impl Event {
    /// More is known of a span: its contents, or that it runs after all.
    pub(crate) fn updated(stored: Arc<StoredSpan>) -> Self {
        Self { name: "span.updated", what: What::Span(stored) }
    }

    /// A span fell silent.
    pub(crate) fn lost(stored: Arc<StoredSpan>) -> Self {
        Self { name: "span.lost", what: What::Span(stored) }
    }

    /// The line of a trace.
    pub(crate) fn line(line: Arc<TraceSummary>) -> Self {
        Self { name: "trace.updated", what: What::Line(line) }
    }

    /// Bytes that it holds in memory, estimated.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>()
            + match &self.what {
                What::Span(stored) => span_bytes(&stored.span),
                What::Log(log) => log_bytes(log),
                What::Line(line) => size_of::<TraceSummary>() + line.name.len() + 128,
            }
    }

    pub(crate) fn project(&self) -> &str {
        match &self.what {
            What::Span(stored) => &stored.span.project,
            What::Log(log) => &log.project,
            What::Line(line) => &line.project,
        }
    }

    pub(crate) fn trace_id(&self) -> Option<TraceId> {
        match &self.what {
            What::Span(stored) => Some(stored.span.trace_id),
            What::Log(log) => log.trace_id,
            What::Line(line) => Some(line.trace_id),
        }
    }

    /// Whether a filter lets it through. The line of a trace is told unless it says itself that it does not fit.
    pub(crate) fn fits(&self, filter: &Filter) -> bool {
        match &self.what {
            What::Span(stored) => filter.holds_of_span(&stored.span, stored.status),
            What::Log(log) => filter.holds_of_log(log),
            What::Line(line) => filter.holds_of_line(line).unwrap_or(true),
        }
    }

    /// Appends its JSON: `S`, `L` or `T`.
    pub(crate) fn write(&self, out: &mut String) {
        match &self.what {
            What::Span(stored) => view::span(out, stored, view::Place::default()),
            What::Log(log) => view::log(out, log),
            What::Line(line) => view::summary(out, line),
        }
    }
}

impl From<Change> for Event {
    fn from(change: Change) -> Self {
        match change {
            Change::SpanStarted(stored) => Self { name: "span.started", what: What::Span(stored) },
            Change::SpanEnded(stored) => Self { name: "span.ended", what: What::Span(stored) },
            Change::SpanTold(stored) => Self::updated(stored),
            Change::Log(log) => Self { name: "log", what: What::Log(log) },
            Change::TraceUpdated(line) => Self::line(line),
        }
    }
}
