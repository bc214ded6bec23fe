//! The long forms of the fault tests, one after the other, with their figures.

use crate::env;
use crate::process::Program;
use crate::say;
use crate::workspace;

/// How long each decoder is fed with mutated input, unless `AITRACE_FUZZ_SECONDS` says otherwise.
const FUZZ_SECONDS: &str = "60";

/// Runs all of them: the ignored tests called `soak`, of whatever crate, and the targets of mutated input; false if one
/// found something.
pub(crate) fn run() -> bool {
    // The whole workspace, as the suite builds it: another choice of packages builds the query engine anew.
    let tests = |words: &[&str]| {
        Program::new("cargo", &workspace::root())
            .args(["test", "--quiet", "--locked", "--workspace", "--no-fail-fast", "--test", "it", "--"])
            .args(words)
    };
    let soak = tests(&["::soak", "--ignored", "--nocapture", "--test-threads=1"]);
    let seconds = env::text("AITRACE_FUZZ_SECONDS").unwrap_or_else(|| FUZZ_SECONDS.to_owned());
    let fuzz = tests(&["laws_hold_for_any_bytes", "--nocapture"]).env("AITRACE_FUZZ_SECONDS", seconds);
    let mut fine = true;
    for tests in [soak, fuzz] {
        fine &= tests.run().map_err(|error| say::note(&format!("{error:#}"))).is_ok();
    }
    fine
}
