//! Which files belong to the store, and sums over them.

use aitrace_model::Timestamp;
use aitrace_store::Result;
use rusqlite::{Row, params};

use super::Catalog;
use crate::faults;

/// A registered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentRow {
    /// Its number; later files have greater ones.
    pub(crate) id: i64,
    /// `spans` or `logs`.
    pub(crate) kind: String,
    /// Name within the folder of segments.
    pub(crate) file: String,
    /// Length.
    pub(crate) bytes: u64,
    /// Rows in it.
    pub(crate) rows: u64,
    /// Day of receipt of its rows, since 1970.
    pub(crate) day: i64,
    /// Earliest and latest start (or time) of a row; `None` where not known.
    pub(crate) starts: Option<(Timestamp, Timestamp)>,
    /// CRC-32 of each block; `None` of files of version 1.
    pub(crate) sums: Option<Vec<u32>>,
}

impl SegmentRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let starts: (Option<i64>, Option<i64>) = (row.get(6)?, row.get(7)?);
        let sums: Option<Vec<u8>> = row.get(8)?;
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
        Ok(Self {
            id: row.get(0)?,
            kind: row.get(1)?,
            file: row.get(2)?,
            bytes: row.get::<_, i64>(3)? as u64,
            rows: row.get::<_, i64>(4)? as u64,
            day: row.get(5)?,
            starts: starts
                .0
                .zip(starts.1)
                .map(|(min, max)| (Timestamp::from_nanos(min), Timestamp::from_nanos(max))),
            sums: sums.map(|sums| sums.chunks(4).map(word).collect()),
        })
    }
}

const COLUMNS: &str = "id, kind, file, bytes, rows, day, min_start, max_start, sums";

impl Catalog {
    /// All files that are to be there.
    pub(crate) fn segments(&self) -> Result<Vec<SegmentRow>> {
        let fail = faults::sqlite("reading the list of segments");
        let sql = format!("SELECT {COLUMNS} FROM segment WHERE state = 'live' ORDER BY id");
        let mut select = self.connection.prepare(&sql).map_err(&fail)?;
        let rows = select.query_map([], SegmentRow::read).map_err(&fail)?;
        rows.collect::<Result<_, _>>().map_err(&fail)
    }

    /// Files that are gone, and in which file their rows are now, if anywhere.
    pub(crate) fn moved_segments(&self) -> Result<Vec<(i64, Option<i64>)>> {
        let fail = faults::sqlite("reading the list of former segments");
        let sql = "SELECT id, merged_into FROM segment WHERE state <> 'live'";
        let mut select = self.connection.prepare(sql).map_err(&fail)?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(&fail)?;
        rows.collect::<Result<_, _>>().map_err(&fail)
    }

    /// The greatest number that was ever given to a file.
    pub(crate) fn last_segment(&self) -> Result<i64> {
        let last = "SELECT coalesce(max(id), 0) FROM segment";
        self.connection.query_row(last, [], |row| row.get(0)).map_err(faults::sqlite("numbering segments"))
    }

    pub(crate) fn add_segment(&self, row: &SegmentRow) -> Result<()> {
        let fail = faults::sqlite("registering a segment");
        let sums =
            row.sums.as_ref().map(|sums| sums.iter().flat_map(|sum| sum.to_le_bytes()).collect::<Vec<u8>>());
        let values = params![
            row.id,
            row.kind,
            row.file,
            row.bytes as i64,
            row.rows as i64,
            row.day,
            row.starts.map(|starts| starts.0.nanos()),
            row.starts.map(|starts| starts.1.nanos()),
            sums
        ];
        let sql = format!("INSERT INTO segment ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
        self.connection.execute(&sql, values).map_err(&fail)?;
        Ok(())
    }

    /// A file is not to be read any more. Its row stays, so that its number is never used again and lines of
    /// traces that name it find where its rows are. What was dead in it is forgotten.
    pub(crate) fn retire_segment(&self, id: i64, state: &str, into: Option<i64>) -> Result<()> {
        let fail = faults::sqlite("retiring a segment");
        let sql = "UPDATE segment SET state = ?2, merged_into = ?3, sums = NULL WHERE id = ?1";
        self.connection.execute(sql, params![id, state, into]).map_err(&fail)?;
        self.connection.execute("DELETE FROM superseded WHERE segment = ?1", [id]).map_err(&fail)?;
        self.connection.execute("DELETE FROM tombstone WHERE segment = ?1", [id]).map_err(&fail)?;
        Ok(())
    }

    /// A sum over all that is sealed.
    pub(crate) fn total(&self, name: &str) -> Result<i64> {
        let fail = faults::sqlite("reading totals");
        let sql = "SELECT coalesce(sum(value), 0) FROM total WHERE name = ?1";
        self.connection.query_row(sql, params![name], |row| row.get(0)).map_err(&fail)
    }

    pub(crate) fn add_total(&self, name: &str, change: i64) -> Result<()> {
        let fail = faults::sqlite("writing totals");
        let sql = "INSERT INTO total (name, value) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = value + excluded.value";
        let mut add = self.connection.prepare_cached(sql).map_err(&fail)?;
        add.execute(params![name, change]).map_err(&fail)?;
        Ok(())
    }
}
