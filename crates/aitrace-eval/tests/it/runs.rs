//! Run files, results and tables.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aitrace_eval::{
    Aggregate, DatapointResult, EvalError, EvaluationResult, Judgement, RunFile, RunStatus, Score,
    ScoreValue, Started, list_runs, summarise,
};
use aitrace_model::{Clock, ManualClock, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(Timestamp::from_nanos(1_767_225_600_000_000_000)))
}

fn fixtures() -> PathBuf {
    PathBuf::from("tests/fixtures")
}

fn cell(id: &str, repetition: u32, score: Option<ScoreValue>) -> DatapointResult {
    DatapointResult {
        datapoint_id: id.to_owned(),
        repetition,
        inputs: json!({"n": 1}),
        ground_truth: Value::Null,
        outputs: json!("é\n"),
        error: None,
        passed: score.as_ref().is_none_or(|score| score.passes(None)),
        scores: BTreeMap::from([("correct".to_owned(), score)]),
        explanations: BTreeMap::new(),
        evaluator_errors: BTreeMap::new(),
        duration_ms: 1.5,
        trace_id: None,
    }
}

/// A run that Python wrote.
#[test]
fn a_run_of_python_is_read() {
    let file = RunFile::new("python-run", &fixtures(), clock()).expect("a name");
    let info = file.info().expect("readable").expect("a run");
    assert_eq!((info.name.as_str(), info.status.as_deref()), ("doubling", Some("completed")));
    assert_eq!((info.cells, info.finished), (6, 5));
    let done = file.resume("EXT-9075a14e38941b1f8fc94d65").expect("the same dataset");
    let own = &done[&("own".to_owned(), 0)];
    assert_eq!((&own.outputs, own.passed), (&json!(8), true));
    assert_eq!(own.scores["size"], Some(ScoreValue::Number(8.0)));
    assert_eq!(own.explanations["size"], "it is 8");
    assert_eq!(own.evaluator_errors["broken"], "RuntimeError: judge is ill");
    assert!(!done.contains_key(&("EXT-a03b8d8e43a1d191de874308".to_owned(), 0)), "it failed: it runs again");
    assert_eq!(list_runs(&fixtures(), &clock()).expect("readable"), [info]);
}

/// Written here, a line has the members that Python writes, in the same order.
#[test]
fn lines_are_those_of_python() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut file = RunFile::new("r", folder.path(), clock()).expect("a name");
    file.open().expect("opened");
    file.started(&Started::default()).expect("written");
    file.finished(&cell("a", 0, None)).expect("written");
    file.ended(RunStatus::Completed, 0.5).expect("written");
    let keys = |path: &Path| -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(path).expect("readable");
        let mut seen: Vec<Vec<String>> = Vec::new();
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let names =
                |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
            let inner = record.get("cell").map(names).unwrap_or_default();
            let all = [names(&record), names(&record["__tracer_meta__"]), inner].concat();
            if !seen.contains(&all) {
                seen.push(all);
            }
        }
        seen
    };
    assert_eq!(keys(file.path()), keys(&fixtures().join("python-run.jsonl")));
}

#[test]
fn the_last_word_about_a_cell_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut file = RunFile::new("run", folder.path(), clock()).expect("a name");
    assert!(matches!(file.resume("d"), Err(EvalError::NoSuchRun { .. })));
    file.open().expect("opened");
    file.started(&Started { dataset_id: "d".to_owned(), cells: 3, ..Started::default() }).expect("written");
    for cell in [cell("a", 0, None), cell("b", 0, Some(false.into())), cell("a", 1, None)] {
        file.finished(&cell).expect("written");
    }
    file.finished(&DatapointResult { error: Some("E: no".to_owned()), ..cell("a", 0, None) })
        .expect("written");
    let done = file.done().expect("readable");
    assert_eq!(done.into_keys().collect::<Vec<_>>(), [("a".to_owned(), 1), ("b".to_owned(), 0)]);
    let other = file.resume("other").expect_err("another dataset").to_string();
    assert!(other.contains("was started over dataset \"d\", not \"other\""), "{other}");
    assert_eq!(file.info().expect("readable").expect("a run").status, None, "it still runs");
}

#[test]
fn a_torn_line_costs_only_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut file = RunFile::new("run", folder.path(), clock()).expect("a name");
    file.open().expect("opened");
    file.finished(&cell("a", 0, None)).expect("written");
    let mut raw = std::fs::OpenOptions::new().append(true).open(file.path()).expect("opened");
    raw.write_all(b"{\"cell\": {\"datapoint_id\": \"tor").expect("written");
    file.open().expect("opened again");
    file.finished(&cell("b", 0, None)).expect("written");
    assert_eq!(file.done().expect("readable").len(), 2);
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    for bad in ["", "../x", ".hidden", "a/b", "a b", &"x".repeat(129)] {
        assert!(RunFile::new(bad, Path::new("."), clock()).is_err(), "{bad}");
    }
}

