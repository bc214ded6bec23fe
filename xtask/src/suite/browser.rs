//! Tests in a real browser.

use std::path::PathBuf;

use anyhow::Result;

use super::Outcome;
use crate::env;
use crate::options::Build;
use crate::process::{self, Program};
use crate::say;
use crate::serve;
use crate::web;
use crate::workspace;

/// Names that Chromium goes by.
const NAMES: &[&str] = &["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

pub(super) fn run() -> Result<Outcome> {
    if let Some(why) = web::missing() {
        return Ok(Outcome::Skipped(why));
    }
    let Some(chromium) = chromium() else {
        let why = "no Chromium, and it could not be installed; set AITRACE_CHROMIUM to the path of one";
        return Ok(Outcome::Skipped(why.to_owned()));
    };
    web::build()?;
    let binary = serve::build(Build::WithTests)?;
    web::script("e2e").env("AITRACE_BIN", binary).env("AITRACE_CHROMIUM", chromium).run()?;
    Ok(Outcome::Passed)
}

/// A Chromium: the one named in the environment, an installed one, or one that the system's packages bring.
fn chromium() -> Option<PathBuf> {
    let named = env::variable("AITRACE_CHROMIUM").map(PathBuf::from);
    named.or_else(installed).or_else(|| {
        install();
        installed()
    })
}

fn installed() -> Option<PathBuf> {
    NAMES.iter().find_map(|name| process::find(name))
}

/// Asks the system's package manager; without the right to, nothing happens.
fn install() {
    let root = workspace::root();
    let is_root = Program::new("id", &root).args(["-u"]).read().is_ok_and(|id| id == "0");
    if !is_root || process::find("apt-get").is_none() {
        return;
    }
    let apt =
        |words: &[&str]| Program::new("apt-get", &root).args(words).env("DEBIAN_FRONTEND", "noninteractive");
    let done = apt(&["update", "-qq"])
        .run()
        .and_then(|()| apt(&["install", "-y", "-qq", "--no-install-recommends", "chromium"]).run());
    if let Err(error) = done {
        say::note(&format!("Chromium could not be installed: {error:#}"));
    }
}
