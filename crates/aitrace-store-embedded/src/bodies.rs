//! Large bodies of log rows, in files beside the database.
//!
//! What is written into a table is written twice and page by page: to SQLite's log, and with the next checkpoint to
//! the database, though it is deleted a second later. A large body is written once instead, in one go, and synced
//! before the transaction whose row names its place. A file goes when no row names it any more; one that a crash left
//! is found by the next open.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind as Cause, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use aitrace_store::{ErrorKind, Result, StoreError};

use crate::faults;
use crate::segment::sync_folder;
use crate::steps::{Step, Watch};

/// Bytes after which a new file is begun.
const FILE: u64 = 32 << 20;
/// Where the files are, within the store's directory.
pub(crate) const FOLDER: &str = "log";
const SUFFIX: &str = "bodies";

/// Where a body is. A row of the log holds it as [`Place::LEN`] bytes: [`Place::MARK`], then number, offset (64 bits
/// each) and length (32 bits), little-endian. A body itself begins with zstd's magic number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    number: u64,
    offset: u64,
    length: u32,
}

impl Place {
    pub(crate) const LEN: usize = 21;
    const MARK: u8 = 1;

    /// The place that a row of the log holds; `None` where it holds the body.
    pub(crate) fn read(row: &[u8]) -> Option<Self> {
        let (&Self::MARK, rest) = row.split_first()? else { return None };
        let (number, rest) = rest.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        Some(Self {
            number: u64::from_le_bytes(*number),
            offset: u64::from_le_bytes(*offset),
            length: u32::from_le_bytes(rest.try_into().ok()?),
        })
    }

    fn row(self) -> Vec<u8> {
        let mut row = Vec::with_capacity(Self::LEN);
        row.push(Self::MARK);
        row.extend_from_slice(&self.number.to_le_bytes());
        row.extend_from_slice(&self.offset.to_le_bytes());
        row.extend_from_slice(&self.length.to_le_bytes());
        row
    }

    /// Name of its file.
    pub(crate) fn file(self) -> String {
        name(self.number)
    }
}

fn name(number: u64) -> String {
    format!("{number:010}.{SUFFIX}")
}

/// The body of a row of the log. [`ErrorKind::Corrupt`] where its file lacks it; what is in the file instead its
/// checksum tells.
pub(crate) fn get(folder: &Path, row: Vec<u8>) -> Result<Vec<u8>> {
    let Some(place) = Place::read(&row) else { return Ok(row) };
    let path = folder.join(place.file());
    let read = || {
        let mut file = File::open(&path)?;
        // Before memory is taken for what a damaged row says.
        if file.metadata()?.len() < place.offset.saturating_add(place.length.into()) {
            return Err(Cause::UnexpectedEof.into());
        }
        let mut body = vec![0; place.length as usize];
        file.seek(SeekFrom::Start(place.offset))?;
        file.read_exact(&mut body)?;
        Ok(body)
    };
    read().map_err(|error: std::io::Error| match error.kind() {
        Cause::NotFound | Cause::UnexpectedEof => {
            let text = format!("a batch of the log is missing in {}", path.display());
            StoreError::new(ErrorKind::Corrupt, text).with_source(error)
        }
        _ => faults::io("reading", &path)(error),
    })
}

/// The files, as the writer has them.
#[derive(Debug)]
pub(crate) struct Bodies {
    pub(crate) folder: PathBuf,
    /// Bytes from which on a body is large.
    large: usize,
    current: Option<Current>,
    /// Number of the last file.
    last: u64,
    /// Files that rows name, each with the last row that may do so.
    files: Vec<(u64, i64)>,
}

#[derive(Debug)]
struct Current {
    file: File,
    path: PathBuf,
    number: u64,
    end: u64,
}

/// Removes files. One that cannot be removed stays until the next start.
pub(crate) fn remove(files: &[PathBuf]) {
    for file in files {
        drop(std::fs::remove_file(file));
    }
}

/// While it is not known whether rows name a file.
const UNKNOWN: i64 = i64::MAX;

