//! Statistics: spans in memory, the sums of files, and the columns of files whose sums do not tell.
//!
//! Sums tell of a file unless single rows of it do not count (spans that a later file holds anew, deleted traces), the
//! filter or the grouping asks for what they are not kept apart by, or a slot of theirs is cut by the bounds of the
//! time or of a bucket: then the columns are read, in the last case for the rows in those slots alone.
//!
//! All that it takes is taken from the query's room. Sums take little; columns are not touched before there is room for
//! them, so that a caller may try with little first.

mod columns;
mod summed;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aitrace_store::{Counter, Facts, Result, Statistics, StatisticsQuery};

use self::summed::Told;
use crate::filtering;
use crate::read::Damaged;
use crate::segment::{self, Dead, Segment, Segments};
use crate::shared::Shared;
use crate::snapshot::Everything;
use crate::stop::{self, Stop};
use crate::sums::Sums;

/// Counts; blocks. Says which files could not be read.
pub(crate) fn statistics(shared: &Shared, query: &StatisticsQuery) -> Result<(Statistics, Damaged)> {
    let mut counter = Counter::new(query.clone())?;
    let (files, mut damaged) = (count_memory(shared, &mut counter), Vec::new());
    let mut files: Vec<_> = files
        .iter()
        .filter(|(file, _)| file.spans && file.may_start(Some(query.since), Some(query.until)))
        .collect();
    // The large ones first, each by whichever core is free.
    files.sort_by_key(|(file, _)| std::cmp::Reverse(file.rows));
    let (stop, next) = (Stop::current(), AtomicUsize::new(0));
    let (one, other) = std::thread::scope(|scope| {
        let helper = std::thread::Builder::new()
            .name("aitrace-store-count".to_owned())
            .spawn_scoped(scope, || stop.over(|| count(shared, &files, &next, counter.anew())));
        let other = count(shared, &files, &next, counter.anew());
        match helper.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(one)) => (one, other),
            // No thread can be had: this one has counted all.
            Err(_) => ((counter.anew(), Damaged::new()), other),
            // It broke off, and what it had counted is lost.
            Ok(Err(_)) => {
                let all = count(shared, &files, &AtomicUsize::new(0), counter.anew());
                (all, (counter.anew(), Damaged::new()))
            }
        }
    });
    for (part, bad) in [one, other] {
        counter.merge(part);
        damaged.extend(bad);
    }
    if stop.is_given() {
        return Err(stop::stopped());
    }
    Ok((counter.finish()?, damaged))
}

/// Counts what is in memory; the files. Rows in memory are held no longer than that: whoever seals them meanwhile would
/// not get their memory back.
fn count_memory(shared: &Shared, counter: &mut Counter) -> Vec<(Arc<Segment>, Arc<Dead>)> {
    let query = counter.query().clone();
    let all = Everything::take(shared, &query.scope, filtering::need(&query.filter));
    let Some(_work) = counter.work(all.bytes()) else { return Vec::new() };
    for row in &all.spans {
        let facts = Facts::of(&row.stored.span, row.wraps);
        if let Some(facts) = facts.filter(|_| query.admits(&row.stored.span)) {
            counter.add(&facts);
        }
        if counter.is_full() {
            return Vec::new();
        }
    }
    all.files
}

type Files<'a> = [&'a (Arc<Segment>, Arc<Dead>)];

/// Counts files from the `next` one on, which others count as well; those that cannot be read are left out as a whole.
fn count(shared: &Shared, files: &Files<'_>, next: &AtomicUsize, mut counter: Counter) -> (Counter, Damaged) {
    let (mut files_here, mut at, mut damaged) = (Vec::new(), 0, Damaged::new());
    while let Some((file, dead)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
        files_here.push((file, dead));
        // Once there is too much the answer is an error, and nothing more need be counted.
        while at < files_here.len() && !counter.is_full() {
            let (file, dead) = files_here[at];
            match count_file(&shared.segments, file, dead, &mut counter) {
                Ok(()) => at += 1,
                Err(_) if stop::is_given() => return (counter, damaged),
                Err(error) => {
                    // Nobody knows how much of it was counted: all anew, without it.
                    damaged.push((file.id, error.to_string()));
                    files_here.remove(at);
                    (counter, at) = (counter.anew(), 0);
                }
            }
        }
    }
    (counter, damaged)
}

/// Counts a file, by its sums as far as they tell.
fn count_file(
    segments: &Segments,
    file: &Segment,
    dead: &Dead,
    counter: &mut Counter,
) -> parquet::errors::Result<()> {
    let (sums, _kept) = if summed::may_tell(counter.query(), dead) {
        let mut work = None;
        let sums = segment::sums(segments, file, |bytes| {
            work = counter.work(bytes);
            work.is_some()
        })?;
        drop(work);
        let kept = counter.work(sums.as_ref().map_or(0, Sums::bytes));
        (sums, kept)
    } else {
        (None, None)
    };
    if counter.is_full() {
        return Ok(());
    }
    let told = sums.as_ref().map_or(Told::Nothing, |sums| summed::count(sums, file, dead, counter));
    match (told, &sums) {
        (Told::All, _) => Ok(()),
        (Told::AllBut(slots), Some(sums)) => {
            columns::count(segments, file, dead, counter, Some(&sums.slots(slots)))
        }
        _ => columns::count(segments, file, dead, counter, None),
    }
}

