//! `aitrace tail`, `aitrace run` and `aitrace demo`.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{AITRACE, Home, nowhere, signal, span, trace_id};

/// Starts `tail`, imports what `records` says, and returns the first lines of its stdout.
fn tail(args: &[&str], records: &str, lines: usize) -> Vec<String> {
    let home = Home::new();
    let server = home.serve();
    let mut command = home.command(&["tail"]);
    command.args(args).env("AITRACE_SERVER_URL", &server.url).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut told = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut told).unwrap();
    assert_eq!(told, "listening\n");
    home.aitrace_with(&["import", "-", "--server", &server.url], records).expect(0);
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let read: Vec<String> = stdout.lines().take(lines).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    read
}

#[test]
fn tail_writes_records_that_import_takes_back() {
    let log = r#"{"order":7,"__tracer_meta__":{"timestamp":"2026-01-31T12:00:02.000000Z","event":"order.placed","id":"L1","lifecycle":"log","level":"info","project":"tests"}}"#;
    let records = format!("{}\n{log}\n", span('a', '1', None, "root", &json!({})));
    let lines = tail(&["--json", "--compat-mode"], &records, 2);
    let read: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = read.iter().find(|record| record["__tracer_meta__"]["lifecycle"] == "end").expect("the span");
    assert_eq!(ended["__tracer_meta__"]["event"], "root.end");
    assert_eq!(ended["attributes"]["inputs"], json!({"q": 1}));
    assert_eq!(ended["timestamp"], ended["__tracer_meta__"]["timestamp"], "compatibility mode");
    let log =
        read.iter().find(|record| record["__tracer_meta__"]["lifecycle"] == "log").expect("the log record");
    assert_eq!((&log["order"], &log["__tracer_meta__"]["id"]), (&json!(7), &json!("L1")));

    let home = Home::new();
    let server = home.serve();
    home.aitrace_with(&["import", "-", "--server", &server.url], &(lines.join("\n") + "\n")).expect(0);
    let trace = home.aitrace(&["trace", "aaaa", "--json", "--server", &server.url]).expect(0).json();
    assert_eq!(trace["spans"][0]["inputs"], json!({"q": 1}));
    assert_eq!(trace["trace"]["project"], "tests");
}

#[test]
fn tail_tells_people_what_happens() {
    let lines = tail(&[], &(span('a', '1', None, "ro\u{7}ot", &json!({})) + "\n"), 1);
    assert!(
        lines[0].contains("ended") && lines[0].contains("root") && lines[0].contains("aaaaaaaa"),
        "{lines:?}"
    );
}

#[test]
fn tail_ends_when_the_server_does() {
    let home = Home::new();
    let server = home.serve();
    let mut command = home.command(&["tail", "--reconnect", "0", "--server", &server.url]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    stderr.read_line(&mut told).unwrap();
    assert_eq!(server.terminate().0, 0, "a live reader does not hold the server up");
    stderr.read_line(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert!(told.contains("the server ended the stream"), "{told}");
}

#[test]
fn tail_comes_back_and_says_what_it_cannot_show() {
    let home = Home::new();
    let server = home.serve();
    let mut command = home.command(&["tail", "--json", "--server", &server.url]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(stderr.next().unwrap(), "listening");
    let (url, port) = (server.url.clone(), server.url.rsplit(':').next().unwrap().to_owned());
    home.aitrace_with(&["import", "-", "--server", &url], &(span('a', '1', None, "one", &json!({})) + "\n"))
        .expect(0);
    assert!(stdout.next().unwrap().contains("one.end"));
    assert_eq!(server.terminate().0, 0);
    assert!(stderr.next().unwrap().contains("trying to come back"));
    let server = home.serve_at(&port);
    assert_eq!(stderr.next().unwrap(), "listening again");
    assert!(stderr.next().unwrap().contains("started anew"), "another server knows no place in this stream");
    home.aitrace_with(&["import", "-", "--server", &url], &(span('b', '2', None, "two", &json!({})) + "\n"))
        .expect(0);
    assert!(stdout.next().unwrap().contains("two.end"));
    child.kill().unwrap();
    child.wait().unwrap();
    drop(server);
}

#[test]
fn run_passes_everything_through() {
    let home = Home::new();
    let server = home.serve();
    let script = "cat; echo $AITRACE_SERVER_URL $OTEL_EXPORTER_OTLP_ENDPOINT $OTEL_EXPORTER_OTLP_PROTOCOL $HH_API_URL $AITRACE_TARGET; exit 7";
    let mut command = home.command(&["run", "--server", &server.url, "--", "sh", "-c", script]);
    let mut child = command
        .env("AITRACE_TARGET", "elsewhere.jsonl")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"in\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let url = &server.url;
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("in\n{url} {url} http/protobuf {url}\n"));
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("traces at {url}\n"));
}

#[test]
fn run_starts_a_server_where_none_answers_and_keeps_what_came() {
    let home = Home::new();
    let url = nowhere();
    let file = home.file("in.jsonl", &(span('a', '1', None, "root", &json!({})) + "\n"));
    let done = home
        .aitrace(&["run", "--json", "--server", &url, "--", AITRACE, "import", file.to_str().unwrap()])
        .expect(0);
    assert_eq!(done.stdout, "1 imported, 0 rejected\n");
    assert!(done.stderr.contains(&json!({"url": url}).to_string()), "{}", done.stderr);
    let server = home.serve();
    home.aitrace(&["trace", &trace_id('a'), "--server", &server.url]).expect(0);
}

#[test]
fn run_tells_what_cannot_be_run() {
    let home = Home::new();
    let server = home.serve();
    let done = home.aitrace(&["run", "--server", &server.url, "--", "no-such-program"]).expect(2);
    assert!(done.stderr.contains("no-such-program"), "{}", done.stderr);
    let far = home.aitrace(&["run", "--server", "http://127.0.0.1:1/base", "--", "true"]).expect(2);
    assert!(far.stderr.contains("no server answers at"), "{}", far.stderr);
}

#[test]
fn run_waits_for_a_program_that_is_told_to_end() {
    let home = Home::new();
    let server = home.serve();
    let script = "trap 'echo cleaned up; exit 5' TERM; echo up; while :; do sleep 0.02; done";
    let mut command = home.command(&["run", "--server", &server.url, "--", "sh", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    signal(&child, "-TERM");
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "up\ncleaned up\n");
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn the_demo_leaves_a_whole_trace() {
    let home = Home::new();
    let server = home.serve();
    let done = home.aitrace(&["demo", "--fast", "--json", "--server", &server.url]).expect(0);
    let told = done.json();
    let id = told["trace_id"].as_str().unwrap();
    assert_eq!(told["url"], format!("{}/trace/{id}", server.url));
    let trace = home.aitrace(&["trace", id, "--json", "--server", &server.url]).expect(0).json();
    assert!(trace["spans"].as_array().unwrap().len() >= 5, "{trace}");
    assert!(trace["spans"].as_array().unwrap().iter().all(|span| span["end_ns"].is_string()), "{trace}");
    assert_eq!(trace["trace"]["project"], "demo");
}
