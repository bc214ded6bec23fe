//! Spans in tree order.

use std::collections::{HashMap, HashSet};

use aitrace_model::SpanId;

use crate::telemetry::StoredSpan;

/// Sorts the spans of one trace: parents first, siblings by start, then id. A span whose parent is
/// not there stands as a root; a circle of parents is entered at its earliest span.
pub fn in_tree_order(mut spans: Vec<StoredSpan>) -> Vec<StoredSpan> {
    spans.sort_unstable_by_key(|stored| (stored.span.start, stored.span.span_id));
    let ids: HashSet<SpanId> = spans.iter().map(|stored| stored.span.span_id).collect();
    let parent = |index: usize| spans[index].span.parent_span_id.filter(|parent| ids.contains(parent));
    let mut children: HashMap<SpanId, Vec<usize>> = HashMap::new();
    for index in 0..spans.len() {
        if let Some(parent) = parent(index) {
            children.entry(parent).or_default().push(index);
        }
    }
    let mut order = Vec::with_capacity(spans.len());
    let mut placed = vec![false; spans.len()];
    let mut walk = |start: usize, placed: &mut Vec<bool>| {
        let mut stack = vec![start];
        while let Some(index) = stack.pop() {
            if !std::mem::replace(&mut placed[index], true) {
                order.push(index);
                let below = children.get(&spans[index].span.span_id).map_or(&[][..], Vec::as_slice);
                stack.extend(below.iter().rev());
            }
        }
    };
    let roots = (0..spans.len()).filter(|&index| parent(index).is_none());
    roots.for_each(|root| walk(root, &mut placed));
    // What is left hangs on circles.
    for index in 0..placed.len() {
        if !placed[index] {
            walk(index, &mut placed);
        }
    }
    let mut slots: Vec<Option<StoredSpan>> = spans.into_iter().map(Some).collect();
    order.into_iter().filter_map(|index| slots[index].take()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aitrace_model::{Span, Timestamp, TraceId, TraceStatus};

    fn span(id: u8, parent: Option<u8>, start: i64) -> StoredSpan {
        let span_id = |id| SpanId::from_bytes([id; 8]).expect("not zero");
        let trace = TraceId::from_bytes([1; 16]).expect("not zero");
        let mut span = Span::new("p", trace, span_id(id), "s", Timestamp::from_nanos(start));
        span.parent_span_id = parent.map(span_id);
        StoredSpan { span, status: TraceStatus::Ok }
    }

    fn order(spans: Vec<StoredSpan>) -> Vec<u8> {
        in_tree_order(spans).iter().map(|stored| stored.span.span_id.to_bytes()[0]).collect()
    }

    #[test]
    fn parents_first_siblings_by_start_circles_once() {
        let spans = vec![
            span(1, Some(9), 0), // no such parent
            span(2, None, 5),
            span(3, Some(2), 9),
            span(4, Some(2), 7),
            span(5, Some(3), 1),
            span(6, Some(7), 30), // circle
            span(7, Some(6), 20),
            span(8, Some(8), 40), // its own parent
        ];
        assert_eq!(order(spans.clone()), [1, 2, 4, 3, 5, 7, 6, 8]);
        assert_eq!(order(spans.into_iter().rev().collect()), [1, 2, 4, 3, 5, 7, 6, 8]);
    }
}
