//! One budget of bytes for all requests and the store behind them: reserved before memory is used, given back when a
//! request is over.

pub(crate) mod reads;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aitrace_store::TelemetryStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant};

use crate::error::{ApiError, Kind, Result};

/// Permits are KiB, so that they fit a `u32` up to 4 TiB.
const UNIT: usize = 1024;
/// What the store may hold while a request that is larger than the whole budget is taken, as a share of it.
const ASIDE: usize = 4;
/// Time for which no large read begins once such a request was refused because of reads: its sender comes again by then.
const WAY: Duration = Duration::from_secs(3);

/// The budget.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    permits: Arc<Semaphore>,
    total: u32,
    /// What requests need beyond the permits that there are, KiB.
    excess: Arc<AtomicUsize>,
    store: Option<Beside>,
    reads: Arc<OfReads>,
}

/// What reads have, as far as requests must know of it.
#[derive(Debug, Default)]
struct OfReads {
    bytes: AtomicUsize,
    /// What counts of it at the most: requests are never refused for more.
    most: AtomicUsize,
    /// Until when no large one begins.
    give_way: Mutex<Option<Instant>>,
}

/// The store whose memory counts as well.
#[derive(Debug, Clone)]
struct Beside {
    store: Arc<dyn TelemetryStore>,
    /// Bytes for requests and store together.
    most: usize,
}

/// A part of the budget; given back on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    memory: Memory,
    permit: OwnedSemaphorePermit,
    /// What it needs beyond that, KiB.
    excess: usize,
}

impl Memory {
    /// A budget for requests alone.
    pub(crate) fn new(bytes: usize) -> Self {
        let total = units(bytes).max(1);
        let permits = Arc::new(Semaphore::new(total as usize));
        Self { permits, total, excess: Arc::default(), store: None, reads: Arc::default() }
    }

    /// The same beside a store: together they take at most `most` bytes.
    pub(crate) fn beside(mut self, store: Arc<dyn TelemetryStore>, most: usize) -> Self {
        self.store = Some(Beside { store, most });
        self
    }

    /// Reserves, or refuses at once: a waiting request would hold its connection and its sender's memory.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Reservation> {
        let permit = self.take(0).expect("nothing can always be had");
        let mut reservation = Reservation { memory: self.clone(), permit, excess: 0 };
        reservation.grow(bytes)?;
        Ok(reservation)
    }

    /// The same with reads, that take at most `most` bytes of it.
    pub(crate) fn with_reads(self, most: usize) -> Self {
        self.reads.most.store(most, Ordering::Relaxed);
        self
    }

    /// Reads have so many bytes more.
    pub(crate) fn add_reads(&self, bytes: usize) {
        self.reads.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Reads have so many bytes less.
    pub(crate) fn remove_reads(&self, bytes: usize) {
        self.reads.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes that reads have.
    pub(crate) fn reads(&self) -> usize {
        self.reads.bytes.load(Ordering::Relaxed)
    }

    /// Whether large reads are to wait, because a request needs nearly everything.
    pub(crate) fn reads_give_way(&self) -> bool {
        let until = *self.reads.give_way.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether requests, the store and reads fit together. Where they do not, the store is asked for its part.
    pub(crate) fn has_room(&self) -> bool {
        let Some(Beside { store, most }) = &self.store else { return true };
        let taken = self.reserved().saturating_mul(UNIT).saturating_add(store.held());
        let fits = taken.saturating_add(self.reads()) <= *most;
        if !fits {
            store.relieve();
        }
        fits
    }

    fn take(&self, units: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_many_owned(units).ok()
    }

    /// Whether requests, one of which is to have `own` KiB, and the store fit into one.
    fn fits(&self, own: usize) -> bool {
        let Some(Beside { store, most }) = &self.store else { return true };
        let (held, reserved) = (store.held(), self.reserved());
        let reads = self.reads().min(self.reads.most.load(Ordering::Relaxed));
        if reserved.saturating_mul(UNIT).saturating_add(held).saturating_add(reads) <= *most {
            return true;
        }
        let alone = reserved <= own && held <= most / ASIDE;
        if alone && reads > 0 {
            let mut until = self.reads.give_way.lock().unwrap_or_else(PoisonError::into_inner);
            *until = Some(Instant::now() + WAY);
        }
        alone && reads == 0
    }

    /// What requests have, KiB.
    fn reserved(&self) -> usize {
        let taken = (self.total as usize).saturating_sub(self.permits.available_permits());
        taken.saturating_add(self.excess.load(Ordering::Relaxed))
    }

    /// The budget of requests and what of it is reserved, bytes.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let total = self.total as usize;
        (total * UNIT, total.saturating_sub(self.permits.available_permits()) * UNIT)
    }

    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.permits.available_permits() * UNIT
    }
}

