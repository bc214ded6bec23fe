//! The order in which the spans of a trace are shown: parents first, siblings by start.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use crate::id::SpanId;
use crate::time::Timestamp;

/// What the order needs of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// When it began.
    pub start: Timestamp,
    /// Its id.
    pub id: SpanId,
    /// Its parent, `None` on a root.
    pub parent: Option<SpanId>,
}

/// One line of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Which of the given nodes it is.
    pub index: usize,
    /// Which of the given nodes it stands below; `None` on a root.
    pub parent: Option<usize>,
    /// Number of nodes above it; 0 on a root.
    pub depth: u32,
    /// Whether the next line stands below this one.
    pub has_children: bool,
    /// Why it is a root although it names a parent.
    pub detached: Option<Detached>,
}

/// Why a span that names a parent is shown as a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detached {
    /// The parent is not there (or not yet).
    MissingParent,
    /// It is its own ancestor; of such a circle the earliest span is the root.
    Cycle,
}

/// Puts nodes in tree order: each id exactly once, a parent before its children, siblings by
/// start, then id. The order does not depend on the order of `nodes`; of nodes with one id the
/// earliest counts. Takes O(n log n) and no recursion.
pub fn order(nodes: &[Node]) -> Vec<Entry> {
    let sorted = distinct_by_start(nodes);
    // From here on nodes are known by their rank in `sorted`: smaller is earlier.
    let ranks: HashMap<SpanId, usize> =
        sorted.iter().enumerate().map(|(rank, index)| (nodes[*index].id, rank)).collect();
    let mut detached = vec![None; sorted.len()];
    let mut parents: Vec<Option<usize>> = Vec::with_capacity(sorted.len());
    for (rank, index) in sorted.iter().enumerate() {
        let named = nodes[*index].parent;
        let parent = named.and_then(|id| ranks.get(&id).copied());
        if named.is_some() && parent.is_none() {
            detached[rank] = Some(Detached::MissingParent);
        }
        parents.push(parent);
    }
    break_cycles(&mut parents, &mut detached);
    walk(&sorted, &parents, &detached)
}

fn distinct_by_start(nodes: &[Node]) -> Vec<usize> {
    let mut earliest: HashMap<SpanId, usize> = HashMap::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        match earliest.entry(node.id) {
            Slot::Vacant(slot) => {
                slot.insert(index);
            }
            Slot::Occupied(mut slot) if *node < nodes[*slot.get()] => {
                slot.insert(index);
            }
            Slot::Occupied(_) => {}
        }
    }
    let mut sorted: Vec<usize> =
        (0..nodes.len()).filter(|index| earliest.get(&nodes[*index].id) == Some(index)).collect();
    sorted.sort_unstable_by_key(|index| nodes[*index]);
    sorted
}

/// Makes a root of the earliest node of each circle. Every node has at most one parent, so a walk
/// upwards ends at a root, at a node of an earlier walk, or back on its own path: a circle.
fn break_cycles(parents: &mut [Option<usize>], detached: &mut [Option<Detached>]) {
    const UNSEEN: usize = usize::MAX;
    let mut seen_in = vec![UNSEEN; parents.len()];
    for walk in 0..parents.len() {
        let mut at = Some(walk);
        while let Some(rank) = at.filter(|rank| seen_in[*rank] == UNSEEN) {
            seen_in[rank] = walk;
            at = parents[rank];
        }
        if let Some(rank) = at.filter(|rank| seen_in[*rank] == walk) {
            let earliest = earliest_of_cycle(parents, rank);
            parents[earliest] = None;
            detached[earliest] = Some(Detached::Cycle);
        }
    }
}

fn earliest_of_cycle(parents: &[Option<usize>], member: usize) -> usize {
    let mut earliest = member;
    let mut at = parents[member];
    while let Some(rank) = at.filter(|rank| *rank != member) {
        earliest = earliest.min(rank);
        at = parents[rank];
    }
    earliest
}

