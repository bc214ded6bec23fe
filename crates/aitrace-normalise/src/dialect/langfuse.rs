//! Langfuse, versions 3 to 5: `langfuse.*`. Values are JSON text, or plain text where they are text.

use aitrace_model::SpanKind;

use super::Dialect;
use crate::draft::{Count, Gather, Number, Object, Side, Take, Word};

pub(super) const DIALECT: Dialect = Dialect {
    rows: &[
        ("langfuse.observation.type", Take::Kind(observation)),
        ("langfuse.observation.model.name", Take::Word(Word::ModelAsked)),
        ("langfuse.observation.model.parameters", Take::Object(Object::Config)),
        ("langfuse.observation.usage_details", Take::Within(USAGE)),
        ("langfuse.observation.cost_details", Take::Within(&[("total", Number::Cost)])),
        ("langfuse.observation.input", Take::Chat(Side::Input)),
        ("langfuse.observation.output", Take::Chat(Side::Output)),
        ("langfuse.trace.input", Take::Chat(Side::Input)),
        ("langfuse.trace.output", Take::Chat(Side::Output)),
        ("langfuse.observation.metadata", Take::Object(Object::Metadata)),
        ("langfuse.trace.metadata", Take::Object(Object::Metadata)),
        ("langfuse.session.id", Take::Word(Word::Session)),
        ("langfuse.user.id", Take::Word(Word::User)),
        ("langfuse.environment", Take::Word(Word::Source)),
    ],
    prefixes: &[
        ("langfuse.observation.metadata.", Gather::Opened(Object::Metadata)),
        ("langfuse.trace.metadata.", Gather::Opened(Object::Metadata)),
    ],
    events: &[],
};

const USAGE: &[(&str, Number)] = &[
    ("input", Number::Count(Count::Input)),
    ("prompt_tokens", Number::Count(Count::Input)),
    ("output", Number::Count(Count::Output)),
    ("completion_tokens", Number::Count(Count::Output)),
    ("cache_read_input_tokens", Number::Count(Count::CacheRead)),
    ("input_cached_tokens", Number::Count(Count::CacheRead)),
    ("cache_creation_input_tokens", Number::Count(Count::CacheWrite)),
];

fn observation(word: &str) -> Option<SpanKind> {
    match word {
        "generation" => Some(SpanKind::Llm),
        "span" | "event" => None,
        other => SpanKind::from_word(other),
    }
}
