//! OpenLLMetry (Traceloop): `traceloop.*` and the indexed `gen_ai.prompt.N.*`.

use aitrace_model::SpanKind;

use super::Dialect;
use crate::draft::{Count, Gather, Object, Side, Take, Word};

pub(super) const DIALECT: Dialect = Dialect {
    rows: &[
        ("traceloop.span.kind", Take::Kind(span_kind)),
        ("llm.request.type", Take::Kind(request_type)),
        ("traceloop.entity.input", Take::Content(Side::Input)),
        ("traceloop.entity.output", Take::Content(Side::Output)),
        ("traceloop.association.properties.session_id", Take::Word(Word::Session)),
        ("traceloop.association.properties.user_id", Take::Word(Word::User)),
        ("gen_ai.user", Take::Word(Word::User)),
        ("llm.user", Take::Word(Word::User)),
        ("llm.response.model", Take::Word(Word::ModelServed)),
        ("llm.request.model", Take::Word(Word::ModelAsked)),
        ("gen_ai.usage.prompt_tokens", Take::Count(Count::Input)),
        ("llm.usage.prompt_tokens", Take::Count(Count::Input)),
        ("gen_ai.usage.completion_tokens", Take::Count(Count::Output)),
        ("llm.usage.completion_tokens", Take::Count(Count::Output)),
        ("gen_ai.usage.reasoning_tokens", Take::Count(Count::Reasoning)),
        ("gen_ai.usage.cache_read_input_tokens", Take::Count(Count::CacheRead)),
        ("gen_ai.usage.cache_creation_input_tokens", Take::Count(Count::CacheWrite)),
    ],
    prefixes: &[
        ("gen_ai.prompt.", Gather::Messages(Side::Input)),
        ("gen_ai.completion.", Gather::Messages(Side::Output)),
        ("traceloop.association.properties.", Gather::Member(Object::Metadata)),
    ],
    events: &[],
};

fn span_kind(word: &str) -> Option<SpanKind> {
    Some(match word {
        "workflow" | "task" => SpanKind::Chain,
        "agent" => SpanKind::Agent,
        "tool" => SpanKind::Tool,
        _ => return None,
    })
}

fn request_type(word: &str) -> Option<SpanKind> {
    Some(match word {
        "chat" | "completion" => SpanKind::Llm,
        "embedding" => SpanKind::Embedding,
        "rerank" => SpanKind::Reranker,
        _ => return None,
    })
}
