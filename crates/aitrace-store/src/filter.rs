//! What a reader may ask for, typed: the same for API, command line and viewer.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use aitrace_model::{Timestamp, TraceId, TraceStatus, TraceSummary};

use crate::error::{ErrorKind, StoreError};
use crate::language::Filter;

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
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraceFilter {
    /// Projects.
    pub scope: ProjectScope,
    /// Exactly this session.
    pub session_id: Option<String>,
    /// Exactly this status.
    pub status: Option<TraceStatus>,
    /// What it fulfils. Texts are looked for in its name and id; a condition on a field that only spans have holds
    /// if one of its spans fulfils it.
    pub filter: Filter,
    /// Started at or after.
    pub since: Option<Timestamp>,
    /// Started before.
    pub until: Option<Timestamp>,
}

impl TraceFilter {
    /// Whether a trace fulfils all conditions. `marks` says which of [`Filter::span_leaves`] its spans fulfil. Stores
    /// that filter in their engine must agree.
    pub fn matches(&self, trace: &TraceSummary, marks: u64) -> bool {
        self.scope.contains(&trace.project)
            && self.session_id.as_ref().is_none_or(|session| trace.session_id.as_ref() == Some(session))
            && self.status.is_none_or(|status| trace.status == status)
            && self.since.is_none_or(|since| trace.start >= since)
            && self.until.is_none_or(|until| trace.start < until)
            && self.filter.holds_of_trace(trace, marks)
    }
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

impl Cursor {
    /// The place of a trace.
    pub fn of(trace: &TraceSummary) -> Self {
        Self { start: trace.start, trace_id: trace.trace_id, project: trace.project.clone() }
    }

    /// Whether a trace comes after this place in the order of lists.
    pub fn precedes(&self, trace: &TraceSummary) -> bool {
        (trace.start, trace.trace_id, trace.project.as_str())
            < (self.start, self.trace_id, self.project.as_str())
    }
}

/// The order of lists: newest start first, then trace id and project descending.
pub fn newest_first(one: &TraceSummary, other: &TraceSummary) -> Ordering {
    let key = |trace: &TraceSummary| (trace.start, trace.trace_id);
    key(other).cmp(&key(one)).then_with(|| other.project.cmp(&one.project))
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

impl PageRequest {
    /// The limit within its bounds.
    pub fn bounded_limit(&self) -> usize {
        self.limit.clamp(1, 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_also_with_points_in_the_project() {
        let trace_id = TraceId::from_bytes([7; 16]).expect("not zero");
        let cursor = Cursor { start: Timestamp::from_nanos(-5), trace_id, project: "a.b.c".into() };
        assert_eq!(cursor.to_string().parse::<Cursor>().expect("own text"), cursor);
        for bad in ["", "1", "1.2.3", "x.07070707070707070707070707070707.p"] {
            assert_eq!(bad.parse::<Cursor>().expect_err(bad).kind(), ErrorKind::Invalid);
        }
    }
}
