//! The two channels: stdout is data, stderr everything else.

/// A line of the result.
#[expect(clippy::print_stdout, reason = "the one place that writes results")]
pub(crate) fn data(line: &str) {
    println!("{line}");
}

/// A line about what is going on.
#[expect(clippy::print_stderr, reason = "the one place that writes messages")]
pub(crate) fn note(line: &str) {
    eprintln!("{line}");
}
