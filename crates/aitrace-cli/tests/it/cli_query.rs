//! `aitrace search`, `sql`, `sessions`, `export`, `doctor`.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use serde_json::{Value, json};

use crate::support::{Done, Home, Server, span, trace_id};

fn with_traces() -> (Home, Server) {
    let home = Home::new();
    let server = home.serve();
    let failed = json!({"status": "error", "session_id": "s1", "error": {"type": "TimeoutError", "message": "no answer", "stacktrace": ""}});
    let loose = r#"{"__tracer_meta__":{"timestamp":"2026-01-31T12:00:00.000001Z","event":"cache.miss","level":"info","version":"2.1","id":"l1"},"n":9007199254740993}"#;
    let records = [
        span(
            'a',
            '1',
            None,
            "plan\u{1b}[2J, \"twice\"",
            &json!({"model": "gpt-4o", "kind": "llm", "event_type": "model"}),
        ),
        span('a', '2', Some('1'), "lookup", &failed),
        span('b', '1', None, "second", &json!({"timestamp": "2026-01-31T13:00:00Z"})),
        loose.to_owned(),
    ];
    let file = home.file("in.jsonl", &(records.join("\n") + "\n"));
    home.aitrace(&["import", file.to_str().unwrap(), "--server", &server.url]).expect(0);
    (home, server)
}

fn ask(home: &Home, server: &Server, args: &[&str]) -> Done {
    let (command, rest) = args.split_first().unwrap();
    let mut all = vec![*command, "--server", &server.url];
    all.extend(rest);
    home.aitrace(&all)
}

#[test]
fn search_shows_what_it_finds() {
    let (home, server) = with_traces();
    let found = ask(&home, &server, &["search", "no answer", "status:error"]);
    let found = found.expect(0).stdout;
    assert!(
        found.contains("lookup") && found.contains("error: no answer") && found.lines().count() == 1,
        "{found}"
    );
    let lines = ask(&home, &server, &["search", "--json", "name:*"]).expect(0).stdout;
    let names: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].clone()).collect();
    assert_eq!(names.len(), 4, "{lines}");
    assert!(ask(&home, &server, &["search", "gone"]).expect(1).stderr.contains("nothing found"));
    let wrong = ask(&home, &server, &["search", "colour:red"]).expect(2).stderr;
    assert!(wrong.contains("no field \"colour\" (at character 1 of the filter)"), "{wrong}");
    assert!(
        ask(&home, &server, &["search", "name:*", "--limit", "1"])
            .expect(0)
            .stderr
            .contains("not everything")
    );
    let evil = ask(&home, &server, &["search", "twice"]).expect(0).stdout;
    assert!(!evil.contains('\u{1b}'), "{evil:?}");
}

#[test]
fn sql_answers_in_three_forms_and_shows_where_it_is_wrong() {
    let (home, server) = with_traces();
    let select = "SELECT name, duration_ns FROM spans WHERE trace_id LIKE 'aaaa%' ORDER BY name DESC";
    let table = ask(&home, &server, &["sql", select]).expect(0).stdout;
    assert!(table.starts_with("name") && table.lines().count() == 3 && !table.contains('\u{1b}'), "{table}");
    let csv = ask(&home, &server, &["sql", "--csv", select]).expect(0).stdout;
    assert!(csv.starts_with("name,duration_ns\r\n\"plan\u{1b}[2J, \"\"twice\"\"\","), "{csv:?}");
    let counts = "SELECT (SELECT count(*) FROM spans) AS a, (SELECT count(*) FROM logs) AS b, \
        (SELECT count(*) FROM traces) AS c, (SELECT count(*) FROM sessions) AS d, (SELECT count(*) FROM scores) AS e, \
        (SELECT count(*) FROM runs) AS f";
    let json = ask(&home, &server, &["sql", "--json", counts]).expect(0).json();
    assert_eq!(json["rows"], json!([[3, 1, 2, 1, 0, 0]]));
    for (wrong, place) in [
        ("SELECT * FORM spans", "Line: 1, Column: 10"),
        ("SELECT name FROM spans WHERE nme = 1", "Line: 1, Column: 30"),
        ("DROP TABLE spans", "one SELECT is all that is allowed"),
        ("SELECT 1; SELECT 2", "one SELECT is all that is allowed: these are several statements"),
        ("SELEC 1", "the statement is not SQL: Expected"),
        ("SELECT *\nFROM nowhere", "nowhere"),
        ("", ""),
        ("SELECT 1/0", ""),
    ] {
        let refused = ask(&home, &server, &["sql", wrong]).expect(2).stderr;
        assert!(refused.contains(place), "{wrong}: {refused}");
    }
    let views = ask(&home, &server, &["sql"]).expect(0).stdout;
    for view in ["spans:", "logs:", "traces:", "sessions:", "scores:", "runs:"] {
        assert!(views.lines().any(|line| line.starts_with(view)), "{view} in {views}");
    }
    let one = ask(&home, &server, &["sql", "--project", "nobody", "--json", "SELECT count(*) FROM spans"]);
    assert_eq!(one.expect(0).json()["rows"], json!([[0]]));
}

