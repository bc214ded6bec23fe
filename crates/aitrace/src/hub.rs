//! Between the threads that end spans and the worker that sends them: a bounded queue of chunks, what was
//! counted, and the bell.

use std::collections::{BTreeMap, VecDeque};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::lock::{Condvar, Mutex};

use aitrace_model::TraceId;

use crate::data::{Cell, LogData};
use crate::lost::Lost;
use crate::problem::{ErrorHandler, Problems};

/// Items in a chunk before it is handed over.
pub(crate) const CHUNK_ITEMS: usize = 512;
/// Bytes in a chunk before it is handed over.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks for which the worker is woken before its next look.
const CHUNKS_AT_ONCE: usize = 4;
/// Empty chunks kept for use again.
const SPARE_CHUNKS: usize = 4 * CHUNKS_AT_ONCE;
/// Cells that are not in use, kept for use again.
const SPARE_CELLS: usize = SPARE_CHUNKS * CHUNK_ITEMS;
/// What a shard takes from the budget at a time.
const CREDIT_ITEMS: usize = 64;
const CREDIT_BYTES: usize = 64 << 10;

/// Something on its way to the worker.
#[derive(Debug)]
pub(crate) enum Item {
    /// A span has begun, for targets that write this at once.
    Start(Box<Cell>),
    /// A span has ended.
    End(Box<Cell>),
    /// A log record.
    Log(Box<LogData>),
}

/// Items of one shard in the order they happened.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) items: Vec<Item>,
    /// Cells that are not in use.
    #[expect(clippy::vec_box, reason = "cells change hands by their address, they are never moved")]
    pub(crate) cells: Vec<Box<Cell>>,
    /// Estimated bytes of the items, for the budget.
    pub(crate) bytes: usize,
}

impl Chunk {
    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= CHUNK_ITEMS || self.bytes >= CHUNK_BYTES
    }

    #[inline]
    pub(crate) fn push(&mut self, item: Item, weight: usize) {
        self.items.push(item);
        self.bytes += weight;
    }
}

/// A part of the budget that a shard holds in advance, so that it need not ask for each span.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

impl Credit {
    /// Pays for `items` (one, or none for what only takes bytes).
    #[inline]
    pub(crate) fn pay(&mut self, items: usize, weight: usize) -> bool {
        let enough = self.items >= items && self.bytes >= weight;
        if enough {
            self.items -= items;
            self.bytes -= weight;
        }
        enough
    }
}

/// What a tracer has counted since it was made.
///
/// Each span that ended and each log record is counted in exactly one of `sent`, `remaining`, `spooled`,
/// `dropped` and `filtered`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Finished spans and log records that were accepted by the target, from memory or from disk.
    pub sent: u64,
    /// Finished spans and log records still here.
    pub remaining: u64,
    /// Finished spans and log records that are on disk and not sent yet.
    pub spooled: u64,
    /// Of other tracers' finished spans and log records that were found on disk: those sent.
    pub replayed: u64,
    /// Of other tracers' finished spans and log records that were found on disk: those lost, since they were
    /// damaged, refused, or in the way of newer ones.
    pub replay_lost: u64,
    /// Most finished spans and log records that can wait.
    pub capacity: u64,
    /// Bytes (estimated) that wait, with what is promised to threads.
    pub bytes: u64,
    /// Most bytes that can wait.
    pub capacity_bytes: u64,
    /// Calls of the exporter so far.
    pub exports: u64,
    /// Time spent in them, all together.
    pub export_time: Duration,
    /// Finished spans and log records that are lost, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Finished spans and log records that rules left out, by rule; `not_sampled`: spans that were never
    /// recorded, `tail`: what was left out when its trace was over.
    pub filtered: BTreeMap<String, u64>,
    /// Values that were masked, by rule.
    pub masked: BTreeMap<String, u64>,
    /// The last thing that went wrong, in words.
    pub problem: Option<String>,
}

/// What the worker is asked to do; numbers only grow.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// Somebody rang.
    pub(crate) rung: bool,
    /// Time was moved, in a test.
    pub(crate) advanced: bool,
    /// Something has to go out without waiting for the tick.
    pub(crate) now: bool,
    /// Ticks asked for by hand.
    pub(crate) ticks: u64,
    /// Flushes asked for.
    pub(crate) flushes: u64,
    /// Flushes and ticks done, up to these numbers.
    pub(crate) ticks_done: u64,
    pub(crate) flushes_done: u64,
    /// No more is coming: end when everything is out, or when told to stop.
    pub(crate) closing: bool,
    /// End now, whatever is left.
    pub(crate) stop: bool,
    /// The worker has ended.
    pub(crate) ended: bool,
}

