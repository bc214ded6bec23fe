//! Laws of documents.

use aitrace_model::{Json, TraceStatus};

use super::build::{end, span_id, time, trace_id};
use super::check::{everything, list, one, spans, trace};
use super::queries::{hits, skeleton_agrees};
use super::{Bench, Factory, Full};
use crate::correction::Correction;
use crate::document::DocumentStore;
use crate::error::ErrorKind;
use crate::filter::{ProjectScope, TraceFilter};
use crate::query::QueryStore;
use crate::record::{DocumentKind, DocumentQuery, DocumentWrite};
use crate::statistics::StatisticsQuery;
use crate::telemetry::TelemetryStore;
use crate::upkeep::{Deleted, Target, Upkeep};

fn write(project: &str, id: &str, at: i64, references: &[&str]) -> DocumentWrite {
    DocumentWrite {
        kind: DocumentKind::Datapoint,
        project: project.to_owned(),
        id: id.to_owned(),
        references: references.iter().map(|&reference| reference.to_owned()).collect(),
        at: time(at),
        data: Json::from_trusted(format!(r#"{{"n": {at}.50}}"#)),
        expect: None,
    }
}

/// Documents are put, found, changed, removed; all of a call or nothing; to the letter; for good.
pub async fn documents_are_kept<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let many = (0..9).map(|id| write("p", &format!("d{id}"), id / 2, &["dataset:1", &format!("n:{id}")]));
    let written = bench.store().put_documents(many.collect()).await.expect("puts");
    bench.store().put_documents(vec![write("q", "d0", 50, &["dataset:1"])]).await.expect("puts");
    let moved = write("p", "d3", 60, &["dataset:2"]);
    let moved = bench.store().put_documents(vec![moved]).await.expect("puts").remove(0);
    assert_eq!((moved.version, moved.created, moved.updated), (2, time(1), time(60)));
    let stale = DocumentWrite { expect: Some(1), ..write("p", "d3", 61, &[]) };
    let refused =
        bench.store().put_documents(vec![write("p", "new", 61, &[]), stale]).await.expect_err("stale");
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let list = DocumentWrite { data: Json::from_trusted("[]"), ..write("p", "new", 61, &[]) };
    assert_eq!(bench.store().put_documents(vec![list]).await.expect_err("list").kind(), ErrorKind::Invalid);
    for step in 0..2 {
        let store = bench.store();
        let get = async |id: &str| store.document(DocumentKind::Datapoint, "p", id).await.expect("reads");
        assert_eq!((get("d5").await.as_ref(), get("new").await), (Some(&written[5]), None), "step {step}");
        assert_eq!(store.document(DocumentKind::Run, "p", "d5").await.expect("reads"), None);
        let scope = ProjectScope::One("p".into());
        let mut query = DocumentQuery::new(DocumentKind::Datapoint, scope).by("dataset", 1);
        query.limit = 3;
        let mut ids = Vec::new();
        loop {
            let page = store.documents(&query).await.expect("lists");
            ids.extend(page.documents.into_iter().map(|document| document.id));
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        assert_eq!(ids, ["d8", "d7", "d6", "d5", "d4", "d2", "d1", "d0"], "step {step}");
        let all = DocumentQuery::new(DocumentKind::Datapoint, ProjectScope::All);
        assert_eq!(store.documents(&all).await.expect("lists").documents.len(), 10);
        assert_eq!(store.projects(&ProjectScope::All).await.expect("lists"), ["p", "q"]);
        bench.reopen().await;
    }
    let ids = ["d0".to_owned(), "d1".to_owned(), "none".to_owned()];
    for expected in [2, 0] {
        let removed = bench.store().remove_documents(DocumentKind::Datapoint, "p", &ids).await;
        assert_eq!(removed.expect("removes"), expected);
    }
    bench.reopen().await;
    let query = DocumentQuery::new(DocumentKind::Datapoint, ProjectScope::All).by("dataset", 1);
    assert_eq!(bench.store().documents(&query).await.expect("lists").documents.len(), 7);
}

/// Keys are no contents: they make no project, and stay when it is deleted.
pub async fn keys_outlive_their_project<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let key = |project| DocumentWrite { kind: DocumentKind::Key, ..write(project, "k", 1, &["hash:1"]) };
    bench.store().put_documents(vec![key("p"), key("empty")]).await.expect("puts");
    bench.store().put_documents(vec![write("p", "d", 1, &[])]).await.expect("puts");
    assert_eq!(bench.store().projects(&ProjectScope::All).await.expect("lists"), ["p"]);
    let deleted = bench.store().delete(Target::Project("p".into())).await.expect("deletes");
    assert_eq!(deleted, Deleted { documents: 1, ..Deleted::default() });
    for step in 0..2 {
        assert!(bench.store().projects(&ProjectScope::All).await.expect("lists").is_empty(), "step {step}");
        let query = DocumentQuery::new(DocumentKind::Key, ProjectScope::All).by("hash", 1);
        assert_eq!(bench.store().documents(&query).await.expect("lists").documents.len(), 2, "step {step}");
        bench.reopen().await;
    }
}

/// What is said of a span after the fact shows wherever the span is read, before or after it came.
pub async fn corrections_show<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let correction = |data: &str| Correction {
        project: "p".into(),
        span_id: span_id(1),
        at: time(5),
        data: Json::parse(data).expect("valid"),
    };
    bench.store().put_correction(correction(r#"{"metrics":{"a":1}}"#)).await.expect("puts");
    let mut span = end("p", 1, 1);
    span.metrics = Some(Json::from_trusted(r#"{"a":0,"own":1}"#));
    bench.store().append(spans([span, end("p", 1, 2), end("q", 1, 1)])).await.expect("appends");
    let late = r#"{"metrics":{"b":2},"feedback":{"good":true},"outputs":"new"}"#;
    bench.store().put_correction(correction(late)).await.expect("puts");
    for step in 0..3 {
        let seen = trace(bench.store(), "p", trace_id(1)).await.expect("there");
        let span = seen.spans.iter().find(|stored| stored.span.span_id == span_id(1)).expect("there");
        let text = |json: &Option<Json>| json.as_ref().map(|json| json.as_str().to_owned());
        assert_eq!(text(&span.span.metrics).as_deref(), Some(r#"{"a":1,"own":1,"b":2}"#), "step {step}");
        assert_eq!(text(&span.span.outputs).as_deref(), Some(r#""new""#));
        let alone = bench.store().span(&one("p"), trace_id(1), span_id(1)).await.expect("reads");
        assert_eq!(alone.as_ref(), Some(span));
        let other = trace(bench.store(), "q", trace_id(1)).await.expect("there");
        assert_eq!(other.spans[0].span.metrics, None);
        if step == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
}

/// The same in everything that looks at many spans: lists, filters, sessions, search, statistics.
pub async fn corrections_show_everywhere<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let of = |id: u64| {
        let mut span = end("p", 1, id);
        span.session_id = Some("s".into());
        span
    };
    bench.store().append(spans([of(0), of(1), end("p", 2, 0), end("q", 1, 1)])).await.expect("appends");
    bench.store().seal().await.expect("seals");
    let say = async |store: &F::Store, id, data: &str| {
        let data = Json::parse(data).expect("valid");
        let correction = Correction { project: "p".into(), span_id: span_id(id), at: time(5), data };
        store.put_correction(correction).await.expect("puts");
    };
    let amended =
        r#"{"metrics":{"score":0.25},"feedback":{"said":"well done"},"outputs":"an amended answer"}"#;
    say(bench.store(), 1, amended).await;
    for step in 0..5 {
        shows(bench.store(), "ok", 0).await;
        match step {
            0 | 3 => bench.reopen().await,
            // What comes late of a sealed span is joined with what it was, then with what was said of it.
            1 => {
                let mut late = of(1);
                late.attributes = Json::from_trusted(r#"{"late":1}"#);
                bench.store().append(spans([late])).await.expect("appends");
            }
            2 => bench.store().seal().await.expect("seals"),
            _ => bench.store().compact().await.expect("compacts"),
        }
    }
    say(bench.store(), 0, r#"{"error":{"type":"E","message":"found wrong","stacktrace":""}}"#).await;
    for step in 0..3 {
        // Span 0 of both traces has this id.
        shows(bench.store(), "error", 2).await;
        assert_eq!(hits(bench.store(), "found wrong").await.len(), 2, "step {step}");
        if step == 0 { bench.reopen().await } else { bench.store().compact().await.expect("compacts") }
    }
    let ids = [span_id(0).to_hex()];
    bench.store().remove_documents(DocumentKind::Correction, "p", &ids).await.expect("removes");
    shows(bench.store(), "ok", 0).await;
}

/// Span 1 of trace 1 is amended, trace 1 stands like this, and so many spans failed.
async fn shows(store: &impl Full, status: &str, errors: u64) {
    let texts =
        async |text: &str| hits(store, text).await.into_iter().map(|hit| hit.field).collect::<Vec<_>>();
    assert_eq!((texts("AMENDED").await, texts("well done").await), (vec!["outputs"], vec!["feedback"]));
    let old: Vec<String> = hits(store, "out 1/1").await.into_iter().map(|hit| hit.project).collect();
    assert_eq!(old, ["q"], "what was replaced is not found");
    let listed = async |text: &str| {
        let filter = TraceFilter { filter: text.parse().expect("a filter"), ..TraceFilter::default() };
        let lines = list(store, &filter, 2).await.into_iter();
        lines.map(|line| (line.project, line.trace_id)).collect::<Vec<_>>()
    };
    let only = [("p".to_owned(), trace_id(1))];
    for text in
        ["metrics.score=0.25", "feedback:done", "outputs:amended", &format!("session:s status:{status}")]
    {
        assert_eq!(listed(text).await, only, "{text}");
    }
    assert_eq!(listed("metrics.score>1").await, []);
    let failed = TraceFilter { status: Some(TraceStatus::Error), ..TraceFilter::default() };
    assert_eq!(list(store, &failed, 3).await.len() as u64, errors);
    let (sent, seen) = (everything(store, "p").await, list(store, &TraceFilter::default(), 1).await);
    assert_eq!((sent.len(), seen.len()), (2, 3));
    for trace in sent {
        let id = trace.summary.trace_id;
        skeleton_agrees(store, "p", Some(trace), id).await;
        let sent = store.sent_trace(&one("p"), id).await.expect("reads").expect("there");
        assert_eq!((sent.summary.errors, sent.summary.status), (0, TraceStatus::Ok));
        assert!(sent.spans.iter().all(|stored| stored.span.metrics.is_none()));
    }
    let session = store.session_line(&one("p"), "s").await.expect("reads").expect("there");
    assert_eq!((session.errors, session.status.as_str()), (errors / 2, status));
    let mut query = StatisticsQuery::new(time(0), time(1000));
    let count = async |query: &StatisticsQuery| {
        let rows = store.statistics(query).await.expect("counts").rows;
        (rows.iter().map(|row| row.count).sum::<u64>(), rows.iter().map(|row| row.errors).sum::<u64>())
    };
    assert_eq!(count(&query).await, (4, errors));
    query.filter = "metrics.score=0.25".parse().expect("a filter");
    assert_eq!(count(&query).await, (1, 0));
    query.filter = "status:error".parse().expect("a filter");
    assert_eq!(count(&query).await, (errors, errors));
}
