//! Laws of documents.

use aitrace_model::Json;

use super::build::{end, span_id, time, trace_id};
use super::check::{one, spans, trace};
use super::{Bench, Factory};
use crate::correction::Correction;
use crate::document::DocumentStore;
use crate::error::ErrorKind;
use crate::filter::ProjectScope;
use crate::query::QueryStore;
use crate::record::{DocumentKind, DocumentQuery, DocumentWrite};
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
