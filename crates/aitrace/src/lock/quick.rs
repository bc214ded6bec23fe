//! A lock for what is almost never contended: one atomic exchange to take it, a plain store to let it go.
//!
//! A mutex of the operating system needs a second exchange to learn whether to wake somebody; here those who
//! wait look again by themselves. It guards the slots of spans, where the exchange would be a tenth of a
//! span's whole cost, and is held for nanoseconds.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;

use super::atomics::{AtomicBool, pause};

#[derive(Debug, Default)]
pub(crate) struct QuickLock<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through a guard only, and `held` lets one guard exist at a time; so sharing the
// lock hands the value from thread to thread, which `T: Send` allows.
#[expect(unsafe_code, reason = "a lock is how unshared data becomes shared")]
unsafe impl<T: Send> Sync for QuickLock<T> {}

/// The lock is held while this lives.
#[derive(Debug)]
pub(crate) struct QuickGuard<'l, T> {
    lock: &'l QuickLock<T>,
}

impl<T> QuickLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    #[inline]
    pub(crate) fn lock(&self) -> QuickGuard<'_, T> {
        if self.held.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.wait();
        }
        QuickGuard { lock: self }
    }

    /// Returns with the lock held.
    #[cold]
    fn wait(&self) {
        let mut looks = 0_u32;
        loop {
            let free = !self.held.load(Ordering::Relaxed);
            if free && self.held.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return;
            }
            pause(&mut looks);
        }
    }
}

impl<T> Deref for QuickGuard<'_, T> {
    type Target = T;

    #[inline]
    #[expect(unsafe_code, reason = "see the lock")]
    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one, and borrows are through it.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for QuickGuard<'_, T> {
    #[inline]
    #[expect(unsafe_code, reason = "see the lock")]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the only one and is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for QuickGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.held.store(false, Ordering::Release);
    }
}
