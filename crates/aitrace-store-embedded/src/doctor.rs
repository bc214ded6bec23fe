//! Looks at a data directory and says what is in it; mends what can be mended.

use std::collections::BTreeSet;
use std::path::Path;

use aitrace_store::{Problem, Result};
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;

use crate::bodies::{self, Place};
use crate::catalog::{Catalog, SCHEMA, SUMMED};
use crate::lock::DirectoryLock;
use crate::segment::Segment;
use crate::steps::Watch;
use crate::{codec, faults, pages, rescue, stamp};

/// What a data directory is like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of the database's tables; `None` if that cannot be read.
    pub schema: Option<i64>,
    /// The newest version that this program knows.
    pub newest_schema: i64,
    /// Version of SQLite.
    pub sqlite: String,
    /// What is wrong with the database, as SQLite says; empty if nothing.
    pub database: Vec<String>,
    /// Sealed files that were read and found as they were written.
    pub good_files: u64,
    /// Files, sealed ones or of the log, that are not as they were written: name and why.
    pub bad_files: Vec<(String, String)>,
    /// Batches that are acknowledged and not sealed yet.
    pub log_rows: u64,
    /// What the store itself found earlier.
    pub problems: Vec<Problem>,
    /// What was set aside: names.
    pub set_aside: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong at present. What was set aside earlier is no present fault.
    pub fn is_good(&self) -> bool {
        self.database.is_empty() && self.bad_files.is_empty()
    }
}

/// What is promised of a write, and how that is brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Promise {
    /// What.
    pub promise: &'static str,
    /// How.
    pub how: &'static str,
}

/// What the store promises.
pub const CONTRACT: &[Promise] = &[
    Promise {
        promise: "what was acknowledged survives a kill and a loss of power",
        how: "each group of batches is committed to SQLite's log with synchronous=FULL before the answer; large ones are \
              synced in a file beside it first",
    },
    Promise {
        promise: "what is sealed was durable before its log rows went",
        how: "file synced, renamed, folder synced; one transaction registers it and removes the log rows",
    },
    Promise {
        promise: "nothing is shown twice or half",
        how: "a batch is one row of the log; spans are told apart by project, trace and span",
    },
    Promise {
        promise: "what was deleted stays deleted",
        how: "marked in one transaction with a row in the log; files are rewritten soon after",
    },
    Promise {
        promise: "damage is seen and costs no more than what it hit",
        how: "CRC-32 of each 64 KiB of a file and of each page of the database, compared at each read; what is bad is set aside",
    },
    Promise {
        promise: "a failed write is not acknowledged",
        how: "the sender is told to try again; the database is opened anew and compared with memory first",
    },
];

/// Looks at a directory without changing it; also while a server uses it. Reads every sealed file.
pub fn examine(dir: &Path) -> Result<Report> {
    let database = dir.join("aitrace.db");
    let fail = faults::sqlite("opening for examination");
    // Reading a log needs its index, which this may have to make.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = pages::open(&database, flags).map_err(&fail)?;
    let schema = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).ok();
    let mut report = Report {
        schema,
        newest_schema: SCHEMA as i64,
        sqlite: rusqlite::version().to_owned(),
        database: integrity(&connection, schema, &database),
        good_files: 0,
        bad_files: Vec::new(),
        log_rows: 0,
        problems: Vec::new(),
        set_aside: set_aside(dir),
    };
    drop(connection);
    if let Ok(catalog) = Catalog::reader(&database) {
        report.problems = catalog.problems().unwrap_or_default();
        report.log_rows = catalog.log_rows().unwrap_or(0);
        report.bad_files.extend(bad_bodies(dir, &catalog));
        for row in catalog.segments().unwrap_or_default() {
            match Segment::new(&dir.join("segments"), &row).open().and_then(|file| file.check()) {
                Ok(()) => report.good_files += 1,
                Err(error) => report.bad_files.push((row.file, error.to_string())),
            }
        }
    }
    Ok(report)
}

/// Mends a directory that no server uses: a damaged database is made anew of what can be read. Bad files are
/// set aside when the store is opened and reads them. Whether anything was done.
///
/// Fails with [`aitrace_store::ErrorKind::Conflict`] while a server uses it.
pub fn repair(dir: &Path, now: aitrace_model::Timestamp) -> Result<bool> {
    let _lock = DirectoryLock::take(dir)?;
    let database = dir.join("aitrace.db");
    let first = rescue::mend(&database, false)?;
    let bad = rescue::is_needed(dir, &database, u64::MAX) || !rescue::is_sound(&database);
    if bad {
        rescue::rescue(dir, &database, &stamp::now(now), &Watch::default())?;
    }
    let rest = rescue::mend(&database, true)?;
    Ok(bad || first.is_some() || rest.is_some())
}

