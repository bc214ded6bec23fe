//! What holds for any span: precedence of dialects, nothing received is lost, nothing panics.

use std::sync::Arc;

use aitrace_model::{
    AnyValue, Dropped, EventType, Json, RawEvent, RawLink, RawSpan, RawStatus, Resource, Scope, Span,
    SpanKind, Timestamp, Usage,
};
use aitrace_normalise::{normalise_span, usage_of};
use proptest::prelude::*;

use crate::fixtures::context;

pub(crate) fn raw(attributes: Vec<(String, AnyValue)>) -> RawSpan {
    RawSpan {
        trace_id: "be97f2fa26196196d1c776cef223b871".parse().expect("id"),
        span_id: "c33604c286773277".parse().expect("id"),
        parent_span_id: None,
        name: "name".to_owned(),
        otel_kind: 1,
        trace_state: String::new(),
        start: Timestamp::from_nanos(1),
        end: Some(Timestamp::from_nanos(2)),
        attributes,
        events: Vec::new(),
        links: Vec::new(),
        status: RawStatus::Unset,
        dropped: Dropped::default(),
        flags: 0,
        resource: Arc::new(Resource::default()),
        scope: Arc::new(Scope::default()),
    }
}

fn normalised(attributes: &[(&str, AnyValue)]) -> Span {
    let own = attributes.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    normalise_span(raw(own.collect()), &context())
}

