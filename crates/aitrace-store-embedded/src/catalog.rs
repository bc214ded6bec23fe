//! The SQLite database: log, segments, the line of each sealed trace, documents.

mod dead;
mod log;
mod problem;
mod schema;
mod segment;
mod session;
mod trace;

use std::cell::Cell;
use std::path::{Path, PathBuf};

use aitrace_store::{ErrorKind, Result, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::steps::{Step, Watch};
use crate::{faults, pages};

pub(crate) use dead::Tombstone;
pub(crate) use schema::{SCHEMA, SUMMED};
pub(crate) use segment::SegmentRow;
pub(crate) use trace::{Line, Page, Sums, Superseded, TraceRow};

/// Before this version SQLite could corrupt a database in WAL mode (fixed 2026-03, "WAL reset").
const SQLITE_AT_LEAST: i32 = 3_051_003;

/// Prepared statements that the writer keeps: all that it uses often.
const STATEMENTS: usize = 64;

/// A connection to the database.
#[derive(Debug)]
pub(crate) struct Catalog {
    connection: Connection,
    watch: Watch,
    path: PathBuf,
    // Whether a row was passed over because it cannot be read.
    damaged: Cell<bool>,
}

impl Catalog {
    /// The one connection that writes: creates and migrates the database. Commits are durable.
    pub(crate) fn writer(path: &Path, watch: &Watch) -> Result<Self> {
        if rusqlite::version_number() < SQLITE_AT_LEAST {
            return Err(StoreError::new(
                ErrorKind::Internal,
                format!("SQLite {} can corrupt its log: 3.51.3 or later is needed", rusqlite::version()),
            ));
        }
        let fail = faults::sqlite("opening");
        let connection = pages::open(path, OpenFlags::default()).map_err(&fail)?;
        pages::make_room(&connection).map_err(&fail)?;
        // The order matters: auto_vacuum is fixed by the first page, before WAL is switched on.
        connection
            .execute_batch(
                "PRAGMA auto_vacuum = INCREMENTAL;
                 PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA wal_autocheckpoint = 4000;
                 PRAGMA journal_size_limit = 33554432;
                 PRAGMA cache_size = -8192;
                 PRAGMA secure_delete = FAST;
                 PRAGMA temp_store = MEMORY;",
            )
            .map_err(&fail)?;
        // Else statements are prepared anew whenever what is bound to them changes, to choose another index by it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(&fail)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        schema::migrate(&connection, || watch.at(Step::Migrate, path))?;
        if !pages::have_sums(&connection) {
            return Err(StoreError::new(ErrorKind::Corrupt, "the database says that its pages have no sums"));
        }
        Ok(Self { connection, watch: watch.clone(), path: path.to_owned(), damaged: Cell::new(false) })
    }

    /// A connection that reads, beside the writer.
    pub(crate) fn reader(path: &Path) -> Result<Self> {
        let fail = faults::sqlite("opening for reading");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = pages::open(path, flags).map_err(&fail)?;
        connection.execute_batch("PRAGMA cache_size = -8192; PRAGMA query_only = ON;").map_err(&fail)?;
        Ok(Self { connection, watch: Watch::default(), path: path.to_owned(), damaged: Cell::new(false) })
    }

    /// Runs `work` in one transaction, durable when this returns.
    pub(crate) fn transaction<T>(&mut self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let fail = faults::sqlite("committing");
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(&fail)?;
        let done = work(self).and_then(|done| {
            self.watch.at(Step::Commit, &self.path)?;
            self.connection.execute_batch("COMMIT").map_err(&fail)?;
            self.watch.at(Step::Committed, &self.path)?;
            Ok(done)
        });
        if done.is_err() && !self.connection.is_autocommit() {
            // The first error is the one to report.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        done
    }

    /// The same; `hold` is called when everything but the commit is done, and what it returns is kept
    /// beyond the commit.
    pub(crate) fn transaction_holding<T, G>(
        &mut self,
        work: impl FnOnce(&Self) -> Result<T>,
        hold: impl FnOnce() -> G,
    ) -> Result<(T, G)> {
        self.transaction(|catalog| Ok((work(catalog)?, hold())))
    }

    /// Gives pages and log that are no longer needed back to the file system.
    pub(crate) fn shrink(&self) -> Result<()> {
        let fail = faults::sqlite("shrinking");
        let mut vacuum = self.connection.prepare("PRAGMA incremental_vacuum").map_err(&fail)?;
        let mut rows = vacuum.query([]).map_err(&fail)?;
        while rows.next().map_err(&fail)?.is_some() {}
        // Readers may hold the log back; then the next time will do.
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(faults::sqlite("checkpointing"))
    }

    /// What was read of a row; of one that cannot be read nothing, so that it does not hide the others.
    fn passed<T>(&self, row: Result<T>) -> Result<Option<T>> {
        match row {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::error!(%error, "a row of the database is passed over");
                self.damaged.set(true);
                Ok(None)
            }
            row => row.map(Some),
        }
    }

    /// Whether rows were passed over since this was asked last.
    pub(crate) fn take_damaged(&self) -> bool {
        self.damaged.take()
    }

    /// The connection, for the documents.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}