/// Copies a store to an empty or new directory, also while a server uses it: the copy is the store at one
/// moment, with everything that was acknowledged before it.
pub fn backup(dir: &Path, target: &Path) -> Result<()> {
    for folder in ["segments", bodies::FOLDER].map(|name| target.join(name)) {
        std::fs::create_dir_all(&folder).map_err(faults::io("creating", &folder))?;
    }
    let copy = target.join("aitrace.db");
    let fail = faults::sqlite("copying");
    // A file may be merged away between the copies: then the database is copied anew.
    for attempt in 0.. {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let source = pages::open(&dir.join("aitrace.db"), flags).map_err(&fail)?;
        // Also where the source has no sums yet the copy gets them.
        pages::make_room(&source).map_err(&fail)?;
        source.busy_timeout(std::time::Duration::from_secs(30)).map_err(&fail)?;
        drop(std::fs::remove_file(&copy));
        source.execute("VACUUM INTO ?1", [copy.to_string_lossy()]).map_err(&fail)?;
        let catalog = Catalog::reader(&copy)?;
        let sealed = catalog.segments()?.into_iter().map(|row| Path::new("segments").join(row.file));
        let places = catalog.log_of_length(Place::LEN)?.into_iter().filter_map(|(_, row)| Place::read(&row));
        let log: BTreeSet<_> = places.map(|place| Path::new(bodies::FOLDER).join(place.file())).collect();
        let copied = sealed.chain(log).try_for_each(|name| {
            let (from, to) = (dir.join(&name), target.join(&name));
            // What is appended to a linked file of the log later no row of the copy names.
            let linked = std::fs::hard_link(&from, &to).is_ok() || to.is_file();
            if linked { Ok(()) } else { std::fs::copy(&from, &to).map(drop).map_err(|error| (from, error)) }
        });
        match copied {
            Ok(()) => break,
            Err((path, error)) if attempt == 5 || error.kind() != std::io::ErrorKind::NotFound => {
                return Err(faults::io("copying", &path)(error));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

fn integrity(connection: &Connection, schema: Option<i64>, database: &Path) -> Vec<String> {
    let check = || -> rusqlite::Result<Vec<String>> {
        let mut check = connection.prepare("PRAGMA integrity_check(20)")?;
        let lines = check.query_map([], |row| row.get(0))?;
        lines.collect()
    };
    let lines = check().unwrap_or_else(|error| vec![error.to_string()]);
    let lines = lines.into_iter().filter(|line| line != "ok");
    let unsummed = schema.is_some_and(|version| version >= SUMMED as i64) && !pages::have_sums(connection);
    let lines = lines.chain(unsummed.then(|| "its pages are to have sums and have none".to_owned()));
    let flipped = pages::flipped(database).into_iter();
    let flipped =
        flipped.map(|at| format!("a bit is flipped in the page at byte {at}; it is read as it was"));
    lines.chain(flipped).collect()
}

/// Files of the log that lack a batch or hold a damaged one, with why. Rows that a server seals meanwhile do not count.
fn bad_bodies(dir: &Path, catalog: &Catalog) -> Vec<(String, String)> {
    let (folder, mut bad) = (dir.join(bodies::FOLDER), Vec::new());
    for (seq, row) in catalog.log_of_length(Place::LEN).unwrap_or_default() {
        let Some(place) = Place::read(&row) else { continue };
        let read = bodies::get(&folder, row).and_then(|body| codec::decode(&body));
        if let Err(error) = read
            && catalog.log_next(seq - 1).is_ok_and(|next| next.is_some_and(|(next, _)| next == seq))
        {
            bad.push((place.file(), error.to_string()));
        }
    }
    bad
}

fn set_aside(dir: &Path) -> Vec<String> {
    let folders = [dir.to_owned(), dir.join("segments"), dir.join(bodies::FOLDER)];
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let names = entries.map(|entry| entry.path().display().to_string());
    let mut names: Vec<String> = names.filter(|name| name.contains(".corrupt-")).collect();
    names.sort();
    names
}