impl Reservation {
    /// Makes the reservation at least `bytes` large.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<()> {
        let (wanted, held) = (bytes.div_ceil(UNIT), self.permit.num_permits());
        if wanted <= held + self.excess {
            return Ok(());
        }
        // A request that is larger than the budget may have all of it: else it could never be served.
        let capped = wanted.min(self.memory.total as usize);
        let further = u32::try_from(capped - held).unwrap_or(u32::MAX);
        let permit = self.memory.take(further).ok_or_else(|| overloaded(false))?;
        let excess = wanted - capped;
        let more = excess - self.excess;
        self.memory.excess.fetch_add(more, Ordering::Relaxed);
        if self.memory.fits(wanted) {
            self.permit.merge(permit);
            self.excess = excess;
            return Ok(());
        }
        self.memory.excess.fetch_sub(more, Ordering::Relaxed);
        if let Some(Beside { store, .. }) = &self.memory.store {
            store.relieve();
        }
        Err(overloaded(true))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.excess.fetch_sub(self.excess, Ordering::Relaxed);
    }
}

fn overloaded(by_store: bool) -> ApiError {
    let message = if by_store {
        "more came than was written to disk as yet"
    } else {
        "too much is being received at once"
    };
    let hint = "Nothing was acknowledged: send it again later, in smaller batches.";
    ApiError::new(Kind::Overloaded, message, hint)
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_given_back() {
        let memory = Memory::new(10 * UNIT);
        let mut first = memory.reserve(4 * UNIT).unwrap();
        let second = memory.reserve(1).unwrap();
        assert_eq!(memory.free(), 5 * UNIT);
        first.grow(9 * UNIT).unwrap();
        assert_eq!(memory.free(), 0);
        first.grow(2 * UNIT).unwrap();
        assert_eq!(memory.reserve(1).unwrap_err().kind(), Kind::Overloaded);
        assert_eq!(first.grow(10 * UNIT).unwrap_err().kind(), Kind::Overloaded);
        drop(second);
        first.grow(10 * UNIT).unwrap();
        drop(first);
        assert_eq!(memory.free(), 10 * UNIT);
    }

    #[test]
    fn one_request_may_have_everything_and_nothing_overflows() {
        let memory = Memory::new(2 * UNIT);
        let all = memory.reserve(usize::MAX).unwrap();
        assert_eq!(memory.free(), 0);
        drop(all);
        assert_eq!(memory.free(), 2 * UNIT);
    }

    /// A store that holds what it is told to.
    #[derive(Debug)]
    pub(crate) struct Holding(pub(crate) AtomicUsize, pub(crate) AtomicUsize);

    #[async_trait::async_trait]
    impl TelemetryStore for Holding {
        async fn append(&self, _: aitrace_store::Batch) -> aitrace_store::Result<aitrace_store::Appended> {
            unreachable!()
        }

        async fn list_traces(
            &self,
            _: &aitrace_store::TraceFilter,
            _: &aitrace_store::PageRequest,
        ) -> aitrace_store::Result<aitrace_store::TracePage> {
            unreachable!()
        }

        async fn trace(
            &self,
            _: &aitrace_store::ProjectScope,
            _: aitrace_model::TraceId,
        ) -> aitrace_store::Result<Option<aitrace_store::Trace>> {
            unreachable!()
        }

        fn subscribe(&self) -> tokio::sync::broadcast::Receiver<aitrace_store::Change> {
            unreachable!()
        }

        async fn seal(&self) -> aitrace_store::Result<()> {
            unreachable!()
        }

        async fn stats(&self) -> aitrace_store::Result<aitrace_store::StoreStats> {
            unreachable!()
        }

        async fn shutdown(&self) -> aitrace_store::Result<()> {
            unreachable!()
        }

        fn held(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }

        fn relieve(&self) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_the_store_holds_counts_and_it_is_asked_for_it() {
        let store = Arc::new(Holding(AtomicUsize::new(0), AtomicUsize::new(0)));
        let memory = Memory::new(8 * UNIT).beside(store.clone(), 16 * UNIT);
        let first = memory.reserve(4 * UNIT).unwrap();
        store.0.store(10 * UNIT, Ordering::Relaxed);
        let mut second = memory.reserve(2 * UNIT).unwrap();
        assert_eq!(second.grow(3 * UNIT).unwrap_err().kind(), Kind::Overloaded);
        assert_eq!(
            (memory.free(), store.1.load(Ordering::Relaxed)),
            (2 * UNIT, 1),
            "asked once, nothing kept"
        );
        drop(first);
        second.grow(6 * UNIT).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn reads_count_as_far_as_they_may_go_and_give_way_to_what_needs_everything() {
        let store = Arc::new(Holding(AtomicUsize::new(6 * UNIT), AtomicUsize::new(0)));
        let memory = Memory::new(16 * UNIT).beside(store.clone(), 16 * UNIT).with_reads(6 * UNIT);
        memory.add_reads(6 * UNIT);
        assert!(memory.has_room());
        assert_eq!(memory.reserve(5 * UNIT).unwrap_err().kind(), Kind::Overloaded);
        drop(memory.reserve(4 * UNIT).unwrap());
        memory.add_reads(100 * UNIT);
        assert!(!memory.has_room());
        drop(memory.reserve(4 * UNIT).unwrap());
        assert!(!memory.reads_give_way(), "the store has to make room, not they");
        store.0.store(4 * UNIT, Ordering::Relaxed);
        assert_eq!(memory.reserve(40 * UNIT).unwrap_err().kind(), Kind::Overloaded);
        assert!(memory.reads_give_way());
        memory.remove_reads(106 * UNIT);
        drop(memory.reserve(40 * UNIT).unwrap());
        tokio::time::sleep(WAY).await;
        assert!(!memory.reads_give_way());
    }

    #[test]
    fn a_request_larger_than_everything_is_taken_alone_when_the_store_holds_little() {
        let store = Arc::new(Holding(AtomicUsize::new(5 * UNIT), AtomicUsize::new(0)));
        let memory = Memory::new(8 * UNIT).beside(store.clone(), 16 * UNIT);
        assert_eq!(memory.reserve(40 * UNIT).unwrap_err().kind(), Kind::Overloaded);
        store.0.store(4 * UNIT, Ordering::Relaxed);
        let mut large = memory.reserve(20 * UNIT).unwrap();
        large.grow(40 * UNIT).unwrap();
        assert_eq!(memory.reserved(), 40);
        assert_eq!(memory.reserve(UNIT).unwrap_err().kind(), Kind::Overloaded);
        drop(large);
        assert_eq!((memory.reserved(), memory.free()), (0, 8 * UNIT));
        let small = memory.reserve(UNIT).unwrap();
        assert_eq!(memory.reserve(40 * UNIT).unwrap_err().kind(), Kind::Overloaded, "not alone");
        drop(small);
    }
}
