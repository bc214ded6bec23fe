//! Rows of a file that do not count any more.

use std::collections::{BTreeMap, BTreeSet};

use aitrace_model::{SpanId, TraceId};

/// Spans that a later file holds anew, and deleted traces and projects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dead {
    projects: BTreeMap<String, DeadIn>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct DeadIn {
    whole: bool,
    traces: BTreeSet<TraceId>,
    spans: BTreeSet<(TraceId, SpanId)>,
}

impl Dead {
    pub(crate) fn is_empty(&self) -> bool {
        self.projects.is_empty()
    }

    /// Marks in it; a mark of a project counts as all there is.
    pub(crate) fn len(&self) -> usize {
        let one = |dead: &DeadIn| {
            dead.traces.len() + dead.spans.len() + if dead.whole { usize::MAX / 2 } else { 0 }
        };
        self.projects.values().map(one).fold(0, usize::saturating_add)
    }

    /// Whether something in it was deleted, not only stored anew.
    pub(crate) fn has_deletions(&self) -> bool {
        self.projects.values().any(|dead| dead.whole || !dead.traces.is_empty())
    }

    pub(crate) fn add_span(&mut self, project: String, trace_id: TraceId, span_id: SpanId) {
        self.projects.entry(project).or_default().spans.insert((trace_id, span_id));
    }

    /// A trace, or with no id the whole project.
    pub(crate) fn add_trace(&mut self, project: String, trace_id: Option<TraceId>) {
        let of = self.projects.entry(project).or_default();
        match trace_id {
            Some(trace_id) => drop(of.traces.insert(trace_id)),
            None => of.whole = true,
        }
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        for (project, dead) in &other.projects {
            let of = self.projects.entry(project.clone()).or_default();
            of.whole |= dead.whole;
            of.traces.extend(&dead.traces);
            of.spans.extend(&dead.spans);
        }
    }

    /// What is dead here and not in an earlier state.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut new = Self::default();
        for (project, dead) in &self.projects {
            let before = earlier.projects.get(project).cloned().unwrap_or_default();
            let rest = DeadIn {
                whole: dead.whole && !before.whole,
                traces: dead.traces.difference(&before.traces).copied().collect(),
                spans: dead.spans.difference(&before.spans).copied().collect(),
            };
            if rest != DeadIn::default() {
                new.projects.insert(project.clone(), rest);
            }
        }
        new
    }

    /// Whether a row does not count. Log records have no span here.
    pub(crate) fn has(&self, project: &str, trace_id: Option<TraceId>, span_id: Option<SpanId>) -> bool {
        self.projects.get(project).is_some_and(|dead| {
            let span = || trace_id.zip(span_id).is_some_and(|key| dead.spans.contains(&key));
            dead.whole || trace_id.is_some_and(|id| dead.traces.contains(&id)) || span()
        })
    }

    /// Project by project: whether all of it, which traces, which spans.
    pub(crate) fn each(
        &self,
    ) -> impl Iterator<Item = (&str, bool, &BTreeSet<TraceId>, &BTreeSet<(TraceId, SpanId)>)> {
        self.projects.iter().map(|(project, dead)| (project.as_str(), dead.whole, &dead.traces, &dead.spans))
    }
}
