//! Memory of reads: statements, statistics and traces that are read share an allowance, which is part of the one budget of requests,
//! store and reads.
//!
//! Small reads have a part of it for themselves and stand behind nothing large. Large ones stand in a line, first come
//! first served. Whoever is at its head claims its memory first, so that requests count it at once, and then waits until
//! requests and the store have made room: neither side keeps the other out for ever. What is larger than the whole
//! allowance is read while nothing else large is.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aitrace_store::{ErrorKind, Room, StoreError};
use tokio::sync::{Mutex as Line, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{ApiError, Kind, Result};
use crate::limits::Limits;
use crate::memory::Memory;

/// Reads of up to so many bytes are small.
const SMALL: usize = 1 << 20;
/// The part of the allowance that small ones have.
const SMALL_PART: usize = 8;
/// What a single span may take before it is known; there are some MiB in few.
const SPAN: usize = 4 << 20;
/// What a question takes that is answered with little: statistics by the sums of files.
const LITTLE: usize = 4 << 20;
/// What a search has while it waits for its reader; what it takes of a file is given back before.
const FEW: usize = 1 << 20;
/// Bytes of a permit of the small part.
const UNIT: usize = 1024;
/// Statements and statistics that may wait.
const WAITING: usize = 32;
/// Time between two looks whether requests and the store have made room.
const LOOK: Duration = Duration::from_millis(10);

/// The allowance.
#[derive(Debug, Clone)]
pub(crate) struct Reads(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    memory: Memory,
    /// Bytes for large ones.
    most: usize,
    /// What they have.
    taken: Mutex<usize>,
    /// Who is at its head holds it.
    line: Line<()>,
    /// How many stand in it.
    waiting: AtomicUsize,
    freed: Notify,
    small: Arc<Semaphore>,
    /// Its permits.
    small_units: u32,
    statements: Arc<Semaphore>,
    /// Places for those that run or wait.
    asked: Arc<Semaphore>,
    wait: Duration,
    statement: usize,
    share: usize,
}

/// Memory that a read has; given back on drop.
#[derive(Debug)]
pub(crate) struct Lease {
    reads: Arc<Inner>,
    bytes: Mutex<usize>,
    /// A small one has its part of another place.
    small: Option<OwnedSemaphorePermit>,
}

/// Memory that counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    reads: Arc<Inner>,
    bytes: usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.reads.memory.remove_reads(self.bytes);
        self.reads.freed.notify_waiters();
    }
}

/// The memory of one statement, or of other questions: it grows as the statement asks, and never below what it is sure of.
#[derive(Debug)]
pub(crate) struct Statement {
    lease: Lease,
    /// What it is sure of, bytes.
    share: usize,
    /// What it has.
    has: Mutex<Has>,
    /// Whether it was refused something only because others have it.
    short: AtomicBool,
    /// Whether it takes no more than its share while others stand in the line.
    gives_way: bool,
}

#[derive(Debug, Default)]
struct Has {
    /// Bytes that it uses.
    used: usize,
    /// What it has of the part of large ones beyond its share, bytes.
    beyond: usize,
}

/// Where a statement runs; others wait for it.
#[derive(Debug)]
pub(crate) struct Place {
    _places: [OwnedSemaphorePermit; 2],
}

impl Reads {
    pub(crate) fn new(memory: Memory, limits: &Limits) -> Self {
        let small = limits.read_bytes / SMALL_PART;
        let (most, small_units) = (limits.read_bytes - small, units(small).max(1));
        let statements = limits.sql_statements.max(1);
        let share = limits.sql_share.min(most / statements);
        Self(Arc::new(Inner {
            memory: memory.with_reads(limits.read_bytes),
            most,
            taken: Mutex::new(0),
            line: Line::new(()),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
            small: Arc::new(Semaphore::new(small_units as usize)),
            small_units,
            statements: Arc::new(Semaphore::new(statements)),
            asked: Arc::new(Semaphore::new(statements + WAITING)),
            wait: limits.read_wait,
            statement: limits.sql_memory.clamp(share, most.max(share)),
            share,
        }))
    }

