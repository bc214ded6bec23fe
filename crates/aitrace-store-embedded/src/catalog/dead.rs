//! Rows of files that do not count any more: deleted ones.

use aitrace_model::TraceId;
use aitrace_store::Result;
use rusqlite::params;

use super::Catalog;
use crate::faults;

/// Deleted rows of a file: of one trace, or where there is none of a whole project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tombstone {
    pub(crate) segment: i64,
    pub(crate) project: String,
    pub(crate) trace_id: Option<TraceId>,
}

impl Catalog {
    pub(crate) fn add_tombstone(&self, tomb: &Tombstone) -> Result<()> {
        let fail = faults::sqlite("marking deleted rows");
        let sql = "INSERT OR IGNORE INTO tombstone (segment, project, trace_id) VALUES (?1, ?2, ?3)";
        let trace_id = tomb.trace_id.map(|id| id.to_bytes().to_vec()).unwrap_or_default();
        let mut insert = self.connection.prepare_cached(sql).map_err(&fail)?;
        insert.execute(params![tomb.segment, tomb.project, trace_id]).map_err(&fail)?;
        Ok(())
    }

    pub(crate) fn tombstones(&self) -> Result<Vec<Tombstone>> {
        let fail = faults::sqlite("reading deleted rows");
        let mut select =
            self.connection.prepare("SELECT segment, project, trace_id FROM tombstone").map_err(&fail)?;
        let rows = select
            .query_map([], |row| {
                let trace_id: Vec<u8> = row.get(2)?;
                Ok(Tombstone {
                    segment: row.get(0)?,
                    project: row.get(1)?,
                    trace_id: TraceId::from_slice(&trace_id),
                })
            })
            .map_err(&fail)?;
        rows.collect::<Result<_, _>>().map_err(&fail)
    }

    /// Forgets one log record that is in no trace.
    pub(crate) fn forget_loose_log(&self, project: &str, id: &str) -> Result<()> {
        let fail = faults::sqlite("removing ids of log records");
        let sql = "DELETE FROM loose_log WHERE project = ?1 AND id = ?2";
        let mut delete = self.connection.prepare_cached(sql).map_err(&fail)?;
        let removed = delete.execute(params![project, id]).map_err(&fail)?;
        self.add_total("logs", -(removed as i64))
    }

    /// Forgets the log records of a project that are in no trace. Returns how many were sealed.
    pub(crate) fn remove_loose_logs(&self, project: &str) -> Result<u64> {
        let fail = faults::sqlite("removing ids of log records");
        let sql = "DELETE FROM loose_log WHERE project = ?1";
        let removed = self.connection.execute(sql, params![project]).map_err(&fail)?;
        self.add_total("logs", -(removed as i64))?;
        Ok(removed as u64)
    }
}