/// The meeting place of one tracer's threads, in one process.
#[derive(Debug)]
pub(crate) struct Hub {
    limit_items: usize,
    limit_bytes: usize,
    used_items: AtomicUsize,
    used_bytes: AtomicUsize,
    /// Held while something goes from one count to another.
    moves: Mutex<()>,
    queue: Mutex<VecDeque<Chunk>>,
    spares: Mutex<Vec<Chunk>>,
    /// Cells of spans that are gone.
    #[expect(clippy::vec_box, reason = "cells change hands by their address, they are never moved")]
    cells: Mutex<Vec<Box<Cell>>>,
    sent: AtomicU64,
    dropped: Mutex<BTreeMap<String, u64>>,
    filtered: Mutex<BTreeMap<String, u64>>,
    masked: Mutex<BTreeMap<String, u64>>,
    not_sampled: AtomicU64,
    /// How many of these are in `lost`.
    not_sampled_told: AtomicU64,
    /// What was lost, left out, masked and not told to the target yet.
    lost: Mutex<Lost>,
    problem: Mutex<Option<String>>,
    spooled: AtomicU64,
    replayed: AtomicU64,
    replay_lost: AtomicU64,
    exports: AtomicU64,
    export_nanos: AtomicU64,
    /// Nanoseconds by which the time that waiting is measured by is ahead of the real one; in tests.
    ahead: AtomicU64,
    pub(crate) problems: Problems,
    pub(crate) wishes: Mutex<Wishes>,
    pub(crate) bell: Condvar,
    /// Rung when the worker has done something that others wait for.
    pub(crate) done: Condvar,
}

impl Hub {
    pub(crate) fn new(limit_items: usize, limit_bytes: usize, handler: ErrorHandler) -> Self {
        Self {
            limit_items,
            limit_bytes,
            used_items: AtomicUsize::new(0),
            used_bytes: AtomicUsize::new(0),
            moves: Mutex::default(),
            queue: Mutex::default(),
            spares: Mutex::default(),
            cells: Mutex::default(),
            sent: AtomicU64::new(0),
            dropped: Mutex::default(),
            filtered: Mutex::default(),
            masked: Mutex::default(),
            not_sampled: AtomicU64::new(0),
            not_sampled_told: AtomicU64::new(0),
            lost: Mutex::default(),
            spooled: AtomicU64::new(0),
            replayed: AtomicU64::new(0),
            replay_lost: AtomicU64::new(0),
            exports: AtomicU64::new(0),
            export_nanos: AtomicU64::new(0),
            ahead: AtomicU64::new(0),
            problems: Problems::new(handler),
            problem: Mutex::default(),
            wishes: Mutex::default(),
            bell: Condvar::default(),
            done: Condvar::default(),
        }
    }

    /// Adds to a shard's credit as far as the bounds allow, at least what one item of `weight` needs.
    #[cold]
    pub(crate) fn extend(&self, credit: &mut Credit, weight: usize) {
        if credit.items == 0 {
            credit.items += take(&self.used_items, self.limit_items, 1, CREDIT_ITEMS);
        }
        if credit.bytes < weight {
            let missing = weight - credit.bytes;
            credit.bytes += take(&self.used_bytes, self.limit_bytes, missing, missing.max(CREDIT_BYTES));
        }
    }

