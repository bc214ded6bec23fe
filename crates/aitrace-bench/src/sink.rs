//! A store that takes everything and keeps nothing.

use std::sync::Arc;

use aitrace_model::TraceId;
use aitrace_store::memory::MemoryStore;
use aitrace_store::{
    Appended, Batch, Change, PageRequest, ProjectScope, Result, StoreStats, TelemetryStore, Trace,
    TraceFilter, TracePage,
};
use async_trait::async_trait;
use tokio::sync::broadcast;

/// Drops what it is given; questions go to a store that is always empty.
#[derive(Debug)]
pub struct Sink(pub Arc<MemoryStore>);

#[async_trait]
impl TelemetryStore for Sink {
    async fn append(&self, batch: Batch) -> Result<Appended> {
        Ok(Appended { stored: (batch.spans.len() + batch.logs.len()) as u64, duplicates: 0 })
    }

    async fn list_traces(&self, filter: &TraceFilter, page: &PageRequest) -> Result<TracePage> {
        self.0.list_traces(filter, page).await
    }

    async fn trace(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Trace>> {
        self.0.trace(scope, trace_id).await
    }

    fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }

    async fn seal(&self) -> Result<()> {
        self.0.seal().await
    }

    async fn stats(&self) -> Result<StoreStats> {
        self.0.stats().await
    }

    async fn shutdown(&self) -> Result<()> {
        self.0.shutdown().await
    }
}
