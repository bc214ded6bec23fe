//! `aitrace config`, and where settings come from.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Home, finish, signal, span};

/// What holds for a key, and where it comes from.
fn shown(shown: &Value, key: &str) -> (String, String) {
    let all = shown["settings"].as_array().expect("an array");
    let line = all.iter().find(|line| line["key"] == key).unwrap_or_else(|| panic!("{key}: {shown}"));
    (
        line["value"].as_str().unwrap_or_default().to_owned(),
        line["origin"].as_str().expect("a string").to_owned(),
    )
}

#[test]
fn a_file_is_written_once_and_says_nothing_yet() {
    for yaml in [false, true] {
        let home = Home::new();
        let args: &[&str] = if yaml { &["config", "init", "--yaml"] } else { &["config", "init"] };
        let path = home.aitrace(args).expect(0).stdout.trim().to_owned();
        assert!(path.ends_with(if yaml {
            ".config/aitrace/config.yaml"
        } else {
            ".config/aitrace/config.toml"
        }));
        let all = home.aitrace(&["config", "show", "--json"]).expect(0).json();
        assert_eq!(shown(&all, "serve.port"), ("8000".to_owned(), "default".to_owned()));
        fs::write(&path, "# mine\n").expect("works");
        for again in [&["config", "init"][..], &["config", "init", "--yaml"]] {
            let done = home.aitrace(again).expect(1);
            assert!(done.stderr.contains(&path), "{}", done.stderr);
        }
        assert_eq!(fs::read_to_string(&path).expect("works"), "# mine\n");
        assert_eq!(fs::read_dir(home.path().join(".config/aitrace")).expect("works").count(), 1);
    }
}

#[test]
fn what_the_template_suggests_can_be_said() {
    for (args, name) in
        [(&["config", "init"][..], "config.toml"), (&["config", "init", "--yaml"], "config.yaml")]
    {
        let home = Home::new();
        home.aitrace(args).expect(0);
        let path = home.path().join(".config/aitrace").join(name);
        // The lines of settings, made true, with a value that all of them take.
        let text = fs::read_to_string(&path).expect("works");
        let said = text.lines().filter_map(|line| line.strip_prefix("# "));
        let said = said.filter(|line| {
            line.contains(" = ")
                || line.contains(": \"")
                || line.starts_with("serve")
                || line.starts_with('[')
        });
        let said: Vec<&str> = said.collect();
        assert!(said.len() >= 17, "{said:?}");
        fs::write(&path, said.join("\n")).expect("works");
        home.aitrace(&["config", "show"]).expect(0);
    }
}

#[test]
fn flags_go_before_the_environment_before_the_file() {
    let home = Home::new();
    let file =
        home.file("c.toml", "project = 'f'\napi-key = 'hidden'\n[serve]\nport = 1\nhost = '127.0.0.1'\n");
    let path = file.to_str().expect("works");
    let mut command = home.command(&["config", "show", "--config", path, "--json"]);
    let all = finish(command.env("AITRACE_PORT", "2")).expect(0);
    assert!(!all.stdout.contains("hidden"));
    let all = all.json();
    assert_eq!(shown(&all, "serve.port"), ("2".to_owned(), "AITRACE_PORT".to_owned()));
    assert_eq!(shown(&all, "serve.host"), ("127.0.0.1".to_owned(), path.to_owned()));
    assert_eq!(shown(&all, "project"), ("f".to_owned(), path.to_owned()));
    assert_eq!(shown(&all, "serve.max-age"), ("for ever".to_owned(), "default".to_owned()));
}

#[test]
fn a_server_follows_its_file() {
    let home = Home::new();
    for (name, text) in [
        ("c.toml", "[serve]\nport = 0\ndata-dir = 'by-toml'\nmax-age = '30d'\nmax-size = '1GB'\n"),
        ("c.yaml", "serve:\n  port: 0\n  data-dir: by-yaml\n  allow-host: ['box.example:8000']\n"),
    ] {
        let file = home.file(name, text);
        let mut command = home.command(&["serve", "--json", "--config", file.to_str().expect("works")]);
        let mut child = command.env_remove("AITRACE_DATA_DIR").stdout(Stdio::piped()).spawn().expect("works");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("works");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("works");
        signal(&child, "-TERM");
        assert!(child.wait().expect("works").success());
        assert!(!line.contains(":8000"), "{line}");
    }
    assert!(home.path().join("by-toml").is_dir() && home.path().join("by-yaml").is_dir());
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_line() {
    let home = Home::new();
    for (name, text, told) in [
        ("a.toml", "[serve]\nport = 1\nprot = 2\n", "line 3"),
        ("b.yaml", "serve:\n  port: 1\n  prot: 2\n", "line 3"),
        ("c.toml", "[serve]\nport = 'many'\n", "port: \"many\""),
        ("d.toml", "[serve]\nmax-age = 'long'\n", "max-age: \"long\""),
        ("e.toml", "[serve]\nmax-size = '1 parsec'\n", "max-size"),
        ("f.toml", "[serve]\nlog-format = 'xml'\n", "log-format"),
    ] {
        let file = home.file(name, text);
        let done = home.aitrace(&["serve", "--config", file.to_str().expect("works")]).expect(2);
        assert!(done.stderr.contains(told) && done.stderr.contains(name), "{name}: {}", done.stderr);
    }
    let done = home.aitrace(&["serve", "--config", "none.toml"]).expect(2);
    assert!(done.stderr.contains("aitrace config init"), "{}", done.stderr);
}

#[test]
fn the_end_seals_what_is_in_memory() {
    let home = Home::new();
    let server = home.serve();
    let file = home.file("a.jsonl", &(span('a', '1', None, "root", &json!({})) + "\n"));
    home.aitrace(&["import", file.to_str().expect("works"), "--server", &server.url]).expect(0);
    assert_eq!(server.terminate().0, 0);
    let mut folders = vec![home.path().join("data")];
    let mut sealed = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("works").map(Result::unwrap) {
            if entry.file_type().expect("works").is_dir() {
                folders.push(entry.path());
            }
            sealed += usize::from(entry.path().extension().is_some_and(|ending| ending == "parquet"));
        }
    }
    assert!(sealed > 0, "a sealed file");
    assert!(!home.path().join("data/server.url").is_file(), "nobody answers any more");
}
