//! Sealed files: Parquet, written once, never changed.

mod reader;
mod writer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aitrace_model::{SpanId, TraceId};
use aitrace_store::Result;
use parking_lot::{Mutex, RwLock};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use crate::catalog::{SegmentRow, Superseded};
use crate::faults;

pub(crate) use reader::{read_logs, read_spans};
pub(crate) use writer::{sync_folder, write_logs, write_spans};

/// Footers that are kept; one of 50 000 rows takes some 100 KiB.
const FOOTERS: usize = 32;

/// Which rows of a file do not count any more.
pub(crate) type Dead = BTreeSet<(String, TraceId, SpanId)>;

/// One registered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its number.
    pub(crate) id: i64,
    /// Whether it holds spans, else log records.
    pub(crate) spans: bool,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Length.
    pub(crate) bytes: u64,
}

/// The registered files, as the catalog has them.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    live: RwLock<BTreeMap<i64, Arc<Segment>>>,
    dead: RwLock<BTreeMap<i64, Dead>>,
    footers: Mutex<VecDeque<(i64, ArrowReaderMetadata)>>,
}

impl Segment {
    pub(crate) fn new(folder: &Path, row: &SegmentRow) -> Self {
        Self { id: row.id, spans: row.kind == "spans", path: folder.join(&row.file), bytes: row.bytes }
    }
}

impl Segments {
    pub(crate) fn add(&self, segment: Segment) {
        self.live.write().insert(segment.id, Arc::new(segment));
    }

    pub(crate) fn remove(&self, id: i64) -> Option<Arc<Segment>> {
        self.footers.lock().retain(|(known, _)| *known != id);
        self.live.write().remove(&id)
    }

    pub(crate) fn get(&self, id: i64) -> Option<Arc<Segment>> {
        self.live.read().get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Segment>> {
        self.live.read().values().cloned().collect()
    }

    pub(crate) fn supersede(&self, old: Superseded) {
        let key = (old.project, old.trace_id, old.span_id);
        self.dead.write().entry(old.segment).or_default().insert(key);
    }

    /// Rows of a file that do not count.
    pub(crate) fn dead(&self, id: i64) -> Dead {
        self.dead.read().get(&id).cloned().unwrap_or_default()
    }

    /// The footer of a file, from memory where it was read lately.
    fn footer(
        &self,
        id: i64,
        read: impl FnOnce() -> parquet::errors::Result<ArrowReaderMetadata>,
    ) -> parquet::errors::Result<ArrowReaderMetadata> {
        if let Some((_, footer)) = self.footers.lock().iter().find(|(known, _)| *known == id) {
            return Ok(footer.clone());
        }
        let footer = read()?;
        let mut footers = self.footers.lock();
        footers.push_back((id, footer.clone()));
        if footers.len() > FOOTERS {
            footers.pop_front();
        }
        Ok(footer)
    }
}

/// Gives a damaged file the first free name `*.corrupt-<n>`, so that it is kept for repair and not read.
pub(crate) fn quarantine(path: &Path) -> Result<Option<PathBuf>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".corrupt-");
    for number in 1.. {
        let mut target = name.clone();
        target.push(number.to_string());
        let target = PathBuf::from(target);
        let fail = faults::io("quarantining", path);
        if target.try_exists().map_err(&fail)? {
            continue;
        }
        return match std::fs::rename(path, &target) {
            Ok(()) => Ok(Some(target)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fail(error)),
        };
    }
    Ok(None)
}
