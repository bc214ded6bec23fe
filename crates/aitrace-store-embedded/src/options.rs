//! How a store is opened.

use std::sync::Arc;
use std::time::Duration;

use aitrace_model::{Clock, LostRules, SystemClock};

use crate::steps::Watch;

/// Settings of an [`crate::EmbeddedStore`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The clock that decides what is lost. Default: the system's.
    pub clock: Arc<dyn Clock>,
    /// When a span without an end is called lost. Default: 60 s without a heartbeat, 15 min of silence.
    pub lost: LostRules,
    /// When finished spans leave memory for a segment.
    pub hot: HotLimits,
    /// Batches that may wait for the writer before `append` waits itself. Default 64.
    pub queue: usize,
    /// Changes that a subscriber may be behind before it is told to read again. Default 4096.
    pub changes: usize,
    /// Time after a deletion until the files that held what was deleted are rewritten. Default 5 min.
    pub purge: Duration,
    /// zstd level of segments, 1 to 22. Default 1: level 3 saves 8 % of the bytes and costs a third more time.
    /// Files that are merged take 3 at least: that is done when there is time.
    pub compression: i32,
    /// Rows from which on a merged file says which words it holds, so that searches pass over what cannot hold their
    /// text. Default 4096: smaller ones are read as fast.
    pub words_from: u64,
    /// Size of a database, in bytes, up to which each start looks at all of it; pages of a larger one are checked as
    /// they are read, and by `doctor`. Default 64 MiB.
    pub checked: u64,
    /// Bytes from which on a batch in the log stands in a file beside the database: it is written once, not twice, and
    /// synced once more. Default 64 KiB, packed.
    pub apart: usize,
    /// Is told of each step on disk: for tests. Default: nobody.
    pub watch: Watch,
}

/// Bounds of what is held in memory; the first that is reached starts a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HotLimits {
    /// Finished spans and log records. Default 50 000.
    pub rows: usize,
    /// Their size, estimated. Default 96 MiB.
    pub bytes: usize,
    /// Time since the first of them came. Default 10 min.
    pub age: Duration,
    /// Spans that have not ended; beyond, those longest silent leave memory as if they had. Default 20 000.
    pub open: usize,
    /// Silence after which a span that has not ended leaves memory with the next seal. Default 15 min.
    pub idle: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            lost: LostRules::default(),
            hot: HotLimits::default(),
            queue: 64,
            changes: 4096,
            purge: Duration::from_mins(5),
            compression: 1,
            words_from: 4096,
            checked: 64 << 20,
            apart: 64 << 10,
            watch: Watch::default(),
        }
    }
}

impl Default for HotLimits {
    fn default() -> Self {
        Self {
            rows: 50_000,
            bytes: 96 << 20,
            age: Duration::from_mins(10),
            open: 20_000,
            idle: Duration::from_mins(15),
        }
    }
}
