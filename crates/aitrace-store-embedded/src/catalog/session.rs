//! Where sessions stand in lists.

use aitrace_store::{ProjectScope, Result, SessionCursor, SessionFilter};
use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use super::Catalog;
use crate::faults;

impl Catalog {
    /// Brings the place of a session up to date with its sealed traces and its document.
    pub(crate) fn place_session(&self, project: &str, session_id: &str) -> Result<()> {
        let fail = faults::sqlite("placing a session");
        let sql = "SELECT min(start) FROM (
            SELECT min(start) AS start FROM trace WHERE session_id = ?2 AND project = ?1
            UNION ALL SELECT started FROM session WHERE project = ?1 AND session_id = ?2)";
        let mut select = self.connection.prepare_cached(sql).map_err(&fail)?;
        let start: Option<i64> =
            select.query_row(params![project, session_id], |row| row.get(0)).map_err(&fail)?;
        let sql = match start {
            Some(_) => {
                "INSERT INTO session_line (project, session_id, start) VALUES (?1, ?2, ?3)
                        ON CONFLICT DO UPDATE SET start = excluded.start WHERE start <> excluded.start"
            }
            None => "DELETE FROM session_line WHERE project = ?1 AND session_id = ?2 AND ?3 IS NULL",
        };
        let mut place = self.connection.prepare_cached(sql).map_err(&fail)?;
        place.execute(params![project, session_id, start]).map_err(&fail)?;
        Ok(())
    }

    /// Sessions (project, id) in the order of lists, as long as `each` wants more.
    pub(crate) fn each_session(
        &self,
        filter: &SessionFilter,
        after: Option<&SessionCursor>,
        mut each: impl FnMut(String, String) -> Result<bool>,
    ) -> Result<()> {
        let fail = faults::sqlite("listing sessions");
        let (mut sql, mut values) =
            ("SELECT project, session_id FROM session_line WHERE 1".to_owned(), Vec::<Value>::new());
        if let ProjectScope::One(project) = &filter.scope {
            sql.push_str(" AND project = ?");
            values.push(project.clone().into());
        }
        // A session starts no later than its place says; hot traces can only make it earlier.
        if let Some(until) = filter.until {
            sql.push_str(" AND start < ?");
            values.push(until.nanos().into());
        }
        if let Some(since) = filter.since {
            sql.push_str(" AND start >= ?");
            values.push(since.nanos().into());
        }
        if let Some(SessionCursor { start, session_id, project }) = after {
            sql.push_str(" AND (start, session_id, project) < (?, ?, ?)");
            values.extend([start.nanos().into(), session_id.clone().into(), project.clone().into()]);
        }
        sql.push_str(" ORDER BY start DESC, session_id DESC, project DESC");
        let mut select = self.connection.prepare_cached(&sql).map_err(&fail)?;
        let mut rows = select.query(params_from_iter(values)).map_err(&fail)?;
        while let Some(row) = rows.next().map_err(&fail)? {
            if !each(row.get(0).map_err(&fail)?, row.get(1).map_err(&fail)?)? {
                break;
            }
        }
        Ok(())
    }

    /// Projects that hold a session of this id.
    pub(crate) fn projects_of_session(&self, session_id: &str) -> Result<Vec<String>> {
        let fail = faults::sqlite("finding a session");
        let sql = "SELECT project FROM session_line WHERE session_id = ?1";
        let mut select = self.connection.prepare_cached(sql).map_err(&fail)?;
        let rows = select.query_map([session_id], |row| row.get(0)).map_err(&fail)?;
        rows.collect::<Result<_, _>>().map_err(&fail)
    }
}