fn walk(sorted: &[usize], parents: &[Option<usize>], detached: &[Option<Detached>]) -> Vec<Entry> {
    const NONE: usize = usize::MAX;
    // Children as linked lists through two arrays; built from the last to the first, each list ends up sorted.
    let mut first_child = vec![NONE; sorted.len()];
    let mut next_sibling = vec![NONE; sorted.len()];
    let mut first_root = NONE;
    for rank in (0..sorted.len()).rev() {
        let head = parents[rank].map_or(&mut first_root, |parent| &mut first_child[parent]);
        next_sibling[rank] = std::mem::replace(head, rank);
    }
    let mut entries = Vec::with_capacity(sorted.len());
    let mut pending = vec![(first_root, 0_u32)];
    while let Some((rank, depth)) = pending.pop() {
        if rank == NONE {
            continue;
        }
        entries.push(Entry {
            index: sorted[rank],
            parent: parents[rank].map(|parent| sorted[parent]),
            depth,
            has_children: first_child[rank] != NONE,
            detached: detached[rank],
        });
        pending.push((next_sibling[rank], depth));
        pending.push((first_child[rank], depth + 1));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(number: u8) -> SpanId {
        SpanId::from_bytes([1, 0, 0, 0, 0, 0, 0, number]).expect("not zero")
    }

    fn node(number: u8, parent: Option<u8>, start: i64) -> Node {
        Node { id: id(number), parent: parent.map(id), start: Timestamp::from_nanos(start) }
    }

    /// The same by looking everything up, in O(n²) and more.
    fn naive(nodes: &[Node]) -> Vec<(SpanId, u32, Option<Detached>)> {
        let mut distinct: Vec<Node> = Vec::new();
        for node in nodes {
            match distinct.iter_mut().find(|known| known.id == node.id) {
                Some(known) => *known = *node.min(known),
                None => distinct.push(*node),
            }
        }
        distinct.sort();
        let parent_of = |node: &Node| distinct.iter().find(|other| Some(other.id) == node.parent);
        let circle = |node: &Node| {
            let (mut members, mut at) = (vec![*node], *node);
            for _ in 0..distinct.len() {
                at = *parent_of(&at)?;
                if at.id == node.id {
                    return Some(members);
                }
                members.push(at);
            }
            None
        };
        let why_root = |node: &Node| match node.parent {
            None => Some(None),
            Some(_) if parent_of(node).is_none() => Some(Some(Detached::MissingParent)),
            Some(_) => (circle(node)?.iter().min() == Some(node)).then_some(Some(Detached::Cycle)),
        };
        let mut lines = Vec::new();
        let mut pending: Vec<(Node, u32, Option<Detached>)> =
            distinct.iter().rev().filter_map(|node| Some((*node, 0, why_root(node)?))).collect();
        while let Some((at, depth, why)) = pending.pop() {
            lines.push((at.id, depth, why));
            let children = distinct.iter().rev().filter(|n| n.parent == Some(at.id) && why_root(n).is_none());
            pending.extend(children.map(|child| (*child, depth + 1, None)));
        }
        lines
    }

    fn lines(nodes: &[Node]) -> Vec<(SpanId, u32, Option<Detached>)> {
        order(nodes).iter().map(|entry| (nodes[entry.index].id, entry.depth, entry.detached)).collect()
    }

    #[test]
    fn parents_first_and_siblings_by_start() {
        let nodes = [node(3, Some(1), 30), node(2, Some(1), 20), node(1, None, 10), node(4, Some(3), 5)];
        let found: Vec<(usize, u32, bool)> =
            order(&nodes).iter().map(|entry| (entry.index, entry.depth, entry.has_children)).collect();
        assert_eq!(found, [(2, 0, true), (1, 1, false), (0, 1, true), (3, 2, false)]);
    }

    #[test]
    fn circles_are_broken_at_the_earliest() {
        let nodes = [node(1, Some(3), 30), node(2, Some(1), 10), node(3, Some(2), 20), node(4, Some(4), 0)];
        assert_eq!(
            lines(&nodes),
            [
                (id(4), 0, Some(Detached::Cycle)),
                (id(2), 0, Some(Detached::Cycle)),
                (id(3), 1, None),
                (id(1), 2, None)
            ]
        );
    }

    #[test]
    fn a_hundred_thousand_deep() {
        let number = |at: u32| SpanId::from_slice(&(u64::from(at) + 1).to_be_bytes()).expect("not zero");
        let nodes: Vec<Node> = (0..100_000_u32)
            .rev()
            .map(|at| Node {
                id: number(at),
                parent: at.checked_sub(1).map(number),
                start: Timestamp::from_nanos(i64::from(at % 7)),
            })
            .collect();
        let found = order(&nodes);
        assert_eq!(found.len(), 100_000);
        assert!(found.iter().enumerate().all(|(at, entry)| entry.depth as usize == at));
    }

    proptest! {
        #[test]
        fn equals_the_naive_order(
            links in prop::collection::vec((0_u8..12, prop::option::of(0_u8..14), 0_i64..4), 0..24),
            seed in any::<prop::sample::Index>(),
        ) {
            let mut nodes: Vec<Node> = links.iter().map(|(id, parent, start)| node(*id, *parent, *start)).collect();
            let expected = naive(&nodes);
            prop_assert_eq!(lines(&nodes), expected.clone());
            if !nodes.is_empty() {
                let at = seed.index(nodes.len());
                nodes.rotate_left(at);
                nodes.push(nodes[0]);
                prop_assert_eq!(lines(&nodes), expected);
            }
        }
    }
}
