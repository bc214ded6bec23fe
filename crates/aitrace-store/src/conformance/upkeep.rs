//! Laws of deleting and tidying.

use aitrace_model::{Json, TraceId};

use super::build::{end, log, start, time, trace_id};
use super::check::{everything, list, spans, trace};
use super::queries::{all_sessions, hits};
use super::{Bench, Factory};
use crate::document::{DocumentStore, SessionPatch};
use crate::filter::{ProjectScope, TraceFilter};
use crate::query::QueryStore;
use crate::statistics::StatisticsQuery;
use crate::telemetry::{Batch, TelemetryStore};
use crate::upkeep::{Deleted, Target, Upkeep};

fn one_trace(project: &str, number: u64) -> Batch {
    let mut whole = spans([end(project, number, 0), end(project, number, 1), start(project, number, 2)]);
    for span in &mut whole.spans {
        span.session_id = Some(format!("s{}", number % 2));
        span.metadata = Some(Json::string(&format!("canary {project}/{number}")));
    }
    whole.logs = vec![log(project, Some(number), &format!("l{number}"), 1)];
    whole
}

async fn counts<F: Factory>(bench: &Bench<'_, F>) -> (usize, usize, u64, u64) {
    let lines = list(bench.store(), &TraceFilter::default(), 5).await;
    let found = hits(bench.store(), "canary").await.len();
    let query = StatisticsQuery::new(time(0), time(1000));
    let counted = bench.store().statistics(&query).await.expect("counts").rows;
    let stats = bench.store().stats().await.expect("figures");
    assert_eq!(stats.spans, counted.iter().map(|row| row.count).sum::<u64>());
    (lines.len(), found, stats.spans + stats.open_spans, stats.logs)
}

/// What was deleted is nowhere to be seen, at once, for good, and only that; what comes later is new.
pub async fn deletes_delete<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    for number in 0..6 {
        for project in ["p", "q"] {
            bench.store().append(one_trace(project, number)).await.expect("appends");
        }
        if number == 2 {
            bench.store().seal().await.expect("seals");
        }
    }
    let mut loose = Batch::default();
    loose.logs.push(log("p", None, "loose", 1));
    bench.store().append(loose).await.expect("appends");
    let patch =
        SessionPatch { project: "p".into(), session_id: "s1".into(), name: None, at: time(1), data: None };
    bench.store().put_session(patch).await.expect("puts");
    assert_eq!(counts(&bench).await, (12, 36, 36, 13));
    let target = |number: u64| Target::Trace { project: "p".into(), trace_id: trace_id(number) };
    let session = Target::Session { project: "p".into(), session_id: "s1".into() };
    let one = Deleted { traces: 1, spans: 3, logs: 1, ..Deleted::default() };
    let two = Deleted { traces: 2, spans: 6, logs: 2, sessions: 1, ..Deleted::default() };
    let rest = Deleted { traces: 2, spans: 6, logs: 3, ..Deleted::default() };
    let steps = [
        (target(0), one, (11, 33, 33, 12)),
        (target(5), one, (10, 30, 30, 11)),
        (session, two, (8, 24, 24, 9)),
        (Target::Project("p".into()), rest, (6, 18, 18, 6)),
    ];
    for (target, expected, left) in steps {
        assert_eq!(bench.store().delete(target.clone()).await.expect("deletes"), expected, "{target:?}");
        assert_eq!(bench.store().delete(target.clone()).await.expect("deletes"), Deleted::default());
        for step in 0..4 {
            assert_eq!(counts(&bench).await, left, "{target:?}, step {step}");
            match step {
                1 => bench.store().seal().await.expect("seals"),
                2 => bench.store().compact().await.expect("compacts"),
                _ => bench.reopen().await,
            }
        }
    }
    assert_eq!(bench.store().projects(&ProjectScope::All).await.expect("lists"), ["q"]);
    assert!(all_sessions(bench.store(), 9).await.iter().all(|line| line.project == "q"));
    // What is sent again is taken as new.
    let again = bench.store().append(one_trace("p", 0)).await.expect("appends");
    assert_eq!((again.stored, again.duplicates), (4, 0));
    for step in 0..3 {
        let back = trace(bench.store(), "p", trace_id(0)).await.expect("there");
        assert_eq!((back.spans.len(), back.logs.len()), (3, 1), "step {step}");
        assert_eq!(counts(&bench).await, (7, 21, 21, 7), "step {step}");
        if step == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
}

/// Merging files changes nothing that a reader sees, also where spans were spoken of again after a seal.
pub async fn compaction_changes_nothing<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    bench.clock.set(time(30));
    for number in 0..12 {
        let mut batch = one_trace("p", number % 5);
        batch.spans.push(end("p", number % 5, 3 + number));
        batch.logs.push(log("p", Some(number % 5), &format!("more {number}"), 2));
        // Spoken of again, with another end.
        batch.spans[1].end = Some(time(20 + number as i64));
        bench.store().append(batch).await.expect("appends");
        bench.store().seal().await.expect("seals");
        let (before, figures) = (everything(bench.store(), "p").await, counts(&bench).await);
        if number % 3 == 2 {
            bench.store().compact().await.expect("compacts");
            assert_eq!(everything(bench.store(), "p").await, before, "batch {number}");
            assert_eq!(counts(&bench).await, figures, "batch {number}");
            bench.reopen().await;
            assert_eq!(everything(bench.store(), "p").await, before, "batch {number}, reopened");
        }
    }
    let gone = TraceId::from_bytes([9; 16]).expect("not zero");
    assert!(trace(bench.store(), "p", gone).await.is_none());
}