#[test]
fn sessions_are_listed() {
    let (home, server) = with_traces();
    let list = ask(&home, &server, &["sessions"]).expect(0).stdout;
    assert!(list.lines().nth(1).unwrap().trim_end().ends_with("s1"), "{list}");
    let json = ask(&home, &server, &["sessions", "--json"]).expect(0).json();
    assert_eq!(json["sessions"][0]["session_id"], "s1");
    assert_eq!(ask(&home, &server, &["sessions", "-q", "x"]).expect(0).stderr, "no sessions\n");
}

#[test]
fn what_is_exported_is_imported_as_it_was() {
    let (home, server) = with_traces();
    let out = home.path().join("out.jsonl");
    let said = ask(&home, &server, &["export", "-o", out.to_str().unwrap(), "--json"]).expect(0);
    assert_eq!(said.json(), json!({"exported": 4}));
    assert!(!home.path().join("out.jsonl.partial").try_exists().unwrap());
    let other_home = Home::new();
    let other = other_home.serve();
    ask(&other_home, &other, &["import", out.to_str().unwrap()]).expect(0);
    for digit in ['a', 'b'] {
        let whole = |home: &Home, server: &Server| {
            ask(home, server, &["trace", "--json", &trace_id(digit)]).expect(0).stdout
        };
        assert_eq!(whole(&other_home, &other), whole(&home, &server));
    }
    let list = |home: &Home, server: &Server| ask(home, server, &["traces", "--json"]).expect(0).stdout;
    assert_eq!(list(&other_home, &other), list(&home, &server));
    let logs = |home: &Home, server: &Server| {
        ask(home, server, &["sql", "--csv", "SELECT id, event, attrs FROM logs"]).expect(0).stdout
    };
    assert!(logs(&home, &server).contains("9007199254740993"));
    assert_eq!(logs(&other_home, &other), logs(&home, &server));
    let some = ask(&home, &server, &["export", "-q", "model:gpt*", "--compat-mode"]).expect(0).stdout;
    assert_eq!(some.lines().count(), 2, "{some}");
    assert!(some.lines().all(|line| line.starts_with(r#"{"timestamp":"#)), "{some}");
}

#[test]
fn compatibility_mode_is_set_by_flag_environment_and_file() {
    let home = Home::new();
    let file = home.file("compat.yaml", "compat-mode: true\n");
    let off = home.file("off.toml", "compat-mode = false\n");
    let record = span('a', '1', None, "root", &json!({})) + "\n";
    let exported = |server: &Server, by: &[&str]| {
        let args = [&["export", "--server", &server.url], by].concat();
        let line = home.aitrace(&args).expect(0).stdout;
        line.starts_with(r#"{"timestamp":"#)
    };
    for (args, compat) in [
        (vec!["--compat-mode"], true),
        (vec!["--config", file.to_str().unwrap()], true),
        (vec!["--config", off.to_str().unwrap()], false),
        (vec![], false),
    ] {
        let server = home.serve_with(&args);
        home.aitrace_with(&["import", "-", "--server", &server.url], &record).expect(0);
        assert_eq!(exported(&server, &[]), compat, "{args:?}");
        assert!(exported(&server, &["--compat-mode"]), "{args:?}");
        if !compat {
            let folder = home.path().join(".config/aitrace");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("config.toml"), "compat-mode = true\n").unwrap();
            assert!(exported(&server, &[]), "by the file of whoever exports");
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }
}

/// All that the commands say of what a server holds.
fn everything(home: &Home, server: &Server) -> Vec<String> {
    let say = |args: &[&str]| ask(home, server, args).expect(0).stdout;
    let mut all: Vec<String> =
        ['a', 'b', 'c'].iter().map(|digit| say(&["trace", "--json", &trace_id(*digit)])).collect();
    all.push(say(&["traces", "--json"]));
    all.push(say(&["sql", "--csv", "SELECT id, event, attrs FROM logs ORDER BY id"]));
    all.push(say(&[
        "sql",
        "--csv",
        "SELECT name, attributes, cost, cost_formula, resource FROM spans ORDER BY span_id",
    ]));
    all
}

#[test]
fn every_form_is_imported_as_it_was_whatever_its_name() {
    let (home, server) = with_traces();
    let wire = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": trace_id('c'), "spanId": "00000000000000cc", "name": "wire", "startTimeUnixNano": "1769860800000000000",
        "endTimeUnixNano": "1769860800000000001", "attributes": [
            {"key": "b", "value": {"bytesValue": "AP8="}}, {"key": "i", "value": {"intValue": "9223372036854775807"}},
            {"key": "d", "value": {"doubleValue": "NaN"}}]}, {"traceId": "bad"}]}]}]});
    // A request that is spread over lines, as people print it; one bad span costs itself alone.
    let pretty = home.file("pretty.txt", &serde_json::to_string_pretty(&wire).unwrap());
    let said = ask(&home, &server, &["import", "--json", pretty.to_str().unwrap()]).expect(1).json();
    assert_eq!(
        (&said["ingested"], &said["rejected_total"], &said["rejected"][0]["line"]),
        (&json!(1), &json!(1), &json!(1))
    );
    let here = everything(&home, &server);
    for form in ["jsonl", "otlp", "parquet"] {
        let out = home.path().join(format!("{form}.data"));
        let said = ask(&home, &server, &["export", "--format", form, "-o", out.to_str().unwrap(), "--json"])
            .expect(0);
        assert_eq!(said.json(), json!({"exported": 5}), "{form}");
        let other_home = Home::new();
        let other = other_home.serve();
        let said = ask(&other_home, &other, &["import", "--json", out.to_str().unwrap()]).expect(0).json();
        assert_eq!(said["ingested"], 5, "{form}");
        assert_eq!(everything(&other_home, &other), here, "{form}");
    }
    let mixed = format!(
        "{}\n{}\nx\n{{\"resourceMetrics\":[]}}\n{{\"resourceSpans\":7}}\n",
        span('d', '1', None, "x", &json!({})),
        wire
    );
    let file = home.file("mixed.jsonl", &mixed);
    let said = ask(&home, &server, &["import", "--json", file.to_str().unwrap()]).expect(1).json();
    let lines: Vec<_> = said["rejected"].as_array().unwrap().iter().map(|one| one["line"].clone()).collect();
    assert_eq!(
        (&said["ingested"], lines),
        (&json!(2), vec![json!(2), json!(3), json!(4), json!(5)]),
        "{said}"
    );
}

