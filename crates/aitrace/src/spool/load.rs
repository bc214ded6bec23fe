//! A spooled file as requests to be sent.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use aitrace_model::record;

use super::folder;

/// A request is worth its round trip, and small enough for every server.
const REQUEST_BYTES: usize = 512 << 10;
/// Files of ours are smaller; of what is not ours no more is read.
const MOST_BYTES: u64 = 64 << 20;

/// The lines of a file, checked, on their way.
#[derive(Debug)]
pub(crate) struct Load {
    path: PathBuf,
    /// Keeps others from the file.
    _claim: Option<File>,
    /// Bodies of NDJSON, each with the number of its lines.
    pub(crate) bodies: VecDeque<(String, u64)>,
    /// Lines that are not what was written.
    pub(crate) corrupt: u64,
}

/// Reads a file that is `ours`, else claims it first.
pub(crate) fn load(path: &Path, ours: bool) -> io::Result<Load> {
    let claim = if ours { None } else { Some(folder::claim(path)?) };
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let mut load = Load { path: path.to_owned(), _claim: claim, bodies: VecDeque::new(), corrupt: 0 };
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match std::str::from_utf8(line).ok().and_then(record::unseal) {
            Some(line) => load.push(&line),
            None => load.corrupt += 1,
        }
    }
    Ok(load)
}

impl Load {
    fn push(&mut self, line: &str) {
        let fits = |(body, _): &&mut (String, u64)| body.len() + line.len() < REQUEST_BYTES;
        if let Some((body, lines)) = self.bodies.back_mut().filter(fits) {
            body.push_str(line);
            body.push('\n');
            *lines += 1;
        } else {
            self.bodies.push_back((format!("{line}\n"), 1));
        }
    }

    /// Puts a body back as bodies of one line each: it was too large for the server.
    pub(crate) fn push_apart(&mut self, body: &str) {
        for line in body.lines().rev() {
            self.bodies.push_front((format!("{line}\n"), 1));
        }
    }

    /// Removes the file: everything in it was answered.
    pub(crate) fn remove(self) {
        // A file that stays is sent again, which changes nothing.
        folder::remove(&self.path).unwrap_or_default();
    }
}
