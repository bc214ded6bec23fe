//! Laws of writing.

use aitrace_model::{SpanState, Status, TraceStatus};

use super::build::{end, heartbeat, log, span_id, start, tentative, time, trace_id};
use super::check::{everything, list, spans, trace};
use super::{Bench, Factory};
use crate::change::{Change, LostSpan};
use crate::error::ErrorKind;
use crate::filter::TraceFilter;
use crate::query::QueryStore;
use crate::telemetry::{Appended, Batch, TelemetryStore};

/// What `append` returned is there, also after a crash and after sealing.
pub async fn appended_is_visible<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    for number in 0..20 {
        let appended = bench.store().append(spans([end("p", number, 0), end("p", number, 1)])).await;
        assert_eq!(appended.expect("appends"), Appended { stored: 2, duplicates: 0 });
        let seen = trace(bench.store(), "p", trace_id(number)).await.expect("is visible");
        assert_eq!(seen.spans.len(), 2);
    }
    let before = everything(bench.store(), "p").await;
    assert_eq!(before.len(), 20);
    bench.reopen().await;
    assert_eq!(everything(bench.store(), "p").await, before, "after a crash");
    bench.store().seal().await.expect("seals");
    assert_eq!(everything(bench.store(), "p").await, before, "after sealing");
    bench.reopen().await;
    assert_eq!(everything(bench.store(), "p").await, before, "after sealing and a crash");
    assert!(trace(bench.store(), "p", trace_id(99)).await.is_none());
}

/// A batch sent again changes nothing, whatever happened in between.
pub async fn resending_changes_nothing<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    bench.clock.set(time(20));
    let mut batch = spans((0..10).flat_map(|id| [start("p", 1, id), end("p", 1, id)]));
    batch.spans.push(start("p", 1, 10));
    batch.logs = vec![log("p", Some(1), "a", 3), log("p", None, "loose", 4)];
    bench.store().append(batch.clone()).await.expect("appends");
    let before = everything(bench.store(), "p").await;
    let figures = bench.store().stats().await.expect("figures");
    for step in ["at once", "after sealing", "after a crash", "after both"] {
        match step {
            "after sealing" => bench.store().seal().await.expect("seals"),
            "after a crash" => bench.reopen().await,
            "after both" => {
                bench.store().seal().await.expect("seals");
                bench.reopen().await;
            }
            _ => {}
        }
        let mut again = batch.clone();
        again.spans.iter_mut().for_each(|span| span.received = time(50));
        let appended = bench.store().append(again).await.expect("appends");
        assert_eq!(appended, Appended { stored: 0, duplicates: 23 }, "{step}");
        assert_eq!(everything(bench.store(), "p").await, before, "{step}");
        let now = bench.store().stats().await.expect("figures");
        let counts = |stats: crate::StoreStats| (stats.spans, stats.open_spans, stats.logs);
        assert_eq!(counts(now), counts(figures), "{step}");
    }
}

/// Whatever the order and the batches, the same is read in the end.
pub async fn order_does_not_matter<F: Factory>(factory: &F) {
    let mut failed = end("p", 1, 2);
    (failed.status, failed.cost) = (Some(Status::Error), Some(0.1));
    let messages = [
        start("p", 1, 0),
        start("p", 1, 1),
        heartbeat("p", 1, 1, 30),
        end("p", 1, 1),
        failed,
        end("p", 1, 0),
    ];
    let mut seen = Vec::new();
    for (shift, sealing) in (0..messages.len()).flat_map(|shift| [(shift, false), (shift, true)]) {
        let bench = Bench::new(factory).await;
        bench.clock.set(time(40));
        for step in 0..messages.len() {
            // 5 and 6 share no divisor, so each message comes once.
            let message = messages[(shift + step * 5) % messages.len()].clone();
            bench.store().append(spans([message])).await.expect("appends");
            if sealing {
                bench.store().seal().await.expect("seals");
            }
        }
        seen.push(everything(bench.store(), "p").await);
    }
    assert_eq!(seen[0].len(), 1);
    for other in &seen {
        assert_eq!(*other, seen[0]);
    }
}

