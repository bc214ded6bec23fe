//! Real time, which waiting is measured by, and processor time, which work is.

use std::time::{Duration, Instant};

/// The moment now in real time: what waiting is measured by.
#[expect(clippy::disallowed_methods, reason = "real time is what waiting is measured by")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// The processor time that the calling thread has used; `None` where the system does not say.
#[cfg(unix)]
pub(crate) fn thread_time() -> Option<Duration> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    used.try_into().ok()
}

#[cfg(not(unix))]
pub(crate) fn thread_time() -> Option<Duration> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_other_threads_do_is_not_this_threads_time() {
        let begun = thread_time().expect("known");
        let busy = Duration::from_millis(40);
        let spin = move || while thread_time().expect("known") < busy {};
        let other = std::thread::Builder::new().name("busy".into()).spawn(spin).expect("a thread");
        other.join().expect("no panic");
        let waited = thread_time().expect("known").saturating_sub(begun);
        assert!(waited < busy / 2, "{waited:?}");
    }
}
