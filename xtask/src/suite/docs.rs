//! The documentation site of the Python package.

use anyhow::Result;

use super::Outcome;
use crate::python;
use crate::workspace;

pub(super) fn run() -> Result<Outcome> {
    if let Err(error) = python::System::find() {
        return Ok(Outcome::Skipped(format!("{error:#}")));
    }
    let environment = python::Environment::for_tests()?;
    if let Err(error) = python::Environment::for_docs() {
        return Ok(Outcome::Skipped(format!(
            "MkDocs could not be installed, is PyPI within reach? {error:#}"
        )));
    }
    let root = workspace::root();
    let site = workspace::target().join("site");
    let program = || environment.program(&root).env("NO_MKDOCS_2_WARNING", "1");
    program().args(["-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir"]).args([&site]).run()?;
    program().args(["python/site/check.py"]).args([&site]).run()?;
    Ok(Outcome::Passed)
}