/// A span runs from its start and is over with its end, with what both said.
pub async fn lifecycle_of_a_span<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    bench.store().append(spans([start("p", 1, 0)])).await.expect("appends");
    bench.clock.set(time(5));
    let running = trace(bench.store(), "p", trace_id(1)).await.expect("is visible");
    assert_eq!((running.summary.status, running.summary.end), (TraceStatus::Running, None));
    assert_eq!(running.spans[0].status, TraceStatus::Running);
    bench.store().seal().await.expect("seals");
    bench.reopen().await;
    assert_eq!(trace(bench.store(), "p", trace_id(1)).await, Some(running), "an open span outlives a crash");
    let mut ending = end("p", 1, 0);
    (ending.inputs, ending.status) = (None, Some(Status::Ok));
    bench.store().append(spans([ending])).await.expect("appends");
    for step in 0..3 {
        let ended = trace(bench.store(), "p", trace_id(1)).await.expect("is visible");
        assert_eq!((ended.summary.status, ended.spans.len()), (TraceStatus::Ok, 1), "step {step}");
        let span = &ended.spans[0].span;
        assert_eq!(span.inputs, start("p", 1, 0).inputs, "the start's inputs are kept");
        assert_eq!(span.outputs, end("p", 1, 0).outputs);
        if step == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
}

/// Silence makes an open span lost, each by its sender's habit; an end still ends it.
pub async fn lost_spans_and_late_ends<F: Factory>(factory: &F) {
    let bench = Bench::new(factory).await;
    let status = async |id| trace(bench.store(), "p", trace_id(id)).await.expect("there").summary.status;
    let batch = spans([start("p", 1, 0), start("p", 2, 0), heartbeat("p", 2, 0, 30), end("p", 1, 1)]);
    bench.store().append(batch).await.expect("appends");
    bench.store().seal().await.expect("seals");
    // Trace 1 was last heard of at 11 s, span 2/0 at 30 s.
    for (now, first, second) in [
        (89, TraceStatus::Running, TraceStatus::Running),
        (90, TraceStatus::Running, TraceStatus::Lost),
        (910, TraceStatus::Running, TraceStatus::Lost),
        (911, TraceStatus::Lost, TraceStatus::Lost),
    ] {
        bench.clock.set(time(now));
        assert_eq!((status(1).await, status(2).await), (first, second), "at {now} s");
        let filter = TraceFilter { status: Some(TraceStatus::Lost), ..TraceFilter::default() };
        let lost = [first, second].iter().filter(|status| **status == TraceStatus::Lost).count();
        assert_eq!(list(bench.store(), &filter, 10).await.len(), lost, "listed at {now} s");
    }
    bench.store().append(spans([end("p", 1, 0), end("p", 2, 0)])).await.expect("appends");
    assert_eq!((status(1).await, status(2).await), (TraceStatus::Ok, TraceStatus::Ok));
}

/// Each loss is found once, in the span of time in which the silence became too long, and not where the span was
/// heard of again or has ended.
pub async fn losses_are_found_once<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let batch = spans([start("p", 1, 0), end("p", 1, 1), heartbeat("p", 2, 0, 30), heartbeat("q", 2, 1, 40)]);
    bench.store().append(batch).await.expect("appends");
    let lost = async |store: &F::Store, after, until| {
        let found = store.became_lost(time(after), time(until)).await.expect("reads");
        let mut names: Vec<_> = found
            .iter()
            .map(|LostSpan { stored, line }| {
                assert_eq!((stored.status, line.status), (TraceStatus::Lost, TraceStatus::Lost));
                assert_eq!((line.trace_id, &line.project), (stored.span.trace_id, &stored.span.project));
                format!("{} {}", stored.span.project, stored.span.name)
            })
            .collect();
        names.sort();
        names
    };
    for step in 0..3 {
        let (mut after, mut all) = (0, Vec::new());
        for until in [50, 89, 90, 95, 100, 101, 910, 911, 1000] {
            bench.clock.set(time(until));
            all.extend(lost(bench.store(), after, until).await.into_iter().map(|name| (until, name)));
            after = until;
        }
        let expected = [(90, "p span 0"), (100, "q span 1"), (911, "p span 0")];
        assert_eq!(all, expected.map(|(at, name)| (at, name.to_owned())), "step {step}");
        // Memory does not forget what is open and not silent for long.
        bench.clock.set(time(50));
        if step == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
    bench.store().append(spans([heartbeat("p", 2, 0, 80), end("q", 2, 1)])).await.expect("appends");
    assert_eq!(lost(bench.store(), 50, 139).await, Vec::<String>::new());
    assert_eq!(lost(bench.store(), 139, 140).await, ["p span 0"]);
    assert_eq!(lost(bench.store(), 140, 10_000).await, ["p span 0"], "of the other trace");
}