impl Bodies {
    /// The files of a store whose log has these rows, the ones that hold a [`Place`]. Others are removed; where the
    /// database was damaged, so that rows may be lost, they are set aside with this stamp.
    pub(crate) fn open(
        folder: PathBuf,
        large: usize,
        rows: &[(i64, Vec<u8>)],
        damaged: Option<&str>,
    ) -> Result<Self> {
        std::fs::create_dir_all(&folder).map_err(faults::io("creating", &folder))?;
        let mut files: Vec<(u64, i64)> = Vec::new();
        for (seq, place) in rows.iter().filter_map(|(seq, row)| Some((*seq, Place::read(row)?))) {
            match files.iter_mut().find(|(number, _)| *number == place.number) {
                Some((_, last)) => *last = seq.max(*last),
                None => files.push((place.number, seq)),
            }
        }
        let named: BTreeSet<u64> = files.iter().map(|(number, _)| *number).collect();
        let mut last = named.last().copied().unwrap_or(0);
        for entry in std::fs::read_dir(&folder).map_err(faults::io("reading", &folder))? {
            let path = entry.map_err(faults::io("reading", &folder))?.path();
            let ours = path.extension().is_some_and(|suffix| suffix == SUFFIX);
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            let Some(number) = number.filter(|_| ours) else { continue };
            last = last.max(number);
            if !named.contains(&number) {
                let done = match damaged {
                    Some(stamp) => {
                        std::fs::rename(&path, path.with_extension(format!("{SUFFIX}.corrupt-{stamp}")))
                    }
                    None => std::fs::remove_file(&path),
                };
                done.map_err(faults::io("removing", &path))?;
            }
        }
        Ok(Self { folder, large, current: None, last, files })
    }

