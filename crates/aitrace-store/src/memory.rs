//! The model of a store: plain maps behind a lock. Other stores are compared with it.
//!
//! It is obviously right rather than fast: every read computes everything anew. Nothing is durable.

mod query;
mod state;
mod upkeep;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aitrace_model::{Clock, LostRules, TraceId, TraceSummary};
use async_trait::async_trait;
use tokio::sync::broadcast;

use self::state::State;
use crate::change::Change;
use crate::document::{DocumentStore, Session, SessionPatch};
use crate::error::{ErrorKind, Result, StoreError};
use crate::filter::{Cursor, PageRequest, ProjectScope, TraceFilter, newest_first};
use crate::record::{Document, DocumentKind, DocumentPage, DocumentQuery, DocumentWrite, document_page};
use crate::telemetry::{Appended, Batch, StoreStats, TelemetryStore, Trace, TracePage};

/// Changes that a subscriber may be behind before it is told to read again.
const CHANGES: usize = 1024;

/// Both stores in memory.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    lost: LostRules,
    state: Mutex<Option<State>>,
    changes: broadcast::Sender<Change>,
}

impl MemoryStore {
    /// An empty store. `lost` says when a span without an end is called lost.
    pub fn new(clock: Arc<dyn Clock>, lost: LostRules) -> Self {
        Self {
            clock,
            lost,
            state: Mutex::new(Some(State::default())),
            changes: broadcast::Sender::new(CHANGES),
        }
    }

    fn with<T>(&self, run: impl FnOnce(&mut State) -> T) -> Result<T> {
        match self.lock().as_mut() {
            Some(state) => Ok(run(state)),
            None => Err(StoreError::new(ErrorKind::Closed, "the store was shut down")),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TelemetryStore for MemoryStore {
    async fn append(&self, batch: Batch) -> Result<Appended> {
        let now = self.clock.now();
        let (appended, changes) = self.with(|state| state.append(batch, now, &self.lost))?;
        for change in changes {
            // Fails only while nobody listens.
            drop(self.changes.send(change));
        }
        Ok(appended)
    }

    async fn list_traces(&self, filter: &TraceFilter, page: &PageRequest) -> Result<TracePage> {
        let now = self.clock.now();
        let leaves = filter.filter.span_leaves();
        let mut traces: Vec<TraceSummary> = self.with(|state| {
            let mut lines = state.summaries(now, &self.lost);
            // Contents that wait for their span are no trace.
            lines.retain(|line| line.spans > 0 || line.events > 0);
            lines.retain(|line| filter.matches(line, state.marks(&line.project, line.trace_id, &leaves)));
            lines
        })?;
        traces.retain(|trace| page.cursor.as_ref().is_none_or(|cursor| cursor.precedes(trace)));
        traces.sort_by(newest_first);
        let more = traces.len() > page.bounded_limit();
        traces.truncate(page.bounded_limit());
        let next = traces.last().filter(|_| more).map(Cursor::of);
        Ok(TracePage { traces, next })
    }

    async fn trace(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Trace>> {
        let now = self.clock.now();
        self.with(|state| state.trace(scope, trace_id, now, &self.lost))
    }

    fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    async fn seal(&self) -> Result<()> {
        self.with(|_| ())
    }

    async fn stats(&self) -> Result<StoreStats> {
        self.with(|state| state.stats())
    }

    async fn shutdown(&self) -> Result<()> {
        *self.lock() = None;
        Ok(())
    }
}

#[async_trait]
impl DocumentStore for MemoryStore {
    async fn put_session(&self, patch: SessionPatch) -> Result<Session> {
        self.with(|state| state.put_session(patch))?
    }

    async fn session(&self, project: &str, session_id: &str) -> Result<Option<Session>> {
        self.with(|state| state.session(project, session_id))
    }

    async fn projects(&self, scope: &ProjectScope) -> Result<Vec<String>> {
        self.with(|state| state.projects(scope))
    }

    async fn put_documents(&self, writes: Vec<DocumentWrite>) -> Result<Vec<Document>> {
        self.with(|state| state.put_documents(writes))?
    }

    async fn document(&self, kind: DocumentKind, project: &str, id: &str) -> Result<Option<Document>> {
        self.with(|state| state.documents.get(&(kind, project.to_owned(), id.to_owned())).cloned())
    }

    async fn documents(&self, query: &DocumentQuery) -> Result<DocumentPage> {
        let asked = self.with(|state| {
            state.documents.values().filter(|document| query.matches(document)).cloned().collect()
        })?;
        Ok(document_page(asked, query.bounded_limit()))
    }

    async fn remove_documents(&self, kind: DocumentKind, project: &str, ids: &[String]) -> Result<u64> {
        self.with(|state| {
            let key = |id: &String| (kind, project.to_owned(), id.clone());
            ids.iter().filter_map(|id| state.documents.remove(&key(id))).count() as u64
        })
    }
}
