//! The line of a session: the sum of its traces.

use std::fmt;
use std::str::FromStr;

use aitrace_model::{Timestamp, TraceStatus, TraceSummary};

use crate::document::Session;
use crate::error::{ErrorKind, StoreError};
use crate::filter::ProjectScope;

/// What a list shows of a session. A session exists once a trace names it or it was created by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionSummary {
    /// Project.
    pub project: String,
    /// Its id.
    pub session_id: String,
    /// Its name, where one was given.
    pub name: Option<String>,
    /// Earliest start of a trace, or when it was created.
    pub start: Timestamp,
    /// Latest end; `None` while a trace runs, and of a session without traces.
    pub end: Option<Timestamp>,
    /// Running before lost before error (any trace failed) before ok.
    pub status: TraceStatus,
    /// Number of traces.
    pub traces: u64,
    /// Number of spans.
    pub spans: u64,
    /// Number of log records.
    pub events: u64,
    /// Number of spans that failed.
    pub errors: u64,
    /// Sum over its traces; `None` where none has any.
    pub input_tokens: Option<u64>,
    /// Sum over its traces; `None` where none has any.
    pub output_tokens: Option<u64>,
    /// Sum over its traces in US dollars; `None` where unknown.
    pub cost: Option<f64>,
}

impl SessionSummary {
    /// The line of a session from what was said of it and the lines of its traces; `None` if it does not exist.
    pub fn sum<'a>(
        document: Option<&Session>,
        traces: impl IntoIterator<Item = &'a TraceSummary>,
    ) -> Option<Self> {
        let mut line = document.map(|session| Self {
            name: session.name.clone(),
            ..Self::empty(&session.project, &session.session_id, session.started)
        });
        let (mut end, mut pico) = (None, None);
        for trace in traces {
            let id = trace.session_id.as_deref().unwrap_or_default();
            let line = line.get_or_insert_with(|| Self::empty(&trace.project, id, trace.start));
            line.start = line.start.min(trace.start);
            end = end.max(trace.end);
            line.status = worse(line.status, trace.status);
            line.traces += 1;
            line.spans += trace.spans;
            line.events += trace.events;
            line.errors += trace.errors;
            line.input_tokens = sum(line.input_tokens, trace.input_tokens);
            line.output_tokens = sum(line.output_tokens, trace.output_tokens);
            let cost = trace.cost.map(|cost| (cost * 1e12).round() as i64);
            pico = if let (Some(a), Some(b)) = (pico, cost) { Some(a + b) } else { pico.or(cost) };
        }
        line.map(|mut line| {
            line.end = end.filter(|_| line.status != TraceStatus::Running);
            line.cost = pico.map(|pico: i64| pico as f64 / 1e12);
            line
        })
    }

    fn empty(project: &str, session_id: &str, start: Timestamp) -> Self {
        Self {
            project: project.to_owned(),
            session_id: session_id.to_owned(),
            name: None,
            start,
            end: None,
            status: TraceStatus::Ok,
            traces: 0,
            spans: 0,
            events: 0,
            errors: 0,
            input_tokens: None,
            output_tokens: None,
            cost: None,
        }
    }
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

fn worse(one: TraceStatus, other: TraceStatus) -> TraceStatus {
    let rank = |status| match status {
        TraceStatus::Ok => 0,
        TraceStatus::Error => 1,
        TraceStatus::Lost => 2,
        TraceStatus::Running => 3,
    };
    if rank(one) >= rank(other) { one } else { other }
}

/// Which sessions to list. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionFilter {
    /// Projects.
    pub scope: ProjectScope,
    /// The session's name or id contains this text, ignoring case.
    pub query: Option<String>,
    /// Started at or after.
    pub since: Option<Timestamp>,
    /// Started before.
    pub until: Option<Timestamp>,
}

impl SessionFilter {
    /// Whether a session fulfils all conditions.
    pub fn matches(&self, session: &SessionSummary) -> bool {
        self.scope.contains(&session.project)
            && self.since.is_none_or(|since| session.start >= since)
            && self.until.is_none_or(|until| session.start < until)
            && self.query.as_ref().is_none_or(|query| {
                let query = query.to_lowercase();
                let has = |text: &str| text.to_lowercase().contains(&query);
                has(&session.session_id) || session.name.as_deref().is_some_and(has)
            })
    }
}

/// The place after which a page of sessions begins: newest start first, then id and project descending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCursor {
    /// Start of the last session of the page before.
    pub start: Timestamp,
    /// Its id.
    pub session_id: String,
    /// Its project.
    pub project: String,
}

impl SessionCursor {
    /// The place of a session.
    pub fn of(session: &SessionSummary) -> Self {
        let SessionSummary { start, session_id, project, .. } = session;
        Self { start: *start, session_id: session_id.clone(), project: project.clone() }
    }

    /// Whether a session comes after this place.
    pub fn precedes(&self, session: &SessionSummary) -> bool {
        key(session) < (self.start, self.session_id.as_str(), self.project.as_str())
    }
}

fn key(session: &SessionSummary) -> (Timestamp, &str, &str) {
    (session.start, &session.session_id, &session.project)
}

/// Cuts a page out of sessions in any order.
pub fn session_page(mut sessions: Vec<SessionSummary>, limit: usize) -> SessionPage {
    sessions.sort_by(|one, other| key(other).cmp(&key(one)));
    let more = sessions.len() > limit;
    sessions.truncate(limit);
    let next = sessions.last().filter(|_| more).map(SessionCursor::of);
    SessionPage { sessions, next }
}

/// Opaque to callers: start, length of the id, id, project, joined by `.`.
impl fmt::Display for SessionCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, session_id, project } = self;
        write!(f, "{}.{}.{session_id}.{project}", start.nanos(), session_id.len())
    }
}

impl FromStr for SessionCursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let read = || {
            let mut parts = text.splitn(3, '.');
            let start = Timestamp::from_nanos(parts.next()?.parse().ok()?);
            let length: usize = parts.next()?.parse().ok()?;
            let (session_id, project) = parts.next()?.split_at_checked(length)?;
            Some(Self {
                start,
                session_id: session_id.to_owned(),
                project: project.strip_prefix('.')?.to_owned(),
            })
        };
        read()
            .ok_or_else(|| StoreError::new(ErrorKind::Invalid, "cursor is not one that this server gave out"))
    }
}

/// A page of sessions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SessionPage {
    /// Newest first.
    pub sessions: Vec<SessionSummary>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<SessionCursor>,
}

/// Which page of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPageRequest {
    /// At most this many, 1 to 1000.
    pub limit: usize,
    /// Begin after this place; `None` begins at the newest.
    pub cursor: Option<SessionCursor>,
}

impl Default for SessionPageRequest {
    fn default() -> Self {
        Self { limit: 50, cursor: None }
    }
}

impl SessionPageRequest {
    /// The limit within its bounds.
    pub fn bounded_limit(&self) -> usize {
        self.limit.clamp(1, 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_whatever_the_names() {
        let start = Timestamp::from_nanos(-7);
        for (session_id, project) in [("a.b", "c.d"), ("", "p"), ("é.1", ".")] {
            let cursor = SessionCursor { start, session_id: session_id.into(), project: project.into() };
            assert_eq!(cursor.to_string().parse::<SessionCursor>().expect("own text"), cursor);
        }
        for bad in ["", "1", "1.9.a.p", "1.1.é.p", "x.0..p"] {
            assert_eq!(bad.parse::<SessionCursor>().expect_err(bad).kind(), ErrorKind::Invalid);
        }
    }
}
