//! Pydantic AI, versions 0.4 to 2, where it says more than the conventions or says it otherwise: agent runs and
//! tools without an operation, and messages as a list of events in one attribute.

use aitrace_model::SpanKind;

use super::Dialect;
use crate::draft::{Side, Take, Word};

pub(super) const DIALECT: Dialect = Dialect {
    rows: &[
        ("agent_name", Take::Kind(agent)),
        ("model_name", Take::Word(Word::ModelAsked)),
        ("pydantic_ai.all_messages", Take::Messages(Side::Input)),
        ("all_messages_events", Take::Happened),
        ("events", Take::Happened),
        ("final_result", Take::Content(Side::Output)),
        ("tool_arguments", Take::Content(Side::Input)),
        ("tool_response", Take::Content(Side::Output)),
    ],
    prefixes: &[],
    events: &[],
};

/// Whatever its name: a span that names an agent runs one.
#[expect(clippy::unnecessary_wraps, reason = "rows want this form")]
fn agent(_: &str) -> Option<SpanKind> {
    Some(SpanKind::Agent)
}
