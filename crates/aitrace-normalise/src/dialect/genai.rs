//! OpenTelemetry's semantic conventions for generative AI: `gen_ai.*`. Version 1.41 and what
//! followed it, and the renamed keys of earlier ones.

use aitrace_model::SpanKind;

use super::Dialect;
use crate::draft::{Count, Gather, Object, Side, Take, Word};

pub(super) const DIALECT: Dialect = Dialect {
    rows: &[
        ("gen_ai.operation.name", Take::Kind(operation)),
        ("gen_ai.tool.name", Take::Kind(tool)),
        ("gen_ai.provider.name", Take::Word(Word::Provider)),
        ("gen_ai.system", Take::Word(Word::Provider)),
        ("gen_ai.response.model", Take::Word(Word::ModelServed)),
        ("gen_ai.request.model", Take::Word(Word::ModelAsked)),
        ("gen_ai.usage.input_tokens", Take::Count(Count::Input)),
        ("gen_ai.usage.output_tokens", Take::Count(Count::Output)),
        ("gen_ai.usage.cache_read.input_tokens", Take::Count(Count::CacheRead)),
        ("gen_ai.usage.cache_write.input_tokens", Take::Count(Count::CacheWrite)),
        ("gen_ai.usage.cache_creation.input_tokens", Take::Count(Count::CacheWrite)),
        ("gen_ai.usage.reasoning.output_tokens", Take::Count(Count::Reasoning)),
        ("gen_ai.usage.details.cache_read_tokens", Take::Count(Count::CacheRead)),
        ("gen_ai.usage.details.cached_tokens", Take::Count(Count::CacheRead)),
        ("gen_ai.usage.details.reasoning_tokens", Take::Count(Count::Reasoning)),
        ("gen_ai.conversation.id", Take::Word(Word::Session)),
        ("gen_ai.system_instructions", Take::System),
        ("gen_ai.input.messages", Take::Messages(Side::Input)),
        ("gen_ai.output.messages", Take::Messages(Side::Output)),
        ("gen_ai.tool.call.arguments", Take::Content(Side::Input)),
        ("gen_ai.tool.call.result", Take::Content(Side::Output)),
        ("gen_ai.retrieval.query.text", Take::Content(Side::Input)),
        ("gen_ai.retrieval.documents", Take::Content(Side::Output)),
        // LangSmith's attributes, and the events of version 1.27 and before.
        ("gen_ai.prompt", Take::Chat(Side::Input)),
        ("gen_ai.completion", Take::Chat(Side::Output)),
        ("gen_ai.aggregated_usage.input_tokens", Take::Count(Count::Input)),
        ("gen_ai.aggregated_usage.output_tokens", Take::Count(Count::Output)),
        ("gen_ai.aggregated_usage.cache_read.input_tokens", Take::Count(Count::CacheRead)),
        ("enduser.id", Take::Word(Word::User)),
    ],
    prefixes: &[("gen_ai.request.", Gather::Member(Object::Config))],
    events: &[
        "gen_ai.client.inference.operation.details",
        "gen_ai.content.prompt",
        "gen_ai.content.completion",
    ],
};

/// A span that names a tool and no operation runs it.
#[expect(clippy::unnecessary_wraps, reason = "rows want this form")]
fn tool(_: &str) -> Option<SpanKind> {
    Some(SpanKind::Tool)
}

/// The operations of the conventions, and those that libraries add to them.
fn operation(word: &str) -> Option<SpanKind> {
    Some(match word {
        "chat" | "generate_content" | "text_completion" | "completion" => SpanKind::Llm,
        "embeddings" | "embedding" => SpanKind::Embedding,
        "retrieval" | "vector_db_retrieve" | "search_memory" => SpanKind::Retriever,
        "create_agent" | "invoke_agent" | "agent_step" => SpanKind::Agent,
        "execute_tool" => SpanKind::Tool,
        "invoke_workflow" | "plan" | "chain" | "parser" | "execute_task" => SpanKind::Chain,
        "rerank" => SpanKind::Reranker,
        _ => return None,
    })
}
