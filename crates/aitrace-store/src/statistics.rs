//! Statistics over time by dimension.

use std::sync::Arc;

use aitrace_model::{Span, SpanKind, Timestamp};

use crate::filter::ProjectScope;
use crate::language::Filter;
use crate::room::{FixedRoom, Room};
use crate::search::standing;
use crate::usage::Usage;

/// By what to group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// Model that answered.
    Model,
    /// Provider of the model.
    Provider,
    /// Name of the span.
    Name,
    /// Kind of the span.
    Kind,
    /// Project.
    Project,
    /// Session.
    Session,
    /// User.
    User,
    /// How it ended: ok or error.
    Status,
    /// Environment.
    Source,
    /// Service.
    Service,
}

impl Dimension {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Model,
        Self::Provider,
        Self::Name,
        Self::Kind,
        Self::Project,
        Self::Session,
        Self::User,
        Self::Status,
        Self::Source,
        Self::Service,
    ];

    /// The word used in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Name => "name",
            Self::Kind => "kind",
            Self::Project => "project",
            Self::Session => "session",
            Self::User => "user",
            Self::Status => "status",
            Self::Source => "source",
            Self::Service => "service",
        }
    }

    /// The dimension of a word, in exactly this spelling.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dimension| dimension.as_str() == word)
    }
}

/// What to count: spans that have ended, by their start.
#[derive(Debug, Clone)]
pub struct StatisticsQuery {
    /// Projects.
    pub scope: ProjectScope,
    /// Started at or after.
    pub since: Timestamp,
    /// Started before.
    pub until: Timestamp,
    /// Length of a bucket in nanoseconds, counted from `since`; `None` is one bucket.
    pub bucket_ns: Option<i64>,
    /// By what to group.
    pub by: Option<Dimension>,
    /// Only spans of this kind.
    pub kind: Option<SpanKind>,
    /// What a span fulfils. Stores test it: [`Facts`] do not have all of it.
    pub filter: Filter,
    /// Only roots: figures of traces instead of spans.
    pub roots: bool,
    /// At most this many groups, those with most spans; the others are counted in `groups_left_out`.
    pub groups: usize,
    /// Memory for the work and the answer. Default 96 MiB of its own. What needs more than there is fails with
    /// [`crate::ErrorKind::Overloaded`]. What the answer takes stays taken when it is there: the caller has it.
    pub room: Arc<dyn Room>,
}

impl StatisticsQuery {
    /// Whether a span fulfils the filter.
    pub fn admits(&self, span: &Span) -> bool {
        self.filter.is_everything() || self.filter.holds_of_span(span, standing(span))
    }

    /// Everything in a span of time, ungrouped.
    pub fn new(since: Timestamp, until: Timestamp) -> Self {
        Self {
            scope: ProjectScope::All,
            since,
            until,
            bucket_ns: None,
            by: None,
            kind: None,
            filter: Filter::default(),
            roots: false,
            groups: 100,
            room: Arc::new(FixedRoom::new(96 << 20)),
        }
    }
}

/// What is counted of a span.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Project.
    pub project: &'a str,
    /// Start.
    pub start: Timestamp,
    /// Nanoseconds from start to end.
    pub duration_ns: u64,
    /// Whether it failed.
    pub failed: bool,
    /// Whether it has no parent.
    pub root: bool,
    /// Kind.
    pub kind: &'a str,
    /// Name.
    pub name: &'a str,
    /// Model.
    pub model: Option<&'a str>,
    /// Provider.
    pub provider: Option<&'a str>,
    /// Session.
    pub session_id: Option<&'a str>,
    /// User.
    pub user_id: Option<&'a str>,
    /// Environment.
    pub source: Option<&'a str>,
    /// Service.
    pub service: Option<&'a str>,
    /// What it used, if it is a model call that counts (see [`crate::UsageTree`]).
    pub usage: Option<Usage>,
}

impl<'a> Facts<'a> {
    /// Those of a span; `None` if it has not ended. `wraps` says that a model call is below it.
    pub fn of(span: &'a Span, wraps: bool) -> Option<Self> {
        Some(Self {
            project: &span.project,
            start: span.start,
            duration_ns: span.duration_ns()? as u64,
            failed: span.is_error(),
            root: span.parent_span_id.is_none(),
            kind: span.kind.as_str(),
            name: &span.name,
            model: span.model.as_deref(),
            provider: span.provider.as_deref(),
            session_id: span.session_id.as_deref(),
            user_id: span.user_id.as_deref(),
            source: span.source.as_deref(),
            service: span.service.as_deref(),
            usage: Usage::of(span).filter(|_| !wraps),
        })
    }

    pub(crate) fn group(&self, by: Dimension) -> Option<&'a str> {
        match by {
            Dimension::Model => self.model,
            Dimension::Provider => self.provider,
            Dimension::Name => Some(self.name),
            Dimension::Kind => Some(self.kind),
            Dimension::Project => Some(self.project),
            Dimension::Session => self.session_id,
            Dimension::User => self.user_id,
            Dimension::Status => Some(if self.failed { "error" } else { "ok" }),
            Dimension::Source => self.source,
            Dimension::Service => self.service,
        }
    }
}

/// One line of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct StatisticsRow {
    /// Where its bucket begins.
    pub time: Timestamp,
    /// Its group; `None` where not grouped, and of spans that lack the dimension.
    pub group: Option<String>,
    /// Number of spans.
    pub count: u64,
    /// Number of them that failed.
    pub errors: u64,
    /// Nanoseconds that half of them did not exceed.
    pub p50_ns: u64,
    /// The same of 95 %.
    pub p95_ns: u64,
    /// The same of 99 %.
    pub p99_ns: u64,
    /// Sum over model calls, each once; `None` where none says any.
    pub input_tokens: Option<u64>,
    /// Sum over model calls, each once; `None` where none says any.
    pub output_tokens: Option<u64>,
    /// Sum over model calls in US dollars; `None` where unknown.
    pub cost: Option<f64>,
}

/// An answer: by time, then by group. Buckets without spans are left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statistics {
    /// The lines.
    pub rows: Vec<StatisticsRow>,
    /// Groups beyond the limit.
    pub groups_left_out: usize,
}
