//! Statistics over time by dimension.

use std::collections::{BTreeMap, HashMap};

use aitrace_model::{Span, SpanKind, Timestamp};

use crate::error::{ErrorKind, Result, StoreError};
use crate::filter::ProjectScope;
use crate::histogram::Histogram;
use crate::language::Filter;
use crate::search::standing;
use crate::usage::Usage;

/// Buckets of time that one answer may have.
const BUCKETS: i64 = 10_000;

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
#[derive(Debug, Clone, PartialEq)]
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
    /// Bytes of memory for counting all groups, estimated.
    pub memory: usize,
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
            memory: 256 << 20,
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

    fn group(&self, by: Dimension) -> Option<&'a str> {
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

#[derive(Debug, Clone, Default)]
struct Cell {
    count: u64,
    errors: u64,
    latency: Histogram,
    usage: Usage,
}

impl Cell {
    /// Bytes that it takes, estimated.
    fn bytes(&self) -> usize {
        size_of::<Self>() + 64 + self.latency.bytes()
    }
}

/// How a span of time lies to what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Nothing of it is asked for.
    None,
    /// All of it, in one bucket.
    Whole,
    /// A part of it, or several buckets.
    Cut,
}

/// Spans of one bucket that were counted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Number of spans.
    pub count: u64,
    /// Number of them that failed.
    pub errors: u64,
    /// Sum over model calls that count.
    pub usage: Usage,
}

/// Counts spans in any order; parts can be counted apart and merged.
#[derive(Debug, Clone)]
pub struct Counter {
    query: StatisticsQuery,
    numbers: HashMap<String, usize>,
    nameless: Option<usize>,
    groups: Vec<Group>,
    last: Option<usize>,
    // Estimated.
    bytes: usize,
}

#[derive(Debug, Clone, Default)]
struct Group {
    name: Option<String>,
    cells: BTreeMap<i64, Cell>,
    count: u64,
}

impl Counter {
    /// A counter. Fails with [`ErrorKind::Invalid`] where the buckets are too many or no span of time.
    pub fn new(query: StatisticsQuery) -> Result<Self> {
        let buckets = query.bucket_ns.map_or(Some(1), |length| {
            let span = i128::from(query.until.nanos()) - i128::from(query.since.nanos());
            (length > 0).then(|| span / i128::from(length.max(1)))
        });
        match buckets {
            Some(buckets) if buckets <= i128::from(BUCKETS) => Ok(Self {
                query,
                numbers: HashMap::new(),
                nameless: None,
                groups: Vec::new(),
                last: None,
                bytes: 0,
            }),
            _ => Err(StoreError::new(
                ErrorKind::Invalid,
                format!(
                    "the bucket must be positive and there may be {BUCKETS} buckets: choose a longer one"
                ),
            )),
        }
    }

    /// What is asked.
    pub fn query(&self) -> &StatisticsQuery {
        &self.query
    }

    /// Counts a span if it is asked for.
    pub fn add(&mut self, facts: &Facts<'_>) {
        let query = &self.query;
        let asked = query.scope.contains(facts.project)
            && query.kind.is_none_or(|kind| kind.as_str() == facts.kind)
            && (facts.root || !query.roots);
        if !asked || facts.start < query.since || facts.start >= query.until {
            return;
        }
        let name = query.by.and_then(|by| facts.group(by));
        // Rows are sorted: the last group is often the next one.
        let same = self.last.filter(|last| self.groups[*last].name.as_deref() == name);
        let group = same.unwrap_or_else(|| self.group(name));
        self.last = Some(group);
        self.count(group, facts.start, facts.duration_ns, facts.failed, facts.usage);
    }

    /// The number of a group, for [`Counter::count`].
    pub fn group(&mut self, name: Option<&str>) -> usize {
        let known = name.map_or(self.nameless, |name| self.numbers.get(name).copied());
        if let Some(known) = known {
            return known;
        }
        let number = self.groups.len();
        self.bytes += size_of::<Group>() + 2 * name.map_or(0, str::len) + 128;
        match name {
            Some(name) => drop(self.numbers.insert(name.to_owned(), number)),
            None => self.nameless = Some(number),
        }
        self.groups.push(Group { name: name.map(str::to_owned), ..Group::default() });
        number
    }

    /// Counts a span that is of a group and asked for, if it started when asked for.
    pub fn count(
        &mut self,
        group: usize,
        start: Timestamp,
        duration_ns: u64,
        failed: bool,
        usage: Option<Usage>,
    ) {
        if start < self.query.since || start >= self.query.until {
            return;
        }
        let bucket = self.bucket(start);
        let group = &mut self.groups[group];
        group.count += 1;
        let cell = group.cells.entry(bucket).or_default();
        let before = if cell.count == 0 { 0 } else { cell.bytes() };
        cell.count += 1;
        cell.errors += u64::from(failed);
        cell.latency.add(duration_ns);
        self.bytes += cell.bytes() - before;
        if let Some(usage) = usage {
            cell.usage.add(usage);
        }
    }