#[cfg(test)]
mod tests {
    use aitrace_model::{Span, SpanId, SpanKind, Status, Timestamp, TraceId, TraceStatus};
    use aitrace_store::{Dimension, ProjectScope, StoredSpan};
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::SegmentRow;
    use crate::options::Options;
    use crate::rows::SpanRow;
    use crate::segment::write_spans;

    const SECOND: i64 = 1_000_000_000;

    /// What decides a row.
    type Seed = (i64, Option<i64>, [usize; 4], u8, Option<u64>);

    fn row(number: usize, (start, duration, texts, flags, tokens): &Seed) -> SpanRow {
        let trace = TraceId::from_bytes((number as u128 % 7 + 1).to_be_bytes()).expect("not zero");
        let id = |number: usize| SpanId::from_bytes((number as u64 + 1).to_be_bytes()).expect("not zero");
        let start = Timestamp::from_nanos(*start);
        let mut span = Span::new(["p", "q"][texts[0] % 2], trace, id(number), "", start);
        span.name = format!("name {}", texts[1]);
        span.kind = [SpanKind::Llm, SpanKind::Tool, SpanKind::Embedding][texts[2] % 3];
        span.model = (texts[2] > 0).then(|| format!("m{}", texts[2]));
        span.user_id = (texts[3] > 0).then(|| format!("u{}", texts[3]));
        span.session_id = span.user_id.clone();
        span.end = duration.map(|length| start.saturating_add(length));
        span.status = (flags & 1 > 0).then_some(Status::Error);
        span.parent_span_id = (flags & 2 > 0).then(|| id(number + 1000));
        (span.input_tokens, span.cost) = (*tokens, tokens.map(|tokens| tokens as f64 / 1e6));
        let stored = Arc::new(StoredSpan { span, status: TraceStatus::Ok });
        SpanRow { stored, parts: None, wraps: flags & 4 > 0, orphans: false }
    }

    /// A file of rows.
    fn file(dir: &std::path::Path, mut rows: Vec<SpanRow>) -> Segment {
        let path = dir.join("1.spans.parquet");
        let written = write_spans(&path, &mut rows, &Options::default()).expect("writes");
        let row = SegmentRow {
            id: 1,
            kind: "spans".into(),
            file: "1.spans.parquet".into(),
            bytes: written.bytes,
            rows: written.rows,
            day: 0,
            starts: written.starts,
            sums: Some(written.sums),
        };
        Segment::new(dir, &row)
    }

    fn told(segments: &Segments, file: &Segment, query: &StatisticsQuery) -> Told {
        let sums = segment::sums(segments, file, |_| true).expect("reads").expect("has sums");
        summed::count(&sums, file, &Dead::default(), &mut Counter::new(query.clone()).expect("valid"))
    }

    fn both(segments: &Segments, file: &Segment, dead: &Dead, query: &StatisticsQuery) -> [Statistics; 2] {
        let mut counters = [(); 2].map(|()| Counter::new(query.clone()).expect("valid"));
        count_file(segments, file, dead, &mut counters[0]).expect("counts");
        columns::count(segments, file, dead, &mut counters[1], None).expect("counts");
        counters.map(|counter| counter.finish().expect("fits"))
    }