    /// Memory for a read of about so many bytes. Waits for it as long as a read may.
    pub(crate) async fn admit(&self, bytes: usize) -> Result<Lease> {
        let admitted =
            async { if bytes <= SMALL { self.small(bytes, bytes).await } else { self.large(bytes).await } };
        timeout(self.0.wait, admitted).await.map_err(|_| self.0.refused(bytes))
    }

    /// The same for one span of an unknown size; what it took is told by [`Lease::settle`].
    pub(crate) async fn admit_span(&self) -> Result<Lease> {
        timeout(self.0.wait, self.small(SPAN, 0)).await.map_err(|_| self.0.refused(SPAN))
    }

    /// Memory for a question that may be answered with little. It gets more where nobody else needs that; where it was
    /// kept short, ask again with [`Reads::statement`], which waits.
    pub(crate) async fn little(&self) -> Result<Arc<Statement>> {
        let mut little = self.of_small(LITTLE).await?;
        little.gives_way = true;
        Ok(Arc::new(little))
    }

    /// Memory for a search, which never stands in the line: it gets more where there is any.
    pub(crate) async fn few(&self) -> Result<Arc<Statement>> {
        self.of_small(FEW).await.map(Arc::new)
    }

    async fn of_small(&self, bytes: usize) -> Result<Statement> {
        let bytes = bytes.min(self.0.small_units as usize * UNIT);
        let lease = timeout(self.0.wait, self.small(bytes, bytes)).await;
        Ok(Statement::of(lease.map_err(|_| self.0.refused(bytes))?, bytes))
    }

    /// Memory and a place for a statement, or for a question that takes as much.
    pub(crate) async fn statement(&self) -> Result<(Arc<Statement>, Place)> {
        let inner = &self.0;
        let _waits = Waits::new(inner);
        let hint = "Ask again in a moment, with fewer statements and statistics at once.";
        let asked = inner.asked.clone().try_acquire_owned();
        let asked = asked.map_err(|_| {
            let text = format!("{WAITING} statements and statistics wait already");
            ApiError::new(Kind::Overloaded, text, hint)
        })?;
        let until = Instant::now() + inner.wait;
        let place = timeout_at(until, inner.statements.clone().acquire_owned()).await.map_err(|_| {
            let text =
                format!("none of the statements and statistics that run ended within {:?}", inner.wait);
            ApiError::new(Kind::Overloaded, text, hint)
        })?;
        let place = place.expect("the semaphore is never closed");
        let lease = timeout_at(until, self.large(inner.share)).await;
        let lease = lease.map_err(|_| inner.refused(inner.share))?;
        Ok((Arc::new(Statement::of(lease, inner.share)), Place { _places: [asked, place] }))
    }

    /// Memory that is taken whatever others have: it counts for them, and waits for nobody.
    pub(crate) fn count(&self, bytes: usize) -> Counted {
        self.0.memory.add_reads(bytes);
        Counted { reads: Arc::clone(&self.0), bytes }
    }

    /// Whether somebody waits for memory that reads have.
    pub(crate) fn are_waited_for(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > 0 || self.0.memory.reads_give_way()
    }

    async fn small(&self, place: usize, bytes: usize) -> Lease {
        let inner = &self.0;
        // Of an allowance that is smaller than a small read it has all that there is.
        let place = units(place).min(inner.small_units);
        let permit = inner.small.clone().acquire_many_owned(place).await;
        let permit = permit.expect("the semaphore is never closed");
        inner.memory.add_reads(bytes);
        Lease { reads: Arc::clone(inner), bytes: Mutex::new(bytes), small: Some(permit) }
    }

    async fn large(&self, bytes: usize) -> Lease {
        let inner = &self.0;
        let _waits = Waits::new(inner);
        let _first = inner.line.lock().await;
        let bytes = bytes.min(inner.most);
        while inner.memory.reads_give_way() || !inner.claim(bytes) {
            inner.look().await;
        }
        let lease = Lease { reads: Arc::clone(inner), bytes: Mutex::new(bytes), small: None };
        while !inner.memory.has_room() {
            inner.look().await;
        }
        lease
    }
}

