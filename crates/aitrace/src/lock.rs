//! Locks that stay usable in a forked child and after a panic.
//!
//! The standard library's keep all their state in themselves. Locks that park threads in a table of the
//! process (parking_lot) can find that table locked for ever in a child.

mod atomics;
mod barrier;
mod biased;
#[cfg(test)]
mod model;
mod quick;
#[cfg(test)]
mod tests;

use std::sync::{self, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

pub(crate) use biased::{BiasedLock, Owner};

/// A mutex that does not know poison: a panic while it is held leaves the value as it is.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock, if it is free.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The lock, if it becomes free by the deadline.
    pub(crate) fn lock_until(&self, deadline: Instant) -> Option<MutexGuard<'_, T>> {
        loop {
            if let Some(guard) = self.try_lock() {
                return Some(guard);
            }
            if crate::instant::instant() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The lock, if it becomes free soon. For what is held for nanoseconds only: that it stays held means
    /// that its holder did not survive a fork.
    pub(crate) fn lock_soon(&self) -> Option<MutexGuard<'_, T>> {
        for _ in 0..1000 {
            if let Some(guard) = self.try_lock() {
                return Some(guard);
            }
            std::thread::yield_now();
        }
        None
    }
}

/// A bell for threads that wait with a [`Mutex`] of this module.
#[derive(Debug, Default)]
pub(crate) struct Condvar(sync::Condvar);

impl Condvar {
    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait<'m, T>(&self, guard: MutexGuard<'m, T>) -> MutexGuard<'m, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it rings or the deadline has passed; says whether it has passed.
    pub(crate) fn wait_until<'m, T>(
        &self,
        guard: MutexGuard<'m, T>,
        deadline: Instant,
    ) -> (MutexGuard<'m, T>, bool) {
        let left = deadline.saturating_duration_since(crate::instant::instant());
        let (guard, waited) = self.0.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner);
        (guard, waited.timed_out())
    }
}
