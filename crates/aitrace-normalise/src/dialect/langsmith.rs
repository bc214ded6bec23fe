//! LangSmith's export to OpenTelemetry: `langsmith.*`, which says truer than its `gen_ai.operation.name` what
//! a span is. Contents are LangChain's own objects as JSON text, in `gen_ai.prompt` and `gen_ai.completion`.

use aitrace_model::SpanKind;

use super::Dialect;
use crate::draft::{Count, Gather, Number, Object, Take, Word};

pub(super) const DIALECT: Dialect = Dialect {
    rows: &[
        ("langsmith.span.kind", Take::Kind(span_kind)),
        // What it calls a session is a project.
        ("langsmith.trace.session_name", Take::Word(Word::Project)),
        ("langsmith.metadata.session_id", Take::Word(Word::Session)),
        ("langsmith.metadata.conversation_id", Take::Word(Word::Session)),
        ("langsmith.metadata.thread_id", Take::Word(Word::Session)),
        ("langsmith.metadata.user_id", Take::Word(Word::User)),
        ("langsmith.metadata.ls_provider", Take::Word(Word::Provider)),
        ("langsmith.metadata.ls_model_name", Take::Word(Word::ModelAsked)),
        ("langsmith.metadata.usage_metadata", Take::Within(USAGE)),
    ],
    prefixes: &[("langsmith.metadata.", Gather::Opened(Object::Metadata))],
    events: &[],
};

const USAGE: &[(&str, Number)] = &[
    ("input_tokens", Number::Count(Count::Input)),
    ("output_tokens", Number::Count(Count::Output)),
    ("output_token_details.reasoning", Number::Count(Count::Reasoning)),
    ("input_token_details.cache_read", Number::Count(Count::CacheRead)),
    ("input_token_details.cache_creation", Number::Count(Count::CacheWrite)),
];

fn span_kind(word: &str) -> Option<SpanKind> {
    match word {
        "parser" => Some(SpanKind::Chain),
        other => SpanKind::from_word(other),
    }
}
