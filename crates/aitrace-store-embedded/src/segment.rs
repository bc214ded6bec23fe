//! Sealed files: Parquet, written once, never changed.

mod blocks;
mod dead;
mod extent;
mod group;
mod merge;
mod reader;
mod writer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use aitrace_model::Timestamp;
use aitrace_store::Result;
use parking_lot::{Mutex, RwLock};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::statistics::Statistics;

use crate::catalog::{SegmentRow, Superseded, Tombstone};
use crate::faults;

pub(crate) use blocks::{Summing, Verified};
pub(crate) use dead::Dead;
pub(crate) use extent::{Part, Reading, part, reading, width};
pub(crate) use merge::merge;
pub(crate) use reader::{
    Scan, each_batch, each_log, each_span, not_ours, read_spans, read_wanted, scan, scan_coded, scan_words,
    sums,
};
pub(crate) use writer::{Written, day_of, sync_folder, write_logs, write_spans};

/// Footers that are kept; one of 50 000 rows takes some 100 KiB.
const FOOTERS: usize = 32;

/// One registered file. Once doomed it is removed when its last reader is done.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Its number.
    pub(crate) id: i64,
    /// Whether it holds spans, else log records.
    pub(crate) spans: bool,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Length.
    pub(crate) bytes: u64,
    /// Rows in it.
    pub(crate) rows: u64,
    /// Day of receipt of its rows.
    pub(crate) day: i64,
    starts: Option<(Timestamp, Timestamp)>,
    sums: Option<Arc<[u32]>>,
    // Whether rows of it hold log records besides; known once it was asked for.
    orphans: OnceLock<bool>,
    doomed: AtomicBool,
}

impl Segment {
    pub(crate) fn new(folder: &Path, row: &SegmentRow) -> Self {
        Self {
            id: row.id,
            spans: row.kind == "spans",
            path: folder.join(&row.file),
            bytes: row.bytes,
            rows: row.rows,
            day: row.day,
            starts: row.starts,
            sums: row.sums.as_deref().map(Arc::from),
            orphans: OnceLock::new(),
            doomed: AtomicBool::new(false),
        }
    }

    /// Opens it for checked reading.
    pub(crate) fn open(&self) -> parquet::errors::Result<Verified> {
        Verified::open(&self.path, self.bytes, self.sums.clone())
    }

    /// Whether a row of it may have started in a span of time.
    pub(crate) fn may_start(&self, since: Option<Timestamp>, until: Option<Timestamp>) -> bool {
        self.starts.is_none_or(|(min, max)| {
            since.is_none_or(|since| max >= since) && until.is_none_or(|until| min < until)
        })
    }

    /// The earliest and the latest start (or time) of a row, where they are known.
    pub(crate) fn starts(&self) -> Option<(Timestamp, Timestamp)> {
        self.starts
    }

    /// Removes the file once nobody reads it any more. The catalog must have forgotten it durably before.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::Release);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if self.doomed.load(Ordering::Acquire)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "a file stays until the next start");
        }
    }
}

/// The registered files, as the catalog has them.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    state: RwLock<State>,
    footers: Mutex<VecDeque<(i64, ArrowReaderMetadata)>>,
}

#[derive(Debug, Default)]
struct State {
    live: BTreeMap<i64, Arc<Segment>>,
    // Files that are gone, and where their rows are.
    moved: BTreeMap<i64, Option<i64>>,
    dead: BTreeMap<i64, Arc<Dead>>,
}

impl Segments {
    pub(crate) fn add(&self, segment: Segment) {
        self.state.write().live.insert(segment.id, Arc::new(segment));
    }

    /// Takes a file out without removing it.
    pub(crate) fn remove(&self, id: i64) -> Option<Arc<Segment>> {
        self.footers.lock().retain(|(known, _)| *known != id);
        let mut state = self.state.write();
        state.moved.insert(id, None);
        state.dead.remove(&id);
        state.live.remove(&id)
    }

    /// Notes where the rows of a former file are.
    pub(crate) fn note_moved(&self, id: i64, into: Option<i64>) {
        self.state.write().moved.insert(id, into);
    }

