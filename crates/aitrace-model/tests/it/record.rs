//! Records: what is written is read.

use aitrace_model::record::{
    JsonlParser, Lifecycle, Limits, Meta, Record, RecordError, Role, end_record, log_record, read,
    read_array, read_lines, records_of_span, start_record,
};
use aitrace_model::{ErrorInfo, EventType, Json, Level, SpanId, Status, TraceId};
use proptest::prelude::*;

use crate::any::{any_time, json, key, message};

fn meta() -> impl Strategy<Value = Meta> {
    let text = || prop::option::of(any::<String>());
    let ids = (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<[u8; 8]>(), any::<bool>());
    let place = (text(), prop::option::of(1_u32..), text(), text());
    let told = (
        prop::option::of(prop::sample::select(Level::ALL)),
        prop::option::of(prop::sample::select(Lifecycle::ALL)),
        prop::option::of(prop::sample::select(Status::ALL)),
        prop::option::of(prop::sample::select(EventType::ALL)),
        prop::option::of((any::<String>(), any::<String>())),
        prop::option::of(any::<i64>()),
    );
    let words = (text(), text(), text(), text(), text());
    let extra = prop::collection::vec(json(), 0..3);
    (any_time(), any::<String>(), ids, place, told, words, extra).prop_map(
        |(timestamp, event, ids, place, told, words, extra)| {
            let (level, lifecycle, status, event_type, error, duration_ns) = told;
            let trace_id = TraceId::from_bytes(ids.0);
            let span_id = SpanId::from_bytes(ids.1);
            Meta {
                timestamp,
                event,
                trace_id,
                span_id,
                parent_span_id: SpanId::from_bytes(ids.2).filter(|_| ids.3),
                file: place.0,
                line: place.1,
                function: place.2,
                level,
                logger: place.3,
                provisional: ids.3,
                version: Some("2.1".to_owned()),
                id: Some(words.0.unwrap_or_default()),
                lifecycle: lifecycle.filter(|_| trace_id.is_some() && span_id.is_some()),
                status,
                error: error.map(|(kind, message)| ErrorInfo { kind, message, stacktrace: String::new() }),
                duration_ns,
                event_type,
                project: words.1,
                source: words.2,
                session_id: words.3,
                run_id: words.4,
                extra: extra
                    .into_iter()
                    .filter(|value| value.as_str() != "null")
                    .enumerate()
                    .map(|(at, value)| (format!("x{at}"), value))
                    .collect(),
                ..Meta::default()
            }
        },
    )
}

/// Data whose keys do not stand for missing metadata: those are tested by name.
fn record() -> impl Strategy<Value = Record> {
    let names = ["level", "file", "line", "function", "logger", "lvl", "parent_id", "__tracer_meta__"];
    let usable =
        move |key: &String| !names.contains(&key.as_str()) && !key.ends_with("_id") && key != "timestamp";
    (meta(), prop::collection::btree_map(key().prop_filter("metadata", usable), json(), 0..5))
        .prop_map(|(meta, data)| Record { meta, data: data.into_iter().collect() })
}

