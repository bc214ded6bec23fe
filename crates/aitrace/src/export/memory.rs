//! Spans kept in this process, for tests and notebooks.

use crate::correct;
use crate::lock::Mutex;
use aitrace_model::{LogRecord, Span};

use super::{Batch, Exported, Exporter};

/// Keeps finished spans and log records until a bound of bytes.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: usize,
    spans: Vec<Span>,
    logs: Vec<LogRecord>,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::default() }
    }

    /// The finished spans, with their late corrections.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let kept = self.kept.lock();
        let mut spans = kept.spans.clone();
        correct::apply(&mut spans, &kept.logs);
        spans
    }

    pub(crate) fn logs(&self) -> Vec<LogRecord> {
        self.kept.lock().logs.clone()
    }

    pub(crate) fn clear(&self) {
        *self.kept.lock() = Kept::default();
    }
}

impl Exporter for Memory {
    fn export(&self, batch: &Batch) -> Exported {
        let mut kept = self.kept.lock();
        let mut rejected = 0;
        for span in batch.spans.iter().filter(|span| span.end.is_some()) {
            if kept.bytes + span.weight > self.limit {
                rejected += 1;
                continue;
            }
            kept.bytes += span.weight;
            kept.spans.push(span.to_span());
        }
        for log in &batch.logs {
            if kept.bytes + log.weight() > self.limit {
                rejected += 1;
                continue;
            }
            kept.bytes += log.weight();
            kept.logs.push(log.to_log_record());
        }
        Exported::Sent { rejected }
    }
}
