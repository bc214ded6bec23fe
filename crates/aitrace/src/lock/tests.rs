//! The locks under stress, with real threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::barrier::Barrier;
use super::biased::BiasedLock;
use super::quick::QuickLock;

type Pair = BiasedLock<(), (u64, u64)>;

fn lock_with(barrier: Barrier) -> Arc<Pair> {
    Arc::new(BiasedLock::with(barrier, (), (0, 0)))
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
            std::thread::Builder::new().name("visitor".into()).spawn_scoped(scope, visit).expect("a thread");
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
    assert!(lock.is_open());
    assert_eq!(lock.lock().0, 1);
}

#[test]
fn the_quick_lock_has_one_holder_at_a_time() {
    let lock = QuickLock::new((0_u64, 0_u64));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let work = || {
                for _ in 0..20_000 {
                    let mut pair = lock.lock();
                    assert_eq!(pair.0, pair.1);
                    pair.0 += 1;
                    pair.1 = pair.0;
                }
            };
            std::thread::Builder::new().name("holder".into()).spawn_scoped(scope, work).expect("a thread");
        }
    });
    assert_eq!(*lock.lock(), (80_000, 80_000));
}

#[test]
fn a_panic_lets_go_of_the_quick_lock() {
    let lock = QuickLock::new(1);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        *lock.lock() = 2;
        let _guard = lock.lock();
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert_eq!(*lock.lock(), 2);
}
