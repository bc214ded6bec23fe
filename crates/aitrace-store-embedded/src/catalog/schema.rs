//! Versions of the database. A released step is never changed; a new one is added below.

use aitrace_store::{ErrorKind, Result, StoreError};
use rusqlite::Connection;

use crate::faults;

const STEPS: &[&str] = &["
    -- Batches that are acknowledged and not sealed yet; see `codec`.
    CREATE TABLE log (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL) STRICT;

    -- Sealed files. kind: spans, logs. state: live, corrupt.
    CREATE TABLE segment (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, file TEXT NOT NULL, rows INTEGER NOT NULL,
        bytes INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'live'
    ) STRICT;

    -- One line for each trace that has sealed rows; rollup and segments are JSON.
    CREATE TABLE trace (
        trace_id BLOB NOT NULL, project TEXT NOT NULL, start INTEGER NOT NULL, session_id TEXT,
        status TEXT NOT NULL, folded TEXT NOT NULL, rollup TEXT NOT NULL, segments TEXT NOT NULL,
        PRIMARY KEY (trace_id, project)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX trace_by_start ON trace (start, trace_id, project);
    CREATE INDEX trace_by_project ON trace (project, start, trace_id);
    CREATE INDEX trace_by_session ON trace (session_id, start, trace_id, project)
        WHERE session_id IS NOT NULL;

    -- Rows of a segment that a later segment holds anew.
    CREATE TABLE superseded (
        segment INTEGER NOT NULL, project TEXT NOT NULL, trace_id BLOB NOT NULL, span_id BLOB NOT NULL,
        PRIMARY KEY (segment, project, trace_id, span_id)
    ) STRICT, WITHOUT ROWID;

    -- Ids of sealed log records that are in no trace.
    CREATE TABLE loose_log (
        project TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (project, id)
    ) STRICT, WITHOUT ROWID;

    -- Sums over all that is sealed: spans, logs.
    CREATE TABLE total (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE project (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE session (
        project TEXT NOT NULL, session_id TEXT NOT NULL, name TEXT, started INTEGER NOT NULL,
        updated INTEGER NOT NULL, data TEXT NOT NULL, PRIMARY KEY (project, session_id)
    ) STRICT, WITHOUT ROWID;
"];

/// Brings the database to the newest version. One that is newer is refused, never touched.
pub(super) fn migrate(connection: &Connection) -> Result<()> {
    let fail = faults::sqlite("migrating");
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(&fail)?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > STEPS.len() {
        return Err(StoreError::new(
            ErrorKind::Conflict,
            format!("the data directory was written by a newer version (schema {version}): upgrade aitrace"),
        ));
    }
    for (index, step) in STEPS.iter().enumerate().skip(version) {
        let step = format!("BEGIN IMMEDIATE; {step} PRAGMA user_version = {}; COMMIT;", index + 1);
        connection.execute_batch(&step).map_err(&fail)?;
    }
    Ok(())
}