#[test]
fn the_dialects_rank_in_their_order() {
    let word = AnyValue::from;
    // Each source alone outranks all that follow it, wherever they stand among the attributes.
    let kinds = [
        ("openinference.span.kind", word("RERANKER"), SpanKind::Reranker),
        ("gen_ai.operation.name", word("invoke_agent"), SpanKind::Agent),
        ("traceloop.span.kind", word("tool"), SpanKind::Tool),
        ("llm.request.type", word("chat"), SpanKind::Llm),
    ];
    for from in 0..kinds.len() {
        let mut attributes: Vec<(&str, AnyValue)> =
            kinds[from..].iter().map(|(key, value, _)| (*key, value.clone())).collect();
        assert_eq!(normalised(&attributes).kind, kinds[from].2);
        attributes.reverse();
        assert_eq!(normalised(&attributes).kind, kinds[from].2);
        attributes.push(("aitrace.event_type", word("session")));
        assert_eq!(
            (normalised(&attributes).kind, normalised(&attributes).event_type),
            (kinds[from].2, EventType::Session)
        );
    }
    let tokens = ["llm.token_count.prompt", "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"];
    for from in 0..tokens.len() {
        let told = tokens.iter().enumerate().skip(from).rev();
        let attributes: Vec<(&str, AnyValue)> =
            told.map(|(at, key)| (*key, AnyValue::Int(at as i64))).collect();
        assert_eq!(normalised(&attributes).input_tokens, Some(from as u64));
    }
    let messages = [("llm.input_messages.0.message.content", "a"), ("gen_ai.prompt.0.content", "c")];
    let whole =
        ("gen_ai.input.messages", word(r#"[{"role":"user","parts":[{"type":"text","content":"b"}]}]"#));
    let all = [(messages[1].0, word(messages[1].1)), whole.clone(), (messages[0].0, word(messages[0].1))];
    for (used, expected) in [(&all[..], r#""a""#), (&all[..2], r#""b""#), (&all[..1], r#""c""#)] {
        let inputs = normalised(used).inputs.expect("messages");
        assert!(inputs.as_str().contains(expected), "{inputs}");
    }
}

#[test]
fn a_value_of_the_wrong_type_leaves_its_place() {
    let span = normalised(&[
        ("openinference.span.kind", AnyValue::Int(3)),
        ("gen_ai.operation.name", AnyValue::from("chat")),
        ("llm.token_count.prompt", AnyValue::from("many")),
        ("gen_ai.usage.input_tokens", AnyValue::from("12")),
        ("session.id", AnyValue::from("")),
        ("gen_ai.conversation.id", AnyValue::from("c")),
    ]);
    assert_eq!(
        (span.kind, span.input_tokens, span.session_id.as_deref()),
        (SpanKind::Llm, Some(12), Some("c"))
    );
}

fn value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(AnyValue::Null),
        any::<bool>().prop_map(AnyValue::Bool),
        any::<i64>().prop_map(AnyValue::Int),
        any::<f64>().prop_map(AnyValue::Double),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(AnyValue::Bytes),
        any::<String>().prop_map(AnyValue::String),
        prop::sample::select(vec![
            "[",
            "[]",
            "{}",
            "[1]",
            "[{}]",
            r#"[{"role":"user"}]"#,
            "\"",
            "\"\\u00e9\"",
            r#"["\ud83d"]"#,
            "[\\",
            "{\"\\u00é",
            "application/json",
            "text/plain",
            "chat",
            "LLM",
            "start",
            "1e999",
            "-1",
        ])
        .prop_map(AnyValue::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(AnyValue::Array),
            prop::collection::vec((any::<String>(), inner), 0..3).prop_map(AnyValue::Map),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known = [
        "aitrace.lifecycle",
        "aitrace.event_type",
        "aitrace.metrics",
        "metadata",
        "input.value",
        "input.mime_type",
        "output.value",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.prompt.0.content",
        "gen_ai.prompt.0.role",
        "gen_ai.prompt.0.tool_calls.0.arguments",
        "gen_ai.prompt.1",
        "llm.input_messages.0.message.contents.0.message_content.type",
        "llm.input_messages.0.message.contents.0.message_content.text",
        "llm.input_messages.9.message.content",
        "retrieval.documents.0.document.id",
        "retrieval.documents.0.",
        "gen_ai.request.",
        "gen_ai.request.stop",
        "llm.token_count.prompt",
        "gen_ai.usage.cache_read.input_tokens",
        "llm.cost.total",
        "code.line.number",
        "code.file.path",
        "message",
        "content",
        "tool_calls",
        "role",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn valid(json: Option<&Json>) -> bool {
    json.is_none_or(|json| Json::parse(json.as_str()).is_ok())
}

proptest! {
    #[test]
    fn everything_is_kept_and_everything_made_is_json(
        attributes in prop::collection::vec((key(), value()), 0..12),
        event in prop::sample::select(vec!["gen_ai.choice", "gen_ai.user.message", "gen_ai.tool.message", "exception"]),
        of_event in prop::collection::vec((key(), value()), 0..6),
        failed: bool,
    ) {
        let mut raw = raw(attributes.clone());
        raw.events = vec![RawEvent { time: raw.start, name: event.to_owned(), attributes: of_event, dropped_attributes: 0 }];
        raw.status = if failed { RawStatus::Error("it failed".to_owned()) } else { RawStatus::Ok };
        let span = normalise_span(raw, &context());
        prop_assert_eq!(&span.attributes, &AnyValue::object_to_json(&attributes));
        prop_assert_eq!(span.is_error(), failed);
        for made in [&span.inputs, &span.outputs, &span.metadata, &span.metrics, &span.config] {
            prop_assert!(valid(made.as_ref()), "{made:?}");
        }
    }
}

#[test]
fn what_a_call_used_is_told_and_the_sender_s_cost_stands() {
    let call = |more: &[(&str, AnyValue)]| {
        let mut attributes = vec![
            ("gen_ai.operation.name", AnyValue::from("chat")),
            ("gen_ai.provider.name", AnyValue::from("anthropic")),
            ("gen_ai.response.model", AnyValue::from("m")),
            ("gen_ai.usage.input_tokens", AnyValue::Int(15)),
            ("gen_ai.usage.cache_read.input_tokens", AnyValue::Int(30)),
            ("gen_ai.usage.output_tokens", AnyValue::Int(9)),
            ("gen_ai.usage.reasoning.output_tokens", AnyValue::Int(4)),
        ];
        attributes.extend(more.iter().cloned());
        raw(attributes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    };
    let used = Usage {
        provider: Some("anthropic".to_owned()),
        model: Some("m".to_owned()),
        input: Some(45),
        cache_read: Some(30),
        cache_write: None,
        output: Some(9),
        reasoning: Some(4),
    };
    let span = normalise_span(call(&[]), &context());
    assert_eq!((span.kind, span.cost), (SpanKind::Llm, None));
    assert_eq!(usage_of(&span), used, "a stored span can be priced anew");
    let stated = call(&[("gen_ai.usage.cost", AnyValue::Double(0.25))]);
    assert_eq!(normalise_span(stated, &context()).cost, Some(0.25));
    let wraps = call(&[("openinference.span.kind", AnyValue::from("CHAIN"))]);
    assert_eq!(
        normalise_span(wraps, &context()).kind,
        SpanKind::Chain,
        "what wraps a call costs nothing more"
    );
}

#[test]
fn what_otlp_says_beside_the_attributes_is_kept() {
    let mut raw = raw(Vec::new());
    let otel = normalise_span(raw.clone(), &context()).otel.expect("an object");
    assert_eq!(otel.as_str(), r#"{"mapper":1}"#, "nothing else is said");
    (raw.otel_kind, raw.flags, raw.trace_state) = (3, 257, "a=b".to_owned());
    raw.dropped = Dropped { attributes: 1, events: 0, links: 2 };
    let scope = Scope { version: "1\"".to_owned(), schema_url: "s".to_owned(), ..Scope::default() };
    raw.scope = Arc::new(scope);
    raw.resource = Arc::new(Resource { dropped_attributes: 4, ..Resource::default() });
    let event = |name: &str, dropped_attributes| {
        let (time, attributes) = (Timestamp::from_nanos(i64::MAX), Vec::new());
        RawEvent { time, name: name.to_owned(), attributes, dropped_attributes }
    };
    raw.events = vec![event("whole", 0), event("cut", 5)];
    raw.links = vec![RawLink {
        trace_id: raw.trace_id,
        span_id: raw.span_id,
        trace_state: "c=d".to_owned(),
        attributes: Vec::new(),
        dropped_attributes: 0,
        flags: 1,
    }];
    let otel = normalise_span(raw, &context()).otel.expect("an object");
    let expected = r#"{"kind":"client","trace_state":"a=b","flags":257,"dropped_attributes_count":1,"dropped_links_count":2,"scope_version":"1\"","scope_schema_url":"s","resource_dropped_attributes_count":4,"events":[{"name":"cut","time_ns":"9223372036854775807","dropped_attributes_count":5}],"links":[{"trace_id":"be97f2fa26196196d1c776cef223b871","span_id":"c33604c286773277","trace_state":"c=d","flags":1}],"mapper":1}"#;
    assert_eq!(otel.as_str(), expected);
}

#[test]
fn cached_tokens_are_input_whoever_counts_them() {
    let call = |scope: &str, input: i64| {
        let attributes = [
            ("gen_ai.usage.input_tokens", AnyValue::Int(input)),
            ("gen_ai.usage.cache_read.input_tokens", AnyValue::Int(10)),
            ("gen_ai.usage.cache_write.input_tokens", AnyValue::Int(2)),
            ("gen_ai.usage.reasoning.output_tokens", AnyValue::Int(3)),
        ];
        let own = attributes.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
        let mut raw = raw(own.collect());
        raw.scope = Arc::new(Scope { name: scope.to_owned(), ..Scope::default() });
        let span = normalise_span(raw, &context());
        assert_eq!(
            (span.cache_read_tokens, span.cache_write_tokens, span.reasoning_tokens),
            (Some(10), Some(2), Some(3))
        );
        span.input_tokens
    };
    assert_eq!(call("opentelemetry.instrumentation.anthropic", 25), Some(25), "added up by the sender");
    assert_eq!(call("opentelemetry.instrumentation.anthropic", 5), Some(17), "more cached than there are");
    for scope in
        ["opentelemetry.instrumentation.botocore.bedrock-runtime", "opentelemetry.instrumentation.bedrock"]
    {
        assert_eq!(call(scope, 25), Some(37), "{scope}: as Bedrock counts");
    }
}
