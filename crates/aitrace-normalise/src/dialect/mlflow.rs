//! MLflow 3, exported as OTLP: `mlflow.*`. Every value is JSON text, so texts stand in quotes.

use aitrace_model::SpanKind;

use super::Dialect;
use crate::draft::{Count, Number, Side, Take, Word, unquoted};

pub(super) const DIALECT: Dialect = Dialect {
    rows: &[
        ("mlflow.spanType", Take::Kind(span_type)),
        ("mlflow.message.format", Take::Quoted(Word::Provider)),
        ("mlflow.llm.provider", Take::Quoted(Word::Provider)),
        ("mlflow.llm.model", Take::Quoted(Word::ModelServed)),
        ("mlflow.chat.tokenUsage", Take::Within(USAGE)),
        ("mlflow.llm.cost", Take::Within(&[("total_cost", Number::Cost)])),
        ("mlflow.spanInputs", Take::Chat(Side::Input)),
        ("mlflow.spanOutputs", Take::Chat(Side::Output)),
        ("mlflow.trace.session", Take::Quoted(Word::Session)),
        ("mlflow.trace.user", Take::Quoted(Word::User)),
    ],
    prefixes: &[],
    events: &[],
};

const USAGE: &[(&str, Number)] = &[
    ("input_tokens", Number::Count(Count::Input)),
    ("output_tokens", Number::Count(Count::Output)),
    ("cache_read_input_tokens", Number::Count(Count::CacheRead)),
    ("cache_creation_input_tokens", Number::Count(Count::CacheWrite)),
];

fn span_type(word: &str) -> Option<SpanKind> {
    Some(match unquoted(word) {
        "LLM" | "CHAT_MODEL" => SpanKind::Llm,
        "WORKFLOW" | "TASK" | "PARSER" | "MEMORY" => SpanKind::Chain,
        "UNKNOWN" => return None,
        other => return SpanKind::from_word(&other.to_ascii_lowercase()),
    })
}
