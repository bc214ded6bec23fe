//! Records to spans and log records, and back.

use aitrace_model::record::{Limits, end_record, log_record, read, records_of_span};
use aitrace_model::{EventType, Json, Level, LogRecord, Phase, Span, SpanKind, SpanState, Status, Timestamp};
use aitrace_normalise::{Message, normalise_record, session_update};
use proptest::prelude::*;

use crate::fixtures::context;

const IDS: &str = r#""trace_id":"be97f2fa26196196d1c776cef223b871","span_id":"c33604c286773277""#;

fn message(line: &str) -> Message {
    let record = read(line.as_bytes(), &Limits::default()).expect(line);
    normalise_record(record, &context())
}

fn span(line: &str) -> Span {
    match message(line) {
        Message::Span(span) => *span,
        Message::Log(log) => panic!("a log record: {log:?}"),
    }
}

fn log(line: &str) -> LogRecord {
    match message(line) {
        Message::Log(log) => *log,
        Message::Span(span) => panic!("a span: {span:?}"),
    }
}

fn line(event: &str, meta: &str, data: &str) -> String {
    format!(
        r#"{{{data}"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:10Z","event":"{event}","version":"2.1","id":"i"{meta}}}}}"#
    )
}

#[test]
fn an_end_brings_its_contents_to_the_letter() {
    let span = span(&line(
        "lookup.end",
        &format!(
            r#",{IDS},"lifecycle":"end","status":"error","error":{{"type":"E","message":"m","stacktrace":""}},"duration_ns":3000000000,"event_type":"tool","project":"support","source":"prod","session_id":"s","run_id":"r","service":"w","file":"a.py","line":3,"function":"f""#
        ),
        r#""attributes":{"inputs":{"n": 1.0},"outputs":null,"metadata":{"A":[1e999]},"k":"v","user.id":"u","gen_ai.request.model":"gpt"},"beside":1,"#,
    ));
    assert_eq!(
        (span.name.as_str(), span.phase, span.duration_ns()),
        ("lookup", Phase::End, Some(3_000_000_000))
    );
    assert_eq!(
        (span.kind, span.event_type, span.status),
        (SpanKind::Tool, EventType::Tool, Some(Status::Error))
    );
    assert_eq!(span.inputs.as_ref().map(Json::as_str), Some(r#"{"n": 1.0}"#));
    assert_eq!(span.outputs.as_ref().map(Json::as_str), Some("null"));
    assert_eq!(span.metadata.as_ref().map(Json::as_str), Some(r#"{"A":[1e999]}"#));
    assert_eq!(
        span.attributes.as_str(),
        r#"{"k":"v","user.id":"u","gen_ai.request.model":"gpt","beside":1}"#
    );
    assert_eq!((span.user_id.as_deref(), span.model.as_deref()), (Some("u"), Some("gpt")));
    assert_eq!((span.project.as_str(), span.service.as_deref()), ("support", Some("w")));
    assert_eq!(span.error.expect("an error").kind, "E");
    assert_eq!(span.code.expect("a place").line, 3);
}

#[test]
fn a_record_of_2_0_may_be_an_end_or_a_log() {
    let end = format!(
        r#"{{"k":1,"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:10Z","event":"f.end",{IDS}}}}}"#
    );
    let start = format!(
        r#"{{"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:00Z","event":"f.start","provisional":true,{IDS}}}}}"#
    );
    let mut state = SpanState::new(span(&end));
    let log = state.orphan_logs().next().expect("a log record until a start is known").clone();
    assert_eq!((log.event.as_str(), log.attrs.as_str()), ("f.end", r#"{"k":1}"#));
    assert!(state.join(span(&start)));
    let merged = state.merged().expect("a span");
    assert_eq!((merged.duration_ns(), merged.attributes.as_str()), (Some(10_000_000_000), r#"{"k":1}"#));
    assert_eq!(state.orphan_logs().count(), 0);
}

#[test]
fn logs_keep_their_data_and_sessions_are_found() {
    let plain =
        log(&line("hello", r#","lifecycle":"log","level":"error","logger":"l""#, r#""a": {"b":1.0},"#));
    assert_eq!((plain.level, plain.logger.as_deref(), plain.id.as_str()), (Level::Error, Some("l"), "i"));
    assert_eq!(plain.attrs.as_str(), r#"{"a":{"b":1.0}}"#);
    assert_eq!((plain.trace_id, session_update(&plain)), (None, None));
    let started = log(&line(
        "session.started",
        r#","session_id":"s-1""#,
        r#""session_name":"demo","metadata":{"a":1},"session_id":"s-1","#,
    ));
    let update = session_update(&started).expect("a session");
    assert_eq!((update.session_id.as_str(), update.name.as_deref()), ("s-1", Some("demo")));
    assert_eq!(update.data.as_str(), r#"{"metadata":{"a":1}}"#);
    assert_eq!(session_update(&log(&line("session.started", "", ""))), None);
}

fn words() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[a-zé\"]{1,6}")
}

fn json() -> impl Strategy<Value = Option<Json>> {
    let texts = ["null", "1.0", r#"{"a":[1e999,"\ud800"]}"#, "[]", r#""text""#];
    prop::option::of(prop::sample::select(texts.to_vec()).prop_map(Json::from_trusted))
}

prop_compose! {
    fn finished()(
        name in any::<String>(),
        kinds in (prop::sample::select(SpanKind::ALL), prop::sample::select(EventType::ALL)),
        times in (0_i64..1 << 60, 0_i64..1 << 40),
        words in (words(), words(), words(), words(), words(), words()),
        contents in (json(), json(), json(), json(), json()),
        tokens in (prop::option::of(any::<u64>()), prop::option::of(0.0..9.0)),
        failed: bool,
        attributes in prop::sample::select(vec!["{}", r#"{"k":1}"#, r#"{"k":{"x":"\u0000"},"__proto__":2}"#]),
    ) -> Span {
        let (trace, id) = ("be97f2fa26196196d1c776cef223b871", "c33604c286773277");
        let start = Timestamp::from_nanos(times.0);
        let mut span = Span::new("p", trace.parse().expect("id"), id.parse().expect("id"), &name, start);
        (span.kind, span.event_type) = kinds;
        (span.phase, span.end) = (Phase::End, Some(start.saturating_add(times.1)));
        (span.source, span.service, span.session_id, span.user_id, span.provider, span.model) = words;
        (span.inputs, span.outputs, span.metadata, span.metrics, span.config) = contents;
        (span.input_tokens, span.cost) = tokens;
        span.status = Some(if failed { Status::Error } else { Status::Ok });
        span.attributes = Json::from_trusted(attributes);
        span.received = context().received;
        span
    }
}

proptest! {
    #[test]
    fn a_finished_span_survives_its_records(expected in finished()) {
        let mut state: Option<SpanState> = None;
        for record in records_of_span(&expected) {
            let span = span(&record.to_line(false));
            match &mut state {
                None => state = Some(SpanState::new(span)),
                Some(state) => prop_assert!(state.join(span)),
            }
        }
        prop_assert_eq!(state.and_then(SpanState::into_merged), Some(expected));
    }
}

#[test]
fn a_log_survives_its_record() {
    let log_before = log(&line("hello", r#","lifecycle":"log","level":"error","project":"p""#, r#""a":1,"#));
    assert_eq!(log(&log_record(&log_before).to_line(true)), log_before);
    assert!(
        end_record(&Span::new(
            "p",
            "be97f2fa26196196d1c776cef223b871".parse().expect("id"),
            "c33604c286773277".parse().expect("id"),
            "x",
            Timestamp::from_nanos(1)
        ))
        .is_none()
    );
}
