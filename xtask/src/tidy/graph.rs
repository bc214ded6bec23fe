//! Cycles among named things.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;

/// Who uses whom, with the place of the first use.
#[derive(Debug, Default)]
pub(super) struct Graph {
    edges: BTreeMap<String, BTreeMap<String, (String, usize)>>,
}

impl Graph {
    /// Notes that `from` uses `to` at a place (file, line). A thing may use itself.
    pub(super) fn add(&mut self, from: &str, to: &str, place: (&str, usize)) {
        if from == to {
            return;
        }
        let targets = self.edges.entry(from.to_owned()).or_default();
        targets.entry(to.to_owned()).or_insert_with(|| (place.0.to_owned(), place.1));
    }

    /// Cycles such that each thing in a circle is named at least once: the shortest ones, as names with the place
    /// where each uses the next.
    pub(super) fn cycles(&self) -> Vec<Vec<(String, String, usize)>> {
        let mut reported = BTreeSet::new();
        let mut cycles = Vec::new();
        for start in self.edges.keys() {
            if reported.contains(start) {
                continue;
            }
            if let Some(path) = self.shortest_back_to(start) {
                reported.extend(path.iter().map(|(name, ..)| name.clone()));
                cycles.push(path);
            }
        }
        cycles
    }

    /// The cycles as findings at the place of their first use.
    pub(super) fn findings(&self, of: &str) -> Vec<Finding> {
        let finding = |cycle: Vec<(String, String, usize)>| {
            let (first, file, line) = cycle.first()?.clone();
            let mut steps: Vec<String> =
                cycle.iter().map(|(name, file, line)| format!("{name} ({file}:{line})")).collect();
            steps.push(first);
            let what = format!("modules of {of} import each other in a circle: {}", steps.join(" -> "));
            let why = "modules in a circle can only be read, tested and changed together";
            Some(Finding { file, line, what, why, mend: "move what both need into a module below them" })
        };
        self.cycles().into_iter().filter_map(finding).collect()
    }

    /// Breadth first: nothing recurses, the first way back is the shortest.
    fn shortest_back_to(&self, start: &str) -> Option<Vec<(String, String, usize)>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(name) = queue.pop_front() {
            for target in self.edges.get(name).into_iter().flat_map(BTreeMap::keys) {
                if target == start {
                    return Some(self.path(start, name, &came_from));
                }
                if !came_from.contains_key(target.as_str()) {
                    came_from.insert(target, name);
                    queue.push_back(target);
                }
            }
        }
        None
    }

    fn path(
        &self,
        start: &str,
        last: &str,
        came_from: &BTreeMap<&str, &str>,
    ) -> Vec<(String, String, usize)> {
        let mut names = vec![start, last];
        let mut name = last;
        while name != start {
            name = came_from[name];
            names.push(name);
        }
        names.reverse(); // start … last, start
        let pairs = names.windows(2).map(|pair| {
            let (file, line) = &self.edges[pair[0]][pair[1]];
            (pair[0].to_owned(), file.clone(), *line)
        });
        pairs.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        for (line, (from, to)) in edges.iter().enumerate() {
            graph.add(from, to, (&format!("{from}.rs"), line + 1));
        }
        graph
    }

    fn names(graph: &Graph) -> Vec<Vec<String>> {
        graph.cycles().into_iter().map(|path| path.into_iter().map(|(name, ..)| name).collect()).collect()
    }

    #[test]
    fn one_way_is_fine() {
        assert!(graph(&[("a", "b"), ("b", "c"), ("a", "c"), ("c", "c")]).cycles().is_empty());
    }

    #[test]
    fn all_in_a_circle_are_named_the_shortest_way_with_places() {
        let graph = graph(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"), ("c", "a"), ("x", "a")]);
        assert_eq!(names(&graph), [vec!["a", "b", "c"], vec!["d", "a", "b", "c"]]);
        let lines: Vec<_> = graph.cycles()[0].iter().map(|(_, _, line)| *line).collect();
        assert_eq!(lines, [1, 2, 5]);
    }

    #[test]
    fn two_circles_are_two() {
        assert_eq!(
            names(&graph(&[("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")])),
            [["a", "b"], ["c", "d"]]
        );
    }
}
