//! Where batches go.

use std::time::Duration;

mod agent;
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
        let ended = self.spans.iter().filter(|span| span.cell.end.is_some()).count();
        (ended + self.logs.len()) as u64
    }

    /// The room it holds in the queue: items and estimated bytes.
    pub(crate) fn room(&self) -> (usize, usize) {
        let spans: usize = self.spans.iter().map(SpanData::weight).sum();
        let logs: usize = self.logs.iter().map(|log| log.room).sum();
        (self.countable() as usize, spans + logs)
    }

    /// Spans, open ones too, and log records.
    pub(crate) fn len(&self) -> usize {
        self.spans.len() + self.logs.len()
    }

    /// Two batches of about the same size. What alone is larger than all others together stands alone in the
    /// second, so that one huge span costs the others one more request and not one for each halving.
    pub(crate) fn split(self) -> (Self, Self) {
        const LEAST: usize = 256;
        let total: usize = self.weights().map(|weight| weight.max(LEAST)).sum();
        let heavy = self.weights().position(|weight| weight.max(LEAST) > total / 2);
        let (mut first, mut second) = (Self::default(), Self::default());
        let mut passed = 0;
        let mut place = |index: usize, weight: usize| {
            let goes_second = match heavy {
                Some(heavy) => index == heavy,
                None => passed >= total / 2,
            };
            passed += weight.max(LEAST);
            goes_second
        };
        let spans = self.spans.len();
        for (index, span) in self.spans.into_iter().enumerate() {
            let batch = if place(index, span.weight()) { &mut second } else { &mut first };
            batch.spans.push(span);
        }
        for (index, log) in self.logs.into_iter().enumerate() {
            let batch = if place(spans + index, log.weight()) { &mut second } else { &mut first };
            batch.logs.push(log);
        }
        (first, second)
    }

    fn weights(&self) -> impl Iterator<Item = usize> {
        let spans = self.spans.iter().map(SpanData::weight);
        spans.chain(self.logs.iter().map(LogData::weight))
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
    /// Nobody answered: no connection, or one that broke or took too long. The same batch will be tried again;
    /// where this happens again and again, it is put aside on disk (targets over HTTP).
    Unreachable {
        /// For a person to read.
        reason: String,
    },
    /// Too large for the receiver: its halves will be tried, and what is alone is lost.
    TooLarge {
        /// A short word for the count of what is lost, for example `http_413`.
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
