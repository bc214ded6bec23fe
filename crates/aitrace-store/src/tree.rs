//! Spans in tree order.

use aitrace_model::tree::{self, Node};

use crate::stored::StoredSpan;

/// Sorts the spans of one trace by the order of [`aitrace_model::tree`]: parents first, siblings by
/// start; of spans with one id only the earliest stays.
pub fn in_tree_order(spans: Vec<StoredSpan>) -> Vec<StoredSpan> {
    let node = |stored: &StoredSpan| Node {
        start: stored.span.start,
        id: stored.span.span_id,
        parent: stored.span.parent_span_id,
    };
    let order = tree::order(&spans.iter().map(node).collect::<Vec<_>>());
    let mut slots: Vec<Option<StoredSpan>> = spans.into_iter().map(Some).collect();
    order.into_iter().filter_map(|entry| slots[entry.index].take()).collect()
}
