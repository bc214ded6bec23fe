//! `aitrace serve`.

use std::net::TcpListener;
use std::process::Stdio;

use crate::support::{Home, span, trace_id};
use serde_json::json;

#[test]
fn sigterm_ends_it_cleanly_and_what_was_stored_is_there_again() {
    let home = Home::new();
    let server = home.serve();
    let file = home.file("a.jsonl", &(span('a', '1', None, "root", &json!({})) + "\n"));
    home.aitrace(&["import", file.to_str().unwrap(), "--server", &server.url]).expect(0);
    let (code, rest) = server.terminate();
    assert_eq!((code, rest.as_str()), (0, ""));

    let server = home.serve();
    let done = home.aitrace(&["trace", &trace_id('a'), "--json", "--server", &server.url]).expect(0);
    assert_eq!(done.json()["spans"][0]["name"], "root");
    assert_eq!(done.json()["spans"][0]["inputs"], json!({"q": 1}));
}

#[test]
fn a_taken_port_is_told() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = home.aitrace(&["serve", "--port", &port]).expect(2);
    assert_eq!(done.stdout, "");
    assert!(done.stderr.contains(&port) && done.stderr.contains("--port"), "{}", done.stderr);
}

#[test]
fn a_folder_in_use_is_told() {
    let home = Home::new();
    let _server = home.serve();
    let done = home.aitrace(&["serve", "--port", "0"]).expect(2);
    assert!(done.stderr.contains("in use") && done.stderr.contains("--data-dir"), "{}", done.stderr);
}

#[test]
fn other_machines_are_kept_out() {
    let done = Home::new().aitrace(&["serve", "--host", "0.0.0.0", "--port", "0"]).expect(2);
    assert!(done.stderr.contains("0.0.0.0"), "{}", done.stderr);
}

#[test]
fn the_address_can_be_json() {
    let home = Home::new();
    let mut child = home
        .command(&["serve", "--port", "0", "--json", "--lost-after", "2h", "--data-dir", "elsewhere"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    crate::support::signal(&child, "-INT");
    assert!(child.wait().unwrap().success());
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(line["url"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{line}");
    assert!(home.path().join("elsewhere").is_dir());
    assert!(!home.path().join("data").is_dir());
}
