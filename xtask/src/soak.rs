//! The long forms of the fault tests, one after the other, with their figures.

use crate::process::Program;
use crate::say;
use crate::workspace;

/// Crates whose ignored tests called `soak` are run.
const CRATES: &[&str] = &["aitrace-store-embedded", "aitrace-server"];

/// Runs all of them; false if one found something.
pub(crate) fn run() -> bool {
    let mut fine = true;
    for name in CRATES {
        say::data(&format!("== {name}"));
        let tests = Program::new("cargo", &workspace::root())
            .args(["test", "--quiet", "--locked", "--package", name, "--test", "it", "--"])
            .args(["::soak", "--ignored", "--nocapture", "--test-threads=1"]);
        if let Err(error) = tests.run() {
            say::note(&format!("{name}: {error:#}"));
            fine = false;
        }
    }
    fine
}
