//! Versions of the database. A released step is never changed; a new one is added below.

use aitrace_store::{ErrorKind, Result, StoreError};
use rusqlite::Connection;

use crate::{faults, pages};

const STEPS: &[&str] = &[
    "
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
",
    "
    -- state: live, corrupt, merged (into another), gone. day: of receipt, since 1970. sums: CRC-32 of each
    -- block. Starts of its rows are between min_start and max_start where those are known.
    ALTER TABLE segment ADD COLUMN day INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE segment ADD COLUMN min_start INTEGER;
    ALTER TABLE segment ADD COLUMN max_start INTEGER;
    ALTER TABLE segment ADD COLUMN sums BLOB;
    ALTER TABLE segment ADD COLUMN merged_into INTEGER;

    -- Rows of a segment that were deleted: of a trace; where trace_id is empty, of a whole project.
    CREATE TABLE tombstone (
        segment INTEGER NOT NULL, project TEXT NOT NULL, trace_id BLOB NOT NULL,
        PRIMARY KEY (segment, project, trace_id)
    ) STRICT, WITHOUT ROWID;

    -- Of spans that were sealed before they ended: how many have no heartbeats, the last heartbeat of the
    -- others, and when anything of the trace was last heard.
    ALTER TABLE trace ADD COLUMN open INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE trace ADD COLUMN quiet INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE trace ADD COLUMN beat INTEGER;
    ALTER TABLE trace ADD COLUMN heard INTEGER;

    -- Where a session stands in lists; its line is summed over its traces.
    CREATE TABLE session_line (
        project TEXT NOT NULL, session_id TEXT NOT NULL, start INTEGER NOT NULL,
        PRIMARY KEY (project, session_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX session_by_start ON session_line (start, session_id, project);
    INSERT INTO session_line SELECT project, session_id, min(start) FROM (
        SELECT project, session_id, start FROM trace WHERE session_id IS NOT NULL
        UNION ALL SELECT project, session_id, started FROM session
    ) GROUP BY project, session_id;

    CREATE TABLE document (
        kind TEXT NOT NULL, project TEXT NOT NULL, id TEXT NOT NULL, created INTEGER NOT NULL,
        updated INTEGER NOT NULL, version INTEGER NOT NULL, data TEXT NOT NULL,
        PRIMARY KEY (kind, project, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX document_by_creation ON document (kind, created, id, project);
    CREATE TABLE document_reference (
        kind TEXT NOT NULL, reference TEXT NOT NULL, project TEXT NOT NULL, id TEXT NOT NULL,
        PRIMARY KEY (kind, reference, project, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX reference_by_document ON document_reference (kind, project, id);

    -- What could not be read; see `Health`.
    CREATE TABLE problem (
        number INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, file TEXT NOT NULL,
        rows INTEGER, since INTEGER, until INTEGER
    ) STRICT;
",
    "
    -- Files of spans: attributes refer to inputs and outputs where they repeat them; see `echo`.
",
    "
    -- All pages of the database have sums; see `pages`. What knows nothing of them must not write here.
",
    "
    -- Bodies of the log may stand in files beside the database; see `bodies`.
",
];

/// From this version on all pages have sums.
pub(crate) const SUMMED: usize = 4;

/// The version that this program writes.
pub(crate) const SCHEMA: usize = STEPS.len();

/// Brings the database to the newest version. One that is newer is refused, never touched.
pub(super) fn migrate(connection: &Connection, before: impl Fn() -> Result<()>) -> Result<()> {
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
        before()?;
        if index + 1 == SUMMED {
            add_sums(connection)?;
        }
        let step = format!("BEGIN IMMEDIATE; {step} PRAGMA user_version = {}; COMMIT;", index + 1);
        connection.execute_batch(&step).map_err(&fail)?;
    }
    Ok(())
}

/// Writes all pages anew, with sums, where they have none. What is killed meanwhile begins again.
fn add_sums(connection: &Connection) -> Result<()> {
    if pages::have_sums(connection) {
        return Ok(());
    }
    let fail = faults::sqlite("giving the database's pages sums");
    // The copy that this makes first may be larger than memory.
    let rewrite = "PRAGMA temp_store = FILE; VACUUM; PRAGMA temp_store = MEMORY;";
    connection.execute_batch(rewrite).map_err(&fail)?;
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: bool = connection.query_row(checkpoint, [], |row| row.get(0)).map_err(&fail)?;
    if busy {
        let text = "the database cannot be brought to the newest version while something else reads it";
        return Err(StoreError::new(ErrorKind::Unavailable, text));
    }
    Ok(())
}
