//! Whether anybody still waits for a read.
//!
//! A read runs to its end on a thread of its own, whoever asked may be gone long before. Everything that it takes out
//! of files passes one place, and there it is told to stop: so no function on the way needs to know of it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aitrace_store::{ErrorKind, StoreError};

thread_local! {
    static CURRENT: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// The sign to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

/// Gives the sign when it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Stop);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl Stop {
    /// Somebody waits as long as this lives.
    pub(crate) fn waiting(&self) -> Waiting {
        Waiting(self.clone())
    }

    /// Whether the sign was given.
    pub(crate) fn is_given(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Runs work of this thread under the sign.
    pub(crate) fn over<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Back(Option<Stop>);
        impl Drop for Back {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _back = Back(CURRENT.replace(Some(self.clone())));
        work()
    }

    /// The sign over this thread; one that nobody gives where there is none.
    pub(crate) fn current() -> Self {
        CURRENT.with_borrow(Clone::clone).unwrap_or_default()
    }
}

/// Nobody waits for the answer any more.
pub(crate) fn stopped() -> StoreError {
    StoreError::new(ErrorKind::Unavailable, "whoever asked is gone")
}

/// Whether this thread's work is to stop.
pub(crate) fn is_given() -> bool {
    CURRENT.with_borrow(|current| current.as_ref().is_some_and(Stop::is_given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_holds_for_the_work_alone() {
        let stop = Stop::default();
        let waiting = stop.waiting();
        stop.over(|| {
            assert!(!is_given());
            drop(waiting);
            assert!(is_given());
            assert!(Stop::current().is_given());
            Stop::default().over(|| assert!(!is_given(), "another's work"));
            assert!(is_given());
        });
        assert!(!is_given());
    }
}
