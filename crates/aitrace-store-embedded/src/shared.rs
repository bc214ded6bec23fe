//! What the writer and the readers share.

use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;

use aitrace_store::Change;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, broadcast};

use crate::catalog::Catalog;
use crate::corrections::Corrections;
use crate::hot::{Hot, Moment};
use crate::options::Options;
use crate::segment::Segments;
use crate::steps::Step;

/// Name of the mark that the database was found damaged while it was in use.
pub(crate) const SUSPECT: &str = "aitrace.db.suspect";

/// The store's state: the writer changes it, readers look.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) folder: PathBuf,
    pub(crate) database: PathBuf,
    /// Why writing fails at present.
    pub(crate) writes_fail: Mutex<Option<String>>,
    /// Bytes that are in memory because of what was appended, by estimate; the writer keeps it.
    pub(crate) held: AtomicUsize,
    /// Somebody asked for less.
    pub(crate) relief: Notify,
    /// Held for writing while rows move between memory and files; a reader that looks at both holds it.
    pub(crate) moving: RwLock<()>,
    pub(crate) hot: RwLock<Hot>,
    pub(crate) segments: Segments,
    pub(crate) reader: Mutex<Catalog>,
    pub(crate) corrections: Corrections,
    pub(crate) changes: broadcast::Sender<Change>,
}

impl Shared {
    /// Marks the database as damaged: the next start makes it anew.
    pub(crate) fn suspect(&self) {
        let mark = self.database.with_file_name(SUSPECT);
        if let Err(error) = std::fs::write(&mark, "the next start, or `aitrace doctor --repair`, mends this")
        {
            tracing::error!(%error, "the database is damaged, and that cannot be noted");
        }
    }

    /// Whether the database is marked as damaged.
    pub(crate) fn is_suspect(&self) -> bool {
        self.database.with_file_name(SUSPECT).is_file()
    }

    /// Tells a test; a file that cannot be removed stays until the next start.
    pub(crate) fn before_unlink(&self) {
        drop(self.options.watch.at(Step::Unlink, &self.folder));
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment { now: self.options.clock.now(), lost: self.options.lost }
    }
}
