//! Statistics over time by dimension.

use std::collections::BTreeMap;

use aitrace_model::{Span, SpanKind, Timestamp};

use crate::error::{ErrorKind, Result, StoreError};
use crate::filter::ProjectScope;
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
}

impl Dimension {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Model, Self::Provider, Self::Name, Self::Kind, Self::Project, Self::Session, Self::User];

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
        }
    }

    /// The dimension of a word, in exactly this spelling.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dimension| dimension.as_str() == word)
    }
}

/// What to count: spans that have ended, by their start.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Only roots: figures of traces instead of spans.
    pub roots: bool,
    /// At most this many groups, those with most spans; the others are counted in `groups_left_out`.
    pub groups: usize,
}

impl StatisticsQuery {
    /// Everything in a span of time, ungrouped.
    pub fn new(since: Timestamp, until: Timestamp) -> Self {
        Self {
            scope: ProjectScope::All,
            since,
            until,
            bucket_ns: None,
            by: None,
            kind: None,
            roots: false,
            groups: 100,
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
        }
    }
}

/// Durations in buckets that grow by less than 1 %: quantiles are right to half a per cent, sums of parts are exact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    counts: BTreeMap<u16, u64>,
}

impl Histogram {
    /// Adds a duration.
    pub fn add(&mut self, nanos: u64) {
        *self.counts.entry(Self::index(nanos)).or_default() += 1;
    }

    /// Adds another part.
    pub fn merge(&mut self, other: &Self) {
        for (index, count) in &other.counts {
            *self.counts.entry(*index).or_default() += count;
        }
    }

    /// The smallest value that at least this share of all is not above; `None` if there is none.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let total: u64 = self.counts.values().sum();
        let rank = ((total as f64 * share).ceil() as u64).clamp(1, total.max(1));
        let mut below = 0;
        self.counts.iter().find_map(|(index, count)| {
            below += count;
            (below >= rank).then(|| Self::middle(*index))
        })
    }

    // 128 buckets for each power of two.
    fn index(nanos: u64) -> u16 {
        if nanos < 256 {
            return nanos as u16;
        }
        let shift = nanos.ilog2() - 7;
        ((shift << 7) + (nanos >> shift) as u32) as u16
    }

    fn middle(index: u16) -> u64 {
        if index < 256 {
            return u64::from(index);
        }
        let shift = u32::from(index >> 7) - 1;
        let low = (u64::from(index & 127) + 128) << shift;
        low + ((1 << shift) >> 1)
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

/// Counts spans in any order; parts can be counted apart and merged.
#[derive(Debug, Clone)]
pub struct Counter {
    query: StatisticsQuery,
    cells: BTreeMap<Option<String>, BTreeMap<i64, Cell>>,
    last: Option<Option<String>>,
}

impl Counter {
    /// A counter. Fails with [`ErrorKind::Invalid`] where the buckets are too many or no span of time.
    pub fn new(query: StatisticsQuery) -> Result<Self> {
        let buckets = query.bucket_ns.map_or(Some(1), |length| {
            let span = i128::from(query.until.nanos()) - i128::from(query.since.nanos());
            (length > 0).then(|| span / i128::from(length.max(1)))
        });
        match buckets {
            Some(buckets) if buckets <= i128::from(BUCKETS) => {
                Ok(Self { query, cells: BTreeMap::new(), last: None })
            }
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
            && facts.start >= query.since
            && facts.start < query.until
            && query.kind.is_none_or(|kind| kind.as_str() == facts.kind)
            && (facts.root || !query.roots);
        if !asked {
            return;
        }
        let since = facts.start.nanos().wrapping_sub(query.since.nanos());
        let bucket = query.bucket_ns.map_or(0, |length| since / length);
        let group = query.by.and_then(|by| facts.group(by));
        // Rows are sorted: the last group is often the next one, and costs no copy of its name.
        let same = self.last.as_ref().is_some_and(|last| last.as_deref() == group);
        if !same {
            self.last = Some(group.map(str::to_owned));
        }
        let Some(key) = &self.last else { return };
        if !self.cells.contains_key(key) {
            self.cells.insert(key.clone(), BTreeMap::new());
        }
        let Some(cells) = self.cells.get_mut(key) else { return };
        let cell = cells.entry(bucket).or_default();
        cell.count += 1;
        cell.errors += u64::from(facts.failed);
        cell.latency.add(facts.duration_ns);
        if let Some(usage) = facts.usage {
            cell.usage.add(usage);
        }
    }

    /// Adds what another counter of the same query counted.
    pub fn merge(&mut self, other: Self) {
        for (group, buckets) in other.cells {
            let known = self.cells.entry(group).or_default();
            for (bucket, cell) in buckets {
                let known = known.entry(bucket).or_default();
                known.count += cell.count;
                known.errors += cell.errors;
                known.latency.merge(&cell.latency);
                known.usage.add(cell.usage);
            }
        }
    }

    /// The answer.
    pub fn finish(self) -> Statistics {
        let mut groups: Vec<_> = self.cells.into_iter().collect();
        let size = |cells: &BTreeMap<i64, Cell>| cells.values().map(|cell| cell.count).sum::<u64>();
        groups.sort_by(|(a, one), (b, other)| size(other).cmp(&size(one)).then_with(|| a.cmp(b)));
        let left_out = groups.len().saturating_sub(self.query.groups);
        groups.truncate(self.query.groups);
        let mut rows = Vec::new();
        for (group, cells) in groups {
            for (bucket, cell) in cells {
                let after = bucket.saturating_mul(self.query.bucket_ns.unwrap_or(0));
                let quantile = |share| cell.latency.quantile(share).unwrap_or(0);
                rows.push(StatisticsRow {
                    time: self.query.since.saturating_add(after),
                    group: group.clone(),
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
        Statistics { rows, groups_left_out: left_out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_are_within_a_hundredth(mut values in proptest::collection::vec(any::<u64>(), 1..200)) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.add(*value));
            values.sort_unstable();
            for share in [0.0, 0.5, 0.95, 0.99, 1.0] {
                let rank = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len());
                let (exact, seen) = (values[rank - 1], histogram.quantile(share).expect("not empty"));
                prop_assert!(seen.abs_diff(exact) as f64 <= exact as f64 * 0.005, "{share}: {seen} of {exact}");
            }
        }
    }

    #[test]
    fn too_many_buckets_are_refused() {
        let mut query = StatisticsQuery::new(Timestamp::from_nanos(0), Timestamp::from_nanos(1 << 40));
        for bucket in [0, -1, 1] {
            query.bucket_ns = Some(bucket);
            assert_eq!(Counter::new(query.clone()).expect_err("refused").kind(), ErrorKind::Invalid);
        }
    }
}
