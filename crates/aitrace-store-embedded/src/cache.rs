//! Ids of sealed rows, of traces that were written lately.
//!
//! Two generations: what is used moves to the young one; when that is full the old one is dropped.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aitrace_model::TraceId;
use aitrace_store::UsageTree;

/// Bytes that one generation holds.
const BYTES: usize = 12 << 20;
/// Bytes of an entry beside its ids, and of the id of a log record.
const ENTRY: usize = 160;
const LOG: usize = 80;

/// Ids of the sealed rows of one trace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ids {
    pub(crate) spans: Arc<UsageTree>,
    pub(crate) logs: Arc<HashSet<String>>,
}

type Key = (TraceId, Arc<str>);

/// The cache. It may forget anything at any time.
#[derive(Debug, Default)]
pub(crate) struct IdCache {
    young: HashMap<Key, Ids>,
    old: HashMap<Key, Ids>,
    weight: usize,
}

impl IdCache {
    pub(crate) fn get(&mut self, project: &str, trace_id: TraceId) -> Option<Ids> {
        let key = (trace_id, Arc::from(project));
        if let Some(ids) = self.young.get(&key) {
            return Some(ids.clone());
        }
        let ids = self.old.remove(&key)?;
        self.put(key, ids.clone());
        Some(ids)
    }

    pub(crate) fn insert(&mut self, project: &Arc<str>, trace_id: TraceId, ids: Ids) {
        self.put((trace_id, Arc::clone(project)), ids);
    }

    fn put(&mut self, key: Key, ids: Ids) {
        self.weight += ENTRY + ids.spans.bytes() + LOG * ids.logs.len();
        // What was known before would be kept beside it.
        self.old.remove(&key);
        self.young.insert(key, ids);
        if self.weight > BYTES {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
    }

    /// Bytes that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.weight + if self.old.is_empty() { 0 } else { BYTES }
    }

    /// Forgets a trace.
    pub(crate) fn remove(&mut self, project: &str, trace_id: TraceId) {
        let key = (trace_id, Arc::from(project));
        self.young.remove(&key);
        self.old.remove(&key);
    }

    /// Forgets everything, because a file that was counted on is gone.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
