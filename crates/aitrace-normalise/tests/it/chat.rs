//! Contents of model calls, whatever they look like.

use aitrace_model::{AnyValue, Span, SpanKind};
use aitrace_normalise::normalise_span;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixtures::context;
use crate::laws::raw;

const KEYS: &[&str] = &[
    "role",
    "type",
    "content",
    "text",
    "parts",
    "tool_calls",
    "kwargs",
    "message",
    "messages",
    "choices",
    "generations",
    "output",
    "name",
    "id",
    "function",
    "arguments",
    "finish_reason",
    "event.name",
];
const WORDS: &[&str] = &[
    "user",
    "human",
    "assistant",
    "ai",
    "tool",
    "text",
    "tool_use",
    "tool-result",
    "gen_ai.choice",
    "",
    "x",
];

fn call(key: &str, content: &str) -> Span {
    let attributes = [("gen_ai.operation.name", "chat"), (key, content)];
    let own = attributes.map(|(key, value)| (key.to_owned(), AnyValue::from(value)));
    normalise_span(raw(own.to_vec()), &context())
}

fn anything() -> impl Strategy<Value = Value> {
    let word = || prop::sample::select(WORDS).prop_map(Value::from);
    let leaf = prop_oneof![word(), Just(Value::Null), any::<i64>().prop_map(Value::from), Just(json!(1.5))];
    leaf.prop_recursive(6, 48, 5, |inner| {
        let members = prop::collection::vec((prop::sample::select(KEYS), inner.clone()), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::Array),
            members.prop_map(|all| Value::Object(all.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    /// Every content becomes a value that is JSON, and messages have a role and parts.
    #[test]
    fn any_content_is_taken(content in anything(), key in prop::sample::select(&[
        "gen_ai.prompt", "gen_ai.completion", "gen_ai.input.messages", "mlflow.spanInputs", "ai.prompt.messages",
        "langfuse.observation.output", "all_messages_events", "ai.response.toolCalls", "events",
    ][..])) {
        let span = call(key, &content.to_string());
        prop_assert_eq!(span.kind, SpanKind::Llm);
        for side in [span.inputs, span.outputs].into_iter().flatten() {
            prop_assert!(serde_json::from_str::<Value>(side.as_str()).is_ok(), "{}", side.as_str());
        }
    }
}

#[test]
fn a_nest_of_messages_deeper_than_any_stack() {
    for (open, close) in [("[", "]"), (r#"{"messages":"#, "}")] {
        let text = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        assert!(call("gen_ai.prompt", &text).inputs.is_some());
    }
}
