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
use std::sync::atomic::{AtomicBool, Ordering};

use super::barrier::Barrier;
use super::quick::{QuickGuard, QuickLock, pause};

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
        Self {
            busy: AtomicBool::new(false),
            biased: AtomicBool::new(false),
            owned: AtomicBool::new(false),
            barrier: Barrier::choose(),
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    type Pair = BiasedLock<(), (u64, u64)>;

    fn lock_with(barrier: Barrier) -> Arc<Pair> {
        Arc::new(BiasedLock { barrier, ..BiasedLock::new((), (0, 0)) })
    }

    fn step(pair: &mut (u64, u64)) {
        assert_eq!(pair.0, pair.1, "somebody else is inside");
        pair.0 += 1;
        // Written through memory, so that half a step can be seen from outside.
        std::hint::black_box(&mut *pair);
        pair.1 = pair.0;
    }

    /// The owner and two others count for a while; the owner goes on until the others are through.
    fn count(lock: &Arc<Pair>) -> u64 {
        const VISITS: u64 = 2000;
        let busy = AtomicU64::new(2);
        let mut owned = 0;
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let visit = || {
                    for _ in 0..VISITS {
                        step(&mut lock.lock());
                    }
                    busy.fetch_sub(1, Ordering::SeqCst);
                };
                std::thread::Builder::new()
                    .name("visitor".into())
                    .spawn_scoped(scope, visit)
                    .expect("a thread");
            }
            let mut owner = lock.owner().expect("free");
            while busy.load(Ordering::Relaxed) > 0 || owned < 100_000 {
                step(owner.lock().parts().1);
                owned += 1;
            }
        });
        owned + 2 * VISITS
    }

    #[test]
    fn owner_and_others_exclude_each_other() {
        for barrier in [Barrier::choose(), Barrier::Symmetric] {
            let lock = lock_with(barrier);
            let steps = count(&lock);
            assert_eq!(*lock.lock(), (steps, steps), "{barrier:?}");
        }
    }

    #[test]
    fn there_is_one_owner_and_the_next_sees_what_it_did() {
        let lock = lock_with(Barrier::choose());
        let mut first = lock.owner().expect("free");
        assert!(lock.is_owned() && lock.owner().is_none());
        first.lock().parts().1.0 = 7;
        drop(first);
        assert!(!lock.is_owned());
        let other = lock.clone();
        let next = move || other.owner().expect("free again").lock().parts().1.0;
        let thread = std::thread::Builder::new().name("next".into()).spawn(next).expect("a thread");
        assert_eq!(thread.join().expect("no panic"), 7);
    }

    #[test]
    fn a_panic_lets_go_on_both_ways() {
        let lock = lock_with(Barrier::choose());
        let mut owner = lock.owner().expect("free");
        let own = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = owner.lock();
            panic!("on purpose");
        }));
        assert!(own.is_err());
        let other = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = lock.lock();
            panic!("on purpose");
        }));
        assert!(other.is_err());
        owner.lock().parts().1.0 = 1;
        assert_eq!(lock.lock().0, 1);
    }
}
