//! What stands behind the server: one store, seen by each of its traits.

use std::fmt;
use std::sync::Arc;

use aitrace_store::{DocumentStore, QueryStore, SqlStore, TelemetryStore, Upkeep};

/// The stores of a server. Usually all of them are one, see [`Stores::of`].
#[derive(Clone)]
pub struct Stores {
    /// Takes spans and log records; gives lists, traces, changes.
    pub telemetry: Arc<dyn TelemetryStore>,
    /// Answers further questions about them.
    pub query: Arc<dyn QueryStore>,
    /// Keys, sessions, scores, corrections and the like.
    pub documents: Arc<dyn DocumentStore>,
    /// Deletes and tidies.
    pub upkeep: Arc<dyn Upkeep>,
    /// Statements; `None` where the store has no such engine.
    pub sql: Option<Arc<dyn SqlStore>>,
}

impl Stores {
    /// One store as all of them, without SQL.
    pub fn of<S: QueryStore + DocumentStore + Upkeep>(store: Arc<S>) -> Self {
        Self {
            telemetry: store.clone(),
            query: store.clone(),
            documents: store.clone(),
            upkeep: store,
            sql: None,
        }
    }

    /// The same with SQL.
    pub fn with_sql<S: QueryStore + DocumentStore + Upkeep + SqlStore>(store: Arc<S>) -> Self {
        Self { sql: Some(store.clone()), ..Self::of(store) }
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").field("telemetry", &self.telemetry).finish_non_exhaustive()
    }
}
