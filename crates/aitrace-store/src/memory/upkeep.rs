//! Deleting and tidying.

use std::collections::BTreeMap;

use aitrace_model::TraceId;
use async_trait::async_trait;

use super::MemoryStore;
use super::state::State;
use crate::error::Result;
use crate::record::DocumentKind;
use crate::upkeep::{Deleted, Health, Retention, Retired, Target, Upkeep};

#[async_trait]
impl Upkeep for MemoryStore {
    async fn delete(&self, target: Target) -> Result<Deleted> {
        let now = self.clock.now();
        self.with(|state| {
            let lines = state.summaries(now, &self.lost);
            let ids: Vec<(String, TraceId)> = lines
                .into_iter()
                .filter(|line| match &target {
                    Target::Trace { project, trace_id } => {
                        (&line.project, line.trace_id) == (project, *trace_id)
                    }
                    Target::Session { project, session_id } => {
                        line.project == *project && line.session_id.as_ref() == Some(session_id)
                    }
                    Target::Project(project) => line.project == *project,
                })
                .map(|line| (line.project, line.trace_id))
                .collect();
            let mut deleted = Deleted::default();
            for key in ids {
                if let Some(trace) = state.traces.remove(&key) {
                    let (spans, logs) = trace.contents();
                    deleted.traces += 1;
                    deleted.spans += spans.len() as u64;
                    deleted.logs += logs.len() as u64;
                }
            }
            state.delete_rest(&target, &mut deleted);
            deleted
        })
    }

    async fn compact(&self) -> Result<()> {
        self.with(|_| ())
    }

    /// Lets go what was received on days that are too old. It has no files: sizes mean nothing to it, and it counts
    /// rows alone. Spans that are only log records as yet stay.
    async fn retain(&self, retention: Retention) -> Result<Retired> {
        let now = self.clock.now();
        self.with(|state| {
            let Some(age) = retention.max_age else { return Retired::default() };
            let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
            let oldest = now.saturating_add(age.saturating_neg());
            Retired { rows: state.retire(oldest), ..Retired::default() }
        })
    }

    async fn health(&self) -> Result<Health> {
        self.with(|_| Health::default())
    }
}

impl State {
    /// What is not in traces.
    fn delete_rest(&mut self, target: &Target, deleted: &mut Deleted) {
        match target {
            Target::Trace { .. } => {}
            Target::Session { project, session_id } => {
                let key = (project.clone(), session_id.clone());
                deleted.sessions += u64::from(self.sessions.remove(&key).is_some());
            }
            Target::Project(project) => {
                deleted.logs += self.loose.remove(project).map_or(0, |logs| logs.len() as u64);
                let sessions = self.sessions.len();
                self.sessions.retain(|(of, _), _| of != project);
                deleted.sessions += (sessions - self.sessions.len()) as u64;
                let documents = self.documents.len();
                let kept = std::mem::take(&mut self.documents).into_iter();
                self.documents = kept
                    .filter(|((kind, of, _), _)| of != project || *kind == DocumentKind::Key)
                    .collect::<BTreeMap<_, _>>();
                deleted.documents += (documents - self.documents.len()) as u64;
            }
        }
    }
}
