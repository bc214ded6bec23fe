//! The binary, built and serving on this machine.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::options::Build;
use crate::process::{Program, Running};
use crate::workspace;

/// How long a server may take to say where it is. Generous: the machine may be busy building.
const PATIENCE: Duration = Duration::from_mins(1);

/// Builds the binary and returns its path.
pub(crate) fn build(build: Build) -> Result<PathBuf> {
    let words: &[&str] = match build {
        Build::Alone => &["--package", "aitrace-cli"],
        Build::WithTests => &["--workspace", "--all-targets"],
        // Always the same choice: with another one the query engine is built anew, which takes half an hour.
        Build::Release => &[
            "--package",
            "aitrace-cli",
            "--package",
            "aitrace-store-embedded",
            "--examples",
            "--bins",
            "--release",
        ],
    };
    let cargo = Program::new("cargo", &workspace::root()).args(["build", "--locked"]).args(words);
    cargo.run()?;
    let folder = workspace::target().join(if build == Build::Release { "release" } else { "debug" });
    let binary = folder.join(format!("aitrace{}", std::env::consts::EXE_SUFFIX));
    ensure!(workspace::there(&binary), "cargo made no {}", binary.display());
    Ok(binary)
}

/// A server that ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    /// The process.
    pub(crate) running: Running,
    /// Where it answers, `http://127.0.0.1:PORT`.
    pub(crate) url: String,
}

/// Starts `aitrace serve` on a port (0: any free one) over a data folder and waits for its first line.
pub(crate) fn start(binary: &Path, port: u16, data: &Path) -> Result<Server> {
    let mut running = Program::new(binary, &workspace::root())
        .args(["serve", "--port", &port.to_string()])
        .args(["--data-dir".as_ref(), data.as_os_str()])
        .start()?;
    let stdout = running.child.stdout.take().context("the server has no stdout")?;
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    std::thread::Builder::new().name("server-stdout".to_owned()).spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        // The receiver may have given up; the rest is read so that the server never waits for us.
        drop(sender.send(first));
        lines.map_while(Result::ok).for_each(drop);
    })?;
    let url = receiver.recv_timeout(PATIENCE).unwrap_or_default();
    if !url.starts_with("http://") {
        if let Some(end) = running.ended()? {
            bail!("{end}");
        }
        bail!("the server did not say where it is, but {url:?}");
    }
    Ok(Server { running, url })
}
