//! The embedded store against the suite, crashes and damage.

mod crash;
mod damage;
mod directory;
mod export;
mod faults;
mod poison;
mod question;
mod room;
mod schema;
mod sql;
mod sweep;
mod upkeep;
mod weight;

use std::sync::Arc;

use aitrace_model::{Clock, LostRules};
use aitrace_store::conformance::{Factory, model};
use aitrace_store_embedded::{EmbeddedStore, HotLimits, Options};
use async_trait::async_trait;
use peak_alloc::PeakAlloc;
use tempfile::TempDir;

/// Counts what is allocated.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// A temporary directory, in memory where there is such a place: what is tested is what is written and in
/// which order, not how fast a disk syncs.
fn place() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let fast = memory.is_dir().then(|| tempfile::tempdir_in(memory).ok()).flatten();
    fast.unwrap_or_else(|| tempfile::tempdir().expect("a directory"))
}

/// The database of a directory as a store opens it, with sums of its pages. A store must have been opened before.
fn database(dir: &std::path::Path) -> rusqlite::Connection {
    let (path, flags) = (dir.join("aitrace.db"), rusqlite::OpenFlags::default());
    rusqlite::Connection::open_with_flags_and_vfs(path, flags, "aitrace").expect("opens")
}

/// Stores in a temporary directory. Few rows fit into memory, so that sealing happens by itself too.
struct Embedded {
    dir: TempDir,
    rows: usize,
}

impl Embedded {
    fn new(rows: usize) -> Self {
        Self { dir: crate::place(), rows }
    }

    fn options(&self, clock: Arc<dyn Clock>, lost: LostRules) -> Options {
        let hot = HotLimits { rows: self.rows, ..HotLimits::default() };
        Options { clock, lost, hot, words_from: 1, ..Options::default() }
    }
}

#[async_trait]
impl Factory for Embedded {
    type Store = EmbeddedStore;

    async fn open(&self, clock: Arc<dyn Clock>, lost: LostRules) -> EmbeddedStore {
        let place = tempfile::tempdir_in(self.dir.path()).expect("a directory").keep();
        std::fs::write(self.dir.path().join("place"), place.to_str().expect("text")).expect("writes");
        EmbeddedStore::open(place, self.options(clock, lost)).expect("opens")
    }

    async fn reopen(&self, store: EmbeddedStore, clock: Arc<dyn Clock>, lost: LostRules) -> EmbeddedStore {
        drop(store);
        let place = std::fs::read_to_string(self.dir.path().join("place")).expect("reads");
        EmbeddedStore::open(place, self.options(clock, lost)).expect("opens again")
    }
}

aitrace_store::conformance!(Embedded::new(50_000));

mod small {
    //! The same with nearly no memory: every few rows are sealed.
    use super::Embedded;

    aitrace_store::conformance!(Embedded::new(3));
}

#[test]
fn histories_agree_with_the_model() {
    model(24, || Embedded::new(50_000));
}

#[test]
fn histories_agree_with_the_model_when_memory_is_small() {
    model(24, || Embedded::new(4));
}
