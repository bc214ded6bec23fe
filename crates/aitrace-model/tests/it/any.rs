//! Arbitrary values.

use aitrace_model::{
    CodeLocation, ErrorInfo, EventType, Json, Level, LogRecord, Phase, Span, SpanEvent, SpanId, SpanKind,
    Status, Timestamp, TraceId,
};
use proptest::prelude::*;

pub(crate) fn trace_id() -> TraceId {
    TraceId::from_bytes([7; 16]).expect("not zero")
}

pub(crate) fn span_id() -> SpanId {
    SpanId::from_bytes([9; 8]).expect("not zero")
}

/// Small ranges, so that equal and nearly equal messages are frequent.
pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    (0_i64..4).prop_map(Timestamp::from_nanos)
}

pub(crate) fn any_time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_nanos)
}

/// Any JSON, with hostile keys and numbers beyond `f64`.
pub(crate) fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1e999".to_owned()),
        Just("-0.0".to_owned()),
        Just(r#""\ud800 \u0000""#.to_owned()),
        "-?[1-9][0-9]{0,40}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?",
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    let nested = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((key(), inner), 0..4).prop_map(|members| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(key, value)| format!("{}: {value}", serde_json::Value::from(key)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    nested.prop_map(|text| Json::parse(&text).expect("made of JSON"))
}

pub(crate) fn key() -> impl Strategy<Value = String> {
    const HOSTILE: &[&str] =
        &["", "__proto__", "constructor", "\0", "a\u{2028}b", "timestamp ", "attributes", "ä\"\\", "event"];
    prop_oneof![prop::sample::select(HOSTILE).prop_map(str::to_owned), any::<String>(), "[a-z]{1,300}"]
}

fn word() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::sample::select(vec![String::new(), "a".to_owned(), "b".to_owned()]))
}

fn small_object() -> impl Strategy<Value = Json> {
    let objects = ["{}", r#"{"a":1}"#, r#"{"a":2}"#, r#"{"b":{"c":[1]}}"#, r#"{"a":1,"b":2}"#];
    prop::sample::select(objects.to_vec()).prop_map(Json::from_trusted)
}

fn log() -> impl Strategy<Value = LogRecord> {
    ((0_u8..3), time(), small_object(), time()).prop_map(|(id, time, attrs, received)| LogRecord {
        project: "p".to_owned(),
        id: id.to_string(),
        trace_id: Some(trace_id()),
        span_id: Some(span_id()),
        time,
        event: "n0.end".to_owned(),
        level: Level::Info,
        logger: None,
        code: None,
        session_id: None,
        attrs,
        received,
    })
}

/// A message about one and the same span.
pub(crate) fn message() -> impl Strategy<Value = Span> {
    let life =
        (prop::sample::select(Phase::ALL), time(), time(), time(), any::<bool>(), prop::option::of(log()));
    let told = (
        0_u8..2,
        prop::sample::select(SpanKind::ALL),
        prop::sample::select(EventType::ALL),
        prop::option::of(prop::sample::select(Status::ALL)),
        word(),
        prop::option::of(prop::sample::select(vec![0.5, f64::NAN, -0.0, 0.0])),
    );
    let contents = (
        prop::option::of(small_object()),
        small_object(),
        word(),
        prop::collection::vec(time(), 0..2),
        prop::option::of(0_u64..2),
    );
    (life, told, contents).prop_map(|(life, told, contents)| {
        let (phase, start, end, received, heartbeats, log) = life;
        let (name, kind, event_type, status, error, cost) = told;
        let (inputs, attributes, source, events, tokens) = contents;
        let mut span = Span::new("p", trace_id(), span_id(), &format!("n{name}"), start);
        span.phase = phase;
        if phase == Phase::End {
            span.end = Some(end);
            span.tentative = log.map(Box::new);
        }
        (span.kind, span.event_type, span.status) = (kind, event_type, status);
        span.error = error.map(|message| ErrorInfo { message, ..ErrorInfo::default() });
        span.code = source.clone().map(|file| CodeLocation { file, line: 1, function: String::new() });
        (span.received, span.heartbeats, span.cost) = (received, heartbeats, cost);
        (span.inputs, span.attributes, span.source, span.input_tokens) = (inputs, attributes, source, tokens);
        span.events = events
            .into_iter()
            .map(|time| SpanEvent { time, name: "e".to_owned(), attributes: Json::from_trusted("{}") })
            .collect();
        span
    })
}
