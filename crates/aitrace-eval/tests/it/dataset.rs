//! Datasets and the ids of their rows.

use std::path::Path;

use aitrace_eval::{Dataset, EvalError};
use serde_json::{Value, json};

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new("tests/fixtures").join(name)
}

/// The ids that Python gives to the same rows.
#[test]
fn ids_are_the_same_in_both_sdks() {
    let dataset = Dataset::read(&fixture("rows.json"), None).expect("a dataset");
    let ids: Vec<_> = dataset.datapoints.iter().map(|datapoint| datapoint.id.as_str()).collect();
    let expected = [
        "EXT-754261aee6181fafdf3ce49d",
        "EXT-117f5c4370ae934b6ad51567",
        "EXT-412c02b293f9e74d4ae5965e",
        "EXT-a03b8d8e43a1d191de874308",
        "own",
        "EXT-751196ef200b1ac28b848dfd",
    ];
    assert_eq!(ids, expected);
    assert_eq!(dataset.id, "EXT-9075a14e38941b1f8fc94d65");
}

#[test]
fn inputs_and_what_is_expected() {
    let rows = vec![
        json!({"inputs": {"n": 1}, "expected": 2, "note": "x"}),
        json!({"_id": 7, "n": 1, "ground_truths": [1], "ground_truth": null}),
    ];
    let dataset = Dataset::new(rows, Some("own")).expect("a dataset");
    let [first, second] = &dataset.datapoints[..] else { panic!("two rows") };
    assert_eq!((&first.inputs, &first.ground_truth), (&json!({"n": 1}), &Some(json!(2))));
    assert_eq!((second.id.as_str(), &second.inputs), ("7", &json!({"n": 1})));
    assert_eq!((&second.ground_truth, dataset.id.as_str()), (&Some(json!([1])), "own"));
}

#[test]
fn equal_rows_stay_two() {
    let rows = vec![json!({"n": 1}), json!({"n": 1})];
    let dataset = Dataset::new(rows, None).expect("a dataset");
    assert_ne!(dataset.datapoints[0].id, dataset.datapoints[1].id);
}

#[test]
fn what_is_wrong_is_said() {
    let fails = |rows: Value| {
        let rows = rows.as_array().cloned().expect("an array");
        Dataset::new(rows, None).expect_err("wrong").to_string()
    };
    assert!(matches!(Dataset::new(vec![], None), Err(EvalError::EmptyDataset)));
    assert!(fails(json!([{"n": 1}, "x"])).starts_with("dataset row 1 is a string, not an object"));
    assert_eq!(fails(json!([{"id": 1}, {"id": "1"}])), "dataset rows 0 and 1 share the id \"1\"");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows.jsonl");
    std::fs::write(&path, "{\"a\": 1}\n\n{oops\n").expect("written");
    let error = Dataset::read(&path, None).expect_err("torn").to_string();
    assert!(error.contains("rows.jsonl:3: "), "{error}");
    let error = Dataset::read(&folder.path().join("none.json"), None).expect_err("missing").to_string();
    assert!(error.contains("none.json: "), "{error}");
}

#[test]
fn lines_and_arrays_are_the_same_dataset() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string(fixture("rows.json")).expect("the fixture");
    let rows: Vec<Value> = serde_json::from_str(&text).expect("rows");
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect::<Vec<_>>().concat();
    let path = folder.path().join("rows.jsonl");
    std::fs::write(&path, lines).expect("written");
    let (one, two) = (Dataset::read(&path, None), Dataset::new(rows, None));
    assert_eq!(one.expect("a dataset"), two.expect("a dataset"));
}
