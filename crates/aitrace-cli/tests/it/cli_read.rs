//! `aitrace traces`, `aitrace trace ID`, and the manners of all that is printed.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Home, Server, finish, span, trace_id};

fn with_traces() -> (Home, Server) {
    let home = Home::new();
    let server = home.serve();
    let evil = "evil\u{1b}]0;owned\u{7}\u{1b}[2J name";
    let failed = json!({"status": "error", "error": {"type": "TimeoutError", "message": "no answer", "stacktrace": ""}});
    let records = [
        span('a', '1', None, evil, &json!({})),
        span('a', '2', Some('1'), "lookup", &failed),
        span('b', '1', None, "second", &json!({"timestamp": "2026-01-31T13:00:00Z"})),
    ];
    let file = home.file("in.jsonl", &(records.join("\n") + "\n"));
    home.aitrace(&["import", file.to_str().unwrap(), "--server", &server.url]).expect(0);
    (home, server)
}

#[test]
fn of_a_trace_in_two_projects_each_part_can_be_asked_for() {
    let home = Home::new();
    let server = home.serve();
    let records = [
        span('a', '1', None, "asked", &json!({"project": "globex"})),
        span(
            'a',
            '2',
            Some('1'),
            "answered",
            &json!({"project": "acme", "timestamp": "2026-01-31T12:00:02Z"}),
        ),
    ];
    let file = home.file("in.jsonl", &(records.join("\n") + "\n"));
    home.aitrace(&["import", file.to_str().unwrap(), "--server", &server.url]).expect(0);
    let show = |project: &str| {
        let id = trace_id('a');
        let args = ["trace", &id, "--project", project, "--server", &server.url];
        (home.aitrace(&args), home.aitrace(&[&args[..], &["--json"]].concat()))
    };
    for (project, name) in [("globex", "asked"), ("acme", "answered")] {
        let (text, json) = show(project);
        let (text, json) = (text.expect(0), json.expect(0).json());
        assert!(text.stdout.contains(name) && text.stdout.contains(project), "{}", text.stdout);
        assert_eq!((&json["trace"]["project"], &json["trace"]["name"]), (&json!(project), &json!(name)));
    }
    show("nobody").0.expect(1);
}

#[test]
fn a_list_is_newest_first_and_can_be_asked_for() {
    let (home, server) = with_traces();
    let list = |more: &[&str]| {
        let args: Vec<&str> =
            ["traces", "--server", &server.url].into_iter().chain(more.iter().copied()).collect();
        home.aitrace(&args).expect(0)
    };
    let all = list(&[]);
    let rows: Vec<&str> = all.stdout.lines().collect();
    assert!(rows[0].starts_with("STARTED (UTC)"), "{}", all.stdout);
    assert!(rows[1].contains("second") && rows[2].contains("evil name"), "{}", all.stdout);
    assert!(!all.stdout.contains('\u{1b}') && !all.stdout.contains("owned"), "{:?}", all.stdout);

    let json = list(&["--json"]).json();
    let ids = |page: &Value| -> Vec<String> {
        page["traces"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["trace_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&json), [trace_id('b'), trace_id('a')]);
    assert_eq!(json["next"], Value::Null);
    assert_eq!(ids(&list(&["--json", "-q", "SECOND"]).json()), [trace_id('b')]);
    assert_eq!(ids(&list(&["--json", "--until", "2026-01-31T12:30:00Z"]).json()), [trace_id('a')]);
    assert_eq!(ids(&list(&["--json", "--project", "nobody"]).json()), [""; 0]);
    assert_eq!(ids(&list(&["--json", "--status", "running"]).json()), [""; 0]);
    let nothing = list(&["-q", "nothing of this name"]);
    assert_eq!((nothing.stdout.as_str(), nothing.stderr.as_str()), ("", "no traces\n"));

    let first = list(&["--json", "--limit", "1"]);
    assert_eq!(ids(&first.json()), [trace_id('b')]);
    assert!(first.json()["next"].is_string());
    assert!(list(&["--limit", "1"]).stderr.contains("there are more"));
}

#[test]
fn a_trace_is_a_tree() {
    let (home, server) = with_traces();
    let show = |id: &str| home.aitrace(&["trace", id, "--server", &server.url]);
    let tree = show(&trace_id('a')).expect(0).stdout;
    assert!(tree.contains("evil name") && tree.contains("└─ lookup"), "{tree}");
    assert!(tree.contains("TimeoutError: no answer") && tree.contains("320 ms"), "{tree}");
    assert!(!tree.contains('\u{1b}'), "{tree:?}");
    assert_eq!(show("AAAA").expect(0).stdout, tree, "the beginning of an id will do");

    let absent = show(&trace_id('c')).expect(1);
    assert_eq!(absent.stdout, "");
    assert!(absent.stderr.contains(&trace_id('c')), "{}", absent.stderr);
    show("cccc").expect(1);
    let json = home.aitrace(&["trace", "aaaa", "--json", "--server", &server.url]).expect(0).json();
    assert_eq!(json["spans"][1]["depth"], 1);
    assert_eq!(json["trace"]["trace_id"], trace_id('a'));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (home, server) = with_traces();
    for args in [&["traces"][..], &["traces", "--json"], &["trace", "aaaa"]] {
        let mut command = home.command(args);
        command.env("AITRACE_SERVER_URL", &server.url).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
}

#[test]
fn what_is_no_aitrace_server_is_told_apart() {
    // A server of something else: it answers everything with the same page.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::Builder::new().spawn(move || {
        for stream in listener.incoming().take(2) {
            let mut stream = stream.unwrap();
            let mut head = [0; 1024];
            drop(std::io::Read::read(&mut stream, &mut head));
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
            drop(std::io::Write::write_all(&mut stream, answer));
        }
    });
    let home = Home::new();
    let done = finish(home.command(&["traces"]).env("AITRACE_SERVER_URL", &url)).expect(2);
    assert!(done.stderr.contains("not that of an aitrace server"), "{}", done.stderr);
    let done = home.aitrace(&["run", "--server", &url, "--", "true"]).expect(2);
    assert!(done.stderr.contains("no aitrace server"), "{}", done.stderr);
    thread.unwrap().join().unwrap();
}