    /// Puts a file in the place of others, for all readers at once; those are removed when nobody reads
    /// them any more. `dead` are the rows of the new one that do not count.
    pub(crate) fn replace(&self, old: &[i64], new: Option<Segment>, dead: Dead) {
        self.footers.lock().retain(|(known, _)| !old.contains(known));
        let mut state = self.state.write();
        let into = new.as_ref().map(|segment| segment.id);
        for id in old {
            state.moved.insert(*id, into);
            state.dead.remove(id);
            if let Some(segment) = state.live.remove(id) {
                segment.doom();
            }
        }
        if let Some(segment) = new {
            if !dead.is_empty() {
                state.dead.insert(segment.id, Arc::new(dead));
            }
            state.live.insert(segment.id, Arc::new(segment));
        }
    }

    /// The files that hold now what was written to these, each once, in the order of their making.
    pub(crate) fn resolve(&self, ids: &[i64]) -> Vec<Arc<Segment>> {
        let state = self.state.read();
        let now = ids.iter().filter_map(|id| {
            let mut id = *id;
            while let Some(into) = state.moved.get(&id) {
                id = (*into)?;
            }
            Some(id)
        });
        let now: BTreeSet<i64> = now.collect();
        now.iter().filter_map(|id| state.live.get(id).cloned()).collect()
    }

    /// Number of files.
    pub(crate) fn len(&self) -> usize {
        self.state.read().live.len()
    }

    /// All files with their rows that do not count, at one moment.
    pub(crate) fn all(&self) -> Vec<(Arc<Segment>, Arc<Dead>)> {
        let state = self.state.read();
        let dead = |id| state.dead.get(id).cloned().unwrap_or_default();
        state.live.iter().map(|(id, segment)| (Arc::clone(segment), dead(id))).collect()
    }

    pub(crate) fn supersede(&self, old: Superseded) {
        let mut state = self.state.write();
        let dead = state.dead.entry(old.segment).or_default();
        Arc::make_mut(dead).add_span(old.project, old.trace_id, old.span_id);
    }

    pub(crate) fn bury(&self, tomb: Tombstone) {
        let mut state = self.state.write();
        let dead = state.dead.entry(tomb.segment).or_default();
        Arc::make_mut(dead).add_trace(tomb.project, tomb.trace_id);
    }

    /// The latest time of anything in a file; `None` where that is not known: log records besides a span have times of
    /// their own.
    pub(crate) fn latest(&self, segment: &Segment) -> Option<Timestamp> {
        let (_, latest) = segment.starts?;
        if !segment.spans {
            return Some(latest);
        }
        let orphans = match segment.orphans.get() {
            Some(known) => *known,
            // What cannot be read now is met again when it is searched.
            None => match self.open(segment).map(|(_, footer)| may_be_true(footer.metadata(), "orphans")) {
                Ok(found) => *segment.orphans.get_or_init(|| found),
                Err(_) => true,
            },
        };
        (!orphans).then_some(latest)
    }

    /// Rows of a file that do not count.
    pub(crate) fn dead(&self, id: i64) -> Arc<Dead> {
        self.state.read().dead.get(&id).cloned().unwrap_or_default()
    }

    /// A file and its footer, from memory where it was read lately.
    pub(crate) fn open(&self, segment: &Segment) -> parquet::errors::Result<(Verified, ArrowReaderMetadata)> {
        let file = segment.open()?;
        if let Some((_, footer)) = self.footers.lock().iter().find(|(known, _)| *known == segment.id) {
            return Ok((file, footer.clone()));
        }
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let footer = ArrowReaderMetadata::load(&file, options)?;
        let mut footers = self.footers.lock();
        footers.push_back((segment.id, footer.clone()));
        if footers.len() > FOOTERS {
            footers.pop_front();
        }
        Ok((file, footer))
    }
}

/// Whether a column of truth values may hold a true one, as far as its statistics say.
fn may_be_true(file: &ParquetMetaData, name: &str) -> bool {
    file.row_groups().iter().any(|group| {
        let column = group.columns().iter().find(|column| column.column_path().string() == name);
        column.is_some_and(|column| match column.statistics() {
            Some(Statistics::Boolean(values)) => match values.max_opt() {
                Some(most) => *most,
                // Without a greatest value there are none at all, if all are known to be absent.
                None => values.null_count_opt() != u64::try_from(column.num_values()).ok(),
            },
            _ => true,
        })
    })
}

/// Gives a damaged file the name `*.corrupt-<stamp>`, so that it is kept for repair and not read.
pub(crate) fn quarantine(path: &Path, stamp: &str) -> Result<Option<PathBuf>> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".corrupt-{stamp}"));
    for number in 0.. {
        let mut target = name.clone();
        if number > 0 {
            target.push(format!("-{number}"));
        }
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
