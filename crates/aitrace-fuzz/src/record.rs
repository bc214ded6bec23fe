//! Trace records: one, lines as they come, an array, format 1.

use aitrace_model::Timestamp;
use aitrace_model::record::{JsonlParser, Limits, Record, convert, read, read_array, read_lines};
use aitrace_normalise::{Context, normalise_record};

use crate::Target;

pub(crate) const RECORD: Target = Target {
    name: "trace record",
    seeds: || SEEDS.iter().map(|text| text.as_bytes().to_vec()).collect(),
    law: record,
    read: |bytes| drop(read(bytes, &Limits::default())),
    growth: 64,
};

pub(crate) const LINES: Target = Target {
    name: "JSON lines",
    seeds: || vec![SEEDS.join("\n").into_bytes(), SEEDS.join("\r\n\n").into_bytes()],
    law: lines,
    read: |bytes| drop(pushed(bytes)),
    growth: 96,
};

pub(crate) const ARRAY: Target = Target {
    name: "JSON array of records",
    seeds: || vec![format!("[{}]", SEEDS.join(",")).into_bytes()],
    law: |bytes| {
        let found: Vec<_> = read_array(bytes, &Limits::default()).collect();
        assert!(found.len() <= bytes.len() + 1);
        assert!(found.windows(2).all(|pair| pair[0].0 <= pair[1].0), "indexes rise");
    },
    read: |bytes| read_array(bytes, &Limits::default()).for_each(drop),
    growth: 64,
};

pub(crate) const FORMAT_1: Target = Target {
    name: "record of format 1",
    seeds: || vec![OLD.as_bytes().to_vec(), TWICE.as_bytes().to_vec()],
    law: |bytes| {
        if let Ok(record) = convert(bytes, &Limits::default()) {
            same(&record);
        }
    },
    read: |bytes| drop(convert(bytes, &Limits::default())),
    growth: 64,
};

const SEEDS: &[&str] = &[
    r#"{"__tracer_meta__":{"timestamp":"2026-01-31T12:00:00.000001Z","event":"x","level":"info","version":"2.1","id":"1"},"n":1e3,"s":"\u00e9"}"#,
    r#"{"attributes":{"inputs":{"q":[1,2.50]},"outputs":"a","k":null},"events":[{"timestamp":"2026-01-31T12:00:00Z","name":"e","attributes":{}}],"__tracer_meta__":{"timestamp":"2026-01-31T12:00:00.123456Z","event":"work.end","trace_id":"be97f2fa26196196d1c776cef223b871","span_id":"c33604c286773277","parent_span_id":null,"lifecycle":"end","status":"error","error":{"type":"E","message":"m","stacktrace":""},"duration_ns":1234567,"event_type":"model","project":"demo","input_tokens":5,"otel":{"flags":1}}}"#,
    r#"{"ts":1769860800.5,"msg":"old","lvl":"WARN","__tracer_meta__":{"trace_id":"be97f2fa26196196d1c776cef223b871","span_id":"c33604c286773277","file":"a.py","line":3,"function":"f","provisional":true}}"#,
    TYPES,
];

/// Metadata that stand twice, once of another type.
const TYPES: &str = r#"{"__tracer_meta__":{"timestamp":"2026-01-31T12:00:00.000001Z","event":"x","id":"1","provisional":"no","line":"a","provisional":true,"line":3,"level":"info","level":[],"provisional":"yes"}}"#;

const OLD: &str = r#"{"timestamp":"2026-01-31T12:00:00.000001Z","event":"work.start","trace_id":"be97f2fa26196196d1c776cef223b871","span_id":"c33604c286773277","parent_span_id":"c33604c286773278","level":"info","file":"a.py","line":3,"function":"f","provisional":true,"extra":{"a":1}}"#;

/// An id that stands twice, the last time empty.
const TWICE: &str = r#"{"timestamp":"2026-01-31T12:00:00.000001Z","event":"work.start","trace_id":"be97f2fa26196196d1c776cef223b871","parent_span_id":"c;3604c286773278","trace_id":"","provisional":true}"#;

fn context() -> Context {
    let received = Timestamp::from_nanos(1_800_000_000_000_000_000);
    Context { default_project: "default".to_owned(), forced_project: None, received }
}

/// A record that is written and read again is itself. Line ends within its JSON, which an array may have, become
/// blanks on a line of its own.
fn same(record: &Record) {
    let line = record.to_line(false);
    let again = read(line.as_bytes(), &Limits::default()).expect("our own line");
    assert_eq!(again.to_line(false), line);
    let json = record.data.iter().chain(&record.meta.extra).map(|(_, json)| json.as_str());
    if json.into_iter().all(|json| !json.contains(['\n', '\r'])) {
        assert_eq!(again, *record, "{line}");
    }
}

fn record(bytes: &[u8]) {
    let Ok(record) = read(bytes, &Limits::default()) else { return };
    same(&record);
    drop(normalise_record(record, &context()));
}

/// Chunks of uneven length.
fn pushed(bytes: &[u8]) -> Vec<(u64, bool)> {
    let mut parser = JsonlParser::new(Limits::default());
    let mut found = Vec::new();
    let (mut rest, mut length) = (bytes, 1);
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(length.min(rest.len()));
        parser.push(chunk, |line, read| found.push((line, read.is_ok())));
        rest = after;
        length = length * 7 % 613 + 1;
    }
    parser.finish(|line, read| found.push((line, read.is_ok())));
    found
}

fn lines(bytes: &[u8]) {
    let whole = read_lines(bytes, &Limits::default()).map(|(line, read)| (line, read.is_ok()));
    assert_eq!(pushed(bytes), whole.collect::<Vec<_>>(), "cut anywhere, the same");
}
