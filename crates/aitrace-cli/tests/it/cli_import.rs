//! `aitrace import` and `aitrace convert`.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Home, span, trace_id};

#[test]
fn good_records_are_kept_and_bad_ones_are_named_by_file_and_line() {
    let home = Home::new();
    let server = home.serve();
    let good = span('a', '1', None, "root", &json!({}));
    let child = span('a', '2', Some('1'), "child", &json!({}));
    let mixed = home.file(
        "mixed.jsonl",
        &format!(
            "{good}\n\n{{\"event\": \"old\"}}\nno json\n{child}\n{}",
            r#"{"__tracer_meta__":{"event":"x"}}"#
        ),
    );
    let done = home.aitrace(&["import", mixed.to_str().unwrap(), "--server", &server.url]).expect(1);
    assert_eq!(done.stdout, "2 imported, 3 rejected\n");
    let at = |line: u32| format!("{}:{line}: ", mixed.display());
    let lines: Vec<&str> = done.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", done.stderr);
    assert!(lines[0].starts_with(&at(3)) && lines[0].contains("aitrace convert"), "{}", lines[0]);
    assert!(lines[1].starts_with(&at(4)) && lines[1].contains("JSON"), "{}", lines[1]);
    assert!(lines[2].starts_with(&at(6)) && lines[2].contains("timestamp"), "{}", lines[2]);
    let trace = home.aitrace(&["trace", &trace_id('a'), "--json", "--server", &server.url]).expect(0).json();
    assert_eq!(trace["trace"]["spans"], 2);
}

#[test]
fn again_changes_nothing_and_stdin_is_a_file() {
    let home = Home::new();
    let server = home.serve();
    let records = span('b', '1', None, "root", &json!({})) + "\n";
    for _ in 0..2 {
        let done = home.aitrace_with(&["import", "-", "--json", "--server", &server.url], &records).expect(0);
        assert_eq!(done.json(), json!({"ingested": 1, "rejected": [], "rejected_total": 0}));
        assert_eq!(done.stderr, "");
    }
    let list = home.aitrace(&["traces", "--json", "--server", &server.url]).expect(0).json();
    assert_eq!(list["traces"].as_array().unwrap().len(), 1);
    assert_eq!(list["traces"][0]["spans"], 1);
}

#[test]
fn many_batches_arrive_and_a_file_of_format_1_is_not_told_line_by_line() {
    let home = Home::new();
    let server = home.serve();
    let records: String = (0..9000)
        .map(|number| {
            let id = format!("{:016x}", number + 1);
            span('c', '1', None, "n", &json!({"span_id": id, "id": id})) + "\n"
        })
        .collect();
    let file = home.file("many.jsonl", &records);
    let done = home.aitrace(&["import", file.to_str().unwrap(), "--server", &server.url]).expect(0);
    assert_eq!(done.stdout, "9000 imported, 0 rejected\n");
    let old = home.file("old.jsonl", &"{\"event\":\"x\"}\n".repeat(9000));
    let done = home.aitrace(&["import", old.to_str().unwrap(), "--server", &server.url]).expect(1);
    assert_eq!(done.stdout, "0 imported, 9000 rejected\n");
    assert_eq!(done.stderr.lines().count(), 101, "100 by name and one line about the others");
    assert!(done.stderr.ends_with("and 8900 more were rejected\n"), "{}", done.stderr);
}

#[test]
fn a_file_that_is_not_there_is_the_surroundings_fault() {
    let home = Home::new();
    let server = home.serve();
    let done = home.aitrace(&["import", "absent.jsonl", "--server", &server.url]).expect(2);
    assert!(done.stderr.contains("absent.jsonl"), "{}", done.stderr);
    home.aitrace(&["convert", "absent.jsonl"]).expect(2);
}

const OLD: &str =
    r#"{"timestamp":"2024-05-01T10:00:00Z","event":"plan.start","trace_id":"t1","span_id":"s1","order":7}"#;

#[test]
fn format_1_becomes_format_2_which_imports() {
    let home = Home::new();
    let old = home.file("old.jsonl", &format!("{OLD}\n[1]\n"));
    let done = home.aitrace(&["convert", old.to_str().unwrap()]).expect(1);
    let record: Value = serde_json::from_str(done.stdout.trim_end()).unwrap();
    assert_eq!(record["order"], 7);
    assert_eq!(record["__tracer_meta__"]["lifecycle"], "start");
    assert!(record.get("timestamp").is_none());
    assert!(done.stderr.contains("old.jsonl:2: "), "{}", done.stderr);
    assert!(done.stderr.ends_with("1 converted, 1 rejected\n"), "{}", done.stderr);

    // Standard input to a file, which may be the input's own; with the timestamp for old readers.
    let done =
        home.aitrace(&["convert", "old.jsonl", "-o", "old.jsonl", "--json", "--compat-mode"]).expect(1);
    assert_eq!(done.json(), json!({"converted": 1, "rejected": 1}));
    let text = fs::read_to_string(&old).unwrap();
    assert!(text.starts_with(r#"{"timestamp":"2024-05-01T10:00:00.000000Z","#), "{text}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "no file is left beside it");

    let done = home.aitrace_with(&["convert"], &text).expect(0);
    assert_eq!(done.stdout.lines().count(), 1);
    let server = home.serve();
    home.aitrace_with(&["import", "-", "--server", &server.url], &done.stdout).expect(0);
}
