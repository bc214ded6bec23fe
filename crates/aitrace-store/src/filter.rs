//! What a reader may ask for, typed: the same for API, command line and viewer.

use std::fmt;
use std::str::FromStr;

use aitrace_model::{Timestamp, TraceId, TraceStatus};

use crate::error::{ErrorKind, StoreError};

/// Which projects a reader may see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProjectScope {
    /// All of them.
    #[default]
    All,
    /// This one.
    One(String),
}

impl ProjectScope {
    /// Whether a project is in scope.
    pub fn contains(&self, project: &str) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == project,
        }
    }
}

/// Which traces to list. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceFilter {
    /// Projects.
    pub scope: ProjectScope,
    /// Exactly this session.
    pub session_id: Option<String>,
    /// Exactly this status.
    pub status: Option<TraceStatus>,
    /// The trace's name or id contains this text, ignoring case.
    pub query: Option<String>,
    /// Started at or after.
    pub since: Option<Timestamp>,
    /// Started before.
    pub until: Option<Timestamp>,
}

/// The place after which a page begins, in the order newest start first, then trace id and project
/// descending.
///
/// Its text is opaque to callers: start in nanoseconds, trace id and project joined by `.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Start of the last trace of the page before.
    pub start: Timestamp,
    /// Its id.
    pub trace_id: TraceId,
    /// Its project.
    pub project: String,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.start.nanos(), self.trace_id, self.project)
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let mut parts = text.splitn(3, '.');
        let mut read = || {
            let start = Timestamp::from_nanos(parts.next()?.parse().ok()?);
            let trace_id = parts.next()?.parse().ok()?;
            Some(Self { start, trace_id, project: parts.next()?.to_owned() })
        };
        read()
            .ok_or_else(|| StoreError::new(ErrorKind::Invalid, "cursor is not one that this server gave out"))
    }
}

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// At most this many, 1 to 1000.
    pub limit: usize,
    /// Begin after this place; `None` begins at the newest.
    pub cursor: Option<Cursor>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: 50, cursor: None }
    }
}
