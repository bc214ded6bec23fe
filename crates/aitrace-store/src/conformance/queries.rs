//! Laws of questions.

use std::collections::BTreeSet;
use std::sync::Arc;

use aitrace_model::{Json, SpanKind, Status, TraceId, TraceStatus};
use tokio::sync::mpsc;

use super::build::{end, log, span_id, start, tentative, time, trace_id};
use super::check::{one, spans, trace};
use super::{Bench, Factory};
use crate::document::{DocumentStore, SessionPatch};
use crate::error::ErrorKind;
use crate::filter::ProjectScope;
use crate::hits::Hit;
use crate::hits::HitCursor;
use crate::query::QueryStore;
use crate::room::FixedRoom;
use crate::search::Search;
use crate::session::{SessionFilter, SessionPageRequest, SessionSummary};
use crate::skeleton::Bone;
use crate::statistics::{Dimension, StatisticsQuery};
use crate::telemetry::{Batch, TelemetryStore, Trace};
use crate::upkeep::Upkeep as _;

/// All sessions, page by page.
pub(super) async fn all_sessions(store: &impl QueryStore, limit: usize) -> Vec<SessionSummary> {
    let (mut all, mut page) = (Vec::new(), SessionPageRequest { limit, cursor: None });
    loop {
        let answer = store.sessions(&SessionFilter::default(), &page).await.expect("lists");
        assert!(answer.sessions.len() <= limit);
        all.extend(answer.sessions);
        page.cursor = answer.next;
        if page.cursor.is_none() {
            return all;
        }
    }
}

/// What a search finds, in its order.
pub(super) async fn found(store: &impl QueryStore, search: &Search) -> Vec<Hit> {
    found_page(store, search).await.0
}

/// The same, and where the next page begins.
async fn found_page(store: &impl QueryStore, search: &Search) -> (Vec<Hit>, Option<HitCursor>) {
    let (sender, mut receiver) = mpsc::channel(1);
    let collect = async {
        let mut hits = Vec::new();
        while let Some(hit) = receiver.recv().await {
            hits.push(hit);
        }
        hits
    };
    let (searched, hits) = tokio::join!(store.search(search, sender), collect);
    let searched = searched.expect("searches");
    assert_eq!(searched.hits, hits.len());
    assert!(hits.len() <= search.limit);
    assert!(hits.is_sorted_by_key(HitCursor::of), "newest first");
    assert_eq!(searched.complete, searched.next.is_none(), "somebody listened to the end");
    assert_eq!(hits.iter().map(HitCursor::of).collect::<BTreeSet<_>>().len(), hits.len(), "each once");
    (hits, searched.next)
}

pub(super) async fn hits(store: &impl QueryStore, text: &str) -> Vec<Hit> {
    found(store, &Search { limit: 1000, ..Search::new(text) }).await
}

/// The skeleton is the trace without its contents, and each span is found by its id.
pub(super) async fn skeleton_agrees(
    store: &impl QueryStore,
    project: &str,
    whole: Option<Trace>,
    id: TraceId,
) {
    let skeleton = store.skeleton(&one(project), id).await.expect("reads");
    let Some(whole) = whole else {
        assert_eq!(skeleton, None);
        return;
    };
    let skeleton = skeleton.expect("there");
    assert_eq!(skeleton.summary, whole.summary);
    assert_eq!(skeleton.spans, whole.spans.iter().map(Bone::from).collect::<Vec<_>>());
    for stored in whole.spans.iter().take(3) {
        let alone = store.span(&one(project), id, stored.span.span_id).await.expect("reads");
        assert_eq!(alone.as_ref(), Some(stored));
    }
}

/// Skeletons and single spans say what whole traces say, in all stages of storage.
pub async fn skeletons_agree<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    bench.store().append(spans((0..5).map(|id| end("p", 1, id)))).await.expect("appends");
    for step in 0..4 {
        let whole = trace(bench.store(), "p", trace_id(1)).await;
        assert_eq!(whole.as_ref().map(|whole| whole.spans.len() as u64), Some(5 + step));
        skeleton_agrees(bench.store(), "p", whole, trace_id(1)).await;
        let other = bench.store().span(&one("q"), trace_id(1), span_id(0)).await.expect("reads");
        assert_eq!(other, None, "another project");
        if step % 2 == 0 {
            bench.store().seal().await.expect("seals");
        } else {
            bench.reopen().await;
        }
        bench.store().append(spans([start("p", 1, 5 + step)])).await.expect("appends");
    }
    assert_eq!(bench.store().skeleton(&ProjectScope::All, trace_id(9)).await.expect("reads"), None);
}

