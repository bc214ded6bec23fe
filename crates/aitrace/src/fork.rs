//! Knows when this process is a fork of the one that made a value.
//!
//! A child has one thread: the parent's workers are gone and any lock they held stays locked. So
//! whatever is guarded by such a lock belongs to an epoch, and is made anew when the epoch has changed.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static EPOCH: AtomicU32 = AtomicU32::new(0);
static INSTALL: Once = Once::new();

/// How many forks lie between the first process and this one.
#[inline]
pub(crate) fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

/// Runs `before` in the parent before each fork and `after` in parent and child after it. Once.
pub(crate) fn install(before: extern "C" fn(), after: extern "C" fn()) {
    INSTALL.call_once(|| register(before, after));
}

static AFTER: std::sync::OnceLock<extern "C" fn()> = std::sync::OnceLock::new();

extern "C" fn child() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
    if let Some(after) = AFTER.get() {
        after();
    }
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "the only way to learn of a fork made by others")]
fn register(before: extern "C" fn(), after: extern "C" fn()) {
    AFTER.get_or_init(|| after);
    // SAFETY: the three functions live as long as the process and do not unwind. `before` and `after`
    // only lock and unlock; the child's handler adds to an atomic, which is safe after a fork. A failure
    // (no memory) leaves forks undetected, which costs the child its spans and nothing else.
    unsafe {
        libc::pthread_atfork(Some(before), Some(after), Some(child));
    }
}

#[cfg(not(unix))]
fn register(_before: extern "C" fn(), after: extern "C" fn()) {
    // No fork, no handler. Mentioned so that the code above is not dead there.
    AFTER.get_or_init(|| after);
    let _child: extern "C" fn() = child;
}