const STATS: [&str; 7] =
    ["stats", "--since", "2026-01-01T00:00:00Z", "--until", "2026-03-01T00:00:00Z", "--by", "model"];

/// The same with two calls more, of a model that has a price and of one that has none.
fn with_calls() -> (Home, Server) {
    let (home, server) = with_traces();
    let call = json!({"model": "gpt-4o", "kind": "llm", "event_type": "model", "input_tokens": 1_000_000});
    let unknown = json!({"model": "homemade", "kind": "llm", "event_type": "model", "output_tokens": 5});
    let lines = [span('d', '1', None, "call", &call), span('d', '2', None, "own", &unknown)];
    let file = home.file("calls.jsonl", &(lines.join("\n") + "\n"));
    ask(&home, &server, &["import", file.to_str().unwrap()]).expect(0);
    (home, server)
}

#[test]
fn figures_are_shown() {
    let (home, server) = with_calls();
    let said = ask(&home, &server, &STATS).expect(0).stdout;
    let line = said.lines().find(|line| line.starts_with("gpt-4o")).unwrap();
    assert!(line.ends_with("$2.5000") && line.contains("1000000"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("homemade") && !line.contains('$')), "{said}");
    let json = ask(&home, &server, &[&STATS[..], &["--json", "--bucket", "1h"]].concat()).expect(0).json();
    assert!(json["rows"].as_array().unwrap().len() > 2 && json["bucket_ns"] == "3600000000000", "{json}");
    let nothing =
        ask(&home, &server, &["stats", "--until", "2020-01-02T00:00:00Z", "--since", "2020-01-01T00:00:00Z"]);
    assert_eq!(nothing.expect(0).stdout, "");
}

/// What the model's call costs by every command that says so.
fn costs(home: &Home, server: &Server) -> [Value; 4] {
    let said = ask(home, server, &["trace", "--json", &trace_id('d')]).expect(0).json();
    let sql = "SELECT sum(cost), count(cost) FROM spans WHERE cost_formula LIKE '%2030-01-01%'";
    let sql = ask(home, server, &["sql", "--json", sql]).expect(0).json();
    let stats = ask(home, server, &[&STATS[..], &["--json"]].concat()).expect(0).json();
    let group =
        stats["rows"].as_array().unwrap().iter().find(|row| row["group"] == "gpt-4o").unwrap().clone();
    assert_eq!(said["spans"][0]["cost_formula"], "input 1000000 × $5/M = $5 (gpt-4o, 2030-01-01)");
    assert_eq!(said["spans"][1]["cost"], Value::Null);
    [
        said["trace"]["cost"].clone(),
        said["spans"][0]["cost"].clone(),
        group["cost"].clone(),
        sql["rows"][0][0].clone(),
    ]
}

