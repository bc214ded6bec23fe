//! Formats everything.

use anyhow::Result;

use crate::process::Program;
use crate::python;
use crate::say;
use crate::web;
use crate::workspace;

/// Formats Rust, Python and TypeScript; true unless one of them could not be formatted.
pub(crate) fn run() -> Result<bool> {
    let root = workspace::root();
    Program::new("cargo", &root).args(["fmt", "--all"]).run()?;
    let python = python::Environment::for_formatting()?;
    let examples = root.join("examples/python");
    let examples = examples.to_string_lossy();
    python.module("ruff", &["check", "--quiet", "--select", "I", "--fix", ".", &examples])?;
    python.module("ruff", &["format", "--quiet", ".", &examples])?;
    if let Some(why) = web::missing() {
        say::note(&format!("TypeScript is not formatted: {why}"));
        return Ok(false);
    }
    web::install()?;
    web::script("fmt").run()?;
    Ok(true)
}
