//! The viewer: its packages from npm, checks, tests, build.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::process::{self, Program};
use crate::say;
use crate::workspace;

/// The oldest Node that the tools of the viewer run on.
const OLDEST_NODE: u32 = 20;

/// The folder of the viewer.
pub(crate) fn folder() -> PathBuf {
    workspace::root().join("web")
}

/// Why the viewer cannot be built here; `None` when it can.
pub(crate) fn missing() -> Option<String> {
    if process::find("npm").is_none() {
        return Some(format!("npm is not installed; install Node {OLDEST_NODE} or newer"));
    }
    let version = Program::new("node", &workspace::root()).args(["--version"]).read().unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next().and_then(|text| text.parse::<u32>().ok());
    match major {
        Some(major) if major >= OLDEST_NODE => None,
        Some(major) => Some(format!("Node {major} is too old; install Node {OLDEST_NODE} or newer")),
        None => Some(format!("node is not installed; install Node {OLDEST_NODE} or newer")),
    }
}

/// A script of the viewer's package.json.
pub(crate) fn script(name: &str) -> Program {
    Program::new("npm", &folder()).args(["run", "--silent", name])
}

/// Installs the locked packages, unless they are installed already.
pub(crate) fn install() -> Result<()> {
    let folder = folder();
    let stamp = folder.join("node_modules/.aitrace-lock");
    let lock = workspace::read(&folder.join("package-lock.json"))?;
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    Program::new("npm", &folder).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).run()?;
    std::fs::write(&stamp, lock).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Builds `web/dist`, which the binary embeds, unless it is newer than all its sources.
pub(crate) fn build() -> Result<()> {
    install()?;
    let folder = folder();
    let page = folder.join("dist/index.html");
    if newer_than_sources(&folder, &page)? {
        say::note("the viewer is built already");
        return Ok(());
    }
    script("build").run()?;
    ensure!(workspace::there(&page), "npm run build made no {}", page.display());
    Ok(())
}

fn newer_than_sources(folder: &Path, built: &Path) -> Result<bool> {
    let Ok(built) = built.metadata().and_then(|meta| meta.modified()) else { return Ok(false) };
    for file in workspace::files(folder)? {
        if folder.join(&file).metadata()?.modified()? > built {
            return Ok(false);
        }
    }
    Ok(true)
}