    /// The number of the bucket of a start that is asked for.
    fn bucket(&self, start: Timestamp) -> i64 {
        let since = start.nanos().wrapping_sub(self.query.since.nanos());
        self.query.bucket_ns.map_or(0, |length| since / length)
    }

    /// How the starts from `first` to `last`, both included, lie to what is asked.
    pub fn overlap(&self, first: Timestamp, last: Timestamp) -> Overlap {
        let StatisticsQuery { since, until, .. } = self.query;
        match () {
            () if last < since || first >= until => Overlap::None,
            () if first < since || last >= until || self.bucket(first) != self.bucket(last) => Overlap::Cut,
            () => Overlap::Whole,
        }
    }

    /// Adds spans of a group that were counted before and are asked for: they lie in one bucket, as `at` does.
    /// `latency` says how many of them are in which bucket of a [`Histogram`].
    pub fn add_counted(
        &mut self,
        group: usize,
        at: Timestamp,
        counted: &Counted,
        latency: impl IntoIterator<Item = (u16, u64)>,
    ) {
        if counted.count == 0 {
            return;
        }
        let bucket = self.bucket(at);
        let group = &mut self.groups[group];
        group.count += counted.count;
        let cell = group.cells.entry(bucket).or_default();
        let before = if cell.count == 0 { 0 } else { cell.bytes() };
        cell.count += counted.count;
        cell.errors += counted.errors;
        latency.into_iter().for_each(|(bucket, count)| cell.latency.add_to(bucket, count));
        cell.usage.add(counted.usage);
        self.bytes += cell.bytes() - before;
    }

    /// Adds what another counter of the same query counted.
    pub fn merge(&mut self, other: Self) {
        for group in other.groups {
            let number = self.group(group.name.as_deref());
            let known = &mut self.groups[number];
            known.count += group.count;
            for (bucket, cell) in group.cells {
                let known = known.cells.entry(bucket).or_default();
                let before = if known.count == 0 { 0 } else { known.bytes() };
                known.count += cell.count;
                known.errors += cell.errors;
                known.latency.merge(&cell.latency);
                known.usage.add(cell.usage);
                self.bytes += known.bytes() - before;
            }
        }
    }

    /// Whether it takes more memory than it may: then it need not go on.
    pub fn is_full(&self) -> bool {
        self.bytes > self.query.memory
    }

    /// The answer. Fails with [`ErrorKind::Overloaded`] where counting took more memory than it may.
    pub fn finish(self) -> Result<Statistics> {
        if self.is_full() {
            let text = format!(
                "{} groups need more than {} MiB: narrow it by project, time or filter, or group by something else",
                self.groups.len(),
                self.query.memory >> 20
            );
            return Err(StoreError::new(ErrorKind::Overloaded, text));
        }

        let mut groups: Vec<Group> = self.groups.into_iter().filter(|group| group.count > 0).collect();
        groups.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
        let left_out = groups.len().saturating_sub(self.query.groups);
        groups.truncate(self.query.groups);
        let mut rows = Vec::new();
        for Group { name, cells, .. } in groups {
            for (bucket, cell) in cells {
                let after = bucket.saturating_mul(self.query.bucket_ns.unwrap_or(0));
                let quantile = |share| cell.latency.quantile(share).unwrap_or(0);
                rows.push(StatisticsRow {
                    time: self.query.since.saturating_add(after),
                    group: name.clone(),
                    count: cell.count,
                    errors: cell.errors,
                    p50_ns: quantile(0.5),
                    p95_ns: quantile(0.95),
                    p99_ns: quantile(0.99),
                    input_tokens: cell.usage.input_tokens,
                    output_tokens: cell.usage.output_tokens,
                    cost: cell.usage.cost(),
                });
            }
        }
        rows.sort_by(|one, other| (one.time, &one.group).cmp(&(other.time, &other.group)));
        Ok(Statistics { rows, groups_left_out: left_out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_buckets_are_refused() {
        let mut query = StatisticsQuery::new(Timestamp::from_nanos(0), Timestamp::from_nanos(1 << 40));
        for bucket in [0, -1, 1] {
            query.bucket_ns = Some(bucket);
            assert_eq!(Counter::new(query.clone()).expect_err("refused").kind(), ErrorKind::Invalid);
        }
    }
}
