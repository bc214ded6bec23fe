//! The end of the process: a last flush for tracers that nobody shut down.

use std::sync::{Arc, Once};

use crate::core::Core;
use crate::finish;
use crate::problem::say;
use crate::registry;

static INSTALL: Once = Once::new();

/// Has the process call [`run`] when it ends by `exit` or by returning from `main`. Once.
pub(crate) fn install() {
    INSTALL.call_once(register);
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "the only way to learn that the process ends")]
fn register() {
    extern "C" fn at_exit() {
        std::panic::catch_unwind(run).unwrap_or_default();
    }
    // SAFETY: the function lives as long as the process, takes nothing and does not unwind. Where it cannot be
    // registered, what is unsent at the end is lost.
    unsafe {
        libc::atexit(at_exit);
    }
}

#[cfg(not(unix))]
fn register() {}

/// Shuts down what is left, all tracers at the same time, and says what was not delivered.
fn run() {
    let mut cores = registry::cores();
    cores.retain(|core| !core.options.exit_wait.is_zero());
    let Some(wait) = cores.iter().map(|core| core.options.exit_wait).max() else { return };
    for line in end_all(&cores, wait) {
        say(&line);
    }
}

/// Shuts tracers down and returns what is to be said of them.
fn end_all(cores: &[Arc<Core>], wait: std::time::Duration) -> Vec<String> {
    let results = finish::shutdown_all(cores, wait);
    let ended = cores.iter().zip(results).filter(|(_, result)| result.is_some());
    ended.filter_map(|(core, _)| finish::summary(core, &core.state().stats())).collect()
}