/// An end told by its suffix alone is a log record until a span of its name is known.
pub async fn tentative_ends<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    bench.store().append(spans([tentative("p", 1, 0)])).await.expect("appends");
    let expected = tentative("p", 1, 0).tentative.map(|log| *log);
    for step in 0..3 {
        let seen = trace(bench.store(), "p", trace_id(1)).await.expect("is visible");
        assert_eq!((seen.spans.len(), seen.logs.first()), (0, expected.as_ref()), "step {step}");
        if step == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
    bench.store().append(spans([start("p", 1, 0), tentative("p", 1, 0)])).await.expect("appends");
    for step in 0..3 {
        let seen = trace(bench.store(), "p", trace_id(1)).await.expect("is visible");
        assert_eq!((seen.spans.len(), seen.logs.len()), (1, 0), "step {step}");
        assert_eq!(seen.spans[0].status, TraceStatus::Ok);
        if step == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
}

/// The same ids in two projects are different things.
pub async fn projects_never_meet<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let mut batch = spans([end("a", 1, 0), end("b", 1, 0), start("b", 1, 1)]);
    batch.logs = vec![log("a", Some(1), "same", 1), log("b", Some(1), "same", 1), log("a", None, "x", 1)];
    bench.store().append(batch).await.expect("appends");
    for step in 0..3 {
        let (a, b) = (everything(bench.store(), "a").await, everything(bench.store(), "b").await);
        assert_eq!((a.len(), a[0].spans.len(), a[0].logs.len()), (1, 1, 1), "step {step}");
        assert_eq!((b.len(), b[0].spans.len(), b[0].logs.len()), (1, 2, 1), "step {step}");
        assert_eq!(list(bench.store(), &TraceFilter::default(), 1).await.len(), 2, "step {step}");
        assert!(everything(bench.store(), "c").await.is_empty());
        if step == 0 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
    }
}

/// Messages that come after their span was sealed are joined with it, for all readers, for good.
pub async fn late_messages_reach_sealed_spans<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    let (mut first, mut second) = (end("p", 1, 0), end("p", 1, 0));
    (first.inputs, first.parent_span_id) = (None, None);
    (second.end, second.cost) = (second.end.map(|end| end.saturating_add(7)), Some(4.0));
    let beginning = start("p", 1, 0);
    let mut state = SpanState::new(first.clone());
    bench.store().append(spans([first, end("p", 1, 1)])).await.expect("appends");
    for late in [beginning, second] {
        bench.store().seal().await.expect("seals");
        state.join(late.clone());
        let appended = bench.store().append(spans([late])).await.expect("appends");
        assert_eq!(appended, Appended { stored: 1, duplicates: 0 });
        for step in 0..4 {
            let seen = everything(bench.store(), "p").await;
            let span = seen[0].spans.iter().find(|stored| stored.span.span_id == span_id(0));
            assert_eq!(span.map(|stored| &stored.span), state.merged().as_ref(), "step {step}");
            assert_eq!(seen[0].spans.len(), 2, "step {step}");
            assert_eq!(bench.store().stats().await.expect("figures").spans, 2, "step {step}");
            if step == 1 { bench.store().seal().await.expect("seals") } else { bench.reopen().await }
        }
    }
}

/// Subscribers hear of starts, ends, log records and the trace's line, once each.
pub async fn changes_are_told<F: Factory>(factory: &F) {
    let bench = Bench::new(factory).await;
    let mut changes = bench.store().subscribe();
    let mut batch = spans([start("p", 1, 0), end("p", 1, 1)]);
    batch.logs.push(log("p", Some(1), "l", 1));
    bench.store().append(batch.clone()).await.expect("appends");
    bench.store().append(batch).await.expect("appends");
    bench.store().append(spans([end("p", 1, 0)])).await.expect("appends");
    let mut heard = Vec::new();
    while let Ok(change) = changes.try_recv() {
        assert_eq!(change.project(), "p");
        heard.push(match change {
            Change::SpanStarted(stored) => format!("start {}", stored.span.name),
            Change::SpanEnded(stored) => format!("end {}", stored.span.name),
            Change::SpanTold(stored) => format!("told {}", stored.span.name),
            Change::Log(log) => format!("log {}", log.id),
            Change::TraceUpdated(line) => format!("trace {} {}", line.spans, line.status),
        });
    }
    let expected = ["start span 0", "end span 1", "log l", "trace 2 running", "end span 0", "trace 2 ok"];
    assert_eq!(heard, expected);
}

/// A store that was shut down says so; what it held is there afterwards.
pub async fn closed_after_shutdown<F: Factory>(factory: &F) {
    let mut bench = Bench::new(factory).await;
    bench.store().append(spans([end("p", 1, 0)])).await.expect("appends");
    bench.store().shutdown().await.expect("shuts down");
    let refused = bench.store().append(Batch::default()).await.expect_err("closed");
    assert_eq!(refused.kind(), ErrorKind::Closed);
    assert_eq!(bench.store().seal().await.expect_err("closed").kind(), ErrorKind::Closed);
    bench.reopen().await;
}
