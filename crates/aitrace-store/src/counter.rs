//! Counting spans for statistics.

use std::collections::HashMap;
use std::sync::Arc;

use aitrace_model::Timestamp;

use crate::error::{ErrorKind, Result, StoreError};
use crate::histogram::Histogram;
use crate::room::Taken;
use crate::statistics::{Facts, Statistics, StatisticsQuery, StatisticsRow};
use crate::usage::Usage;

/// Buckets of time that one answer may have.
const BUCKETS: i64 = 10_000;
/// Bytes that a counter takes at once.
const STEP: usize = 16 << 10;

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

/// Counts spans in any order; parts can be counted apart and merged. What it keeps is taken from the query's room.
#[derive(Debug)]
pub struct Counter {
    query: StatisticsQuery,
    numbers: HashMap<String, usize>,
    nameless: Option<usize>,
    groups: Vec<Group>,
    last: Option<usize>,
    // Estimated.
    bytes: usize,
    /// What is taken for that.
    taken: Taken,
    held: usize,
    /// Why there is no room for more.
    refused: Option<StoreError>,
}

#[derive(Debug, Clone, Default)]
struct Group {
    name: Option<String>,
    /// By their buckets. Mostly there are few, of many groups: a tree would take its least node for each.
    cells: Vec<(i64, Box<Cell>)>,
    count: u64,
}

impl Group {
    /// The cell of a bucket.
    fn cell(&mut self, bucket: i64) -> &mut Cell {
        let place = self.cells.partition_point(|(known, _)| *known < bucket);
        if self.cells.get(place).is_none_or(|(known, _)| *known != bucket) {
            self.cells.insert(place, (bucket, Box::default()));
        }
        &mut self.cells[place].1
    }
}

impl Counter {
    /// A counter. Fails with [`ErrorKind::Invalid`] where the buckets are too many or no span of time.
    pub fn new(query: StatisticsQuery) -> Result<Self> {
        let buckets = query.bucket_ns.map_or(Some(1), |length| {
            let span = i128::from(query.until.nanos()) - i128::from(query.since.nanos());
            (length > 0).then(|| span / i128::from(length.max(1)))
        });
        match buckets {
            Some(buckets) if buckets <= i128::from(BUCKETS) => Ok(Self::empty(query)),
            _ => Err(StoreError::new(
                ErrorKind::Invalid,
                format!(
                    "the bucket must be positive and there may be {BUCKETS} buckets: choose a longer one"
                ),
            )),
        }
    }

    fn empty(query: StatisticsQuery) -> Self {
        let taken = Taken::nothing(Arc::clone(&query.room));
        Self {
            query,
            numbers: HashMap::new(),
            nameless: None,
            groups: Vec::new(),
            last: None,
            bytes: 0,
            taken,
            held: 0,
            refused: None,
        }
    }

