//! Which files belong to the store, and sums over them.

use aitrace_store::Result;
use rusqlite::params;

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
}

/// A file to be registered.
#[derive(Debug)]
pub(crate) struct NewSegment {
    /// The file.
    pub(crate) row: SegmentRow,
    /// Rows in it.
    pub(crate) rows: usize,
}

impl Catalog {
    /// All files that are to be there.
    pub(crate) fn segments(&self) -> Result<Vec<SegmentRow>> {
        let fail = faults::sqlite("reading the list of segments");
        let sql = "SELECT id, kind, file, bytes FROM segment WHERE state = 'live' ORDER BY id";
        let mut select = self.connection.prepare(sql).map_err(&fail)?;
        let rows = select
            .query_map([], |row| {
                Ok(SegmentRow {
                    id: row.get(0)?,
                    kind: row.get(1)?,
                    file: row.get(2)?,
                    bytes: row.get::<_, i64>(3)? as u64,
                })
            })
            .map_err(&fail)?;
        rows.collect::<Result<_, _>>().map_err(&fail)
    }

    /// The greatest number that was ever given to a file.
    pub(crate) fn last_segment(&self) -> Result<i64> {
        let last = "SELECT coalesce(max(id), 0) FROM segment";
        self.connection.query_row(last, [], |row| row.get(0)).map_err(faults::sqlite("numbering segments"))
    }

    pub(crate) fn add_segment(&self, new: &NewSegment) -> Result<()> {
        let fail = faults::sqlite("registering a segment");
        let NewSegment { row, rows } = new;
        self.connection
            .execute(
                "INSERT INTO segment (id, kind, file, rows, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![row.id, row.kind, row.file, *rows as i64, row.bytes as i64],
            )
            .map_err(&fail)?;
        Ok(())
    }

    /// Marks a file that cannot be read. Its row stays, so that its number is never used again.
    pub(crate) fn mark_corrupt(&self, id: i64) -> Result<()> {
        let fail = faults::sqlite("marking a segment");
        let sql = "UPDATE segment SET state = 'corrupt' WHERE id = ?1";
        self.connection.execute(sql, params![id]).map_err(&fail)?;
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
        self.connection
            .execute(
                "INSERT INTO total (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                params![name, change],
            )
            .map_err(&fail)?;
        Ok(())
    }
}