/// How large a trace is said to be is about how large it is, wherever it is, and whatever stands beside it.
pub async fn extents_are_about_right<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let filled = |trace: u64, id: u64, length: usize| {
        let mut span = end("p", trace, id);
        span.inputs = Some(Json::string(&format!("{id} ").repeat(length)));
        span
    };
    let large = (0..40).map(|id| filled(1, id, 2000));
    let batch = large.chain((0..200).map(|id| end("p", 2, id))).chain([end("q", 1, 0)]);
    bench.store().append(spans(batch)).await.expect("appends");
    let logs = ["a", "b", "c"].map(|id| log("p", Some(1), id, 1)).to_vec();
    bench.store().append(Batch { spans: Vec::new(), logs }).await.expect("appends");
    let all = ProjectScope::All;
    for step in 0..4 {
        for (project, id, count) in [("p", 1, 40 + step), ("p", 2, 200), ("q", 1, 1)] {
            let scope = one(project);
            let whole = trace(bench.store(), project, trace_id(id)).await.expect("there");
            let said = bench.store().extent(&scope, trace_id(id)).await.expect("reads").expect("there");
            assert_eq!(
                (said.spans, said.logs),
                (count, whole.logs.len() as u64),
                "step {step}: {project} {id}"
            );
            let bytes = whole.bytes();
            // Of what shares pages with larger rows only the average is known; reading takes more than what is read.
            assert!(
                (bytes / 2..bytes * 12 + 65_536).contains(&said.bytes),
                "{said:?} of {bytes}, step {step}"
            );
        }
        if step % 2 == 0 {
            bench.store().seal().await.expect("seals");
        } else {
            bench.reopen().await;
        }
        bench.store().append(spans([filled(1, 40 + step, 10)])).await.expect("appends");
    }
    assert_eq!(bench.store().extent(&all, trace_id(9)).await.expect("reads"), None);
}

/// The line of a session is the sum of its traces, wherever they are; sessions without traces are listed too.
pub async fn sessions_add_up<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    for number in 0..9 {
        let mut span = end(if number % 3 == 0 { "a" } else { "b" }, number, 0);
        span.start = time(number as i64);
        span.session_id = (number != 8).then(|| format!("s{}", number % 2));
        span.status = (number == 4).then_some(Status::Error);
        bench.store().append(spans([span])).await.expect("appends");
    }
    let patch = SessionPatch {
        project: "b".into(),
        session_id: "alone".into(),
        name: Some("Just a name".into()),
        at: time(99),
        data: None,
    };
    bench.store().put_session(patch).await.expect("puts");
    for step in 0..4 {
        let all = all_sessions(bench.store(), 2).await;
        let ids = all.iter().map(|line| (line.project.as_str(), line.session_id.as_str(), line.traces));
        let expected = [("b", "alone", 0), ("a", "s1", 1), ("b", "s0", 2), ("b", "s1", 3), ("a", "s0", 2)];
        assert_eq!(ids.collect::<Vec<_>>(), expected, "step {step}");
        let line = bench.store().session_line(&one("b"), "s0").await.expect("reads").expect("there");
        assert_eq!((line.status, line.errors, line.spans), (TraceStatus::Error, 1, 2));
        assert_eq!((line.input_tokens, line.cost, line.start), (Some(4), Some(0.5), time(2)));
        assert_eq!(bench.store().session_line(&one("a"), "alone").await.expect("reads"), None);
        let filter = SessionFilter { query: Some("A NAME".into()), ..SessionFilter::default() };
        let named = bench.store().sessions(&filter, &SessionPageRequest::default()).await.expect("lists");
        assert_eq!(named.sessions.len(), 1);
        if step % 2 == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
}

