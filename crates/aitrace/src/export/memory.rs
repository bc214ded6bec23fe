//! Spans kept in this process, for tests and notebooks.

use crate::correct;
use crate::lock::Mutex;
use aitrace_model::{LogRecord, RawSpan, Span};

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
    /// With the form on the wire where there is something to normalise.
    spans: Vec<(Span, Option<RawSpan>)>,
    logs: Vec<LogRecord>,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::default() }
    }

    /// The finished spans, with their late corrections.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans_read(|span, _| span)
    }

    /// The same, each read from what was kept of it.
    pub(crate) fn spans_read(&self, read: impl Fn(Span, Option<RawSpan>) -> Span) -> Vec<Span> {
        let kept = self.kept.lock();
        let mut spans = kept.spans.iter().cloned().map(|(span, raw)| read(span, raw)).collect::<Vec<_>>();
        // They come thread by thread.
        spans.sort_by_key(|span| span.end);
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
        for span in batch.spans.iter().filter(|span| span.cell.end.is_some()) {
            if kept.bytes + span.weight() > self.limit {
                rejected += 1;
                continue;
            }
            kept.bytes += span.weight();
            kept.spans.push((span.to_span(), span.is_raw().then(|| span.to_raw())));
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