    /// One that counts the same and has counted nothing.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::empty(self.query.clone())
    }

    /// What is asked.
    pub fn query(&self) -> &StatisticsQuery {
        &self.query
    }

    /// Memory for the work of counting, beside what is counted. `None` where it cannot be had: then [`Counter::finish`]
    /// fails, and nothing more need be counted.
    pub fn work(&mut self, bytes: usize) -> Option<Taken> {
        let mut taken = Taken::nothing(Arc::clone(&self.query.room));
        if self.refused.is_none() {
            self.refused = taken.grow(bytes).err();
        }
        self.refused.is_none().then_some(taken)
    }

    /// Says that so many bytes more are kept.
    fn add_bytes(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes > self.held && self.refused.is_none() {
            let further = (self.bytes - self.held).next_multiple_of(STEP);
            match self.taken.grow(further) {
                Ok(()) => self.held += further,
                Err(error) => self.refused = Some(error),
            }
        }
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
        self.add_bytes(2 * size_of::<Group>() + 2 * name.map_or(0, str::len) + 128);
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
        let cell = group.cell(bucket);
        let before = if cell.count == 0 { 0 } else { cell.bytes() };
        cell.count += 1;
        cell.errors += u64::from(failed);
        cell.latency.add(duration_ns);
        if let Some(usage) = usage {
            cell.usage.add(usage);
        }
        let more = cell.bytes().saturating_sub(before);
        self.add_bytes(more);
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
        let cell = group.cell(bucket);
        let before = if cell.count == 0 { 0 } else { cell.bytes() };
        cell.count += counted.count;
        cell.errors += counted.errors;
        latency.into_iter().for_each(|(bucket, count)| cell.latency.add_to(bucket, count));
        cell.usage.add(counted.usage);
        let more = cell.bytes().saturating_sub(before);
        self.add_bytes(more);
    }

    /// Adds what another counter of the same query counted.
    pub fn merge(&mut self, other: Self) {
        self.refused = self.refused.take().or(other.refused);
        for group in other.groups {
            if self.is_full() {
                return;
            }
            let number = self.group(group.name.as_deref());
            let known = &mut self.groups[number];
            known.count += group.count;
            let mut more = 0;
            for (bucket, cell) in group.cells {
                let known = known.cell(bucket);
                if known.count == 0 {
                    more += cell.bytes();
                    *known = *cell;
                    continue;
                }
                let before = known.bytes();
                known.count += cell.count;
                known.errors += cell.errors;
                known.latency.merge(&cell.latency);
                known.usage.add(cell.usage);
                more += known.bytes().saturating_sub(before);
            }
            self.add_bytes(more);
        }
    }

    /// Whether it needs more memory than there is: then it need not go on.
    pub fn is_full(&self) -> bool {
        self.refused.is_some()
    }

    /// The answer. Fails with [`ErrorKind::Overloaded`] where counting took more memory than there is.
    pub fn finish(self) -> Result<Statistics> {
        let all = self.groups.len();
        let too_much = |error: StoreError| {
            let text = format!(
                "{all} groups need too much: {error}; narrow it by project, time or filter, or group by something else"
            );
            StoreError::new(ErrorKind::Overloaded, text).with_source(error)
        };
        if let Some(error) = self.refused {
            return Err(too_much(error));
        }
        let mut groups: Vec<Group> = self.groups.into_iter().filter(|group| group.count > 0).collect();
        groups.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
        let left_out = groups.len().saturating_sub(self.query.groups);
        groups.truncate(self.query.groups);
        let row =
            |group: &Group| size_of::<StatisticsRow>() + 16 + group.name.as_ref().map_or(0, String::len);
        let mut taken = Taken::nothing(Arc::clone(&self.query.room));
        taken.grow(groups.iter().map(|group| group.cells.len() * row(group)).sum()).map_err(too_much)?;
        let mut rows = Vec::with_capacity(groups.iter().map(|group| group.cells.len()).sum());
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
        rows.sort_unstable_by(|one, other| (one.time, &one.group).cmp(&(other.time, &other.group)));
        taken.leave();
        Ok(Statistics { rows, groups_left_out: left_out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::{FixedRoom, Room as _};

    #[test]
    fn too_many_buckets_are_refused() {
        let mut query = StatisticsQuery::new(Timestamp::from_nanos(0), Timestamp::from_nanos(1 << 40));
        for bucket in [0, -1, 1] {
            query.bucket_ns = Some(bucket);
            assert_eq!(Counter::new(query.clone()).expect_err("refused").kind(), ErrorKind::Invalid);
        }
    }
    #[test]
    fn what_is_kept_is_taken_and_only_the_answer_stays_so() {
        let room = Arc::new(FixedRoom::new(1 << 20));
        let start = Timestamp::from_nanos(0);
        let mut query = StatisticsQuery::new(start, Timestamp::from_nanos(100));
        (query.room, query.groups) = (room.clone(), 1000);
        let mut counter = Counter::new(query).expect("valid");
        let fill = |counter: &mut Counter, groups: std::ops::Range<u32>| {
            for number in groups {
                let group = counter.group(Some(&format!("group {number}")));
                counter.count(group, start, u64::from(number), false, None);
            }
        };
        fill(&mut counter, 0..500);
        let (one, mut other) = (room.taken(), counter.anew());
        assert!(one >= 500 * size_of::<Group>(), "{one}");
        fill(&mut other, 250..750);
        assert!(room.taken() > one * 3 / 2);
        let work = other.work(1000).expect("there is room");
        counter.merge(other);
        drop(work);
        assert!((one..2 * one).contains(&room.taken()), "what both had is had once");
        let answer = counter.finish().expect("fits");
        let least = answer.rows.len() * size_of::<StatisticsRow>();
        assert!(answer.rows.len() == 750 && (least..2 * least).contains(&room.taken()), "{}", room.taken());
        room.give_back(room.taken());

        let mut counter = Counter::new(of(&room)).expect("valid");
        assert!(counter.work(2 << 20).is_none() && counter.is_full(), "more than there is");
        assert!(counter.work(1).is_none(), "it has failed already");
        assert_eq!(counter.finish().expect_err("refused").kind(), ErrorKind::Overloaded);
        let mut counter = Counter::new(of(&room)).expect("valid");
        fill(&mut counter, 0..100_000);
        let text = counter.finish().expect_err("too many").to_string();
        assert!(text.contains("1 MiB") && text.contains("narrow"), "{text}");
        assert_eq!(room.taken(), 0);
    }

    fn of(room: &Arc<FixedRoom>) -> StatisticsQuery {
        let query = StatisticsQuery::new(Timestamp::from_nanos(0), Timestamp::from_nanos(100));
        StatisticsQuery { room: room.clone(), ..query }
    }
}
