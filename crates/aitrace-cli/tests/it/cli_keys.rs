//! `aitrace keys`, and servers that demand them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::json;

use crate::support::{Done, Home, finish, signal, span, trace_id};

fn with_key(home: &Home, key: &str, args: &[&str]) -> Done {
    finish(home.command(args).env("AITRACE_API_KEY", key))
}

#[test]
fn a_key_made_beside_the_server_holds_when_it_starts() {
    let home = Home::new();
    let made = home.aitrace(&["keys", "create", "--project", "p", "--json"]).expect(0).json();
    assert_eq!((&made["project"], &made["scopes"]), (&json!("p"), &json!(["ingest", "read"])));
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("aitrace_"), "{key}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = home.path().join("data/secret").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let server = home.serve();
    let done = home.aitrace(&["traces", "--server", &server.url]).expect(2);
    assert!(done.stderr.contains("AITRACE_API_KEY"), "{}", done.stderr);
    let file = home.file("a.jsonl", &(span('a', '1', None, "root", &json!({"project": "other"})) + "\n"));
    with_key(&home, key, &["import", file.to_str().unwrap(), "--server", &server.url]).expect(0);
    let done = with_key(&home, key, &["traces", "--json", "--server", &server.url]).expect(0);
    assert_eq!(done.json()["traces"][0]["project"], "p", "the key decides");
    let done = with_key(&home, key, &["trace", &trace_id('a'), "--json", "--server", &server.url]).expect(0);
    assert_eq!(done.json()["spans"][0]["name"], "root");
}

#[test]
fn keys_that_are_lost_with_the_database_open_nothing() {
    let home = Home::new();
    home.aitrace(&["keys", "create", "--project", "p", "--json"]).expect(0);
    let data = home.path().join("data");
    for file in data.read_dir().unwrap().flatten().map(|entry| entry.path()) {
        if file.is_file() && !["secret", "keys-demanded"].iter().any(|kept| file.ends_with(kept)) {
            std::fs::remove_file(file).unwrap();
        }
    }
    let server = home.serve();
    assert_eq!(home.aitrace(&["keys", "list", "--json"]).expect(0).json()["keys"], json!([]));
    let done = home.aitrace(&["traces", "--server", &server.url]).expect(2);
    assert!(done.stderr.contains("AITRACE_API_KEY"), "{}", done.stderr);
    let made = home.aitrace(&["keys", "create", "--project", "p", "--json"]).expect(0).json();
    with_key(&home, made["key"].as_str().unwrap(), &["traces", "--server", &server.url]).expect(0);
}

#[test]
fn keys_of_a_running_server_are_made_listed_and_revoked() {
    let home = Home::new();
    let server = home.serve();
    home.aitrace(&["traces", "--server", &server.url]).expect(0);
    let args = [
        "keys",
        "create",
        "--project",
        "p",
        "--scope",
        "read",
        "--scope",
        "ingest",
        "--name",
        "mine",
        "--json",
    ];
    let made = home.aitrace(&args).expect(0).json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    home.aitrace(&["traces", "--server", &server.url]).expect(2);
    with_key(&home, key, &["traces", "--server", &server.url]).expect(0);
    let listed = home.aitrace(&["keys", "list", "--json"]).expect(0);
    assert!(!listed.stdout.contains(&key[30..]), "{}", listed.stdout);
    let line = &listed.json()["keys"][0];
    assert_eq!((&line["id"], &line["name"], &line["revoked"]), (&json!(id), &json!("mine"), &json!(null)));
    let text = home.aitrace(&["keys", "list", "--project", "p"]).expect(0).stdout;
    assert!(text.contains(id) && text.contains("ingest,read") && text.contains("live"), "{text}");
    assert_eq!(home.aitrace(&["keys", "list", "--project", "q"]).expect(0).stdout, "");
    let link = home.aitrace(&["keys", "login", "--json"]).expect(0).json();
    assert!(link["url"].as_str().unwrap().starts_with(&format!("{}/login#code=", server.url)), "{link}");
    home.aitrace(&["keys", "revoke", id]).expect(0);
    with_key(&home, key, &["traces", "--server", &server.url]).expect(2);
    let done = home.aitrace(&["keys", "revoke", "0000000000000000"]).expect(1);
    assert!(done.stderr.contains("aitrace keys list"), "{}", done.stderr);
    drop(server);
    // The same without a server, also after one that was killed.
    let listed = home.aitrace(&["keys", "list", "--json"]).expect(0).json();
    assert!(listed["keys"][0]["revoked"].is_string());
    home.aitrace(&["keys", "revoke", id, "--json"]).expect(0);
    home.aitrace(&["keys", "login"]).expect(2);
}

