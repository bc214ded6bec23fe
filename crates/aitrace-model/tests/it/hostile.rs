//! Bad input: refused with the reason, and nothing beside it is lost.

use aitrace_model::record::{JsonlParser, Limits, RecordError, read, read_array, read_lines};

const GOOD: &str = r#"{"a":1,"__tracer_meta__":{"timestamp":"2026-01-31T12:00:00Z","event":"e"}}"#;

fn with(data: &str) -> String {
    format!(r#"{{{data},"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:00Z","event":"e"}}}}"#)
}

fn data_of(data: &str) -> Vec<(String, String)> {
    let record = read(with(data).as_bytes(), &Limits::default()).expect("a record");
    record.data.into_iter().map(|(key, value)| (key, value.as_str().to_owned())).collect()
}

fn refusal(text: &str) -> String {
    read(text.as_bytes(), &Limits::default()).expect_err(text).to_string()
}

#[test]
fn user_data_is_kept_to_the_letter() {
    for (text, key, value) in [
        (r#""__proto__": {"x": 1e400}"#, "__proto__", r#"{"x": 1e400}"#),
        (r#""": "\ud83d""#, "", r#""\ud83d""#),
        (r#""\u0000k": 1.0"#, "\0k", "1.0"),
        (r#""\ud800": [ -0.0 ]"#, "\\ud800", "[ -0.0 ]"),
        (r#""a": 1, "a": {"b":1,"b":2}"#, "a", r#"{"b":1,"b":2}"#),
        (r#""n": 123456789012345678901234567890"#, "n", "123456789012345678901234567890"),
    ] {
        assert_eq!(data_of(text), [(key.to_owned(), value.to_owned())]);
    }
    let long = "k".repeat(1 << 20);
    assert_eq!(data_of(&format!(r#""{long}":null"#)), [(long, "null".to_owned())]);
    // Many keys that repeat, beyond what is compared pair by pair.
    let many: Vec<String> = (0..5000).map(|at| format!(r#""k{}":{at}"#, at % 1000)).collect();
    let found = data_of(&many.join(","));
    assert_eq!(
        (found.len(), &found[0], &found[999]),
        (1000, &("k0".into(), "4000".into()), &("k999".into(), "4999".into()))
    );
}

#[test]
fn refusals_say_what_is_wrong_and_what_to_do() {
    for (text, words) in [
        (r#"{"timestamp":"2026-01-31T12:00:00Z","event":"e"}"#, "aitrace convert"),
        ("[]", "must be a JSON object"),
        ("7", "must be a JSON object"),
        ("{", "cut off"),
        (r#"{"a" 1}"#, "not valid JSON"),
        (r#"{"__tracer_meta__":[]}"#, "`__tracer_meta__`: must be an object"),
        (r#"{"__tracer_meta__":{"event":"e"}}"#, "`timestamp` is missing"),
        (r#"{"__tracer_meta__":{"timestamp":"2026-01-31T12:00:00Z"}}"#, "`event` is missing"),
        (r#"{"__tracer_meta__":{"timestamp":"now","event":"e"}}"#, r#"got "now""#),
        (r#"{"__tracer_meta__":{"timestamp":true,"event":"e"}}"#, "`timestamp`: must be an RFC 3339 time"),
        (r#"{"__tracer_meta__":{"timestamp":1e999,"event":"e"}}"#, "`timestamp`"),
        (r#"{"__tracer_meta__":{"timestamp":1,"event":5}}"#, "`event`: must be a string"),
        (r#"{"__tracer_meta__":{"timestamp":1,"event":"e","trace_id":"xyz"}}"#, "32 hex digits"),
        (r#"{"__tracer_meta__":{"timestamp":1,"event":"e","span_id":"0000000000000000"}}"#, "16 hex digits"),
        (
            r#"{"__tracer_meta__":{"timestamp":1,"event":"e","parent_span_id":7}}"#,
            "`parent_span_id`: must be a string",
        ),
        (r#"{"__tracer_meta__":{"timestamp":1,"event":"e","lifecycle":"end"}}"#, "`trace_id` is missing"),
    ] {
        let found = refusal(text);
        assert!(found.contains(words), "{text}: {found}");
    }
}

#[test]
fn depth_and_size_are_limited_without_recursion() {
    let nested = |depth: usize| with(&format!("\"a\":{}{}", "[".repeat(depth), "]".repeat(depth)));
    assert!(read(nested(127).as_bytes(), &Limits::default()).is_ok());
    assert_eq!(read(nested(128).as_bytes(), &Limits::default()), Err(RecordError::TooDeep { limit: 128 }));
    assert_eq!(
        read(nested(1_000_000).as_bytes(), &Limits::default()),
        Err(RecordError::TooDeep { limit: 128 })
    );
    let small = Limits { bytes: GOOD.len(), ..Limits::default() };
    assert!(read(GOOD.as_bytes(), &small).is_ok());
    assert_eq!(read(with(r#""aa":1"#).as_bytes(), &small), Err(RecordError::TooLarge { limit: GOOD.len() }));
}

#[test]
fn a_bad_line_costs_no_other() {
    let mut text = Vec::new();
    for line in [GOOD.as_bytes(), b"\xff\xfe{}", b"", b"  \r", GOOD.as_bytes(), b"{\"a\":", GOOD.as_bytes()] {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.extend_from_slice(&GOOD.as_bytes()[..20]);
    let found: Vec<(u64, Result<(), RecordError>)> =
        read_lines(&text, &Limits::default()).map(|(line, record)| (line, record.map(|_| ()))).collect();
    assert_eq!(
        found,
        [
            (1, Ok(())),
            (2, Err(RecordError::NotUtf8 { at: 0 })),
            (5, Ok(())),
            (6, Err(RecordError::Truncated)),
            (7, Ok(())),
            (8, Err(RecordError::Truncated)),
        ]
    );
}

#[test]
fn a_line_beyond_the_limit_is_skipped_and_counted() {
    let limits = Limits { bytes: GOOD.len(), ..Limits::default() };
    let mut parser = JsonlParser::new(limits);
    let mut found = Vec::new();
    let mut each = |line, record: Result<_, RecordError>| found.push((line, record.is_ok()));
    for _ in 0..1000 {
        parser.push(&[b'x'; 100], &mut each);
    }
    parser.push(format!("\r\n{GOOD}\r\n").as_bytes(), &mut each);
    parser.push(&vec![b'y'; 1000], &mut each);
    parser.finish(&mut each);
    assert_eq!(found, [(1, false), (2, true), (3, false)]);
}

#[test]
fn a_bad_element_costs_no_other_and_a_broken_array_not_what_came_before() {
    let found = |text: &str| -> Vec<(usize, &'static str)> {
        read_array(text.as_bytes(), &Limits::default())
            .map(|(index, record)| (index, record.map_or_else(|error| error.kind(), |_| "ok")))
            .collect()
    };
    assert_eq!(found("[]"), []);
    assert_eq!(found(" [ ] "), []);
    assert_eq!(
        found(&format!("[{GOOD},7,{{}},{{\"a\" 1}},{GOOD}]")),
        [(0, "ok"), (1, "not_json"), (2, "format_1"), (3, "not_json"), (4, "ok")]
    );
    assert_eq!(found(&format!("[{GOOD},,{GOOD}]")), [(0, "ok"), (1, "not_json"), (2, "ok")]);
    for broken in [format!("[{GOOD},"), format!("[{GOOD},]"), format!("[{GOOD}}}"), format!("[{GOOD}] x")] {
        assert_eq!(found(&broken), [(0, "ok"), (1, "not_json")], "{broken}");
    }
    assert_eq!(found("{}"), [(0, "not_json")]);
    assert_eq!(found(""), [(0, "not_json")]);
    assert_eq!(found(&format!("[{GOOD},{}", &GOOD[..30])), [(0, "ok"), (1, "not_json")]);
}

#[test]
fn times_beyond_any_range_are_refused() {
    for time in ["99999999999.5", "-99999999999.5", "9.3e9", "99999999999999.5", "1e17", "-8.9e18", "1e400"] {
        let meta = format!(r#"{{"__tracer_meta__":{{"event":"e","timestamp":{time}}}}}"#);
        let top = format!(r#"{{"__tracer_meta__":{{"event":"e"}},"ts":{time}}}"#);
        for text in [meta, top] {
            if let Ok(record) = read(text.as_bytes(), &Limits::default()) {
                assert_ne!(record.meta.timestamp.nanos(), 0, "{text}");
            }
        }
    }
    let late = r#"{"__tracer_meta__":{"event":"e","timestamp":99999999999.5}}"#;
    assert!(read(late.as_bytes(), &Limits::default()).is_err());
}
