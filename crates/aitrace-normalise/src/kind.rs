//! Kinds of spans and how they relate to event types.

use aitrace_model::{EventType, SpanKind};

/// OpenInference's word, in any case.
pub(crate) fn openinference(word: &str) -> Option<SpanKind> {
    let lower = word.to_ascii_lowercase();
    SpanKind::from_word(&lower)
}

/// The event type of a span of which only the kind is told.
pub(crate) fn event_type(kind: SpanKind) -> EventType {
    match kind {
        SpanKind::Llm | SpanKind::Embedding => EventType::Model,
        SpanKind::Tool | SpanKind::Retriever | SpanKind::Reranker | SpanKind::Span => EventType::Tool,
        SpanKind::Chain | SpanKind::Agent | SpanKind::Guardrail | SpanKind::Evaluator | SpanKind::Prompt => {
            EventType::Chain
        }
    }
}

/// The kind of a span of which only the event type is told.
pub(crate) fn of_event_type(event_type: EventType) -> SpanKind {
    match event_type {
        EventType::Model => SpanKind::Llm,
        EventType::Tool => SpanKind::Tool,
        EventType::Chain | EventType::Session => SpanKind::Chain,
    }
}
