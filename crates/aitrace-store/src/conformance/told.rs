//! Contents that come as log records stand in their span, wherever anybody looks.

use aitrace_model::{Json, LogRecord, Span};

use super::build::{contents, end, log, span_id, start, time, trace_id};
use super::check::{list, spans, trace};
use super::queries::{found, hits, skeleton_agrees};
use super::{Bench, Factory, Full};
use crate::change::Change;
use crate::filter::TraceFilter;
use crate::search::Search;
use crate::statistics::StatisticsQuery;
use crate::telemetry::{Batch, TelemetryStore};
use crate::upkeep::Upkeep;

/// A log record that tells contents, with what it tells of its span.
fn told(span: u64, id: &str, seconds: i64) -> (LogRecord, Span) {
    let mut record = log("p", Some(1), id, seconds);
    (record.span_id, record.event) = (Some(span_id(span)), "gen_ai.user.message".to_owned());
    record.attrs = Json::from_trusted(format!(r#"{{"body":{{"content":"asked {id}"}}}}"#));
    (record, contents("p", 1, span, id, seconds))
}

fn batch(told: impl IntoIterator<Item = (LogRecord, Span)>) -> Batch {
    let (logs, spans) = told.into_iter().unzip();
    Batch { spans, logs }
}

/// The end of a span that says nothing of what went in.
fn silent(id: u64) -> Span {
    Span { inputs: None, ..end("p", 1, id) }
}

/// What log records tell of spans is found and selected in the spans, once, in any order and stage of storage; what a
/// span says itself counts; what no span shows is found in the log record.
pub async fn contents_in_log_records_stand_in_their_span<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    // Before their span, behind it, while it runs, beside contents of its own, of no span, as a whole before all.
    bench.store().append(batch([told(1, "b1", 12), told(1, "a1", 11)])).await.expect("appends");
    bench.store().append(spans([silent(1), silent(2), end("p", 1, 4)])).await.expect("appends");
    bench.store().append(spans([Span { inputs: None, ..start("p", 1, 3) }])).await.expect("appends");
    bench.store().append(batch([told(2, "a2", 13), told(3, "a3", 14)])).await.expect("appends");
    bench.store().append(batch([told(4, "a4", 15), told(5, "a5", 16)])).await.expect("appends");
    for step in 0..5 {
        let mut shown = vec![
            (1, Some(r#"["asked a1","asked b1"]"#.to_owned())),
            (2, Some(r#"["asked a2"]"#.to_owned())),
            (3, Some(r#"["asked a3"]"#.to_owned())),
            (4, Some(r#""in 1/4""#.to_owned())),
        ];
        if step > 2 {
            // Came when the spans were in files already: between, and with another span of before.
            shown[0].1 = Some(r#"["asked a1","asked c1","asked b1"]"#.to_owned());
            shown[1].1 = Some(r#"["asked z2","asked a2"]"#.to_owned());
        }
        shows(bench.store(), &shown, step).await;
        finds(bench.store(), step).await;
        match step {
            0 => bench.store().seal().await.expect("seals"),
            1 => bench.reopen().await,
            2 => {
                let mut between = told(1, "c1", 11);
                between.0.time = between.0.time.saturating_add(5);
                between.1.start = between.0.time;
                let late = batch([between, told(2, "z2", 3)]);
                bench.store().append(late.clone()).await.expect("appends");
                let again = bench.store().append(late).await.expect("appends");
                assert_eq!(again.stored, 0, "known already");
            }
            _ => {
                bench.store().seal().await.expect("seals");
                bench.store().compact().await.expect("compacts");
            }
        }
    }
}

/// The trace, its spans alone and its tree.
async fn shows(store: &impl Full, expected: &[(u64, Option<String>)], step: usize) {
    let seen = trace(store, "p", trace_id(1)).await.expect("there");
    let inputs =
        |stored: &crate::StoredSpan| stored.span.inputs.as_ref().map(|json| json.as_str().to_owned());
    let shown: Vec<_> = seen.spans.iter().map(|stored| (stored.span.span_id, inputs(stored))).collect();
    let mut expected: Vec<_> = expected.iter().map(|(id, inputs)| (span_id(*id), inputs.clone())).collect();
    expected.sort();
    let mut sorted = shown;
    sorted.sort();
    assert_eq!(sorted, expected, "step {step}");
    assert!(seen.logs.iter().any(|log| log.id == "a1"), "they are log records still");
    skeleton_agrees(store, "p", Some(seen), trace_id(1)).await;
}

/// Search, filters and statistics.
async fn finds(store: &impl Full, step: usize) {
    for (text, span, log) in [
        ("asked A1", 1, None),
        ("asked b1", 1, None),
        ("asked a2", 2, None),
        ("asked a3", 3, None),
        ("asked a4", 4, Some("a4")),
        ("asked a5", 5, Some("a5")),
        ("in 1/4", 4, None),
    ] {
        let seen = hits(store, text).await;
        let seen: Vec<_> = seen.iter().map(|hit| (hit.span_id, hit.log_id.as_deref(), hit.field)).collect();
        let field = if log.is_some() { "attrs" } else { "inputs" };
        assert_eq!(seen, [(Some(span_id(span)), log, field)], "step {step}: {text}");
    }
    let late = usize::from(step > 2);
    assert_eq!(hits(store, "asked c1").await.len(), late, "step {step}");
    for (limit, count) in [(1, 1), (100, 5)] {
        let search = Search { limit, ..Search::new("asked") };
        assert_eq!(found(store, &search).await.len(), count, "step {step}: a span is one hit");
    }
    // Statistics are about spans that have ended.
    for (text, traces, number, ended) in
        [("inputs:\"asked a2\"", 1, 1, 1), ("inputs:asked", 1, 3, 2), ("inputs:\"asked a4\"", 0, 0, 0)]
    {
        let filter = TraceFilter { filter: text.parse().expect("a filter"), ..TraceFilter::default() };
        assert_eq!(list(store, &filter, 5).await.len(), traces, "step {step}: {text}");
        let search = Search::of(&filter.filter);
        assert_eq!(found(store, &search).await.len(), number, "step {step}: {text}");
        let mut query = StatisticsQuery::new(time(-100), time(100));
        query.filter = filter.filter;
        let rows = store.statistics(&query).await.expect("counts").rows;
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), ended, "step {step}: {text}");
    }
}

/// Contents that wait for their span are no trace and no span; who listens hears of them once the span is known.
pub async fn contents_without_a_span_wait_for_it<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    bench.store().append(spans([contents("p", 1, 1, "a", 11)])).await.expect("appends");
    for step in 0..3 {
        assert_eq!(list(bench.store(), &TraceFilter::default(), 5).await, [], "step {step}");
        assert_eq!(trace(bench.store(), "p", trace_id(1)).await, None, "step {step}");
        let stats = bench.store().stats().await.expect("figures");
        assert_eq!((stats.spans, stats.open_spans, stats.logs), (0, 0, 0), "step {step}");
        if step == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
    let mut changes = bench.store().subscribe();
    let further = [contents("p", 1, 1, "b", 12), contents("p", 1, 1, "b", 12), contents("p", 1, 2, "c", 13)];
    for message in [vec![silent(1)], further.to_vec(), vec![end("p", 1, 2)]] {
        bench.store().append(spans(message)).await.expect("appends");
    }
    bench.store().seal().await.expect("seals");
    bench
        .store()
        .append(spans([contents("p", 1, 1, "d", 14), contents("p", 1, 2, "e", 15)]))
        .await
        .expect("appends");
    let mut heard = Vec::new();
    while let Ok(change) = changes.try_recv() {
        let (what, stored) = match change {
            Change::SpanEnded(stored) => ("ended", stored),
            Change::SpanTold(stored) => ("told", stored),
            _ => continue,
        };
        let inputs = stored.span.inputs.clone().expect("known by now");
        heard.push((what, inputs.as_str().to_owned()));
    }
    let expected = [
        ("ended", r#"["asked a"]"#),
        ("told", r#"["asked a","asked b"]"#),
        ("ended", r#""in 1/2""#),
        ("told", r#"["asked a","asked b","asked d"]"#),
    ];
    assert_eq!(heard, expected.map(|(what, inputs)| (what, inputs.to_owned())));
    let in_other = trace(bench.store(), "q", trace_id(1)).await;
    assert_eq!(in_other, None, "projects never meet");
}
