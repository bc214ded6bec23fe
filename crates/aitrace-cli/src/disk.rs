//! The disk of a data folder.

use std::io;
use std::path::PathBuf;

use aitrace_server::Disk;

/// The disk that holds this folder.
#[derive(Debug)]
pub(crate) struct DiskOf(pub(crate) PathBuf);

impl Disk for DiskOf {
    fn free(&self) -> io::Result<u64> {
        fs4::available_space(&self.0)
    }
}
