//! What could not be sent, put aside on disk: files of trace records that the next tracer for the same target
//! and project sends, or `aitrace import`.
//!
//! A file belongs to one tracer of one process, which holds its lock while it lives; who wants to send a file
//! of another takes that lock first. Each line carries its checksum ([`aitrace_model::record::seal`]), so a
//! line that a crash cut short is known. Records keep their ids: sending a file twice changes nothing.
//!
//! What was written survives the end of the process, however it ends; it is not forced to the disk, so a
//! power failure can take the last seconds.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use aitrace_model::record;

use crate::export::Batch;
use crate::ids::Random;

mod folder;
mod load;
mod writer;

pub(crate) use folder::private_file;
pub(crate) use load::{Load, load};
use writer::Writer;

/// Records that are written together, as many as spans of a batch.
const RECORDS_AT_ONCE: usize = 512;

/// Bounds of a folder of spooled files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// Number of files.
    pub(crate) files: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: 256 << 20, files: 20 }
    }
}

/// Where a tracer spools.
#[derive(Debug, Clone)]
pub(crate) struct SpoolOptions {
    pub(crate) folder: PathBuf,
    /// The same for tracers of one URL and project: they send what others left.
    pub(crate) key: u64,
    pub(crate) bounds: Bounds,
}

/// The key of a URL and a project (FNV-1a): the same in every version, since files outlive processes.
pub(crate) fn key_of(url: &str, project: &str) -> u64 {
    let bytes = url.bytes().chain([0]).chain(project.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A file of this tracer, no longer written, whose lock it holds.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) path: PathBuf,
    /// Finished spans and log records in it.
    pub(crate) items: u64,
    _lock: File,
}

/// What writing came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Spans and log records that are on disk now.
    pub(crate) items: u64,
    /// Spans and log records of this tracer that had to go to make room.
    pub(crate) evicted_own: u64,
    /// Those of other tracers.
    pub(crate) evicted_others: u64,
}

/// The spool of one tracer in one process.
#[derive(Debug)]
pub(crate) struct Spool {
    options: SpoolOptions,
    random: Random,
    writer: Option<Writer>,
    closed: VecDeque<Own>,
    /// The file that was taken last to be sent. It is there until all of it was.
    taken: Option<PathBuf>,
}

impl Spool {
    pub(crate) fn new(options: SpoolOptions) -> Self {
        Self { options, random: Random::seeded(), writer: None, closed: VecDeque::new(), taken: None }
    }

    /// Writes the finished spans and log records of a batch: all of them, or, with an error, none.
    pub(crate) fn write(&mut self, batch: &Batch, deadline: Option<Instant>) -> io::Result<Written> {
        let mut text = String::new();
        let mut items = 0;
        for record in records(batch) {
            if deadline.is_some_and(|deadline| crate::instant::instant() > deadline) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            text.push_str(&sealed(&record));
            items += 1;
        }
        self.append(&text, items)
    }

    /// Writes records; how many. An error where it is none.
    pub(crate) fn write_records(&mut self, records: &[record::Record]) -> io::Result<u64> {
        let mut items = 0;
        for records in records.chunks(RECORDS_AT_ONCE) {
            let text: String = records.iter().map(sealed).collect();
            match self.append(&text, records.len() as u64) {
                Ok(written) => items += written.items,
                Err(error) if items == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(items)
    }

    fn append(&mut self, text: &str, items: u64) -> io::Result<Written> {
        let mut written = Written::default();
        if items == 0 {
            return Ok(written);
        }
        if self.writer.as_ref().is_some_and(|writer| !writer.takes(text.len(), self.options.bounds)) {
            self.close();
        }
        if self.writer.is_none() {
            self.make_room(&mut written)?;
            self.writer = Some(Writer::create(&self.options, &mut self.random)?);
        }
        let writer = self.writer.as_mut().expect("made above");
        writer.append(text, items)?;
        written.items = items;
        Ok(written)
    }

    /// Takes the oldest files away until another fits.
    fn make_room(&mut self, written: &mut Written) -> io::Result<()> {
        folder::prepare(&self.options.folder)?;
        let bounds = self.options.bounds;
        let mut files = folder::files(&self.options.folder)?;
        files.sort_by_key(|file| file.changed);
        let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let mut count = files.len();
        for file in files {
            if count < bounds.files && bytes + writer::file_bytes(bounds) <= bounds.bytes {
                return Ok(());
            }
            let own = self.closed.iter().position(|own| own.path == file.path);
            let gone = match own.and_then(|index| self.closed.remove(index)) {
                Some(own) => folder::remove(&own.path).map(|()| written.evicted_own += own.items),
                None => folder::evict(&file.path).map(|items| written.evicted_others += items),
            };
            // What somebody else holds stays.
            if gone.is_ok() {
                bytes -= file.bytes;
                count -= 1;
            }
        }
        let fits = count < bounds.files && bytes + writer::file_bytes(bounds) <= bounds.bytes;
        if fits { Ok(()) } else { Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the spool is full")) }
    }

    /// Writes no more to the current file; an empty one goes.
    pub(crate) fn close(&mut self) {
        self.closed.extend(self.writer.take().and_then(Writer::finish));
    }

    /// Whether there is something of this tracer on disk.
    pub(crate) fn has_own(&self) -> bool {
        self.writer.is_some() || !self.closed.is_empty()
    }

    /// The oldest file of this tracer, to be sent.
    pub(crate) fn take_own(&mut self) -> Option<Own> {
        if self.closed.is_empty() {
            self.close();
        }
        let own = self.closed.pop_front()?;
        self.taken = Some(own.path.clone());
        Some(own)
    }

    /// Puts back what was not sent.
    pub(crate) fn put_back(&mut self, own: Own) {
        self.taken = None;
        self.closed.push_front(own);
    }

    /// The files of this tracer, oldest first. That of which some was sent may be gone meanwhile.
    pub(crate) fn own_paths(&self) -> Vec<PathBuf> {
        let closed = self.closed.iter().map(|own| own.path.clone());
        let written = self.writer.as_ref().map(|writer| writer.path().to_owned());
        self.taken.iter().cloned().chain(closed).chain(written).collect()
    }

    /// Files that tracers of the same target and project left behind, oldest first, and are held by nobody.
    pub(crate) fn left_behind(&self) -> Vec<PathBuf> {
        let mut files = folder::files(&self.options.folder).unwrap_or_default();
        files.sort_by_key(|file| file.changed);
        let prefix = format!("{:016x}-", self.options.key);
        let own = self.own_paths();
        let fits = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&prefix) && !own.contains(path)
        };
        files.into_iter().map(|file| file.path).filter(fits).collect()
    }
}

/// A record as a line of a spooled file.
fn sealed(record: &record::Record) -> String {
    let mut line = record.to_line(false);
    record::seal(&mut line);
    line.push('\n');
    line
}

/// The records of what has finished.
fn records(batch: &Batch) -> impl Iterator<Item = record::Record> {
    let spans = batch.spans.iter().filter(|span| span.cell.end.is_some());
    let spans = spans.filter_map(|span| record::end_record(&span.to_span()));
    spans.chain(batch.logs.iter().map(|log| record::log_record(&log.to_log_record())))
}

#[cfg(test)]
mod tests;
