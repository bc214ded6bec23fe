//! One file that is being written.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::folder::{self, ENDING};
use super::{Bounds, Own, SpoolOptions};
use crate::ids::Random;

/// How large a file grows, unless one batch alone is larger.
pub(super) fn file_bytes(bounds: Bounds) -> u64 {
    bounds.bytes / bounds.files.max(1) as u64
}

/// A file that grows. Its lock is held.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    file: File,
    bytes: u64,
    items: u64,
}

impl Writer {
    pub(super) fn create(options: &SpoolOptions, random: &mut Random) -> io::Result<Self> {
        let name = format!("{:016x}-{}-{}{ENDING}", options.key, std::process::id(), random.uuid());
        let path = options.folder.join(name);
        let file = folder::private_file(&path)?;
        // Where files cannot be locked, nobody can claim them either.
        file.try_lock().map_err(io::Error::from).inspect_err(|_| drop(folder::remove(&path)))?;
        Ok(Self { path, file, bytes: 0, items: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether so much more belongs into this file.
    pub(super) fn takes(&self, more: usize, bounds: Bounds) -> bool {
        self.bytes == 0 || self.bytes + more as u64 <= file_bytes(bounds)
    }

    /// Appends lines: all of them, or, with an error, none.
    pub(super) fn append(&mut self, lines: &str, items: u64) -> io::Result<()> {
        if let Err(error) = self.file.write_all(lines.as_bytes()) {
            // Half a line would be taken for a crash's; where even that fails, its checksum tells.
            let cut = self.file.set_len(self.bytes);
            cut.and_then(|()| self.file.seek(SeekFrom::Start(self.bytes))).unwrap_or_default();
            return Err(error);
        }
        self.bytes += lines.len() as u64;
        self.items += items;
        Ok(())
    }

    /// Ends the file; one without records is removed.
    pub(super) fn finish(self) -> Option<Own> {
        if self.items == 0 {
            folder::remove(&self.path).unwrap_or_default();
            return None;
        }
        Some(Own { path: self.path, items: self.items, _lock: self.file })
    }
}
