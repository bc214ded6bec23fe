//! A model check of the locks: `loom` runs the same source in every order that threads, store buffers and caches
//! may give it, up to a number of preemptions.
//!
//! What is checked: owner and others exclude each other and see what was done before; the owner's way, once
//! closed, opens again and nobody waits for ever; who comes after an owner that has ended sees its work.
//!
//! The model has no `membarrier(2)`: it is a full barrier in each running thread somewhere within the call, which
//! is what the owner's own barrier gives where both sides pay. So both are taken for full barriers here; the
//! tests with real threads run either form.

mod atomics {
    pub(super) use loom::sync::atomic::AtomicBool;

    /// The others go first: nothing changes before they do.
    pub(super) fn pause(_looks: &mut u32) {
        loom::thread::yield_now();
    }
}

mod barrier {
    use std::sync::atomic::Ordering;

    use loom::sync::atomic::fence;

    /// Which sides have their barrier: one that is missing must be found out.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Barrier {
        Both,
        LightOnly,
        HeavyOnly,
    }

    impl Barrier {
        pub(super) fn choose() -> Self {
            Self::Both
        }

        pub(super) fn light(self) {
            if self != Self::HeavyOnly {
                fence(Ordering::SeqCst);
            }
        }

        pub(super) fn heavy(self) {
            if self != Self::LightOnly {
                fence(Ordering::SeqCst);
            }
        }
    }
}

/// The outer lock, as a mutex for which the model lets threads wait: two that look again and again, each after
/// the other, would have no end of orders. The real one is checked by itself.
mod quick {
    use loom::sync::{Mutex, MutexGuard};

    pub(super) type QuickGuard<'l, T> = MutexGuard<'l, T>;

    #[derive(Debug)]
    pub(super) struct QuickLock<T>(Mutex<T>);

    impl<T> QuickLock<T> {
        pub(super) fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        pub(super) fn lock(&self) -> QuickGuard<'_, T> {
            self.0.lock().expect("nobody panics")
        }
    }
}

#[expect(clippy::duplicate_mod, reason = "the same source with the model's atomics")]
#[path = "biased.rs"]
mod biased;
#[expect(clippy::duplicate_mod, reason = "the same source with the model's atomics")]
#[path = "quick.rs"]
mod real_quick;

use std::sync::Arc;

use loom::cell::Cell;

use self::barrier::Barrier;
use self::biased::BiasedLock;

/// Counts visits; the model finds two that are not one after the other.
type Counter = BiasedLock<(), Cell<u32>>;

fn step(count: &Cell<u32>) {
    count.set(count.get() + 1);
}

/// Runs `work` in every order, or in those in which so many times at most a thread is stopped in its course.
fn model(preemptions: Option<usize>, work: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(work);
}

fn visit(lock: &Arc<Counter>) -> loom::thread::JoinHandle<()> {
    let lock = lock.clone();
    loom::thread::spawn(move || step(lock.lock().parts().1))
}

/// The owner comes by its open way while others come.
fn owner_and_visitors(barrier: Barrier, preemptions: Option<usize>, visitors: u32) {
    model(preemptions, move || {
        let lock = Arc::new(Counter::with(barrier, (), Cell::new(0)));
        let mut owner = lock.owner().expect("free");
        step(owner.lock().parts().1);
        assert!(lock.is_open());
        let others: Vec<_> = (0..visitors).map(|_| visit(&lock)).collect();
        step(owner.lock().parts().1);
        step(owner.lock().parts().1);
        for other in others {
            other.join().expect("no panic");
        }
        step(owner.lock().parts().1);
        assert!(owner.shared().is_open(), "the owner has opened its way again");
        assert_eq!(lock.lock().get(), 4 + visitors);
        assert!(!lock.is_open(), "it was closed again");
    });
}

#[test]
fn owner_and_a_visitor_exclude_each_other_in_every_order() {
    owner_and_visitors(Barrier::choose(), None, 1);
}

#[test]
fn owner_and_two_visitors_exclude_each_other_in_every_order() {
    owner_and_visitors(Barrier::choose(), Some(3), 2);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn without_the_owners_barrier_both_may_be_inside() {
    owner_and_visitors(Barrier::HeavyOnly, None, 1);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn without_the_visitors_barrier_both_may_be_inside() {
    owner_and_visitors(Barrier::LightOnly, None, 1);
}

#[test]
fn who_comes_after_an_owner_that_ended_sees_its_work() {
    model(None, || {
        let lock = Arc::new(Counter::new((), Cell::new(0)));
        let mut owner = lock.owner().expect("free");
        let next = lock.clone();
        let next = loom::thread::spawn(move || {
            // As the collector does that looks whether a shard is done with.
            if !next.is_owned() {
                assert_eq!(next.lock().get(), 2, "everything the owner did is seen");
            }
            let Some(mut owner) = next.owner() else { return 0 };
            assert!(next.owner().is_none(), "there is one owner");
            step(owner.lock().parts().1);
            step(owner.lock().parts().1);
            2
        });
        step(owner.lock().parts().1);
        step(owner.lock().parts().1);
        drop(owner);
        let more = next.join().expect("no panic");
        assert_eq!(lock.lock().get(), 2 + more);
    });
}

#[test]
fn owners_that_end_while_others_come_leave_a_lock_that_works() {
    model(Some(3), || {
        let lock = Arc::new(Counter::new((), Cell::new(0)));
        let own_twice = |lock: Arc<Counter>| {
            let steps = |mut owner: biased::Owner<(), Cell<u32>>| {
                step(owner.lock().parts().1);
                step(owner.lock().parts().1);
            };
            lock.owner().map_or(0, |owner| {
                steps(owner);
                2
            })
        };
        let other = lock.clone();
        let other = loom::thread::spawn(move || own_twice(other));
        let visitor = visit(&lock);
        let own = own_twice(lock.clone());
        visitor.join().expect("no panic");
        let all = own + other.join().expect("no panic") + 1;
        assert_eq!(lock.lock().get(), all);
    });
}

#[test]
fn the_quick_lock_has_one_holder_in_every_order() {
    model(None, || {
        let lock = Arc::new(real_quick::QuickLock::new(Cell::new(0)));
        let other = lock.clone();
        let other = loom::thread::spawn(move || {
            step(&other.lock());
            step(&other.lock());
        });
        step(&lock.lock());
        other.join().expect("no panic");
        assert_eq!(lock.lock().get(), 3);
    });
}
