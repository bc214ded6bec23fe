//! One process at a time.

use std::fs::{File, TryLockError};
use std::path::Path;

use aitrace_store::{ErrorKind, Result, StoreError};

use crate::faults;

/// Holds a data directory until it is dropped; the system releases it when the process dies.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    file: File,
}

impl DirectoryLock {
    /// Takes the directory, which must exist.
    pub(crate) fn take(dir: &Path) -> Result<Self> {
        let path = dir.join("lock");
        let options = || File::options().create(true).truncate(false).write(true).open(&path);
        let file = options().map_err(faults::io("opening", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::new(
                ErrorKind::Conflict,
                format!(
                    "the data directory {} is in use by another process: stop it or choose another --data-dir",
                    dir.display()
                ),
            )),
            Err(TryLockError::Error(error)) => Err(faults::io("locking", &path)(error)),
        }
    }
}

impl Drop for DirectoryLock {
    /// Closing alone would not do while a process that is just being started still shares the file.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "the data directory stays locked until this process ends");
        }
    }
}