#[test]
fn calls_are_priced_anew() {
    let (home, server) = with_calls();
    let table = home.file(
        "prices.json",
        r#"{"date":"2030-01-01","models":{"gpt-4o":{"provider":"openai","input":5.0}}}"#,
    );
    let table = table.to_str().unwrap();
    let run = |more: &[&str]| {
        ask(&home, &server, &[&["reprice", "--json", "--prices", table], more].concat()).expect(0).json()
    };
    let figures = |said: &Value| {
        let of = |key: &str| said[key].as_f64().unwrap();
        (of("calls"), of("changed"), of("unknown"), of("before"), of("after"), of("difference"))
    };
    assert_eq!(figures(&run(&["--model", "other*"])), (0.0, 0.0, 0.0, 0.0, 0.0, 0.0));
    assert_eq!(figures(&run(&["--dry-run"])), (2.0, 1.0, 1.0, 2.5, 5.0, 2.5));
    assert_eq!(figures(&run(&["--model", "gpt-4*"])), (1.0, 1.0, 0.0, 2.5, 5.0, 2.5));
    assert_eq!(figures(&run(&[])), (2.0, 0.0, 1.0, 5.0, 5.0, 0.0), "a second time changes nothing");
    assert_eq!(costs(&home, &server), [json!(5.0), json!(5.0), json!(5.0), json!(5.0)]);
    let plain = ask(&home, &server, &["reprice", "--dry-run"]).expect(0);
    assert!(
        plain.stdout.starts_with(
            "1 of 2 calls would change, 0 of them had no price\n$5.000000 before, $2.500000 after"
        ),
        "{}",
        plain.stderr
    );
    assert!(plain.stderr.contains("1 calls are of models that are not in the table"), "{}", plain.stderr);
    let bad = home.file("bad.json", "[]");
    assert!(
        ask(&home, &server, &["reprice", "--prices", bad.to_str().unwrap()])
            .expect(2)
            .stderr
            .contains("names no model")
    );
    server.terminate();
    let server = home.serve();
    assert_eq!(
        costs(&home, &server),
        [json!(5.0), json!(5.0), json!(5.0), json!(5.0)],
        "also after a restart"
    );
}

#[test]
fn doctor_says_how_the_data_is() {
    let home = Home::new();
    let (data, copied) = (home.path().join("data"), home.path().join("copy"));
    let (data, dir) = (data.to_str().unwrap(), copied.to_str().unwrap());
    let server = home.serve();
    let file = home.file("in.jsonl", &(span('a', '1', None, "x", &json!({})) + "\n"));
    ask(&home, &server, &["import", file.to_str().unwrap()]).expect(0);
    server.terminate();
    let good = home.aitrace(&["doctor", "--json", "--data-dir", data]).expect(0).json();
    assert_eq!((&good["good"], &good["good_files"]), (&json!(true), &json!(1)));
    assert!(good["contract"].as_array().unwrap().len() > 2);
    home.aitrace(&["doctor", "--backup", dir, "--data-dir", data]).expect(0);
    let copy = home.aitrace(&["doctor", "--data-dir", dir]).expect(0).stdout;
    assert!(copy.contains("database   sound") && copy.contains("1 sound, 0 damaged"), "{copy}");
    let segments = std::path::Path::new(dir).join("segments");
    let segment = std::fs::read_dir(segments).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // A copy shares its files with the original while both are whole: a new one takes the place.
    std::fs::remove_file(&segment).unwrap();
    std::fs::write(&segment, bytes).unwrap();
    let bad = home.aitrace(&["doctor", "--json", "--data-dir", dir]).expect(1).json();
    assert_eq!((&bad["good"], &bad["good_files"]), (&json!(false), &json!(0)));
    home.aitrace(&["doctor", "--repair", "--data-dir", data]).expect(0);
}

/// The examples of the documentation do what it says they do.
#[test]
fn the_examples_of_the_documentation_run() {
    let (home, server) = with_traces();
    let page = include_str!("../../../../docs/query.md");
    let blocks = |kind: &str| -> Vec<String> {
        let open = format!("```{kind}\n");
        page.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
    };
    let (statements, filters) = (blocks("sql"), blocks("filter"));
    assert!(statements.len() >= 3 && filters.len() >= 2);
    for sql in statements {
        let done = ask(&home, &server, &["sql", "--json", &sql]).expect(0);
        assert!(done.json()["columns"].as_array().unwrap().len() > 1, "{sql}");
    }
    for filter in filters {
        let done = ask(&home, &server, &["search", "--", filter.trim()]);
        assert!(matches!(done.code, 0 | 1), "{filter}: {}", done.stderr);
    }
}
