//! Depths, from spans that stand in tree order.

use std::collections::HashMap;

use aitrace_model::SpanId;
use aitrace_store::StoredSpan;

use super::span::Place;

/// What a place depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) id: SpanId,
    pub(crate) parent: Option<SpanId>,
}

/// The place of each span.
pub(crate) fn places(spans: &[StoredSpan]) -> Vec<Place> {
    places_of(spans.iter().map(|stored| Node { id: stored.span.span_id, parent: stored.span.parent_span_id }))
}

/// The place of each span. A span whose parent does not stand before it is shown as a root: its parent is not
/// known, or is among its own descendants.
pub(crate) fn places_of(nodes: impl ExactSizeIterator<Item = Node>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::with_capacity(nodes.len());
    let mut seen = HashMap::with_capacity(nodes.len());
    for (index, node) in nodes.enumerate() {
        let parent = node.parent.and_then(|parent| seen.get(&parent).copied());
        let depth = match parent {
            Some(parent) => {
                let parent: &mut Place = &mut places[parent];
                parent.has_children = true;
                parent.depth + 1
            }
            None => 0,
        };
        places.push(Place { depth, has_children: false });
        seen.insert(node.id, index);
    }
    places
}

#[cfg(test)]
mod tests {
    use aitrace_model::{Span, SpanId, Timestamp, TraceId, TraceStatus};

    use super::*;

    fn spans(parents: &[(u8, u8)]) -> Vec<StoredSpan> {
        let trace_id = TraceId::from_bytes([1; 16]).unwrap();
        let id = |byte: u8| SpanId::from_bytes([byte; 8]);
        parents
            .iter()
            .map(|(own, parent)| {
                let mut span = Span::new("p", trace_id, id(*own).unwrap(), "", Timestamp::default());
                span.parent_span_id = id(*parent);
                StoredSpan { span, status: TraceStatus::Ok }
            })
            .collect()
    }

    #[test]
    fn depths_follow_parents_that_stand_before() {
        let places = places(&spans(&[(1, 0), (2, 1), (3, 2), (4, 1), (5, 9), (6, 6)]));
        let found: Vec<(u32, bool)> = places.iter().map(|place| (place.depth, place.has_children)).collect();
        assert_eq!(found, [(0, true), (1, true), (2, false), (1, false), (0, false), (0, false)]);
    }

    #[test]
    fn a_cycle_is_cut_where_it_begins() {
        let places = places(&spans(&[(1, 2), (2, 1)]));
        assert_eq!((places[0].depth, places[1].depth), (0, 1));
        assert!(!places[1].has_children);
    }
}
