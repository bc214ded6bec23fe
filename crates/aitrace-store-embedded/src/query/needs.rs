//! What a statement takes beside what its steps keep account of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aitrace_store::{Result, Room, Taken};
use parking_lot::Mutex;

/// Rows of a batch at most.
const ROWS: usize = 8192;
/// Bytes of a batch, about, where rows have contents.
const BATCH: usize = 2 << 20;
/// What a thread that reads takes: pages as they are unpacked, a batch that comes and one that goes.
const THREAD: usize = 4 << 20;
/// Threads that read one statement's rows at most.
const THREADS: usize = 4;
/// Packed rows that are in memory at once at most; where one thread has more, it is the only one.
const PACKED: usize = 16 << 20;

/// How a statement is to run, so that it fits: found out by its scans while it is planned.
#[derive(Debug)]
pub(super) struct Needs {
    room: Arc<dyn Room>,
    kept: Mutex<Taken>,
    /// Bytes of the widest row, on average within a part of a file.
    width: AtomicUsize,
    /// Bytes that a thread has of a file as they are on disk.
    packed: AtomicUsize,
}

/// Settings of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    /// Rows of a batch.
    pub(super) rows: usize,
    /// Threads.
    pub(super) threads: usize,
}

impl Needs {
    pub(super) fn new(room: Arc<dyn Room>) -> Self {
        let kept = Mutex::new(Taken::nothing(Arc::clone(&room)));
        Self { room, kept, width: AtomicUsize::new(0), packed: AtomicUsize::new(0) }
    }

    /// Takes bytes until the statement ends, or is planned anew.
    pub(super) fn keep(&self, bytes: usize) -> Result<()> {
        self.kept.lock().grow(bytes)
    }

    /// Gives back what was kept: it is planned anew.
    pub(super) fn again(&self) {
        *self.kept.lock() = Taken::nothing(Arc::clone(&self.room));
    }

    /// Notes rows that are read.
    pub(super) fn note(&self, width: usize, packed: usize) {
        self.width.fetch_max(width, Ordering::Relaxed);
        self.packed.fetch_max(packed, Ordering::Relaxed);
    }

    /// How the statement is to run, and the bytes that reading takes then.
    pub(super) fn settings(&self, cores: usize) -> (Settings, usize) {
        let (width, packed) = (self.width.load(Ordering::Relaxed), self.packed.load(Ordering::Relaxed));
        let most = (PACKED / packed.max(1)).clamp(1, THREADS);
        let threads = cores.clamp(1, most);
        let settings = Settings { rows: (BATCH / width.max(1)).clamp(1, ROWS), threads };
        (settings, threads * (THREAD + packed))
    }
}

#[cfg(test)]
mod tests {
    use aitrace_store::FixedRoom;

    use super::*;

    #[test]
    fn wide_rows_come_in_small_batches_and_large_parts_one_at_a_time() {
        let room = Arc::new(FixedRoom::new(100));
        let needs = Needs::new(room.clone());
        assert_eq!(needs.settings(2).0, Settings { rows: ROWS, threads: 2 });
        assert_eq!(needs.settings(64).0.threads, THREADS);
        needs.note(100_000, 6 << 20);
        needs.note(10, 1);
        assert_eq!(needs.settings(64), (Settings { rows: 20, threads: 2 }, 20 << 20));
        needs.note(64 << 20, 24 << 20);
        assert_eq!(needs.settings(64), (Settings { rows: 1, threads: 1 }, 28 << 20));
        needs.keep(60).unwrap();
        needs.keep(60).unwrap_err();
        needs.again();
        assert_eq!(room.taken(), 0);
    }
}