    /// Makes the large ones of some bodies durable. For each body what its row is to hold.
    pub(crate) fn put<'b>(&mut self, bodies: &[&'b [u8]], watch: &Watch) -> Result<Vec<Cow<'b, [u8]>>> {
        if bodies.iter().all(|body| body.len() < self.large) {
            return Ok(bodies.iter().map(|body| Cow::Borrowed(*body)).collect());
        }
        // After a failed write or sync nobody knows what the file holds: it is not written to again.
        let mut current =
            self.current.take().filter(|current| current.end < FILE).map_or_else(|| self.begin(), Ok)?;
        let mut rows = Vec::with_capacity(bodies.len());
        for body in bodies {
            if body.len() < self.large {
                rows.push(Cow::Borrowed(*body));
                continue;
            }
            let length = u32::try_from(body.len()).map_err(|_| {
                StoreError::new(ErrorKind::Invalid, "a batch is larger than 4 GiB: send smaller ones")
            })?;
            current.file.write_all(body).map_err(faults::io("writing", &current.path))?;
            rows.push(Cow::Owned(Place { number: current.number, offset: current.end, length }.row()));
            current.end += u64::from(length);
        }
        watch.at(Step::Sync, &current.path)?;
        current.file.sync_data().map_err(faults::io("writing", &current.path))?;
        match self.files.iter_mut().find(|(number, _)| *number == current.number) {
            Some((_, last)) => *last = UNKNOWN,
            None => self.files.push((current.number, UNKNOWN)),
        }
        self.current = Some(current);
        Ok(rows)
    }

    fn begin(&mut self) -> Result<Current> {
        self.last += 1;
        let path = self.folder.join(name(self.last));
        let file = File::create_new(&path).map_err(faults::io("writing", &path))?;
        sync_folder(&self.folder)?;
        Ok(Current { file, path, number: self.last, end: 0 })
    }

    /// Says that rows up to this one name what was put.
    pub(crate) fn note(&mut self, seq: i64) {
        self.files.iter_mut().filter(|(_, last)| *last == UNKNOWN).for_each(|(_, last)| *last = seq);
    }

    /// The files that no row after `seq` names: those before it are gone, durably. They are to be removed.
    pub(crate) fn forget(&mut self, seq: i64, watch: &Watch) -> Vec<PathBuf> {
        let (gone, left) = std::mem::take(&mut self.files).into_iter().partition(|(_, last)| *last <= seq);
        self.files = left;
        let gone: Vec<(u64, i64)> = gone;
        if !gone.is_empty() {
            // Tells a test.
            drop(watch.at(Step::Unlink, &self.folder));
        }
        self.current.take_if(|current| gone.iter().any(|(number, _)| *number == current.number));
        gone.into_iter().map(|(number, _)| self.folder.join(name(number))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 1000;

    fn open(dir: &Path, rows: &[(i64, Vec<u8>)]) -> Bodies {
        Bodies::open(dir.join(FOLDER), LARGE, rows, None).expect("opens")
    }

    fn names(bodies: &Bodies) -> Vec<String> {
        let entries = std::fs::read_dir(&bodies.folder).expect("reads").map(|entry| entry.expect("reads"));
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn large_bodies_come_back_and_small_ones_stay_in_their_rows() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bodies = open(dir.path(), &[]);
        let (one, small, other) = (vec![b'('; LARGE], vec![b'('; LARGE - 1], vec![7; 3 * LARGE]);
        let rows = bodies.put(&[&one, &small, &other], &Watch::default()).expect("writes");
        assert_eq!((rows[0].len(), rows[1].len(), rows[2].len()), (Place::LEN, small.len(), Place::LEN));
        for (row, body) in rows.into_iter().zip([&one, &small, &other]) {
            assert_eq!(&get(&bodies.folder, row.into_owned()).expect("reads"), body);
        }
        assert_eq!(names(&bodies).len(), 1);
    }

    #[test]
    fn a_file_goes_when_the_last_row_that_names_it_is_gone() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut bodies, watch) = (open(dir.path(), &[]), Watch::default());
        let body = vec![7; LARGE];
        let first = bodies.put(&[&body], &watch).expect("writes")[0].to_vec();
        remove(&bodies.forget(100, &watch));
        assert_eq!(names(&bodies).len(), 1, "a row may be on its way");
        bodies.note(5);
        remove(&bodies.forget(4, &watch));
        assert_eq!(names(&bodies), ["0000000001.bodies"]);
        remove(&bodies.forget(5, &watch));
        assert!(names(&bodies).is_empty());
        assert_eq!(get(&bodies.folder, first).expect_err("is gone").kind(), ErrorKind::Corrupt);
        bodies.put(&[&body], &watch).expect("writes");
        assert_eq!(names(&bodies), ["0000000002.bodies"], "numbers are not used again");
    }

    #[test]
    fn a_full_file_is_followed_by_another() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut bodies, watch) = (open(dir.path(), &[]), Watch::default());
        let body = vec![7; FILE as usize];
        for seq in 1..4 {
            bodies.put(&[&body], &watch).expect("writes");
            bodies.note(seq);
        }
        assert_eq!(names(&bodies).len(), 3);
        remove(&bodies.forget(2, &watch));
        assert_eq!(names(&bodies), ["0000000003.bodies"]);
    }

    #[test]
    fn the_next_open_keeps_what_rows_name_and_removes_the_rest() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut bodies, watch, body) = (open(dir.path(), &[]), Watch::default(), vec![7; FILE as usize]);
        let mut row = || bodies.put(&[&body], &watch).expect("writes")[0].to_vec();
        let rows = [(1, row()), (2, row()), (3, row())];
        drop(bodies);
        let mut again = open(dir.path(), &rows[1..2]);
        assert_eq!(names(&again), ["0000000002.bodies"]);
        assert_eq!(get(&again.folder, rows[1].1.clone()).expect("reads"), body);
        again.put(&[&body], &watch).expect("writes");
        assert_eq!(
            names(&again),
            ["0000000002.bodies", "0000000004.bodies"],
            "an old file is not written to"
        );
        again.note(9);
        remove(&again.forget(2, &watch));
        assert_eq!(names(&again), ["0000000004.bodies"]);
        let damaged = Bodies::open(again.folder.clone(), LARGE, &[], Some("now")).expect("opens");
        assert_eq!(names(&damaged), ["0000000004.bodies.corrupt-now"], "rows that named it may be lost");
    }

    #[test]
    fn a_failed_sync_ends_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bodies = open(dir.path(), &[]);
        let fails = Watch::new(|step| if step == Step::Sync { Err(Cause::Other.into()) } else { Ok(()) });
        let body = vec![7; LARGE];
        assert_eq!(bodies.put(&[&body], &fails).expect_err("fails").kind(), ErrorKind::Unavailable);
        let row = bodies.put(&[&body], &Watch::default()).expect("writes")[0].to_vec();
        assert_eq!(Place::read(&row).map(|place| (place.number, place.offset)), Some((2, 0)));
    }

    #[test]
    fn a_damaged_place_takes_no_memory() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bodies = open(dir.path(), &[]);
        bodies.put(&[&vec![7; LARGE]], &Watch::default()).expect("writes");
        for place in [
            Place { number: 1, offset: 1, length: LARGE as u32 },
            Place { number: 1, offset: u64::MAX, length: u32::MAX },
            Place { number: 2, offset: 0, length: 1 },
        ] {
            assert_eq!(get(&bodies.folder, place.row()).expect_err("is none").kind(), ErrorKind::Corrupt);
        }
        assert_eq!(Place::read(&[Place::MARK; Place::LEN - 1]), None);
        assert_eq!(Place::read(&[Place::MARK; Place::LEN + 1]), None);
    }
}
