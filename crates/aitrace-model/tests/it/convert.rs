//! Format 1 to format 2.

use aitrace_model::record::{Lifecycle, Limits, Record, Role, convert, read};
use aitrace_model::{Json, Level};
use proptest::prelude::*;

use crate::any::{json, key};

fn converted(text: &str) -> Record {
    convert(text.as_bytes(), &Limits::default()).expect(text)
}

#[test]
fn metadata_moves_and_data_stays() {
    let record = converted(
        r#"{"event":"batch_started","timestamp":"2025-10-26T12:34:15.202795Z","trace_id":"be97f2fa26196196d1c776cef223b871",
        "span_id":"c33604c286773277","parent_span_id":null,"file":"a.py","line":38,"function":"f","level":"warn","logger":"l",
        "batch_id":1,"name":"mine"}"#,
    );
    assert_eq!(
        record.data,
        [("batch_id".to_owned(), Json::from_trusted("1")), ("name".to_owned(), Json::string("mine"))]
    );
    assert_eq!(
        (record.meta.event.as_str(), record.meta.line, record.meta.level),
        ("batch_started", Some(38), Some(Level::Warning))
    );
    assert_eq!((record.role(), record.meta.lifecycle), (Role::Log, Some(Lifecycle::Log)));
    assert_eq!(record.meta.version.as_deref(), Some("2.1"));
}

#[test]
fn spans_are_found_by_their_suffix() {
    let line =
        |event: &str| format!(r#"{{"event":"{event}","ts":1761482055.5,"trace_id":"t-1","span_id":"s-1"}}"#);
    let (start, end) = (converted(&line("f.start")), converted(&line("f.end")));
    assert_eq!((start.role(), end.role()), (Role::Start("f"), Role::TentativeEnd("f")));
    // Ids that are none are derived, so that what belongs together still does, and kept.
    assert_eq!((start.meta.trace_id, start.meta.span_id), (end.meta.trace_id, end.meta.span_id));
    assert_eq!(start.get("trace_id").map(Json::as_str), Some(r#""t-1""#));
    assert_eq!(start.meta.timestamp.to_string(), "2025-10-26T12:34:15.500000Z");
    let uuid = converted(r#"{"event":"e","ts":1,"trace_id":"be97f2fa-2619-6196-d1c7-76cef223b871"}"#);
    assert_eq!(uuid.meta.trace_id.expect("an id").to_hex(), "be97f2fa26196196d1c776cef223b871");
}

#[test]
fn format_2_is_read_as_it_is() {
    let text = r#"{"a":1,"__tracer_meta__":{"timestamp":"2026-01-31T12:00:00Z","event":"e"}}"#;
    assert_eq!(converted(text), read(text.as_bytes(), &Limits::default()).expect("a record"));
    let refused = convert(br#"{"event":"e"}"#, &Limits::default()).expect_err("no time");
    assert_eq!(refused.to_string(), "`timestamp` is missing in `__tracer_meta__`");
}

proptest! {
    #[test]
    fn no_user_data_is_lost(data in prop::collection::btree_map(key(), json(), 0..5)) {
        let mut text = String::from(r#"{"timestamp":"2026-01-31T12:00:00Z","event":"e""#);
        for (key, value) in &data {
            if !matches!(key.as_str(), "event" | "timestamp") {
                text.extend([",", Json::string(key).as_str(), ":", value.as_str()]);
            }
        }
        text.push('}');
        let record = converted(&text);
        let known = ["event", "timestamp", "__tracer_meta__"];
        let expected: Vec<_> = data.into_iter().filter(|(key, _)| !known.contains(&key.as_str())).collect();
        prop_assert_eq!(&record.data, &expected);
        // The result is format 2, and reading it gives it again.
        prop_assert_eq!(read(record.to_line(false).as_bytes(), &Limits::default()), Ok(record));
    }
}