#[test]
fn metrics_and_outcomes() {
    let cells = [
        cell("a", 0, Some(true.into())),
        cell("b", 0, Some(2.into())),
        cell("a", 1, Some(false.into())),
        cell("b", 1, None),
        cell("c", 0, Some("word".into())),
    ];
    let summary = summarise(&cells, &["correct".to_owned(), "none".to_owned()], &Aggregate::Average);
    assert_eq!(
        (summary.passed, summary.failed),
        (vec!["b".to_owned(), "c".to_owned()], vec!["a".to_owned()])
    );
    assert_eq!(summary.metrics[0].aggregate, Some(1.0));
    assert_eq!(summary.metrics[0].values.len(), 5);
    assert_eq!(summary.metrics[1].aggregate, None);
    for (name, expected) in [("median", 2.0), ("min", -1.0), ("max", 5.0), ("sum", 6.0), ("mean", 2.0)] {
        let aggregate: Aggregate = name.parse().expect("known");
        assert_eq!(aggregate.of(&[5.0, -1.0, 2.0]), Some(expected), "{name}");
    }
    assert!("mode".parse::<Aggregate>().is_err());
    assert_eq!(Aggregate::Custom(Arc::new(|numbers| numbers[0])).of(&[7.0]), Some(7.0));
}

#[test]
fn thresholds_and_failures_of_evaluators() {
    assert!(!Score::new("e", 0.5.into(), Some(0.6)).passed);
    assert!(Score::new("e", 0.5.into(), Some(0.5)).passed);
    assert!(!Score::new("e", false.into(), None).passed);
    assert!(Score::new("e", "bad".into(), Some(1.0)).passed);
    assert!(Score::new("e", Judgement::default(), Some(1.0)).passed);
    assert_eq!(Score::failed("e", "E: ill".to_owned()).value, None);
    assert_eq!(serde_json::to_string(&ScoreValue::Number(f64::NAN)).expect("JSON"), "\"nan\"");
}

#[test]
fn the_table() {
    let cells = vec![
        cell("a", 0, Some(true.into())),
        cell("b", 0, Some(false.into())),
        DatapointResult { error: Some("E: no\nmore".into()), passed: false, ..cell("c", 0, None) },
    ];
    let summary = summarise(&cells, &["correct".to_owned()], &Aggregate::Average);
    let result = EvaluationResult {
        run_id: "r1".to_owned(),
        name: "demo".to_owned(),
        dataset_id: "d".to_owned(),
        status: RunStatus::Completed,
        success: false,
        passed: summary.passed,
        failed: summary.failed,
        metrics: summary.metrics,
        datapoints: cells,
        duration: Duration::from_millis(1234),
        path: "r1.jsonl".into(),
        warnings: vec!["careful".to_owned()],
    };
    let expected = "demo (r1) completed: 1 passed, 2 failed, 1.23 s\n\
        +---------+-----------+--------+---------+\n\
        | metric  | aggregate | scored | missing |\n\
        +---------+-----------+--------+---------+\n\
        | correct | 0.5       | 2      | 1       |\n\
        +---------+-----------+--------+---------+\n\
        failed rows:\n  b  correct=false\n  c  E: no\nnote: careful\n";
    assert_eq!(result.table(), expected);
    let json = result.to_json();
    assert_eq!(
        (&json["status"], &json["metrics"]["correct"]["aggregate"]),
        (&json!("completed"), &json!(0.5))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// What is written is read: each cell as it was said last, in whatever order.
    #[test]
    fn written_cells_are_read(
        said in prop::collection::vec(("[a-c]", 0_u32..3, any::<bool>(), ".{0,20}", any::<i64>()), 0..20),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = RunFile::new("run", folder.path(), clock()).expect("a name");
        file.open().expect("opened");
        let mut expected = BTreeMap::new();
        for (id, repetition, failed, text, number) in said {
            let mut cell = cell(&id, repetition, Some(ScoreValue::Int(number)));
            cell.outputs = json!(text);
            cell.error = failed.then(|| format!("E: {text}"));
            file.finished(&cell).expect("written");
            if failed {
                expected.remove(&cell.key());
            } else {
                expected.insert(cell.key(), cell);
            }
        }
        prop_assert_eq!(file.done().expect("readable"), expected);
    }
}
