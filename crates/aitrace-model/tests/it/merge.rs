//! The laws of [`SpanState`], and what it makes of the messages.

use aitrace_model::{
    ErrorInfo, EventType, Json, Level, LogRecord, LostRules, Phase, Span, SpanKind, SpanState, Status,
    Timestamp, TraceStatus,
};
use proptest::prelude::*;

use crate::any::{message, span_id, trace_id};

fn state_of(messages: &[Span]) -> SpanState {
    let mut messages = messages.iter().cloned();
    let mut state = SpanState::new(messages.next().expect("at least one"));
    messages.for_each(|message| {
        state.join(message);
    });
    state
}

/// Equality that takes NaN for NaN.
fn text(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

fn at(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

fn start() -> Span {
    Span::new("p", trace_id(), span_id(), "work", at(100))
}

fn end() -> Span {
    let mut end = start();
    (end.phase, end.end, end.received) = (Phase::End, Some(at(200)), at(210));
    end
}

fn tentative(name: &str, id: &str) -> Span {
    let mut end = end();
    name.clone_into(&mut end.name);
    end.tentative = Some(Box::new(LogRecord {
        project: "p".to_owned(),
        id: id.to_owned(),
        trace_id: Some(trace_id()),
        span_id: Some(span_id()),
        time: at(200),
        event: format!("{name}.end"),
        level: Level::Info,
        logger: None,
        code: None,
        session_id: None,
        attrs: Json::from_trusted("{}"),
        received: at(210),
    }));
    end
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_order_and_grouping_gives_the_same(
        messages in prop::collection::vec(message(), 1..7).prop_flat_map(|messages| {
            (Just(messages.clone()), Just(messages).prop_shuffle())
        }),
        cut in any::<prop::sample::Index>(),
    ) {
        let (messages, shuffled) = messages;
        let all = state_of(&messages);
        let other = state_of(&shuffled);
        prop_assert_eq!(text(&all), text(&other));
        prop_assert_eq!(text(&all.merged()), text(&other.merged()));

        let (left, right) = shuffled.split_at(cut.index(shuffled.len()));
        if !left.is_empty() {
            let (left, right) = (state_of(left), state_of(right));
            let (mut one, mut two) = (left.clone(), right.clone());
            one.join_state(&right);
            two.join_state(&left);
            prop_assert_eq!(text(&one), text(&all));
            prop_assert_eq!(text(&two), text(&all));
        }
    }

    #[test]
    fn joining_again_changes_nothing(messages in prop::collection::vec(message(), 1..7)) {
        let mut state = state_of(&messages);
        let before = text(&state);
        for message in &messages {
            prop_assert!(!state.join(message.clone()));
        }
        prop_assert!(!state.clone().join_state(&state));
        prop_assert_eq!(text(&state), before);
        let rebuilt: Vec<Span> = state.messages().cloned().collect();
        prop_assert_eq!(text(&state_of(&rebuilt)), text(&state));
        prop_assert_eq!(text(&state.merged()), text(&state.clone().into_merged()));
    }

    #[test]
    fn resent_later_is_the_same_message(message in message(), later in 1_i64..9) {
        let mut state = SpanState::new(message.clone());
        let mut resent = message.clone();
        resent.received = resent.received.saturating_add(later);
        // A heartbeat is a sign of life each time.
        prop_assert_eq!(state.join(resent), message.phase == Phase::Heartbeat);
    }

    #[test]
    fn nothing_once_known_is_forgotten(messages in prop::collection::vec(message(), 1..7)) {
        let state = state_of(&messages);
        let span = state.merged();
        let logs: Vec<&str> = state.orphan_logs().map(|log| log.id.as_str()).collect();
        if span.is_none() {
            let waits = |message: &Span| message.tentative.is_some() || message.phase == Phase::Contents;
            prop_assert!(messages.iter().all(waits));
        }
        for message in &messages {
            match &message.tentative {
                Some(log) if span.as_ref().is_none_or(|span| span.name != message.name) => {
                    prop_assert!(logs.contains(&log.id.as_str()) || state.is_ended());
                }
                Some(_) => {}
                None => prop_assert!(message.phase != Phase::End || state.is_ended()),
            }
        }
        if let Some(span) = span {
            prop_assert_eq!(span.phase == Phase::End, state.is_ended());
            prop_assert_eq!(span.end.is_some(), state.is_ended());
            prop_assert!(span.tentative.is_none());
        }
    }
}

#[test]
fn contents_that_log_records_tell_fill_what_is_missing() {
    let told = |id: &str, nanos: i64, inputs: Option<&'static str>, outputs: Option<&'static str>| {
        let mut told = Span::new("p", trace_id(), span_id(), id, at(nanos));
        (told.phase, told.received) = (Phase::Contents, at(900));
        (told.inputs, told.outputs) = (inputs.map(Json::from_trusted), outputs.map(Json::from_trusted));
        told
    };
    let mut state = state_of(&[
        told("b", 120, Some(r#"["q2"]"#), None),
        told("a", 120, Some(" [1, 2] "), None),
        told("c", 110, Some("[]"), Some(r#""r1""#)),
    ]);
    assert_eq!((state.merged(), state.is_ended()), (None, false), "of a span that nobody knows");
    assert!(!state.join(told("b", 120, Some(r#"["q2"]"#), None)), "known");
    state.join(start());
    assert_eq!(state.last_seen(), start().received, "no sign of life");
    let rules = LostRules { heartbeat_ns: 10, silent_ns: 10 };
    assert_eq!(state.status(at(200), &rules, at(100)), TraceStatus::Lost);
    state.join(told("d", 130, None, Some(r#"["r2"]"#)));
    state.join(end());
    let span = state.merged().expect("ended");
    assert_eq!((span.name.as_str(), span.received), ("work", at(210)));
    assert_eq!(span.inputs.as_ref().map(Json::as_str), Some(r#"[1, 2,"q2"]"#));
    assert_eq!(
        span.outputs.as_ref().map(Json::as_str),
        Some(r#"["r2"]"#),
        "the last, where there is no list"
    );
    let mut richer = end();
    (richer.inputs, richer.end) = (Some(Json::string("own")), Some(at(300)));
    state.join(richer);
    let span = state.clone().into_merged().expect("ended");
    assert_eq!(span.inputs, Some(Json::string("own")));
    assert_eq!(span.outputs.as_ref().map(Json::as_str), Some(r#"["r2"]"#));
}

#[test]
fn the_end_lies_over_the_start() {
    let mut first = start();
    first.inputs = Some(Json::from_trusted(r#"{"q":1}"#));
    first.attributes = Json::from_trusted(r#"{"aitrace.lifecycle":"start","a":1,"b":1}"#);
    (first.kind, first.event_type) = (SpanKind::Llm, EventType::Model);
    let mut last = end();
    last.start = at(150);
    last.attributes = Json::from_trusted(r#"{"b":2,"c":3}"#);
    last.status = Some(Status::Error);
    last.error = Some(ErrorInfo { kind: "E".to_owned(), ..ErrorInfo::default() });
    let mut state = SpanState::new(last);
    assert!(state.join(first));
    let span = state.merged().expect("a span");
    assert_eq!((span.start, span.end, span.phase), (at(100), Some(at(200)), Phase::End));
    assert_eq!((span.kind, span.event_type), (SpanKind::Llm, EventType::Model));
    assert_eq!(span.inputs.expect("from the start").as_str(), r#"{"q":1}"#);
    assert_eq!(span.attributes.as_str(), r#"{"b":2,"c":3,"a":1}"#);
    assert_eq!(span.error.expect("from the end").kind, "E");
}

#[test]
fn a_tentative_end_counts_once_the_span_is_known() {
    for messages in [[start(), tentative("work", "1")], [tentative("work", "1"), start()]] {
        let state = state_of(&messages);
        assert!(state.is_ended());
        assert_eq!(state.orphan_logs().count(), 0);
        assert_eq!(state.merged().and_then(|span| span.end), Some(at(200)));
    }
    let alone = state_of(&[tentative("work", "1"), tentative("work", "2")]);
    assert!(!alone.is_ended());
    assert!(alone.merged().is_none());
    assert_eq!(alone.orphan_logs().count(), 2);
}

#[test]
fn an_event_of_another_name_within_a_span_is_a_log_record() {
    let state = state_of(&[start(), tentative("upload", "1"), tentative("work", "2")]);
    assert!(state.is_ended());
    let logs: Vec<&str> = state.orphan_logs().map(|log| log.event.as_str()).collect();
    assert_eq!(logs, ["upload.end"]);
    assert!(!state_of(&[start(), tentative("upload", "1")]).is_ended());
}

#[test]
fn lost_by_heartbeat_or_by_silence_and_ended_after_all() {
    let rules = LostRules { heartbeat_ns: 60, silent_ns: 900 };
    let mut beating = start();
    beating.heartbeats = true;
    let mut state = SpanState::new(beating.clone());
    assert_eq!(state.status(at(159), &rules, at(0)), TraceStatus::Running);
    assert_eq!(state.status(at(160), &rules, at(159)), TraceStatus::Lost);
    (beating.phase, beating.received) = (Phase::Heartbeat, at(150));
    assert!(state.join(beating));
    assert_eq!(state.status(at(160), &rules, at(0)), TraceStatus::Running);
    assert_eq!(state.status(at(210), &rules, at(0)), TraceStatus::Lost);

    let silent = SpanState::new(start());
    assert_eq!(silent.status(at(999), &rules, at(0)), TraceStatus::Running);
    assert_eq!(silent.status(at(1000), &rules, at(0)), TraceStatus::Lost);
    assert_eq!(silent.status(at(1000), &rules, at(101)), TraceStatus::Running);

    assert!(state.join(end()));
    assert_eq!(state.status(at(i64::MAX), &rules, at(0)), TraceStatus::Ok);
}
