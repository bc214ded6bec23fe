//! Where the server of a data folder answers: written beside the data while it runs, so that commands on the same
//! machine find it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::settings::ServerUrl;

const FILE: &str = "server.url";

/// Tells it until it is dropped.
#[derive(Debug)]
pub(crate) struct Beacon(PathBuf);

impl Beacon {
    /// Tells that the server of `dir` answers at `url`.
    pub(crate) fn light(dir: &Path, url: &ServerUrl) -> Result<Self> {
        let path = dir.join(FILE);
        fs::write(&path, url.as_str()).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        // One that stays behind is harmless: the folder is free then, and nobody asks.
        drop(fs::remove_file(&self.0));
    }
}

/// Where the server of `dir` answers, if one has said so.
pub(crate) fn seen(dir: &Path) -> Option<ServerUrl> {
    ServerUrl::parse(&fs::read_to_string(dir.join(FILE)).ok()?).ok()
}
