//! The log of acknowledged batches.

use aitrace_store::Result;
use rusqlite::params;

use super::Catalog;
use crate::faults;

impl Catalog {
    /// Appends a body; durable once the transaction is.
    pub(crate) fn log_append(&self, body: &[u8]) -> Result<i64> {
        let fail = faults::sqlite("writing the log");
        let mut insert =
            self.connection.prepare_cached("INSERT INTO log (body) VALUES (?1)").map_err(&fail)?;
        insert.insert(params![body]).map_err(&fail)
    }

    /// Removes all rows before and including `last`.
    pub(crate) fn log_remove(&self, last: i64) -> Result<()> {
        let fail = faults::sqlite("clearing the log");
        self.connection.execute("DELETE FROM log WHERE seq <= ?1", params![last]).map_err(&fail)?;
        Ok(())
    }

    /// Removes one row.
    pub(crate) fn log_remove_one(&self, seq: i64) -> Result<()> {
        let fail = faults::sqlite("clearing the log");
        self.connection.execute("DELETE FROM log WHERE seq = ?1", params![seq]).map_err(&fail)?;
        Ok(())
    }

    /// Rows whose body has this length.
    pub(crate) fn log_of_length(&self, length: usize) -> Result<Vec<(i64, Vec<u8>)>> {
        let fail = faults::sqlite("reading the log");
        let mut select = self
            .connection
            .prepare_cached("SELECT seq, body FROM log WHERE length(body) = ?1 ORDER BY seq")
            .map_err(&fail)?;
        let rows =
            select.query_map(params![length as i64], |row| Ok((row.get(0)?, row.get(1)?))).map_err(&fail)?;
        rows.collect::<rusqlite::Result<_>>().map_err(&fail)
    }

    /// Number of rows.
    pub(crate) fn log_rows(&self) -> Result<u64> {
        let count = "SELECT count(*) FROM log";
        let rows: i64 = self
            .connection
            .query_row(count, [], |row| row.get(0))
            .map_err(faults::sqlite("reading the log"))?;
        Ok(rows as u64)
    }

    /// The last row's number, 0 where there is none.
    pub(crate) fn log_last(&self) -> Result<i64> {
        let last = "SELECT coalesce(max(seq), 0) FROM log";
        self.connection.query_row(last, [], |row| row.get(0)).map_err(faults::sqlite("reading the log"))
    }

    /// The first row after `seq`, if any.
    pub(crate) fn log_next(&self, seq: i64) -> Result<Option<(i64, Vec<u8>)>> {
        let fail = faults::sqlite("reading the log");
        let mut select = self
            .connection
            .prepare_cached("SELECT seq, body FROM log WHERE seq > ?1 ORDER BY seq LIMIT 1")
            .map_err(&fail)?;
        let mut rows = select.query(params![seq]).map_err(&fail)?;
        match rows.next().map_err(&fail)? {
            Some(row) => Ok(Some((row.get(0).map_err(&fail)?, row.get(1).map_err(&fail)?))),
            None => Ok(None),
        }
    }
}