impl Inner {
    /// Takes bytes of the allowance, whether requests and the store leave room for them or not.
    fn claim(&self, bytes: usize) -> bool {
        let mut taken = locked(&self.taken);
        let fits = taken.checked_add(bytes).is_some_and(|wanted| wanted <= self.most);
        if fits {
            *taken += bytes;
            self.memory.add_reads(bytes);
        }
        fits
    }

    /// Takes bytes that are in use already.
    fn claim_anyway(&self, bytes: usize) {
        *locked(&self.taken) += bytes;
        self.memory.add_reads(bytes);
    }

    fn release(&self, bytes: usize) {
        *locked(&self.taken) -= bytes;
        self.memory.remove_reads(bytes);
        self.freed.notify_waiters();
    }

    /// Waits until something may have changed.
    async fn look(&self) {
        drop(timeout(LOOK, self.freed.notified()).await);
    }

    fn refused(&self, bytes: usize) -> ApiError {
        let text = format!(
            "there was no room within {:?} for a read of about {} MiB beside what is received and read now",
            self.wait,
            (bytes >> 20).max(1)
        );
        ApiError::new(Kind::Overloaded, text, "Ask again in a moment; trees and single spans take less.")
    }
}

impl Lease {
    /// Says how much it really is, now that it is there.
    pub(crate) fn settle(&self, bytes: usize) {
        let mut known = locked(&self.bytes);
        if self.small.is_none() {
            let mut taken = locked(&self.reads.taken);
            *taken = *taken - *known + bytes;
        }
        self.reads.memory.add_reads(bytes);
        self.reads.memory.remove_reads(*known);
        *known = bytes;
        self.reads.freed.notify_waiters();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let bytes = *locked(&self.bytes);
        if self.small.is_some() {
            self.reads.memory.remove_reads(bytes);
        } else {
            self.reads.release(bytes);
        }
    }
}

impl Statement {
    fn of(lease: Lease, share: usize) -> Self {
        Self { lease, share, has: Mutex::default(), short: AtomicBool::new(false), gives_way: false }
    }

    /// Says that it has run: what it has from now on is its answer.
    pub(crate) fn has_run(&self) {
        let has = locked(&self.has);
        self.lease.settle(has.used.min(self.share));
    }

    /// Whether it was refused something only because others have it.
    pub(crate) fn was_kept_short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }

    /// Takes bytes of the part of large ones, if nobody stands before it.
    fn claim(&self, bytes: usize) -> bool {
        let inner = &self.lease.reads;
        let waited_for = self.gives_way && inner.waiting.load(Ordering::Relaxed) > 0;
        if waited_for || inner.memory.reads_give_way() || !inner.claim(bytes) {
            return false;
        }
        if !inner.memory.has_room() {
            inner.release(bytes);
            return false;
        }
        true
    }
}

impl Room for Statement {
    fn take(&self, bytes: usize) -> aitrace_store::Result<()> {
        let (mut has, most) = (locked(&self.has), self.lease.reads.statement);
        let wanted = has.used.checked_add(bytes).filter(|wanted| *wanted <= most).ok_or_else(|| {
            let text = format!("it takes more than the {} MiB of memory that one may", most >> 20);
            StoreError::new(ErrorKind::Overloaded, text)
        })?;
        let further = wanted.saturating_sub(self.share + has.beyond);
        if further > 0 {
            if !self.claim(further) {
                self.short.store(true, Ordering::Relaxed);
                let text = format!(
                    "it takes more than the {} MiB of memory that it is sure of, and the rest is in use by others now; \
                     ask again later",
                    self.share >> 20
                );
                return Err(StoreError::new(ErrorKind::Overloaded, text));
            }
            has.beyond += further;
        }
        has.used = wanted;
        Ok(())
    }

    fn take_anyway(&self, bytes: usize) {
        let mut has = locked(&self.has);
        has.used += bytes;
        let further = has.used.saturating_sub(self.share + has.beyond);
        self.lease.reads.claim_anyway(further);
        has.beyond += further;
    }

