//! What is read from the environment, and the clock.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The arguments after the program's name; what is not Unicode is replaced.
pub(crate) fn arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "the one module that reads the environment")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The same as text; what is not Unicode is replaced.
pub(crate) fn text(name: &str) -> Option<String> {
    variable(name).map(|value| value.to_string_lossy().into_owned())
}

/// Whether this runs without a person: no window is opened, nothing is asked.
pub(crate) fn unattended() -> bool {
    text("CI").is_some_and(|value| value != "false" && value != "0")
}

/// The folder of temporary files.
pub(crate) fn temporary() -> PathBuf {
    std::env::temp_dir()
}

/// Measures real time: what a person waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    #[expect(clippy::disallowed_methods, reason = "durations of real processes are real time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
