//! Laws of reading, and documents.

use aitrace_model::{
    AnyValue, ErrorInfo, Json, SpanEvent, SpanKind, SpanLink, Status, Timestamp, TraceStatus,
};

use super::build::{end, log, span_id, start, time, trace_id};
use super::check::{everything, list, one, spans, trace};
use super::queries::found;
use super::{Bench, Factory};
use crate::document::{DocumentStore, SessionPatch};
use crate::filter::{ProjectScope, TraceFilter};
use crate::language::Filter;
use crate::query::QueryStore as _;
use crate::search::Search;
use crate::statistics::StatisticsQuery;
use crate::telemetry::TelemetryStore;

/// Pages of any size concatenate to the whole, newest first, sealed or not, also with equal starts.
pub async fn pages_concatenate<F: Factory>(factory: &F) {
    let bench = Bench::new(factory).await;
    for number in 0..30 {
        let project = if number % 3 == 0 { "a" } else { "b" };
        let mut span = end(project, number, 0);
        span.start = time(number as i64 / 4);
        bench.store().append(spans([span, end("b", number, 1)])).await.expect("appends");
        if number % 10 == 7 {
            bench.store().seal().await.expect("seals");
        }
    }
    let whole = list(bench.store(), &TraceFilter::default(), 1000).await;
    assert_eq!(whole.len(), 40, "ten ids are in both projects");
    assert!(whole.is_sorted_by(|one, next| crate::newest_first(one, next).is_lt()));
    for limit in [1, 2, 7, 39, 40] {
        assert_eq!(list(bench.store(), &TraceFilter::default(), limit).await, whole, "pages of {limit}");
    }
    let part = list(bench.store(), &TraceFilter { scope: one("a"), ..TraceFilter::default() }, 3).await;
    assert_eq!(part.len(), 10);
    // A trace that comes in between does not disturb the pages after it.
    let first = crate::PageRequest { limit: 10, cursor: None };
    let page = bench.store().list_traces(&TraceFilter::default(), &first).await.expect("a page");
    bench.store().append(spans([end("a", 99, 0)])).await.expect("appends");
    let next = crate::PageRequest { limit: 1000, cursor: page.next };
    let rest = bench.store().list_traces(&TraceFilter::default(), &next).await.expect("a page");
    assert_eq!(page.traces.into_iter().chain(rest.traces).filter(|line| whole.contains(line)).count(), 40);
}

