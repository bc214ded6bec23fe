//! Limits of time for futures, without a runtime: one thread that wakes what is due.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::instant::instant;

#[derive(Debug, Default)]
struct Due {
    wakers: Vec<(Instant, Waker)>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    due: Mutex<Due>,
    bell: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes futures when their time is over. Its thread lives as long as it does.
#[derive(Debug)]
pub(super) struct Timer(Arc<Shared>);

impl Timer {
    /// `None` where the system gives no thread.
    pub(super) fn start() -> Option<Self> {
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let thread = thread::Builder::new().name("aitrace-timer".to_owned());
        thread.spawn(move || serve(&own)).ok().map(|_| Self(shared))
    }

    /// The future's output, `None` where it takes longer.
    pub(super) async fn limit<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let end = instant() + limit;
        std::future::poll_fn(|task| {
            if let Poll::Ready(output) = future.as_mut().poll(task) {
                return Poll::Ready(Some(output));
            }
            if instant() >= end {
                return Poll::Ready(None);
            }
            self.0.lock().wakers.push((end, task.waker().clone()));
            self.0.bell.notify_one();
            Poll::Pending
        })
        .await
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.bell.notify_one();
    }
}

fn serve(shared: &Shared) {
    let mut due = shared.lock();
    while !due.ended {
        let now = instant();
        let over: Vec<_> = due.wakers.extract_if(.., |(end, _)| *end <= now).collect();
        if !over.is_empty() {
            drop(due);
            for (_, waker) in over {
                waker.wake();
            }
            due = shared.lock();
            continue;
        }
        let next = due.wakers.iter().map(|(end, _)| end.saturating_duration_since(now)).min();
        due = match next {
            Some(wait) => shared.bell.wait_timeout(due, wait).unwrap_or_else(PoisonError::into_inner).0,
            None => shared.bell.wait(due).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on the calling thread.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut task = Context::from_waker(&waker);
    loop {
        match Pin::as_mut(&mut future).poll(&mut task) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
