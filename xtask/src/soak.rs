//! The long forms of the fault tests, one after the other, with their figures.

use crate::process::Program;
use crate::say;
use crate::workspace;

/// Runs all of them: the ignored tests called `soak`, of whatever crate; false if one found something.
pub(crate) fn run() -> bool {
    // The whole workspace, as the suite builds it: another choice of packages builds the query engine anew.
    let tests = Program::new("cargo", &workspace::root())
        .args(["test", "--quiet", "--locked", "--workspace", "--no-fail-fast", "--test", "it", "--"])
        .args(["::soak", "--ignored", "--nocapture", "--test-threads=1"]);
    tests.run().map_err(|error| say::note(&format!("{error:#}"))).is_ok()
}
