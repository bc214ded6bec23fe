//! Spans that are told of when they begin, in ways of their own.

use aitrace_model::{RawSpan, SpanId};

/// Logfire sends a span of its own for one that begins: its parent is the span that is meant, whose parent
/// stands in an attribute. Gives it the ids that are meant; says whether it was one.
pub(crate) fn resolve(raw: &mut RawSpan) -> bool {
    let word = |name: &str| {
        raw.attributes.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.as_str())
    };
    let (Some("pending_span"), Some(meant)) = (word("logfire.span_type"), raw.parent_span_id) else {
        return false;
    };
    // Zeros are no id, so a root has none.
    let parent = word("logfire.pending_parent_id").and_then(|text| text.parse::<SpanId>().ok());
    raw.span_id = meant;
    raw.parent_span_id = parent;
    true
}