    /// While this is held, each item is in exactly one count for those who read them. Taken before a shard's
    /// lock, never under it.
    pub(crate) fn moving(&self) -> MutexGuard<'_, ()> {
        self.moves.lock()
    }

    /// Gives room back.
    pub(crate) fn release(&self, items: usize, bytes: usize) {
        self.used_items.fetch_sub(items, Ordering::Relaxed);
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Puts a chunk into the queue; returns an empty one.
    pub(crate) fn hand_over(&self, chunk: Chunk) -> Chunk {
        let mut queue = self.queue.lock();
        queue.push_back(chunk);
        let enough = queue.len().is_multiple_of(CHUNKS_AT_ONCE);
        drop(queue);
        if enough {
            self.ring(true);
        }
        self.spare()
    }

    /// An empty chunk, used before where there is one, with cells as far as there are some.
    pub(crate) fn spare(&self) -> Chunk {
        let mut chunk = self.spares.lock().pop().unwrap_or_default();
        if chunk.cells.is_empty() {
            let mut cells = self.cells.lock();
            let from = cells.len().saturating_sub(CHUNK_ITEMS);
            chunk.cells.extend(cells.drain(from..));
        }
        chunk
    }

    /// Takes cells back for use again.
    pub(crate) fn reuse(&self, cells: impl Iterator<Item = Box<Cell>>) {
        let room = SPARE_CELLS.saturating_sub(self.cells.lock().len());
        // Cleared without the lock: to let go of what users said can take a while.
        let cleared = |mut cell: Box<Cell>| {
            cell.clear();
            cell
        };
        let cells: Vec<_> = cells.take(room).map(cleared).collect();
        self.cells.lock().extend(cells);
    }

    /// Takes an emptied chunk back for use again.
    pub(crate) fn recycle(&self, mut chunk: Chunk) {
        chunk.items.clear();
        chunk.cells.truncate(CHUNK_ITEMS);
        chunk.bytes = 0;
        let mut spares = self.spares.lock();
        if spares.len() < SPARE_CHUNKS {
            spares.push(chunk);
        }
    }

    pub(crate) fn take_queue(&self) -> VecDeque<Chunk> {
        std::mem::take(&mut *self.queue.lock())
    }

    /// Wakes the worker; with `now`, it collects without waiting for the tick.
    pub(crate) fn ring(&self, now: bool) {
        let mut wishes = self.wishes.lock();
        // Rung and not yet heard: waking it again is a system call for nothing.
        let heard = !wishes.rung || (now && !wishes.now);
        wishes.rung = true;
        wishes.now |= now;
        drop(wishes);
        if heard {
            self.bell.notify_one();
        }
    }

    pub(crate) fn count_sent(&self, items: u64) {
        self.sent.fetch_add(items, Ordering::Relaxed);
    }

    pub(crate) fn count_dropped(&self, reason: &str, items: u64) {
        if items == 0 {
            return;
        }
        count(&self.dropped, reason, items);
        self.lost.lock().add(reason, items);
    }

    /// Counts what a rule left out.
    pub(crate) fn count_filtered(&self, rule: &str, items: u64) {
        if items > 0 {
            count(&self.filtered, rule, items);
            self.lost.lock().add_filtered(rule, items);
        }
    }

    /// Counts values that were masked.
    pub(crate) fn count_masked(&self, rule: &str, values: u64) {
        if values > 0 {
            count(&self.masked, rule, values);
            self.lost.lock().add_masked(rule, values);
        }
    }

    /// Counts a span that is not recorded, because its trace is not.
    pub(crate) fn count_not_sampled(&self) {
        self.not_sampled.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a span of this trace as lost.
    #[cold]
    pub(crate) fn lose_span(&self, trace_id: TraceId, reason: &str) {
        self.count_dropped(reason, 1);
        self.lost.lock().add_to_trace(trace_id, 1);
    }

    /// What is lost, left out, masked and not told of yet.
    pub(crate) fn lost(&self) -> MutexGuard<'_, Lost> {
        let mut lost = self.lost.lock();
        // The lock keeps others from counting the same ones.
        let not_sampled = self.not_sampled.load(Ordering::Relaxed);
        let new = not_sampled - self.not_sampled_told.swap(not_sampled, Ordering::Relaxed);
        if new > 0 {
            lost.add_filtered("not_sampled", new);
        }
        lost
    }

    /// Counts what is on disk now.
    pub(crate) fn count_spooled(&self, items: u64) {
        self.spooled.fetch_add(items, Ordering::Relaxed);
    }

    /// Takes back what is on disk no more; it is counted elsewhere.
    pub(crate) fn unspool(&self, items: u64) {
        self.spooled.fetch_sub(items, Ordering::Relaxed);
    }

    /// Counts what others had spooled.
    pub(crate) fn count_replayed(&self, sent: u64, lost: u64) {
        self.replayed.fetch_add(sent, Ordering::Relaxed);
        self.replay_lost.fetch_add(lost, Ordering::Relaxed);
    }

    pub(crate) fn count_export(&self, took: Duration) {
        self.exports.fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.export_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The moment now, as waiting is measured: real time, and what tests have added.
    pub(crate) fn now(&self) -> Instant {
        crate::instant::instant() + Duration::from_nanos(self.ahead.load(Ordering::Relaxed))
    }

    /// A moment of [`Hub::now`] in real time.
    pub(crate) fn real(&self, moment: Instant) -> Instant {
        let ahead = Duration::from_nanos(self.ahead.load(Ordering::Relaxed));
        moment.checked_sub(ahead).unwrap_or(moment)
    }

    /// Lets time pass at once, for tests.
    pub(crate) fn advance(&self, by: Duration) {
        self.ahead.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(0), Ordering::Relaxed);
        let mut wishes = self.wishes.lock();
        wishes.advanced = true;
        drop(wishes);
        self.bell.notify_one();
    }

    /// Keeps the last thing that went wrong, for people to read.
    pub(crate) fn note_problem(&self, problem: &str) {
        *self.problem.lock() = Some(problem.to_owned());
    }

    /// What was counted; `remaining` is left to the caller, who knows the shards.
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            sent: self.sent.load(Ordering::Relaxed),
            remaining: 0,
            spooled: self.spooled.load(Ordering::Relaxed),
            replayed: self.replayed.load(Ordering::Relaxed),
            replay_lost: self.replay_lost.load(Ordering::Relaxed),
            capacity: self.limit_items as u64,
            bytes: self.used_bytes.load(Ordering::Relaxed) as u64,
            capacity_bytes: self.limit_bytes as u64,
            exports: self.exports.load(Ordering::Relaxed),
            export_time: Duration::from_nanos(self.export_nanos.load(Ordering::Relaxed)),
            dropped: self.dropped.lock().clone(),
            filtered: self.filtered(),
            masked: self.masked.lock().clone(),
            problem: self.problem.lock().clone(),
        }
    }

    fn filtered(&self) -> BTreeMap<String, u64> {
        let mut filtered = self.filtered.lock().clone();
        let not_sampled = self.not_sampled.load(Ordering::Relaxed);
        if not_sampled > 0 {
            filtered.insert("not_sampled".to_owned(), not_sampled);
        }
        filtered
    }

    /// Items that hold room: queued, in a shard, on their way, or promised to a shard.
    pub(crate) fn used_items(&self) -> usize {
        self.used_items.load(Ordering::Relaxed)
    }

    /// Waits until `reached` or the deadline; says which.
    pub(crate) fn wait(&self, deadline: Instant, reached: impl Fn(&Wishes) -> bool) -> bool {
        let mut wishes = self.wishes.lock();
        while !reached(&wishes) {
            let (guard, late) = self.done.wait_until(wishes, deadline);
            wishes = guard;
            if late {
                return reached(&wishes);
            }
        }
        true
    }
}