    fn seeds() -> impl Strategy<Value = Vec<Seed>> {
        // Starts near the edges of slots of each length, some far away.
        let start = prop_oneof![
            8 => (0..90_i64, -2..3_i64).prop_map(|(second, nanos)| second * SECOND + nanos),
            1 => (-3..3_i64, -2..3_i64).prop_map(|(day, nanos)| day * 86_400 * SECOND + nanos),
            1 => any::<i64>(),
        ];
        let texts = [0..2_usize, 0..3, 0..4, 0..4];
        let seed = (
            start,
            proptest::option::weighted(0.9, 0..50_i64),
            texts,
            0..8_u8,
            proptest::option::of(0..9_u64),
        );
        proptest::collection::vec(seed, 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        /// Sums and columns give the same answer, whatever is asked.
        #[test]
        fn sums_say_what_columns_say(
            seeds in seeds(),
            since in (-2..60_i64, -1..2_i64), length in 0..120_i64, bucket in proptest::option::of(1..40_i64),
            odd in any::<bool>(), by in proptest::option::of(proptest::sample::select(Dimension::ALL)),
            filter in proptest::sample::select(vec![
                "", "kind:llm", "status:error", "-user:*", "name=\"name 1\" OR model:m2*", "session:u1", "type:tool",
                "project:q -status:ok", "u1",
            ]),
            roots in any::<bool>(), one in any::<bool>(), deleted in 0..3_u8,
        ) {
            let dir = tempfile::tempdir().expect("a directory");
            let file = file(dir.path(), seeds.iter().enumerate().map(|(number, seed)| row(number, seed)).collect());
            let since = Timestamp::from_nanos(since.0 * SECOND + if odd { since.1 } else { 0 });
            let mut query = StatisticsQuery::new(since, since.saturating_add(length * SECOND));
            query.bucket_ns = bucket.map(|length| length * SECOND + i64::from(odd));
            (query.by, query.roots) = (by, roots);
            query.filter = filter.parse().expect("a filter");
            if one {
                query.scope = ProjectScope::One("p".into());
            }
            let mut dead = Dead::default();
            match deleted {
                1 => dead.add_trace("q".into(), None),
                2 => dead.add_trace("q".into(), TraceId::from_bytes(3_u128.to_be_bytes())),
                _ => {}
            }
            let [summed, counted] = both(&Segments::default(), &file, &dead, &query);
            prop_assert_eq!(summed, counted);
        }
    }

    #[test]
    fn only_what_sums_cannot_tell_is_read_by_columns() {
        let dir = tempfile::tempdir().expect("a directory");
        let seed = |number: usize| {
            (number as i64 * SECOND / 10, Some(5), [0, number % 3, number % 4, 0], 0, Some(1))
        };
        let file = file(dir.path(), (0..600).map(|number| row(number, &seed(number))).collect());
        let segments = Segments::default();
        let ask = |since, until, bucket: Option<i64>| StatisticsQuery {
            bucket_ns: bucket,
            ..StatisticsQuery::new(Timestamp::from_nanos(since), Timestamp::from_nanos(until))
        };
        let hour = 3_600 * SECOND;
        assert_eq!(told(&segments, &file, &ask(-hour, hour, Some(hour))), Told::All);
        assert_eq!(told(&segments, &file, &ask(0, 60 * SECOND, Some(10 * SECOND))), Told::All);
        assert_eq!(told(&segments, &file, &ask(0, 59 * SECOND + 1, None)), Told::AllBut([59].into()));
        assert_eq!(told(&segments, &file, &ask(SECOND / 2, 60 * SECOND, None)), Told::AllBut([0].into()));
        assert_eq!(told(&segments, &file, &ask(0, hour, Some(SECOND / 2))), Told::Nothing);
        let session = StatisticsQuery { by: Some(Dimension::Session), ..ask(0, hour, None) };
        assert_eq!(told(&segments, &file, &session), Told::Nothing);
        let one = |trace| {
            let mut dead = Dead::default();
            dead.add_trace("p".into(), trace);
            dead
        };
        assert!(summed::may_tell(&session, &one(None)), "a project is passed over as a whole");
        assert!(!summed::may_tell(&session, &one(TraceId::from_bytes([1; 16]))));
    }

    /// More values, slots and durations than are kept apart: what is left says the same, the rest is read by columns.
    #[test]
    fn coarse_sums_say_what_columns_say() {
        let dir = tempfile::tempdir().expect("a directory");
        let segments = Segments::default();
        let rows = (0..9000_usize).map(|number| {
            let start = number as i64 * 41 * SECOND;
            let seed =
                (start, Some(number as i64 * 7919), [number % 2, number % 3, number % 4, 0], 0, Some(2));
            let mut row = row(number, &seed);
            let span = &mut Arc::make_mut(&mut row.stored).span;
            (span.user_id, span.service) = (Some(format!("u{}", number % 1100)), Some("s".repeat(300)));
            span.source = Some(format!("e{}", number % 900));
            row
        });
        let file = file(dir.path(), rows.collect());
        let sums = segment::sums(&segments, &file, |_| true).expect("reads").expect("has sums");
        let kept = |name| sums.has(crate::sums::TEXTS.iter().position(|text| *text == name).expect("known"));
        assert!(!kept("user_id") && !kept("service") && !kept("source") && kept("model") && kept("name"));
        assert_eq!(sums.slot_times(1).0, Timestamp::from_nanos(6 * 3_600 * SECOND), "of 102 hours");
        assert_eq!(sums.cells().iter().map(|cell| cell.counted.count).sum::<u64>(), 9000);
        let day = 86_400 * SECOND;
        let all = StatisticsQuery::new(Timestamp::from_nanos(0), Timestamp::from_nanos(5 * day));
        assert_eq!(told(&segments, &file, &all), Told::All);
        let queries = [
            StatisticsQuery { by: Some(Dimension::User), groups: 2000, ..all.clone() },
            StatisticsQuery { by: Some(Dimension::Model), bucket_ns: Some(day), ..all.clone() },
            StatisticsQuery {
                by: Some(Dimension::Name),
                until: Timestamp::from_nanos(2 * day + 5),
                ..all.clone()
            },
            StatisticsQuery { filter: "user:u7 OR kind:tool".parse().expect("a filter"), ..all },
        ];
        for query in queries {
            let [summed, counted] = both(&segments, &file, &Dead::default(), &query);
            assert_eq!(summed, counted, "{query:?}");
            assert!(!summed.rows.is_empty());
        }
    }
}
