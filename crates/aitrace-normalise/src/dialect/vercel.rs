//! Vercel's AI SDK, versions 4 to 6: `ai.*`. The outer span of a call wraps the `do…` spans, which call.

use aitrace_model::SpanKind;

use super::Dialect;
use crate::draft::{Count, Gather, Object, Side, Take, Word};

pub(super) const DIALECT: Dialect = Dialect {
    rows: &[
        ("ai.operationId", Take::Kind(operation)),
        ("ai.model.provider", Take::Word(Word::Provider)),
        ("ai.response.model", Take::Word(Word::ModelServed)),
        ("ai.model.id", Take::Word(Word::ModelAsked)),
        ("ai.usage.inputTokens", Take::Count(Count::Input)),
        ("ai.usage.promptTokens", Take::Count(Count::Input)),
        ("ai.usage.tokens", Take::Count(Count::Input)),
        ("ai.usage.outputTokens", Take::Count(Count::Output)),
        ("ai.usage.completionTokens", Take::Count(Count::Output)),
        ("ai.usage.reasoningTokens", Take::Count(Count::Reasoning)),
        ("ai.usage.cachedInputTokens", Take::Count(Count::CacheRead)),
        ("ai.telemetry.metadata.sessionId", Take::Word(Word::Session)),
        ("ai.telemetry.metadata.userId", Take::Word(Word::User)),
        ("ai.prompt.messages", Take::Messages(Side::Input)),
        ("ai.prompt", Take::Content(Side::Input)),
        ("ai.toolCall.args", Take::Content(Side::Input)),
        ("ai.toolCall.result", Take::Content(Side::Output)),
        ("ai.value", Take::Content(Side::Input)),
        ("ai.values", Take::Items(Side::Input)),
        ("ai.embedding", Take::Content(Side::Output)),
        ("ai.embeddings", Take::Items(Side::Output)),
    ],
    prefixes: &[
        ("ai.response.", Gather::Reply(Side::Output)),
        ("ai.telemetry.metadata.", Gather::Member(Object::Metadata)),
        ("ai.settings.", Gather::Member(Object::Config)),
    ],
    events: &[],
};

fn operation(word: &str) -> Option<SpanKind> {
    Some(match word.strip_prefix("ai.")? {
        "toolCall" => SpanKind::Tool,
        "embed.doEmbed" | "embedMany.doEmbed" => SpanKind::Embedding,
        "rerank.doRerank" => SpanKind::Reranker,
        inner if inner.contains(".do") => SpanKind::Llm,
        _ => SpanKind::Chain,
    })
}