fn count(counts: &Mutex<BTreeMap<String, u64>>, what: &str, more: u64) {
    let mut counts = counts.lock();
    match counts.get_mut(what) {
        Some(count) => *count += more,
        None => {
            counts.insert(what.to_owned(), more);
        }
    }
}

/// Raises `used` by up to `wanted` within `limit`, by nothing if `least` does not fit.
fn take(used: &AtomicUsize, limit: usize, least: usize, wanted: usize) -> usize {
    let mut taken = 0;
    let update = |current: usize| {
        let room = limit.saturating_sub(current);
        taken = if room < least { 0 } else { room.min(wanted) };
        Some(current + taken)
    };
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update).ok();
    taken
}

/// The moment `timeout` from now, in real time.
pub(crate) fn deadline(timeout: Duration) -> Instant {
    let now = crate::instant::instant();
    now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_hours(8760))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_never_exceeds_the_bounds() {
        let hub = Hub::new(100, 1000, ErrorHandler::default());
        let (mut one, mut two) = (Credit::default(), Credit::default());
        hub.extend(&mut one, 10);
        hub.extend(&mut two, 10);
        assert_eq!((one.items, two.items, one.bytes, two.bytes), (64, 36, 1000, 0));
        assert!(one.pay(1, 10) && !two.pay(1, 10));
        hub.release(one.items, one.bytes);
        hub.extend(&mut two, 10);
        assert_eq!(two.bytes, 990);
        assert!(two.pay(1, 10));
    }

    #[test]
    fn what_does_not_fit_takes_nothing() {
        let used = AtomicUsize::new(90);
        assert_eq!(take(&used, 100, 11, 50), 0);
        assert_eq!(take(&used, 100, 10, 50), 10);
        assert_eq!(used.into_inner(), 100);
    }
}