    fn give_back(&self, bytes: usize) {
        let mut has = locked(&self.has);
        has.used = has.used.saturating_sub(bytes);
        let beyond = has.used.saturating_sub(self.share);
        if beyond < has.beyond {
            self.lease.reads.release(has.beyond - beyond);
            has.beyond = beyond;
        }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        let beyond = locked(&self.has).beyond;
        if beyond > 0 {
            self.lease.reads.release(beyond);
        }
    }
}

/// One who stands in the line.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(inner: &'a Inner) -> Self {
        inner.waiting.fetch_add(1, Ordering::Relaxed);
        Self(&inner.waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Nothing that is locked here can be left half-done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::tests::Holding;

    const MIB: usize = 1 << 20;

    /// 14 MiB for large ones, 2 for small ones; statements take up to 12 and are sure of 5.
    fn reads() -> (Reads, Memory) {
        let limits =
            Limits { read_bytes: 16 * MIB, sql_memory: 12 * MIB, sql_share: 5 * MIB, ..Limits::default() };
        let memory = Memory::new(8 * MIB);
        (Reads::new(memory.clone(), &limits), memory)
    }

    fn refused<T: std::fmt::Debug>(result: Result<T>) {
        assert_eq!(result.unwrap_err().kind(), Kind::Overloaded);
    }

    #[tokio::test(start_paused = true)]
    async fn large_reads_wait_in_line_and_small_ones_beside_it() {
        let (reads, memory) = reads();
        let first = reads.admit(10 * MIB).await.unwrap();
        let (waits, later) = (reads.clone(), reads.clone());
        let second = tokio::spawn(async move { waits.admit(6 * MIB).await });
        tokio::task::yield_now().await;
        // It would fit, but it came later.
        let third = tokio::spawn(async move { later.admit(3 * MIB).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!second.is_finished() && !third.is_finished() && reads.are_waited_for());
        let small = reads.admit(MIB).await.unwrap();
        assert_eq!(memory.reads(), 11 * MIB);
        drop(first);
        let (second, third) = (second.await.unwrap().unwrap(), third.await.unwrap().unwrap());
        assert_eq!(memory.reads(), 10 * MIB);
        refused(reads.admit(8 * MIB).await);
        drop((second, third, small));
        assert_eq!((memory.reads(), reads.are_waited_for()), (0, false));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_larger_than_everything_is_read_alone() {
        let (reads, memory) = reads();
        let other = reads.admit(2 * MIB).await.unwrap();
        refused(reads.admit(usize::MAX).await);
        drop(other);
        let giant = reads.admit(usize::MAX).await.unwrap();
        refused(reads.admit(2 * MIB).await);
        giant.settle(100 * MIB);
        assert_eq!(memory.reads(), 100 * MIB);
        drop(reads.admit(MIB).await.unwrap());
        drop(giant);
        assert_eq!(memory.reads(), 0);
        reads.admit(14 * MIB).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_statement_alone_takes_nearly_all_and_each_is_sure_of_its_share() {
        let (reads, memory) = reads();
        let (one, place) = reads.statement().await.unwrap();
        assert_eq!(memory.reads(), 5 * MIB);
        one.take(12 * MIB).unwrap();
        let text = one.take(1).unwrap_err().to_string();
        assert!(text.contains("12 MiB"), "{text}");
        refused(reads.statement().await.map(|_| ()));
        one.give_back(4 * MIB);
        let (other, other_place) = reads.statement().await.unwrap();
        other.take(5 * MIB).unwrap();
        let text = other.take(2 * MIB).unwrap_err().to_string();
        assert!(text.contains("sure of") && text.contains("later"), "{text}");
        // A third has room, but no place.
        one.give_back(8 * MIB);
        refused(reads.statement().await.map(|_| ()));
        drop((one, place));
        drop(reads.statement().await.unwrap());
        other.give_back(4 * MIB);
        other.has_run();
        assert_eq!(memory.reads(), MIB, "its answer");
        drop((other, other_place));
        assert_eq!(memory.reads(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_answered_with_little_stands_behind_nothing_large() {
        let (reads, memory) = reads();
        let all = reads.admit(14 * MIB).await.unwrap();
        let before = Instant::now();
        let little = reads.little().await.unwrap();
        assert_eq!((before.elapsed(), memory.reads()), (Duration::ZERO, 16 * MIB));
        refused(reads.little().await);
        little.take(2 * MIB).unwrap();
        assert!(!little.was_kept_short());
        assert_eq!(little.take(1).unwrap_err().kind(), ErrorKind::Overloaded, "there is no more");
        assert!(little.was_kept_short());
        little.give_back(2 * MIB - 5);
        little.has_run();
        assert_eq!(memory.reads(), 14 * MIB + 5, "its answer");
        drop((all, little));
        assert_eq!(memory.reads(), 0);

        let little = reads.little().await.unwrap();
        little.take(12 * MIB).unwrap();
        assert_eq!(memory.reads(), 12 * MIB, "where nobody else needs it");
        little.take(1).unwrap_err();
        assert!(!little.was_kept_short(), "one may have no more");
        little.take_anyway(MIB);
        little.give_back(9 * MIB);
        assert_eq!(memory.reads(), 4 * MIB);
        let waits = reads.clone();
        let waits = tokio::spawn(async move { waits.admit(14 * MIB).await.map(drop) });
        tokio::time::sleep(Duration::from_secs(1)).await;
        little.take(1).unwrap_err();
        assert!(little.was_kept_short(), "somebody stands before it");
        drop(little);
        waits.await.unwrap().unwrap();
        assert_eq!(memory.reads(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_statements_wait() {
        let (reads, _) = reads();
        let running = [reads.statement().await.unwrap(), reads.statement().await.unwrap()];
        let wait = || {
            let reads = reads.clone();
            tokio::spawn(async move { reads.statement().await.map(|_| ()) })
        };
        let waiting: Vec<_> = (0..WAITING).map(|_| wait()).collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = Instant::now();
        refused(reads.statement().await.map(|_| ()));
        assert_eq!(before.elapsed(), Duration::ZERO, "at once");
        drop(running);
        for waits in waiting {
            waits.await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_read_claims_its_memory_and_waits_until_the_store_has_made_room() {
        let store = Arc::new(Holding(AtomicUsize::new(10 * MIB), AtomicUsize::new(0)));
        let memory = Memory::new(8 * MIB).beside(store.clone(), 16 * MIB);
        let limits = Limits { read_bytes: 16 * MIB, ..Limits::default() };
        let reads = Reads::new(memory.clone(), &limits);
        let admit = || {
            let reads = reads.clone();
            tokio::spawn(async move { reads.admit(9 * MIB).await })
        };
        drop(memory.reserve(MIB).unwrap());
        let waits = admit();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waits.is_finished() && store.1.load(Ordering::Relaxed) > 0, "the store was asked");
        memory.reserve(MIB).unwrap_err();
        store.0.store(6 * MIB, Ordering::Relaxed);
        let lease = waits.await.unwrap().unwrap();
        memory.reserve(2 * MIB).unwrap_err();
        drop(memory.reserve(MIB).unwrap());
        drop(lease);
        store.0.store(10 * MIB, Ordering::Relaxed);
        refused(admit().await.unwrap());
        assert_eq!(memory.reads(), 0, "what is refused claims nothing");
        let counted = reads.count(7 * MIB);
        assert_eq!(memory.reads(), 7 * MIB, "whether there is room or not");
        drop(counted);
        assert_eq!(memory.reads(), 0);
        drop(memory.reserve(MIB).unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_leaves_nothing_behind() {
        let (reads, memory) = reads();
        let all = reads.admit(14 * MIB).await.unwrap();
        let waits = reads.clone();
        let gone = tokio::spawn(async move { waits.admit(14 * MIB).await.map(drop) });
        tokio::time::sleep(Duration::from_secs(1)).await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert!(!reads.are_waited_for());
        drop(all);
        assert_eq!(memory.reads(), 0);
        reads.admit(14 * MIB).await.unwrap();
    }
}
