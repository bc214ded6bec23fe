//! What could not be read.

use aitrace_model::Timestamp;
use aitrace_store::{Problem, ProblemKind, Result};
use rusqlite::params;

use super::Catalog;
use crate::faults;

const KINDS: [(ProblemKind, &str); 4] = [
    (ProblemKind::SegmentLost, "segment_lost"),
    (ProblemKind::LogRowLost, "log_row_lost"),
    (ProblemKind::DatabaseRebuilt, "database_rebuilt"),
    (ProblemKind::WritesFail, "writes_fail"),
];

impl Catalog {
    pub(crate) fn add_problem(&self, problem: &Problem) -> Result<()> {
        let fail = faults::sqlite("writing a problem");
        let kind = KINDS.iter().find(|(kind, _)| *kind == problem.kind).map_or("", |(_, word)| word);
        let sql =
            "INSERT INTO problem (kind, body, file, rows, since, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![
            kind,
            problem.text,
            problem.file,
            problem.rows.map(|rows| rows as i64),
            problem.since.map(Timestamp::nanos),
            problem.until.map(Timestamp::nanos)
        ];
        self.connection.execute(sql, values).map_err(&fail)?;
        Ok(())
    }

    pub(crate) fn problems(&self) -> Result<Vec<Problem>> {
        let fail = faults::sqlite("reading problems");
        let sql = "SELECT kind, body, file, rows, since, until FROM problem ORDER BY number";
        let mut select = self.connection.prepare(sql).map_err(&fail)?;
        let rows = select
            .query_map([], |row| {
                let kind: String = row.get(0)?;
                let kind = KINDS.iter().find(|(_, word)| *word == kind);
                Ok(Problem {
                    kind: kind.map_or(ProblemKind::SegmentLost, |(kind, _)| *kind),
                    text: row.get(1)?,
                    file: row.get(2)?,
                    rows: row.get::<_, Option<i64>>(3)?.map(|rows| rows as u64),
                    since: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_nanos),
                    until: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_nanos),
                })
            })
            .map_err(&fail)?;
        rows.collect::<Result<_, _>>().map_err(&fail)
    }
}
