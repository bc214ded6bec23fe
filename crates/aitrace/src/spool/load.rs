//! A spooled file as requests to be sent.
//!
//! Read piece by piece: while a server is away, what waits in memory leaves no room for files besides.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use aitrace_model::record;

use super::folder;

/// A request is worth its round trip, and small enough for every server.
const REQUEST_BYTES: usize = 512 << 10;
/// Lines of ours are smaller; a longer one is not what was written.
const MOST_LINE_BYTES: u64 = 64 << 20;

/// The lines of a file, checked, on their way.
#[derive(Debug)]
pub(crate) struct Load {
    path: PathBuf,
    /// Keeps others from the file.
    _claim: Option<File>,
    file: BufReader<File>,
    /// A line that was read and did not fit into the last body.
    next: Option<String>,
    /// Bodies that were put back.
    back: VecDeque<(String, u64)>,
    /// Lines so far that are not what was written.
    corrupt: u64,
}

/// Opens a file that is `ours`, else claims it first.
pub(crate) fn load(path: &Path, ours: bool) -> io::Result<Load> {
    let claim = if ours { None } else { Some(folder::claim(path)?) };
    let file = BufReader::new(File::open(path)?);
    Ok(Load { path: path.to_owned(), _claim: claim, file, next: None, back: VecDeque::new(), corrupt: 0 })
}

impl Load {
    /// The next body of NDJSON with the number of its lines; `None` at the end of the file.
    pub(crate) fn body(&mut self) -> io::Result<Option<(String, u64)>> {
        if let Some(body) = self.back.pop_front() {
            return Ok(Some(body));
        }
        let (mut body, mut lines) = (String::new(), 0);
        while let Some(line) = self.line()? {
            if lines > 0 && body.len() + line.len() >= REQUEST_BYTES {
                self.next = Some(line);
                break;
            }
            body.push_str(&line);
            body.push('\n');
            lines += 1;
        }
        Ok((lines > 0).then_some((body, lines)))
    }

    /// The next line that is what was written.
    fn line(&mut self) -> io::Result<Option<String>> {
        if let Some(line) = self.next.take() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            if self.file.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut bytes)? == 0 {
                return Ok(None);
            }
            let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            if line.is_empty() {
                continue;
            }
            match std::str::from_utf8(line).ok().and_then(record::unseal) {
                Some(line) => return Ok(Some(line)),
                None => self.corrupt += 1,
            }
        }
    }

    /// Whether nothing is left to send.
    pub(crate) fn is_done(&mut self) -> bool {
        let nothing_read = self.back.is_empty() && self.next.is_none();
        nothing_read && self.file.fill_buf().is_ok_and(<[u8]>::is_empty)
    }

    /// Lines since the last call that are not what was written.
    pub(crate) fn take_corrupt(&mut self) -> u64 {
        std::mem::take(&mut self.corrupt)
    }

    /// Puts a body back, to be the next.
    pub(crate) fn push(&mut self, body: String, lines: u64) {
        self.back.push_front((body, lines));
    }

    /// Puts a body back as bodies of one line each: it was too large for the server.
    pub(crate) fn push_apart(&mut self, body: &str) {
        for line in body.lines().rev() {
            self.push(format!("{line}\n"), 1);
        }
    }

    /// Removes the file: everything in it was answered.
    pub(crate) fn remove(self) {
        // A file that stays is sent again, which changes nothing.
        folder::remove(&self.path).unwrap_or_default();
    }
}
