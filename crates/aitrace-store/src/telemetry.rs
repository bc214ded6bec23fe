//! Spans and log records: append-only, columnar.

use std::sync::Arc;

use aitrace_model::{LogRecord, Span, TraceId, TraceSummary};
use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::change::Change;
use crate::error::Result;
use crate::filter::{PageRequest, ProjectScope, TraceFilter};
use crate::room::Room;
use crate::stored::StoredSpan;
use crate::weight::{log_bytes, span_bytes};

/// What one request brought, normalised.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Messages about spans, in the order received. One that a log record tells comes with that log record.
    pub spans: Vec<Span>,
    /// Log records, in the order received.
    pub logs: Vec<LogRecord>,
}

impl Batch {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.logs.is_empty()
    }
}

/// What an append did. All of it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Appended {
    /// Messages and records that were new.
    pub stored: u64,
    /// Messages and records that were known already (resent) or outranked.
    pub duplicates: u64,
}

/// A whole trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Its line.
    pub summary: TraceSummary,
    /// Its spans in tree order: parents first, siblings by start; each exactly once.
    pub spans: Vec<StoredSpan>,
    /// Its log records by time.
    pub logs: Vec<LogRecord>,
}

impl Trace {
    /// Bytes that its spans and log records take in memory.
    pub fn bytes(&self) -> usize {
        let spans = self.spans.iter().map(|stored| span_bytes(&stored.span)).sum::<usize>();
        spans + self.logs.iter().map(log_bytes).sum::<usize>()
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TracePage {
    /// Newest first.
    pub traces: Vec<TraceSummary>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<crate::filter::Cursor>,
}

/// Figures for health checks and the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct StoreStats {
    /// Finished spans, sealed or not.
    pub spans: u64,
    /// Spans that have not ended.
    pub open_spans: u64,
    /// Log records.
    pub logs: u64,
    /// Sealed files.
    pub segments: u64,
    /// Bytes in the data directory.
    pub disk_bytes: u64,
    /// Spans and log records in memory that are not in a sealed file yet.
    pub hot_rows: u64,
    /// Batches and other work that wait for the writer.
    pub waiting: u64,
}

/// Keeps spans and log records.
///
/// Laws, checked by the conformance suite: what `append` returned is durable and visible to every
/// read that begins later; appending the same batch again changes nothing that a reader can see;
/// the order of appends does not matter for what is read at the end; each span is read exactly once.
#[async_trait]
pub trait TelemetryStore: Send + Sync + std::fmt::Debug + 'static {
    /// Stores a batch. When it returns, the batch is durable and visible.
    async fn append(&self, batch: Batch) -> Result<Appended>;

    /// A page of traces, newest start first.
    async fn list_traces(&self, filter: &TraceFilter, page: &PageRequest) -> Result<TracePage>;

    /// The same, with memory for the work of looking at spans, where the filter asks for that. Fails with
    /// [`crate::ErrorKind::Overloaded`] where that is too little. Default: for stores that need none.
    async fn list_traces_within(
        &self,
        filter: &TraceFilter,
        page: &PageRequest,
        room: Arc<dyn Room>,
    ) -> Result<TracePage> {
        let _ = room;
        self.list_traces(filter, page).await
    }

    /// One trace; `None` if nothing is known of it within `scope`. Where several projects in scope
    /// hold the id, the one whose trace started last.
    async fn trace(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Trace>>;

    /// Changes from now on. A reader that falls behind by more than the channel's capacity is told
    /// so by the channel and should read again.
    fn subscribe(&self) -> broadcast::Receiver<Change>;

    /// Moves everything that is finished into its final, compact form. Returns when it is done.
    async fn seal(&self) -> Result<()>;

    /// Figures.
    async fn stats(&self) -> Result<StoreStats>;

    /// Seals and closes. Later calls fail with [`crate::ErrorKind::Closed`].
    async fn shutdown(&self) -> Result<()>;

    /// About how many bytes of memory it holds of what was appended: what is not in its final form yet, and the work on
    /// that. What a caller of [`TelemetryStore::append`] waits for is the caller's to count. Cheap. Default 0.
    fn held(&self) -> usize {
        0
    }

    /// Asks it to hold less as soon as it can, because somebody else needs the memory. Default: does nothing.
    fn relieve(&self) {}
}
