//! The Dockerfile, as its linter sees it. What it and the systemd unit name is tested beside the command.

use anyhow::Result;

use super::Outcome;
use crate::python;
use crate::workspace;

pub(super) fn run() -> Result<Outcome> {
    if let Err(error) = python::System::find() {
        return Ok(Outcome::Skipped(format!("{error:#}")));
    }
    let environment = match python::Environment::for_packaging() {
        Ok(environment) => environment,
        Err(error) => {
            let why = format!("hadolint could not be installed, is PyPI within reach? {error:#}");
            return Ok(Outcome::Skipped(why));
        }
    };
    let file = workspace::root().join("packaging/Dockerfile");
    environment.tool("hadolint", &workspace::root()).args([file]).run()?;
    Ok(Outcome::Passed)
}
