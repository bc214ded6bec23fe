//! Where batches go.

use std::time::Duration;

pub(crate) mod answer;
pub(crate) mod http;
pub(crate) mod memory;
pub(crate) mod records;
pub(crate) mod verbose;

use crate::data::{LogData, SpanData};

/// What is exported at once. Items that are not finished spans or log records are never sent twice.
#[derive(Debug, Default)]
pub struct Batch {
    /// Spans: finished ones, and provisional ones (start, heartbeat).
    pub spans: Vec<SpanData>,
    /// Log records.
    pub logs: Vec<LogData>,
}

impl Batch {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.logs.is_empty()
    }

    /// Finished spans and log records: what counts as sent or lost.
    pub fn countable(&self) -> u64 {
        let ended = self.spans.iter().filter(|span| span.end.is_some()).count();
        (ended + self.logs.len()) as u64
    }
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exported {
    /// Accepted, but for `rejected` items that must not be sent again.
    Sent {
        /// Items refused by the receiver.
        rejected: u64,
    },
    /// A passing fault: the same batch will be tried again.
    Retry {
        /// How long the receiver wants to be left alone.
        after: Option<Duration>,
        /// For a person to read.
        reason: String,
    },
    /// Lost for good.
    Failed {
        /// A short word for the count, for example `http_400`.
        reason: String,
    },
}

/// Takes batches of one tracer. It is called by one thread at a time and never by the traced program's.
pub trait Exporter: Send + Sync + 'static {
    /// Delivers a batch. It may block; a panic counts as a failure.
    fn export(&self, batch: &Batch) -> Exported;

    /// Whether spans that are still open are wanted too: their starts and heartbeats. Default: no.
    fn wants_open_spans(&self) -> bool {
        false
    }

    /// Called once, after the last batch.
    fn shutdown(&self) {}
}