fn read_one(line: &str) -> Result<Record, RecordError> {
    read(line.as_bytes(), &Limits::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_written_is_read(record in record(), compat: bool) {
        let line = record.to_line(compat);
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(read_one(&line), Ok(record));
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut(
        records in prop::collection::vec(record(), 0..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ends in prop::sample::select(vec!["\n", "\r\n", "\n\n", "\n not json \n"]),
    ) {
        let lines: Vec<String> = records.iter().map(|record| record.to_line(false)).collect();
        let text = format!("\u{feff}{}", lines.join(ends));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(text.len());
        let (mut parser, mut from, mut found) = (JsonlParser::new(Limits::default()), 0, Vec::new());
        for cut in cuts {
            parser.push(&text.as_bytes()[from..cut], |line, record| found.push((line, record)));
            from = cut;
        }
        parser.finish(|line, record| found.push((line, record)));
        let whole: Vec<_> = read_lines(text.as_bytes(), &Limits::default()).collect();
        prop_assert_eq!(&found, &whole);
        let good: Vec<Record> = found.into_iter().filter_map(|(_, record)| record.ok()).collect();
        prop_assert_eq!(good, records);
    }

    #[test]
    fn an_array_holds_what_its_elements_say(records in prop::collection::vec(record(), 0..5)) {
        let mut elements: Vec<String> = records.iter().map(|record| record.to_line(true)).collect();
        elements.insert(elements.len() / 2, "{\"no\": [\"meta ]\"]}".to_owned());
        let text = format!(" [ {} ] ", elements.join(" ,\n"));
        let found: Vec<_> = read_array(text.as_bytes(), &Limits::default()).collect();
        prop_assert_eq!(found.len(), elements.len());
        prop_assert_eq!(&found[records.len() / 2], &(records.len() / 2, Err(RecordError::Format1)));
        let good: Vec<Record> = found.into_iter().filter_map(|(_, record)| record.ok()).collect();
        prop_assert_eq!(good, records);
    }

    #[test]
    fn nothing_makes_a_reader_panic(text in any::<Vec<u8>>(), soup in r#"[\[\]{}",:\\a0-9 \n]{0,60}"#) {
        for bytes in [text.as_slice(), soup.as_bytes()] {
            prop_assert!(read_lines(bytes, &Limits::default()).count() <= bytes.len());
            prop_assert!(read_array(bytes, &Limits::default()).count() <= bytes.len() + 1);
        }
    }

    #[test]
    fn records_of_a_span_are_its_start_and_end(span in message()) {
        for record in records_of_span(&span) {
            let line = record.to_line(false);
            prop_assert_eq!(read_one(&line), Ok(record));
        }
        prop_assert_eq!(end_record(&span).is_some(), span.end.is_some());
        let start = start_record(&span);
        prop_assert_eq!(start.role(), Role::Start(span.name.as_str()));
        if let Some(log) = &span.tentative {
            let record = log_record(log);
            prop_assert_eq!(read_one(&record.to_line(false)), Ok(record));
        }
    }
}

const IDS: &str = r#""trace_id":"be97f2fa26196196d1c776cef223b871","span_id":"c33604c286773277""#;

fn line(meta: &str, data: &str) -> String {
    format!(r#"{{{data}"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:00.000000Z",{meta}}}}}"#)
}

#[test]
fn the_rules_of_2_0_say_what_a_record_means() {
    for (meta, role) in [
        (format!(r#""event":"f.start","provisional":true,{IDS}"#), Role::Start("f")),
        (format!(r#""event":"f.start",{IDS}"#), Role::Log),
        (format!(r#""event":"f.end",{IDS}"#), Role::TentativeEnd("f")),
        (r#""event":"f.end""#.to_owned(), Role::Log),
        (format!(r#""event":"f.end","lifecycle":"log",{IDS}"#), Role::Log),
        (format!(r#""event":"f.end","lifecycle":"end",{IDS}"#), Role::End("f")),
        (format!(r#""event":"f","lifecycle":"start",{IDS}"#), Role::Start("f")),
    ] {
        assert_eq!(read_one(&line(&meta, "")).expect("a record").role(), role, "{meta}");
    }
}

#[test]
fn equal_bytes_are_one_record_and_others_are_not() {
    let of =
        |data: &str| read_one(&line(r#""event":"e""#, data)).expect("a record").meta.id.expect("derived");
    assert_eq!(of(r#""a":1,"#), of(r#""a":1,"#));
    assert_ne!(of(r#""a":1,"#), of(r#""a":2,"#));
    // Fixed for ever: stores hold it.
    assert_eq!(of(r#""a":1,"#), DERIVED);
}

const DERIVED: &str = "8eb4f902437c87e5858ca7c9553aa2af";

#[test]
fn a_missing_key_is_found_at_the_top_level_under_its_aliases() {
    for (key, get) in [("ts", "lvl"), ("@timestamp", "level")] {
        let text = format!(
            r#"{{"{key}":"2026-01-31T12:00:00Z","msg":"hello","{get}":"WARN","parent_id":"c33604c286773277","__tracer_meta__":{{}}}}"#
        );
        let record = read_one(&text).expect("a record");
        assert_eq!((record.meta.event.as_str(), record.meta.level), ("hello", Some(Level::Warning)));
        assert_eq!(record.meta.timestamp.to_string(), "2026-01-31T12:00:00.000000Z");
        assert!(record.meta.parent_span_id.is_some());
    }
    // User data that only looks like metadata is never refused.
    let record =
        read_one(&line(r#""event":"e""#, r#""trace_id":"mine","line":"x","level":{},"#)).expect("a record");
    assert_eq!((record.meta.trace_id, record.meta.line, record.meta.level), (None, None, None));
    assert_eq!(record.data.len(), 3);
}

#[test]
fn a_repeated_timestamp_is_no_user_data_and_a_differing_one_is() {
    let record =
        read_one(&line(r#""event":"e""#, r#""timestamp":"2026-01-31T12:00:00.000000Z","#)).expect("a record");
    assert!(record.data.is_empty());
    let record =
        read_one(&line(r#""event":"e""#, r#""timestamp":"2026-01-31T12:00:01Z","#)).expect("a record");
    assert_eq!(record.get("timestamp").map(Json::as_str), Some(r#""2026-01-31T12:00:01Z""#));
    assert_eq!(record.to_line(true).matches("timestamp").count(), 2);
}

#[test]
fn metadata_that_stand_twice_count_once() {
    let read = |meta: &str| read_one(&line(&format!(r#""event":"e",{meta}"#), "")).expect("a record").meta;
    // What is of its type is taken; what is not is user data, unless the same key is taken after it.
    let meta_of = read(r#""provisional":"no","line":"a","provisional":true,"line":3"#);
    assert_eq!((meta_of.provisional, meta_of.line, meta_of.extra), (true, Some(3), vec![]));
    let meta_of = read(r#""provisional":true,"level":"info","provisional":"no","level":[]"#);
    assert_eq!((meta_of.provisional, meta_of.level), (true, Some(Level::Info)));
    let kept: Vec<_> = meta_of.extra.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(kept, [("provisional", r#""no""#), ("level", "[]")]);
}
