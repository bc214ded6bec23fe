//! Reads beyond lists and whole traces.

use aitrace_model::{LogRecord, SpanId, Timestamp, TraceId};
use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::change::LostSpan;
use crate::error::Result;
use crate::filter::ProjectScope;
use crate::hits::Hit;
use crate::search::{Search, Searched};
use crate::session::{SessionFilter, SessionPage, SessionPageRequest, SessionSummary};
use crate::skeleton::{Bone, Skeleton};
use crate::statistics::{Statistics, StatisticsQuery};
use crate::stored::StoredSpan;
use crate::telemetry::{TelemetryStore, Trace};

/// How large a trace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Its spans.
    pub spans: u64,
    /// Its log records.
    pub logs: u64,
    /// About how many bytes of memory it takes to read it whole: what [`crate::span_bytes`] and [`crate::log_bytes`] say of
    /// what is read, and the work.
    pub bytes: usize,
}

impl Extent {
    /// About how many bytes its tree takes without contents.
    pub fn skeleton_bytes(&self) -> usize {
        /// A bone, its place in the order of the tree, and the names of spans that share none.
        const BONE: usize = size_of::<Bone>() + 128;
        usize::try_from(self.spans).unwrap_or(usize::MAX).saturating_mul(BONE)
    }
}

/// Answers questions about what a [`TelemetryStore`] keeps. Every answer sees all that was
/// acknowledged before the question, and nothing that was deleted before it.
#[async_trait]
pub trait QueryStore: TelemetryStore {
    /// The tree of a trace without contents; `None` where [`TelemetryStore::trace`] says so.
    async fn skeleton(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Skeleton>>;

    /// How large a trace is, found without reading it; `None` where [`TelemetryStore::trace`] says so, or the trace is empty.
    async fn extent(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Extent>>;

    /// One span with its contents, of the trace that [`TelemetryStore::trace`] would give.
    async fn span(
        &self,
        scope: &ProjectScope,
        trace_id: TraceId,
        span_id: SpanId,
    ) -> Result<Option<StoredSpan>>;

    /// One trace as it was sent, without late corrections; else as [`TelemetryStore::trace`].
    async fn sent_trace(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Trace>>;

    /// A page of sessions, newest start first.
    async fn sessions(&self, filter: &SessionFilter, page: &SessionPageRequest) -> Result<SessionPage>;

    /// The line of one session. Where several projects in scope hold the id, the one that started last.
    async fn session_line(&self, scope: &ProjectScope, session_id: &str) -> Result<Option<SessionSummary>>;

    /// Searches names, inputs, outputs, the other contents, attributes, events and log records. Hits are sent in the
    /// order of [`crate::HitCursor`], newest first, as soon as nothing can stand before them. Ends early when the
    /// receiver is closed, and says how far it came. What is sent from there on is what was not sent, each once,
    /// whatever was written, sealed or merged meanwhile. The work is linear in the bytes searched: narrow it by
    /// project and time.
    async fn search(&self, search: &Search, hits: mpsc::Sender<Hit>) -> Result<Searched>;

    /// Sends all log records that are in no trace, in no order. Ends early when the receiver is dropped.
    async fn loose_logs(&self, scope: &ProjectScope, logs: mpsc::Sender<LogRecord>) -> Result<()>;

    /// Spans that were not lost at `after` and are at `until`, as far as is known now. Asked for one span of time
    /// after the other it names each loss once. A span that was silent for so long that it left the store's memory
    /// before it counted as lost may be left out.
    async fn became_lost(&self, after: Timestamp, until: Timestamp) -> Result<Vec<LostSpan>>;

    /// Figures over time.
    async fn statistics(&self, query: &StatisticsQuery) -> Result<Statistics>;
}
