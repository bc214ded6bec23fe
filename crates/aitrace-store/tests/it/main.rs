//! The model store passes its own suite.

use std::sync::Arc;

use aitrace_model::{Clock, LostRules};
use aitrace_store::conformance::{Factory, model};
use aitrace_store::memory::MemoryStore;
use async_trait::async_trait;

struct Memory;

#[async_trait]
impl Factory for Memory {
    type Store = MemoryStore;

    async fn open(&self, clock: Arc<dyn Clock>, lost: LostRules) -> MemoryStore {
        MemoryStore::new(clock, lost)
    }

    async fn reopen(&self, store: MemoryStore, _: Arc<dyn Clock>, _: LostRules) -> MemoryStore {
        store
    }
}

aitrace_store::conformance!(Memory);

#[test]
fn histories_agree() {
    model(16, || Memory);
}
