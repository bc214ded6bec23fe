//! OpenInference (Arize), semantic conventions 0.1: `llm.*`, `input.value`, `openinference.span.kind`.

use aitrace_model::key;

use super::Dialect;
use crate::draft::{Count, Gather, Object, Side, Take, Word};
use crate::kind;

pub(super) const DIALECT: Dialect = Dialect {
    rows: &[
        (key::SPAN_KIND, Take::Kind(kind::openinference)),
        (key::INPUT_VALUE, Take::Content(Side::Input)),
        (key::INPUT_MIME_TYPE, Take::Mime(Side::Input)),
        ("tool.parameters", Take::Content(Side::Input)),
        (key::OUTPUT_VALUE, Take::Content(Side::Output)),
        (key::OUTPUT_MIME_TYPE, Take::Mime(Side::Output)),
        (key::METADATA, Take::Object(Object::Metadata)),
        ("llm.provider", Take::Word(Word::Provider)),
        ("llm.system", Take::Word(Word::Provider)),
        ("llm.response.model_name", Take::Word(Word::ModelServed)),
        ("llm.model_name", Take::Word(Word::ModelAsked)),
        ("llm.request.model_name", Take::Word(Word::ModelAsked)),
        ("embedding.model_name", Take::Word(Word::ModelAsked)),
        ("reranker.model_name", Take::Word(Word::ModelAsked)),
        ("llm.token_count.prompt", Take::Count(Count::Input)),
        ("llm.token_count.completion", Take::Count(Count::Output)),
        ("llm.token_count.prompt_details.cache_read", Take::Count(Count::CacheRead)),
        ("llm.token_count.prompt_details.cache_write", Take::Count(Count::CacheWrite)),
        ("llm.token_count.completion_details.reasoning", Take::Count(Count::Reasoning)),
        ("llm.cost.total", Take::Cost),
        ("llm.invocation_parameters", Take::Object(Object::Config)),
    ],
    prefixes: &[
        ("llm.input_messages.", Gather::Messages(Side::Input)),
        ("llm.output_messages.", Gather::Messages(Side::Output)),
        ("retrieval.documents.", Gather::List(Side::Output)),
        ("reranker.output_documents.", Gather::List(Side::Output)),
        ("embedding.embeddings.", Gather::List(Side::Input)),
    ],
    events: &[],
};
