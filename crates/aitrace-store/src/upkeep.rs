//! What keeps a store small and sound.

use std::time::Duration;

use aitrace_model::{Timestamp, TraceId};
use async_trait::async_trait;

use crate::error::Result;

/// What to delete.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// One trace: its spans and log records.
    Trace {
        /// Project.
        project: String,
        /// Its id.
        trace_id: TraceId,
    },
    /// A session, and all traces whose line names it.
    Session {
        /// Project.
        project: String,
        /// Its id.
        session_id: String,
    },
    /// Everything in a project: traces, log records, sessions, documents, and its name. Its keys stay: they say
    /// who may use the server, and a server whose last key is gone would be open to everyone.
    Project(String),
}

impl Target {
    /// The project that it is in.
    pub fn project(&self) -> &str {
        match self {
            Self::Trace { project, .. } | Self::Session { project, .. } | Self::Project(project) => project,
        }
    }
}

/// What a deletion removed. All zero when there was nothing (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Deleted {
    /// Traces.
    pub traces: u64,
    /// Spans, ended or not.
    pub spans: u64,
    /// Log records.
    pub logs: u64,
    /// Sessions that had a document.
    pub sessions: u64,
    /// Documents.
    pub documents: u64,
}

/// How long and how much to keep; `None` is without bound. What goes first is what came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Time since a span or log record was received. It is cut by days of receipt (UTC).
    pub max_age: Option<Duration>,
    /// Bytes on disk.
    pub max_size: Option<u64>,
}

/// What retention removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Retired {
    /// Files.
    pub segments: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes given back.
    pub bytes: u64,
}

/// Whether everything that was stored can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Health {
    /// What is wrong; empty while all is well.
    pub problems: Vec<Problem>,
}

impl Health {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A file of spans or log records could not be read and was set aside.
    SegmentLost,
    /// A batch in the log could not be read and was set aside.
    LogRowLost,
    /// The database could not be read, was set aside and made anew from the files.
    DatabaseRebuilt,
    /// Writing fails at present; nothing is acknowledged meanwhile.
    WritesFail,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Kind.
    pub kind: ProblemKind,
    /// What, where, why.
    pub text: String,
    /// Where the bad file is kept; empty where there is none.
    pub file: String,
    /// Rows that are lost, where known.
    pub rows: Option<u64>,
    /// The lost rows were received from this time…
    pub since: Option<Timestamp>,
    /// … to this one.
    pub until: Option<Timestamp>,
}

/// Deletes, tidies, reports.
#[async_trait]
pub trait Upkeep: Send + Sync + 'static {
    /// Deletes. When it returns, no read shows any of it, also after a crash. The bytes are gone after
    /// the next [`Upkeep::compact`], which the store also runs by itself.
    async fn delete(&self, target: Target) -> Result<Deleted>;

    /// Merges small files and rewrites those that hold deleted rows. Readers see the same before, during and after.
    async fn compact(&self) -> Result<()>;

    /// Removes what is beyond the bounds and gives the disk back. Lines of traces and sessions follow.
    async fn retain(&self, retention: Retention) -> Result<Retired>;

    /// Whether everything can be read.
    async fn health(&self) -> Result<Health>;
}
