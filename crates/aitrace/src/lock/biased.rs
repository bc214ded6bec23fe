//! A lock that costs its owner next to nothing: two plain stores and a load.
//!
//! One thread owns it and comes all the time; others come rarely. The owner says that it is inside (`busy`)
//! and looks whether it may go this way (`biased`); another thread takes the way away and then waits until the
//! owner is out. The barriers between each one's store and load make one of the two see the other. Having
//! found its way closed, the owner takes the outer lock like everyone else, once, and opens it again.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::atomics::{AtomicBool, pause};
use super::barrier::Barrier;
use super::quick::{QuickGuard, QuickLock};

/// A value that one thread at a time works with, and a head that all may read.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct BiasedLock<H, T> {
    /// The owner is inside, or looks whether it may be.
    busy: AtomicBool,
    /// The owner may enter without the outer lock.
    biased: AtomicBool,
    /// Somebody is the owner.
    owned: AtomicBool,
    barrier: Barrier,
    outer: QuickLock<()>,
    head: H,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through guards only. A guard of the owner excludes the others by `busy`, theirs
// exclude the owner by `biased` and each other by `outer`; so sharing the lock hands the value from thread to
// thread, which `T: Send` allows. The head is only ever shared.
#[expect(unsafe_code, reason = "a lock is how unshared data becomes shared")]
unsafe impl<H: Sync, T: Send> Sync for BiasedLock<H, T> {}

/// The right to be the owner: at most one exists for a lock, and it stays in its thread.
#[derive(Debug)]
pub(crate) struct Owner<H, T> {
    lock: Arc<BiasedLock<H, T>>,
    stays: PhantomData<*const ()>,
}

/// The owner is inside while this lives.
pub(crate) struct OwnGuard<'l, H, T> {
    lock: &'l BiasedLock<H, T>,
}

/// Another thread is inside while this lives.
pub(crate) struct Guard<'l, H, T> {
    lock: &'l BiasedLock<H, T>,
    _outer: QuickGuard<'l, ()>,
}

impl<H, T> BiasedLock<H, T> {
    pub(crate) fn new(head: H, value: T) -> Self {
        Self::with(Barrier::choose(), head, value)
    }

    pub(super) fn with(barrier: Barrier, head: H, value: T) -> Self {
        Self {
            busy: AtomicBool::new(false),
            biased: AtomicBool::new(false),
            owned: AtomicBool::new(false),
            barrier,
            outer: QuickLock::new(()),
            head,
            value: UnsafeCell::new(value),
        }
    }

    /// Makes the caller the owner, unless there is one.
    pub(crate) fn owner(self: &Arc<Self>) -> Option<Owner<H, T>> {
        let taken = self.owned.swap(true, Ordering::Acquire);
        (!taken).then(|| Owner { lock: self.clone(), stays: PhantomData })
    }

    /// Whether somebody is the owner.
    pub(crate) fn is_owned(&self) -> bool {
        self.owned.load(Ordering::Acquire)
    }

    /// Enters as anyone may. The owner must not, while it is inside.
    pub(crate) fn lock(&self) -> Guard<'_, H, T> {
        let outer = self.outer.lock();
        // Changed under the outer lock, but for the owner's reading it.
        if self.biased.load(Ordering::Relaxed) {
            self.biased.store(false, Ordering::Relaxed);
            self.barrier.heavy();
            let mut looks = 0;
            while self.busy.load(Ordering::Acquire) {
                pause(&mut looks);
            }
        }
        Guard { lock: self, _outer: outer }
    }

    /// Whether the owner's way is open.
    #[cfg(test)]
    pub(super) fn is_open(&self) -> bool {
        self.biased.load(Ordering::Relaxed)
    }

    /// The owner's way was closed: enters through the outer lock and opens the way again.
    #[cold]
    #[inline(never)]
    fn own_slowly(&self) {
        // Whoever closed the way waits for this.
        self.busy.store(false, Ordering::Release);
        let outer = self.outer.lock();
        self.busy.store(true, Ordering::Relaxed);
        self.biased.store(true, Ordering::Relaxed);
        // Its letting go shows both to the next that comes.
        drop(outer);
    }
}

impl<H, T> Deref for BiasedLock<H, T> {
    type Target = H;

    #[inline]
    fn deref(&self) -> &H {
        &self.head
    }
}

impl<H, T> Owner<H, T> {
    /// Enters. Exclusive, so that the owner cannot enter twice.
    #[inline]
    pub(crate) fn lock(&mut self) -> OwnGuard<'_, H, T> {
        let lock = &*self.lock;
        lock.busy.store(true, Ordering::Relaxed);
        lock.barrier.light();
        // The owner alone opens its way, so there is nothing to acquire by seeing it open.
        if !lock.biased.load(Ordering::Relaxed) {
            lock.own_slowly();
        }
        OwnGuard { lock }
    }

    /// What is owned.
    #[inline]
    pub(crate) fn shared(&self) -> &Arc<BiasedLock<H, T>> {
        &self.lock
    }
}

impl<H, T> Drop for Owner<H, T> {
    fn drop(&mut self) {
        self.lock.owned.store(false, Ordering::Release);
    }
}

impl<H, T> OwnGuard<'_, H, T> {
    /// The head and the value.
    #[inline]
    #[expect(unsafe_code, reason = "see the lock")]
    pub(crate) fn parts(&mut self) -> (&H, &mut T) {
        // SAFETY: this guard is the only one, see `Sync`, and is borrowed exclusively.
        (&self.lock.head, unsafe { &mut *self.lock.value.get() })
    }
}

impl<H, T> Drop for OwnGuard<'_, H, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.busy.store(false, Ordering::Release);
    }
}

impl<H, T> Guard<'_, H, T> {
    /// The head and the value.
    pub(crate) fn parts(&mut self) -> (&H, &mut T) {
        (&self.lock.head, self)
    }
}

impl<H, T> Deref for Guard<'_, H, T> {
    type Target = T;

    #[expect(unsafe_code, reason = "see the lock")]
    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one, see `Sync`, and borrows are through it.
        unsafe { &*self.lock.value.get() }
    }
}

impl<H, T> DerefMut for Guard<'_, H, T> {
    #[expect(unsafe_code, reason = "see the lock")]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the only one, see `Sync`, and is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}