/// A text is found wherever it stands, in any stage of storage, and nowhere else.
pub async fn search_finds<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let (mut one_, mut two, three) = (end("p", 1, 1), end("p", 1, 2), end("q", 1, 1));
    one_.outputs = Some(Json::string("Die STRASSE führt \"heim\"\nund zurück"));
    two.attributes = Json::from_trusted(r#"{"k":"caf\u00e9 天気"}"#);
    let mut batch = spans([one_, two, three]);
    batch.logs = vec![log("p", Some(1), "führt", 1), log("p", None, "loose", 2)];
    bench.store().append(batch).await.expect("appends");
    for step in 0..4 {
        for (text, fields) in [
            ("führt", vec!["outputs", "event"]),
            ("\"HEIM\"\nund", vec!["outputs"]),
            ("CAFÉ", vec!["attributes"]),
            ("天気", vec!["attributes"]),
            ("in 1/1", vec!["inputs", "inputs"]),
            ("loose", vec!["event"]),
            ("nowhere", vec![]),
            ("", vec![]),
        ] {
            let mut seen: Vec<_> = hits(bench.store(), text).await.iter().map(|hit| hit.field).collect();
            seen.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(seen, fields, "step {step}: {text:?}");
        }
        let search = Search { scope: one("q"), ..Search::new("in 1/") };
        assert_eq!(found(bench.store(), &search).await.len(), 1);
        let search = Search { since: Some(time(2)), until: Some(time(3)), ..Search::new("1/2") };
        assert_eq!(found(bench.store(), &search).await.len(), 1);
        assert_eq!(found(bench.store(), &Search { limit: 1, ..Search::new("in 1/") }).await.len(), 1);
        if step % 2 == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
}

/// Pages of a search concatenate to the whole: nothing twice, nothing missed, whatever is written, sealed, merged and
/// restarted between them.
pub async fn search_pages_concatenate<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    // Starts that are equal, near and far, in no order, spans and log records mixed, in several projects.
    let item = |number: u64| {
        let project = if number.is_multiple_of(3) { "a" } else { "b.c" };
        let at = time((number * 7 % 23) as i64);
        if number % 5 == 4 {
            let mut record =
                log(project, number.is_multiple_of(2).then_some(number), &format!("find {number}"), 0);
            record.time = at;
            return Batch { logs: vec![record], ..Batch::default() };
        }
        let mut span = if number.is_multiple_of(7) {
            start(project, number % 4, number)
        } else {
            end(project, number % 4, number)
        };
        (span.start, span.name) = (at, format!("find {number}"));
        span.end = span.end.map(|_| time(100));
        spans([span])
    };
    for number in 0..40 {
        bench.store().append(item(number)).await.expect("appends");
        if number % 11 == 10 {
            bench.store().seal().await.expect("seals");
        }
    }
    // A log record besides a span, at another time than its span: it is found with it.
    let mut beside = tentative("a", 50, 0);
    "find beside".clone_into(&mut beside.tentative.as_mut().expect("set").event);
    "other".clone_into(&mut beside.name);
    bench.store().append(spans([start("a", 50, 0), beside])).await.expect("appends");
    let search = |limit| Search { limit, ..Search::new("FIND") };
    let whole = found(bench.store(), &search(1000)).await;
    assert_eq!(whole.len(), 41);
    for limit in [3, 7, 40, 41] {
        let (mut all, mut search, mut page) = (Vec::new(), search(limit), 0_u64);
        loop {
            let (hits, next) = found_page(bench.store(), &search).await;
            all.extend(hits);
            let Some(next) = next else { break };
            search.after = Some(next.to_string().parse().expect("own text"));
            page += 1;
            // New ones, before and behind the place, old ones that end, files that are made and merged.
            let later = bench.store().append(item(1000 + 100 * limit as u64 + page)).await;
            later.expect("appends");
            match page % 8 {
                1 => bench.store().seal().await.expect("seals"),
                3 => bench.store().compact().await.expect("compacts"),
                5 => bench.reopen().await,
                _ => {}
            }
        }
        let known = |hit: &&Hit| whole.contains(hit);
        assert_eq!(all.iter().filter(known).cloned().collect::<Vec<_>>(), whole, "pages of {limit}");
        let places: BTreeSet<_> = all.iter().map(HitCursor::of).collect();
        assert_eq!(places.len(), all.len(), "nothing twice");
    }
}

/// Who stops listening is told where to go on, if it heard anything.
pub async fn searches_go_on_where_they_were_left<F: Factory>(factory: &F) {
    let bench = Bench::new(factory).await;
    bench.store().append(spans((0..9).map(|id| end("p", id, id)))).await.expect("appends");
    bench.store().seal().await.expect("seals");
    bench.store().append(spans((9..20).map(|id| end("p", id, id)))).await.expect("appends");
    let whole = hits(bench.store(), "span").await;
    assert_eq!(whole.len(), 20);
    let mut search = Search::new("span");
    let (sender, mut receiver) = mpsc::channel(1);
    receiver.close();
    let searched = bench.store().search(&search, sender).await.expect("searches");
    assert_eq!((searched.hits, searched.complete), (0, false));
    let mut heard = Vec::new();
    for count in [1, 3] {
        let (sender, mut receiver) = mpsc::channel(1);
        let listen = async {
            let mut some = Vec::new();
            for _ in 0..count {
                some.extend(receiver.recv().await);
            }
            receiver.close();
            // What was on its way counts as heard.
            while let Some(hit) = receiver.recv().await {
                some.push(hit);
            }
            some
        };
        let (searched, some) = tokio::join!(bench.store().search(&search, sender), listen);
        let searched = searched.expect("searches");
        assert_eq!((searched.hits, searched.complete), (some.len(), false));
        heard.extend(some);
        search.after = Some(searched.next.expect("it heard something"));
    }
    heard.extend(found(bench.store(), &search).await);
    assert_eq!(heard, whole);
}