#[test]
fn a_key_may_expire_and_tells_when_it_was_used() {
    let home = Home::new();
    let create = ["keys", "create", "--project", "p", "--json", "--expires"];
    let make = |when: &str| home.aitrace(&[&create[..], &[when]].concat());
    let beside = make("90d").expect(0).json();
    assert!(beside["expires"].is_string(), "{beside}");
    let done = make("2020-01-31").expect(2);
    assert!(done.stderr.contains("is over"), "{}", done.stderr);
    let done = make("soon").expect(2);
    assert!(done.stderr.contains("90d"), "{}", done.stderr);
    let server = home.serve();
    let made = make("2199-01-31").expect(0).json();
    assert!(made["expires"].as_str().unwrap().starts_with("2199-01-31T00:00:00"), "{made}");
    with_key(&home, made["key"].as_str().unwrap(), &["traces", "--server", &server.url]).expect(0);
    let list = home.aitrace(&["keys", "list", "--json"]).expect(0).json();
    let line = |key: &serde_json::Value| {
        let mut lines = list["keys"].as_array().unwrap().iter();
        lines.find(|line| line["id"] == key["id"]).unwrap().clone()
    };
    assert!(line(&made)["last_used"].is_string() && line(&beside)["last_used"].is_null(), "{list}");
    let text = home.aitrace(&["keys", "list"]).expect(0).stdout;
    assert!(text.contains("live until 2199-01-31") && text.contains("used never"), "{text}");
}

#[test]
fn wrong_words_are_told() {
    let home = Home::new();
    home.aitrace(&["keys", "create"]).expect(2);
    home.aitrace(&["keys", "create", "--project", "p", "--scope", "all"]).expect(2);
    home.aitrace(&["keys", "create", "--project", ""]).expect(2);
    home.aitrace(&["keys", "revoke", "x"]).expect(1);
}

#[test]
fn other_machines_may_reach_it_once_there_is_a_key() {
    let home = Home::new();
    let serve = ["serve", "--host", "0.0.0.0", "--port", "0"];
    let done = home.aitrace(&serve).expect(2);
    assert!(done.stderr.contains("aitrace keys create"), "{}", done.stderr);
    let key = home.aitrace(&["keys", "create", "--project", "p"]).expect(0).stdout;
    let mut child = home.command(&serve).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    with_key(&home, key.trim(), &["traces", "--server", url.trim()]).expect(0);
    home.aitrace(&["traces", "--server", url.trim()]).expect(2);
    signal(&child, "-TERM");
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_log_is_json_names_requests_and_holds_no_key() {
    let home = Home::new();
    let key = home.aitrace(&["keys", "create", "--project", "p"]).expect(0).stdout;
    let key = key.trim();
    let mut command = home.command(&["serve", "--port", "0", "--log-format", "json"]);
    let mut child =
        command.env("AITRACE_LOG", "trace").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Its pipe must not fill up while it is asked.
    let mut stderr = child.stderr.take().unwrap();
    let reader = std::thread::Builder::new();
    let reader = reader.spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let host = url.trim().strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    let request = format!(
        "GET /api/traces HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\nx-request-id: job-7\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("x-request-id: job-7"), "{answer}");
    signal(&child, "-TERM");
    assert!(child.wait().unwrap().success());
    let log = reader.unwrap().join().unwrap();
    assert!(!log.contains(&key[30..]), "a key was logged");
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = lines.iter().find(|line| line["message"] == "answered").expect("the request is told");
    assert_eq!((&told["span"]["id"], &told["status"]), (&json!("job-7"), &json!(200)), "{told}");
}
