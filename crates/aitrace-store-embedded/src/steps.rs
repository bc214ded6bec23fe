//! The steps at which what is on disk changes, for tests that stop or fail the store there.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aitrace_store::Result;

use crate::faults;

/// A moment just before something on disk changes, or just after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The directory is to be opened.
    Open,
    /// The database's tables are to be brought to the next version.
    Migrate,
    /// A row of the log is to be read back into memory.
    Replay,
    /// A transaction is to be committed.
    Commit,
    /// It was committed; nobody was told yet.
    Committed,
    /// A file's rows are written; it is to be synced.
    Sync,
    /// A file is to get its name.
    Rename,
    /// Names of files are to be synced.
    SyncFolder,
    /// Files have their names; nobody registered them yet.
    Published,
    /// Files are registered as gone; they are to be removed.
    Unlink,
}

impl Step {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Open,
        Self::Migrate,
        Self::Replay,
        Self::Commit,
        Self::Committed,
        Self::Sync,
        Self::Rename,
        Self::SyncFolder,
        Self::Published,
        Self::Unlink,
    ];
}

type Hook = dyn Fn(Step) -> std::io::Result<()> + Send + Sync;

/// Is told of each step; an error it returns is taken for one of the file system.
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<Hook>>);

impl Watch {
    /// Calls `hook` at each step.
    pub fn new(hook: impl Fn(Step) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(crate) fn at(&self, step: Step, path: &Path) -> Result<()> {
        let Some(hook) = &self.0 else { return Ok(()) };
        hook(step).map_err(faults::io("changing", path))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_some() { "Watch(set)" } else { "Watch" })
    }
}