/// Figures are what a count by hand gives, in any stage of storage.
pub async fn statistics_count<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    for id in 1..=100_u64 {
        let mut span = end("p", id % 3, id);
        span.end = Some(span.start.saturating_add(id as i64 * 1_000_000));
        span.model = (id % 4 != 0).then(|| format!("m{}", id % 4));
        span.status = (id % 10 == 0).then_some(Status::Error);
        span.kind = if id % 2 == 0 { SpanKind::Tool } else { SpanKind::Llm };
        bench.store().append(spans([span])).await.expect("appends");
        if id == 50 {
            bench.store().seal().await.expect("seals");
        }
    }
    bench.store().append(spans([start("p", 7, 1)])).await.expect("appends");
    for step in 0..4 {
        let mut query = StatisticsQuery::new(time(0), time(1000));
        let all = bench.store().statistics(&query).await.expect("counts").rows;
        assert_eq!((all.len(), all[0].count, all[0].errors), (1, 100, 10), "step {step}");
        assert_eq!((all[0].input_tokens, all[0].cost), (Some(100), Some(12.5)));
        for (seen, exact) in [(all[0].p50_ns, 50.0), (all[0].p95_ns, 95.0), (all[0].p99_ns, 99.0)] {
            assert!((seen as f64 / exact / 1e6 - 1.0).abs() < 0.006, "{seen} for {exact} ms");
        }
        (query.by, query.kind) = (Some(Dimension::Model), Some(SpanKind::Llm));
        let groups = bench.store().statistics(&query).await.expect("counts").rows;
        let groups: Vec<_> = groups.iter().map(|row| (row.group.as_deref(), row.count)).collect();
        assert_eq!(groups, [(Some("m1"), 25), (Some("m3"), 25)]);
        (query.kind, query.groups, query.bucket_ns) = (None, 3, Some(40_000_000_000));
        (query.since, query.until) = (time(21), time(101));
        let room = Arc::new(FixedRoom::new(10_000));
        let small = StatisticsQuery { by: Some(Dimension::Name), room: room.clone(), ..query.clone() };
        let refused = bench.store().statistics(&small).await.expect_err("100 groups are too much for 10 KB");
        assert_eq!((refused.kind(), room.taken()), (ErrorKind::Overloaded, 0));
        let buckets = bench.store().statistics(&query).await.expect("counts");
        assert_eq!((buckets.groups_left_out, buckets.rows.len()), (1, 6));
        assert!(buckets.rows.iter().all(|row| row.count == 10 && row.time >= time(21)));
        if step % 2 == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
}

/// A model call counts once, whatever wraps it and in whatever order and stage its parts come.
pub async fn usage_counts_once<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    // 0 wraps 1, which wraps 2 (no call), which wraps 3 and 4: only 3, 4 and 5 are calls.
    let make = |id: u64, parent: Option<u64>, kind| {
        let mut span = end("p", 1, id);
        (span.parent_span_id, span.kind) = (parent.map(span_id), kind);
        span
    };
    let all = [
        make(3, Some(2), SpanKind::Llm),
        make(0, None, SpanKind::Agent),
        make(1, Some(0), SpanKind::Llm),
        make(4, Some(2), SpanKind::Embedding),
        make(5, Some(0), SpanKind::Llm),
        make(2, Some(1), SpanKind::Chain),
    ];
    for (step, span) in all.into_iter().enumerate() {
        bench.store().append(spans([span])).await.expect("appends");
        match step % 3 {
            0 => bench.store().seal().await.expect("seals"),
            1 => bench.reopen().await,
            _ => {}
        }
        // Checks the sum against a count by hand.
        trace(bench.store(), "p", trace_id(1)).await.expect("there");
    }
    let line = trace(bench.store(), "p", trace_id(1)).await.expect("there").summary;
    assert_eq!((line.input_tokens, line.output_tokens, line.cost), (Some(6), Some(3), Some(0.75)));
    bench.store().seal().await.expect("seals");
    let listed = all_sessions(bench.store(), 10).await;
    assert!(listed.is_empty());
    assert_eq!(trace(bench.store(), "p", trace_id(1)).await.expect("there").summary, line);
}