/// Each condition selects exactly what [`TraceFilter::matches`] says, in all stages of storage.
pub async fn filters_select<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    for number in 0..12 {
        let mut span = end(if number % 2 == 0 { "a" } else { "b" }, number, 0);
        span.start = time(number as i64);
        span.name = if number % 4 == 0 { format!("ÄPFEL % {number}") } else { format!("pears_ {number}") };
        span.session_id = (number % 3 == 0).then(|| format!("s{}", number % 2));
        span.status = (number % 5 == 0).then_some(Status::Error);
        bench.store().append(spans([span])).await.expect("appends");
    }
    bench.store().append(spans([start("a", 50, 0)])).await.expect("appends");
    let hex = trace_id(7).to_hex();
    let all = TraceFilter::default();
    let filters = [
        TraceFilter { scope: one("a"), ..all.clone() },
        TraceFilter { session_id: Some("s1".into()), ..all.clone() },
        TraceFilter { session_id: Some("s0' OR 1=1 --".into()), ..all.clone() },
        TraceFilter { status: Some(TraceStatus::Error), ..all.clone() },
        TraceFilter { status: Some(TraceStatus::Running), ..all.clone() },
        TraceFilter { filter: asks("äpf"), ..all.clone() },
        TraceFilter { filter: asks("%"), ..all.clone() },
        TraceFilter { filter: asks("S_"), ..all.clone() },
        TraceFilter { filter: asks(&hex[4..20].to_uppercase()), ..all.clone() },
        TraceFilter { since: Some(time(3)), until: Some(time(9)), ..all.clone() },
        TraceFilter { filter: asks("status:ok duration>1ns OR name:p*_?"), ..all.clone() },
        TraceFilter { filter: asks("-(äpfel OR status:error)"), since: Some(time(1)), ..all.clone() },
        TraceFilter { scope: one("b"), filter: asks("pear"), since: Some(time(4)), ..all.clone() },
    ];
    for stage in ["hot", "sealed", "reopened"] {
        let whole = list(bench.store(), &all, 100).await;
        assert_eq!(whole.len(), 13, "{stage}");
        for filter in &filters {
            let expected: Vec<_> = whole.iter().filter(|line| filter.matches(line, 0)).cloned().collect();
            assert_eq!(list(bench.store(), filter, 2).await, expected, "{stage}: {filter:?}");
        }
        if stage == "hot" { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
}

fn asks(text: &str) -> Filter {
    text.parse().expect("a filter")
}

/// Conditions on spans hold of the traces of such spans, wherever these are; search and statistics follow them too.
pub async fn conditions_on_spans<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    for number in 0..12 {
        let (mut root, mut call) = (end("p", number, 1), end("p", number, 2));
        root.kind = SpanKind::Agent;
        call.parent_span_id = Some(root.span_id);
        call.model = Some(format!("gpt-{}", number % 3));
        call.metadata =
            Some(Json::from_trusted(format!(r#"{{"tid":{number},"tags":["a","t{}"]}}"#, number % 2)));
        call.error = (number == 4).then(|| ErrorInfo { kind: "Timeout".into(), ..ErrorInfo::default() });
        root.user_id = (number > 8).then(|| "u".to_owned());
        bench.store().append(spans([root, call])).await.expect("appends");
        if number == 5 {
            bench.store().seal().await.expect("seals");
        }
    }
    bench.store().append(spans([start("p", 50, 1)])).await.expect("appends");
    let cases: [(&str, &[u64]); 9] = [
        ("model:GPT-1", &[1, 4, 7, 10]),
        ("model:gpt-1 kind:agent", &[1, 4, 7, 10]),
        ("metadata.tid>=10 OR error:time", &[4, 10, 11]),
        ("metadata.tags:t1 -model:gpt-1", &[3, 5, 9, 11]),
        ("user:* metadata.tid<11", &[9, 10]),
        ("-model:*", &[50]),
        ("status:running kind:span", &[50]),
        ("parent:* spans:2 metadata.tid=7", &[7]),
        ("kind:tool", &[]),
    ];
    for step in 0..4 {
        for (text, numbers) in cases {
            let filter = TraceFilter { filter: asks(text), ..TraceFilter::default() };
            let listed = list(bench.store(), &filter, 3).await;
            let mut listed: Vec<_> = listed.iter().map(|line| line.trace_id).collect();
            listed.sort_unstable();
            let mut expected: Vec<_> = numbers.iter().map(|number| trace_id(*number)).collect();
            expected.sort_unstable();
            assert_eq!(listed, expected, "step {step}: {text}");
        }
        let search = Search { limit: 100, ..Search::of(&asks("model:gpt-1 -error:* metadata.tid>1")) };
        assert_eq!(found(bench.store(), &search).await.len(), 2, "step {step}");
        let search = Search::of(&asks("gpt model:gpt-1"));
        assert_eq!(found(bench.store(), &search).await.len(), 0, "models are no contents");
        let mut query =
            StatisticsQuery::new(Timestamp::from_nanos(i64::MIN), Timestamp::from_nanos(i64::MAX));
        query.filter = asks("model:gpt-1 OR user:u");
        let rows = bench.store().statistics(&query).await.expect("counts").rows;
        assert_eq!(rows[0].count, 7, "step {step}");
        if step % 2 == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
}

/// The line of a trace is the sum of its parts, wherever they are kept.
pub async fn summaries_add_up<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    for id in (0..40).rev() {
        let mut span = end("p", 1, id);
        span.status = (id % 7 == 1).then_some(Status::Error);
        span.cost = Some(0.1);
        span.session_id = (id == 5).then(|| "five".to_owned());
        bench.store().append(spans([span])).await.expect("appends");
        match id % 10 {
            3 => bench.store().seal().await.expect("seals"),
            6 => bench.reopen().await,
            _ => {}
        }
        let seen = everything(bench.store(), "p").await;
        assert_eq!(seen[0].summary.spans, 40 - id);
    }
    let line = everything(bench.store(), "p").await.remove(0).summary;
    assert_eq!((line.name.as_str(), line.status, line.errors), ("span 0", TraceStatus::Ok, 6));
    assert_eq!((line.input_tokens, line.output_tokens, line.cost), (Some(78), Some(39), Some(3.9)));
    assert_eq!(line.session_id.as_deref(), Some("five"));
}

/// Log records stand in their trace by time; those of no trace are counted and in no trace.
pub async fn logs_are_kept<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let mut batch = spans([end("p", 1, 0)]);
    batch.logs = [5, 1, 3].map(|at| log("p", Some(1), &format!("l{at}"), at)).into();
    batch.logs.push(log("p", None, "loose", 2));
    batch.logs.push(log("p", Some(2), "alone", 2));
    bench.store().append(batch).await.expect("appends");
    for step in 0..3 {
        let seen = trace(bench.store(), "p", trace_id(1)).await.expect("there");
        assert_eq!(seen.logs, [1, 3, 5].map(|at| log("p", Some(1), &format!("l{at}"), at)), "step {step}");
        let alone = trace(bench.store(), "p", trace_id(2)).await.expect("a trace of log records alone");
        assert_eq!((alone.summary.name.as_str(), alone.summary.spans), ("event alone", 0));
        assert_eq!(bench.store().stats().await.expect("figures").logs, 5, "step {step}");
        if step == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
    assert_eq!(bench.store().projects(&ProjectScope::All).await.expect("projects"), ["p"]);
}

/// Sessions are created, changed and kept; projects are known by anything in them.
pub async fn sessions_merge<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let patch = |name: Option<&str>, data: &str, at| SessionPatch {
        project: "p".into(),
        session_id: "s".into(),
        name: name.map(str::to_owned),
        at: time(at),
        data: Some(Json::parse(data).expect("valid")),
    };
    let store = bench.store();
    store.put_session(patch(Some("first"), r#"{"metrics":{"a":1},"inputs":[1]}"#, 5)).await.expect("puts");
    let put = store.put_session(patch(None, r#"{"metrics":{"b":2}}"#, 9)).await.expect("puts");
    assert_eq!(put.data.as_str(), r#"{"metrics":{"a":1,"b":2},"inputs":[1]}"#);
    assert_eq!((put.name.as_deref(), put.started, put.updated), (Some("first"), time(5), time(9)));
    let refused = store.put_session(patch(None, "3", 9)).await.expect_err("no object");
    assert_eq!(refused.kind(), crate::ErrorKind::Invalid);
    store.append(spans([end("other", 1, 0)])).await.expect("appends");
    bench.reopen().await;
    let store = bench.store();
    assert_eq!(store.session("p", "s").await.expect("reads"), Some(put));
    assert_eq!(store.session("q", "s").await.expect("reads"), None);
    assert_eq!(store.projects(&ProjectScope::All).await.expect("projects"), ["other", "p"]);
    assert_eq!(store.projects(&one("p")).await.expect("projects"), ["p"]);
    store.seal().await.expect("seals");
    assert_eq!(store.projects(&one("other")).await.expect("projects"), ["other"]);
}

/// Every field of a span and a log record comes back as it was given.
pub async fn contents_survive_to_the_letter<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let json = |text: &str| Json::parse(text).expect("valid");
    let odd = json(r#"{"b":1e400,"a":123456789012345678901234567890,"é\u0000":[-0.0,"\ud800x"]}"#);
    let mut full = end("p\u{1F980}", 1, 3);
    full.attributes = AnyValue::object_to_json(&[("nan".into(), AnyValue::Double(f64::NAN))]);
    for field in [
        &mut full.inputs,
        &mut full.outputs,
        &mut full.metadata,
        &mut full.metrics,
        &mut full.feedback,
        &mut full.config,
        &mut full.user_properties,
    ] {
        *field = Some(odd.clone());
    }
    for field in [
        &mut full.source,
        &mut full.service,
        &mut full.session_id,
        &mut full.user_id,
        &mut full.run_id,
        &mut full.dataset_id,
        &mut full.datapoint_id,
        &mut full.provider,
        &mut full.model,
    ] {
        *field = Some(String::new());
    }
    (full.status, full.heartbeats, full.scope) = (Some(Status::Error), true, "scope".into());
    full.error =
        Some(aitrace_model::ErrorInfo { kind: "E".into(), message: "\u{0}".into(), ..Default::default() });
    (full.input_tokens, full.output_tokens, full.cost) = (Some(u64::MAX), Some(0), Some(1.0 / 3.0));
    (full.cache_read_tokens, full.cache_write_tokens, full.reasoning_tokens) =
        (Some(3), Some(0), Some(u64::MAX));
    full.otel = Some(odd.clone());
    full.resource = odd.clone();
    full.code =
        Some(aitrace_model::CodeLocation { file: "f".into(), line: u32::MAX, function: String::new() });
    full.events =
        vec![SpanEvent { time: time(1).saturating_add(1), name: "e".into(), attributes: odd.clone() }];
    full.links = vec![SpanLink { trace_id: trace_id(9), span_id: span_id(9), attributes: odd.clone() }];
    let mut batch = spans([full.clone()]);
    let mut record = log(&full.project, Some(1), "l", 1);
    (record.attrs, record.code, record.span_id) = (odd, full.code.clone(), None);
    batch.logs.push(record.clone());
    bench.store().append(batch).await.expect("appends");
    for step in 0..4 {
        let seen = trace(bench.store(), &full.project, trace_id(1)).await.expect("there");
        assert_eq!((&seen.spans[0].span, &seen.logs[0]), (&full, &record), "step {step}");
        if step == 1 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
}

/// The figures count each span and record once, sealed or not.
pub async fn figures_count<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let mut batch = spans([end("p", 1, 0), end("p", 2, 0), start("p", 2, 1), end("q", 2, 0)]);
    batch.logs.push(log("p", Some(1), "l", 1));
    bench.store().append(batch).await.expect("appends");
    for step in 0..3 {
        let stats = bench.store().stats().await.expect("figures");
        assert_eq!((stats.spans, stats.open_spans, stats.logs), (3, 1, 1), "step {step}");
        if step == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
}
