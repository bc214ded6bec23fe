//! `evaluate`: results, isolation, resuming, limits, with and without a server.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use aitrace::evaluate::{
    Aggregate, Case, Datapoint, EvalError, Evaluation, Evaluator, RunStatus, Stop, evaluate, evaluate_async,
};
use aitrace::{Context, Enrich, Tracer, testing};
use serde_json::{Value, json};

use crate::stub::Stub;

fn rows(count: i64) -> Vec<Value> {
    (0..count).map(|n| json!({"inputs": {"n": n}, "ground_truth": n * 2})).collect()
}

fn n(row: &Datapoint) -> i64 {
    row.inputs["n"].as_i64().expect("a number")
}

fn correct() -> Evaluator {
    Evaluator::new("correct", |case: &Case| Some(&case.outputs) == case.ground_truth.as_ref())
}

fn double() -> Evaluation {
    evaluate(|row, _| Ok::<_, String>(n(row) * 2))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn scores_status_and_metrics() {
    let folder = folder();
    let size = Evaluator::new("size", |case: &Case| {
        let size = case.outputs.as_f64().unwrap_or_default();
        (size, format!("it is {size}"))
    });
    let run =
        double().dataset(rows(6)).evaluator(correct()).evaluator(size).data_dir(folder.path()).offline();
    let result = run.name("doubling").run().expect("a result");
    assert_eq!((result.status, result.success, result.passed.len()), (RunStatus::Completed, true, 6));
    assert_eq!(result.metric("correct").and_then(|metric| metric.aggregate), Some(1.0));
    assert_eq!(result.metric("size").and_then(|metric| metric.aggregate), Some(5.0));
    assert_eq!(result.datapoints[3].explanations["size"], "it is 6");
    assert!(result.table().starts_with("doubling ("), "{}", result.table());
    assert!(result.path.starts_with(folder.path().join("runs")) && result.path.try_exists().expect("known"));
}

#[test]
fn every_span_carries_run_dataset_and_datapoint() {
    #[aitrace::trace(event_type = "tool")]
    fn inner(n: i64) -> i64 {
        assert!(aitrace::enrich_span(Enrich::new().metadata("n", n)));
        n * 2
    }
    #[expect(clippy::unnecessary_wraps, reason = "as it is called")]
    fn outer(row: &Datapoint, tracer: &Tracer) -> Result<i64, String> {
        assert!(tracer.enrich_span(Enrich::new().metadata("mine", n(row))));
        Ok(inner(n(row)))
    }
    let folder = folder();
    let tracer = Tracer::builder().project("evals").target("memory").build();
    let other = Tracer::builder().project("other").target("memory").build();
    let around = other.start_span("around");
    let run = evaluate(outer).dataset(rows(4)).dataset_id("numbers").evaluator(correct()).tracer(&tracer);
    let result = run.data_dir(folder.path()).run().expect("a result");
    assert!(result.success, "{}", result.table());
    let spans = tracer.spans();
    assert_eq!(spans.len(), 3 * 4);
    for span in &spans {
        assert_eq!(
            (span.run_id.as_deref(), span.dataset_id.as_deref()),
            (Some(&*result.run_id), Some("numbers"))
        );
        let cell =
            result.datapoints.iter().find(|cell| Some(&cell.datapoint_id) == span.datapoint_id.as_ref());
        let cell = cell.expect("a cell of this id");
        assert_eq!(cell.trace_id, Some(span.trace_id.to_string()));
        let metadata = span.metadata.as_ref().and_then(aitrace::Json::to_value).unwrap_or_default();
        match span.name.as_str() {
            "outer" => {
                assert_eq!((span.parent_span_id, &metadata["mine"]), (None, &cell.inputs["n"]));
                assert_eq!(
                    span.metrics.as_ref().map(ToString::to_string),
                    Some(r#"{"correct":true}"#.into())
                );
            }
            "inner" => assert_eq!(metadata["n"], cell.inputs["n"]),
            "correct" => assert_eq!(span.kind, aitrace::SpanKind::Evaluator),
            name => panic!("{name}"),
        }
    }
    drop(around);
    let around = &other.spans()[0];
    assert!(spans.iter().all(|span| span.trace_id != around.trace_id));
    assert!(!tracer.is_off(), "the caller's tracer stays usable");
}

#[test]
fn failures_and_panics_are_results() {
    let folder = folder();
    let run = evaluate(|row, _| match n(row) {
        1 => Err(std::fmt::Error.to_string()),
        2 => panic!("on purpose"),
        n => Ok(n * 2),
    });
    let broken = Evaluator::fallible("broken", |_: &Case| Err::<bool, _>(std::fmt::Error));
    let torn = Evaluator::new("torn", |_: &Case| -> bool { panic!("ill") });
    let run = run.dataset(rows(4)).evaluator(broken).evaluator(torn).data_dir(folder.path()).offline();
    let result = run.run().expect("a result");
    assert_eq!((result.status, result.success), (RunStatus::Completed, false));
    assert_eq!((result.passed.len(), result.failed.len()), (2, 2));
    let text = std::fmt::Error.to_string();
    assert_eq!(result.datapoints[1].error, Some(format!("Error: {text}")));
    assert_eq!(result.datapoints[2].error.as_deref(), Some("Panic: on purpose"));
    assert_eq!(result.datapoints[0].evaluator_errors["broken"], format!("Error: {text}"));
    assert_eq!(result.datapoints[0].evaluator_errors["torn"], "Panic: ill");
    let all = evaluate(|_, _| Err::<(), _>("no")).dataset(rows(2)).data_dir(folder.path()).offline();
    assert_eq!(all.run().expect("a result").status, RunStatus::Failed);
}

#[test]
fn a_failed_row_marks_its_span() {
    let folder = folder();
    let (tracer, _clock) = testing::tracer();
    let run =
        evaluate(|_, _| "x".parse::<u8>()).function_name("parse").dataset(rows(1)).tracer(&tracer).retries(1);
    run.data_dir(folder.path()).run().expect("a result");
    let expected = "parse 0ns [chain] error: invalid digit found in string {\"ground_truth\":0}\n";
    assert_eq!(testing::tree(&tracer.spans()), expected);
    let events: Vec<_> = tracer.spans()[0].events.iter().map(|event| event.name.clone()).collect();
    assert_eq!(events, ["retry", "exception"]);
}

#[test]
fn thresholds_repetitions_and_aggregates() {
    let folder = folder();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let run = evaluate(move |row, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok::<_, String>(n(row))
    });
    let large = Evaluator::new("large", |case: &Case| case.outputs.as_f64()).threshold(2.0);
    let run = run.dataset(rows(6)).evaluator(large).repetitions(2).aggregate(Aggregate::Max).max_workers(1);
    let result = run.data_dir(folder.path()).offline().run().expect("a result");
    assert_eq!((calls.load(Ordering::Relaxed), result.datapoints.len()), (12, 12));
    assert_eq!((result.failed.len(), result.metrics[0].aggregate), (2, Some(5.0)));
    assert_eq!(result.datapoints[6].repetition, 1);
}

#[test]
fn rows_run_side_by_side_and_no_more_than_allowed() {
    let folder = folder();
    let gate = Arc::new(Barrier::new(3));
    let run = evaluate(move |row, _| {
        gate.wait();
        Ok::<_, String>(n(row) * 2)
    });
    let run = run.dataset(rows(6)).max_workers(3).evaluator(correct()).data_dir(folder.path()).offline();
    assert!(run.run().expect("a result").success);
}

#[test]
fn retries_and_limits_of_time() {
    let folder = folder();
    let attempts = Arc::new(Mutex::new(BTreeMap::<i64, u32>::new()));
    let counted = attempts.clone();
    let flaky = evaluate(move |row, _| {
        let mut attempts = counted.lock().expect("not poisoned");
        let attempt = attempts.entry(n(row)).or_default();
        *attempt += 1;
        if *attempt < 3 { Err("again") } else { Ok(n(row) * 2) }
    });
    let run = flaky.dataset(rows(3)).retries(2).evaluator(correct()).data_dir(folder.path()).offline();
    assert!(run.run().expect("a result").success);
    assert!(attempts.lock().expect("not poisoned").values().all(|attempts| *attempts == 3));

    let (release, wait) = std::sync::mpsc::sync_channel::<()>(0);
    let wait = Mutex::new(wait);
    let stuck =
        evaluate(move |_, _| wait.lock().expect("not poisoned").recv().map_err(|error| error.to_string()));
    let run = stuck.dataset(rows(1)).timeout(Duration::from_millis(20)).data_dir(folder.path()).offline();
    let result = run.run().expect("a result");
    drop(release);
    assert_eq!(result.datapoints[0].error.as_deref(), Some("TimeoutError: no answer within 0.02 s"));

    let endless = evaluate_async(|_, _| std::future::pending::<Result<(), String>>());
    let run = endless.dataset(rows(3)).timeout(Duration::from_millis(20)).data_dir(folder.path()).offline();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let result = runtime.block_on(run.run_async()).expect("a result");
    assert_eq!(result.status, RunStatus::Failed);
    assert_eq!(result.datapoints[2].error.as_deref(), Some("TimeoutError: no answer within 0.02 s"));
}

#[test]
fn async_functions_run_bounded_in_the_callers_task() {
    let (running, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (inner_running, inner_most) = (running.clone(), most.clone());
    let work = move |row: Datapoint, tracer: Tracer| {
        let (running, most) = (inner_running.clone(), inner_most.clone());
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Needs the caller's runtime.
            tokio::time::sleep(Duration::ZERO).await;
            tracer.start_span(format!("step {}", n(&row))).end();
            tokio::task::yield_now().await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, String>(n(&row) * 2)
        }
    };
    let judge = Evaluator::from_async("judge", |case: Case| async move {
        tokio::task::yield_now().await;
        Ok::<_, String>(Some(case.outputs) == case.ground_truth)
    });
    let folder = folder();
    let tracer = Tracer::builder().target("memory").build();
    let run =
        evaluate_async(work).function_name("row").dataset(rows(6)).evaluator(judge).evaluator(correct());
    let run = run.max_workers(2).tracer(&tracer).data_dir(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let result = runtime.block_on(async {
        let result = run.run_async().await;
        assert_eq!(Context::current().span(), None);
        result
    });
    let result = result.expect("a result");
    assert!(result.success, "{}", result.table());
    assert_eq!(most.load(Ordering::SeqCst), 2);
    let spans = tracer.spans();
    for step in spans.iter().filter(|span| span.name.starts_with("step")) {
        let row = spans.iter().find(|span| Some(span.span_id) == step.parent_span_id).expect("a row");
        let inputs = row.inputs.as_ref().and_then(aitrace::Json::to_value).expect("inputs");
        assert_eq!((row.name.as_str(), step.name.clone()), ("row", format!("step {}", inputs["n"])));
    }
}

/// A run can be a task of its own.
#[test]
fn an_async_run_is_send() {
    fn send<T: Send>(_: &T) {}
    let run = evaluate_async(|row: Datapoint, _| async move { Ok::<_, String>(n(&row)) });
    send(&run.dataset(rows(1)).run_async());
}

#[test]
fn async_functions_run_on_threads_too_and_panics_are_failures() {
    let folder = folder();
    let run = evaluate_async(|row: Datapoint, _| async move {
        assert!(n(&row) != 1, "on purpose");
        Ok::<_, String>(n(&row) * 2)
    });
    let result = run.dataset(rows(3)).evaluator(correct()).data_dir(folder.path()).offline().run();
    let result = result.expect("a result");
    assert_eq!(result.datapoints[1].error.as_deref(), Some("Panic: on purpose"));
    assert_eq!(result.passed.len(), 2);
}

#[test]
fn a_run_resumes_where_it_stopped() {
    let folder = folder();
    let ran = Arc::new(Mutex::new(Vec::new()));
    let run = |down: bool| {
        let ran = ran.clone();
        let run = evaluate(move |row, _| {
            ran.lock().expect("not poisoned").push(n(row));
            if down && n(row) >= 4 { Err("model is down") } else { Ok(n(row) * 2) }
        });
        run.evaluator(correct()).data_dir(folder.path()).offline().max_workers(1)
    };
    let first = run(true).dataset(rows(6)).run().expect("a result");
    assert_eq!(first.failed.len(), 2);
    ran.lock().expect("not poisoned").clear();
    let second = run(false).dataset(rows(6)).resume(&first.run_id).run().expect("a result");
    assert_eq!(*ran.lock().expect("not poisoned"), [4, 5]);
    assert!(second.success && second.run_id == first.run_id && second.datapoints.len() == 6);
    let other = run(false).dataset(rows(2)).resume(&first.run_id).run();
    assert!(matches!(other, Err(EvalError::OtherDataset { .. })));
    let none = run(false).dataset(rows(2)).resume("nothing").run();
    assert!(matches!(none, Err(EvalError::NoSuchRun { .. })));
}

/// What Python has done is not done again.
#[test]
fn a_run_of_python_is_resumed() {
    let folder = folder();
    let fixtures = Path::new("../aitrace-eval/tests/fixtures");
    std::fs::create_dir(folder.path().join("runs")).expect("created");
    let there = folder.path().join("runs/python-run.jsonl");
    std::fs::copy(fixtures.join("python-run.jsonl"), there).expect("copied");
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = ran.clone();
    let run = evaluate(move |row, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok::<_, String>(n(row) * 2)
    });
    let run = run.dataset_file(fixtures.join("rows.json")).evaluator(correct()).resume("python-run");
    let result = run.data_dir(folder.path()).offline().run().expect("a result");
    assert_eq!(ran.load(Ordering::Relaxed), 1, "the row that had failed");
    assert_eq!((result.datapoints.len(), result.status), (6, RunStatus::Completed));
    assert_eq!(result.metric("correct").map(|metric| metric.values.len()), Some(6));
}

#[test]
fn a_stopped_run_is_interrupted_and_resumes() {
    let folder = folder();
    let stop = Stop::new();
    let own = stop.clone();
    let run = evaluate(move |row, _| {
        if n(row) == 1 {
            own.stop();
        }
        Ok::<_, String>(n(row) * 2)
    });
    let run = run.dataset(rows(4)).max_workers(1).stop(&stop).data_dir(folder.path()).offline();
    let result = run.run().expect("a result");
    assert_eq!((result.status, result.success, result.datapoints.len()), (RunStatus::Interrupted, false, 2));
    let resumed = double().dataset(rows(4)).resume(&result.run_id).data_dir(folder.path()).offline().run();
    assert_eq!(resumed.expect("a result").status, RunStatus::Completed);
}

#[test]
fn wrong_arguments_say_what_is_wrong() {
    let folder = folder();
    let fails = |run: Evaluation| run.data_dir(folder.path()).offline().run().expect_err("wrong").to_string();
    assert!(fails(double()).starts_with("dataset is empty"));
    assert_eq!(fails(double().dataset(rows(1)).max_workers(0)), "max_workers must be at least 1");
    assert_eq!(fails(double().dataset(rows(1)).repetitions(0)), "repetitions must be at least 1");
    let twice = double().dataset(rows(1)).evaluator(correct()).evaluator(correct());
    assert!(fails(twice).contains("share the name \"correct\""));
    assert!(fails(double().dataset(rows(1)).run_id("../x")).contains("run_id \"../x\""));
    let file = folder.path().join("a file");
    std::fs::write(&file, "").expect("written");
    let error = double().dataset(rows(1)).data_dir(&file).offline().run().expect_err("no folder").to_string();
    assert!(error.contains("set AITRACE_DATA_DIR"), "{error}");
}

#[test]
fn without_a_server_spans_stay_beside_the_run() {
    let folder = folder();
    let run = double().dataset(rows(2)).data_dir(folder.path()).server_url("http://127.0.0.1:9");
    let result = run.run().expect("a result");
    assert!(
        result.warnings[0].starts_with("no server answered at http://127.0.0.1:9"),
        "{:?}",
        result.warnings
    );
    let spans = result.path.with_file_name(format!("{}.spans.jsonl", result.run_id));
    let text = std::fs::read_to_string(spans).expect("there");
    assert_eq!(text.lines().filter(|line| line.contains("\"lifecycle\":\"end\"")).count(), 2);
}

#[test]
fn with_a_server_the_spans_go_there() {
    let (folder, stub) = (folder(), Stub::start([]));
    let run = double().dataset(rows(3)).evaluator(correct()).server_url(&stub.url).data_dir(folder.path());
    let result = run.run().expect("a result");
    assert_eq!(result.warnings, [""; 0]);
    assert_eq!(stub.spans().iter().filter(|span| span.end.is_some()).count(), 6);
    let spans = result.path.with_file_name(format!("{}.spans.jsonl", result.run_id));
    assert!(!spans.try_exists().expect("known"));
}

#[test]
fn a_thousand_rows_are_quick() {
    let folder = folder();
    let run = double().dataset(rows(1000)).evaluator(correct()).data_dir(folder.path()).offline();
    let result = run.run().expect("a result");
    assert_eq!(result.passed.len(), 1000);
    // The budget is one second in a release build; a debug build on a busy machine gets ten.
    assert!(result.duration < Duration::from_secs(10), "{:?}", result.duration);
}
