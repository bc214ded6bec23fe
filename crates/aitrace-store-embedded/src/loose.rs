//! Log records that are in no trace.

use aitrace_model::LogRecord;
use aitrace_store::ProjectScope;
use arrow::array::{Array as _, AsArray as _};
use tokio::sync::mpsc;

use crate::corrections::Need;
use crate::read::Damaged;
use crate::rows;
use crate::segment::{self, Dead, Segment, scan};
use crate::shared::Shared;
use crate::snapshot::Everything;

/// Rows that are read at a time at most.
const BATCH: usize = 1024;
/// All columns of log records.
const COLUMNS: &[&str] = &[
    "project",
    "id",
    "trace_id",
    "span_id",
    "time",
    "event",
    "level",
    "logger",
    "code_file",
    "code_line",
    "code_function",
    "session_id",
    "attrs",
    "received",
];

/// Sends all of them; blocks. Says which files could not be read.
pub(crate) fn send(shared: &Shared, scope: &ProjectScope, logs: &mpsc::Sender<LogRecord>) -> Damaged {
    let (all, mut damaged) = (Everything::take(shared, scope, Need::Nothing), Vec::new());
    for log in all.logs.iter().filter(|log| log.trace_id.is_none()) {
        if logs.blocking_send(LogRecord::clone(log)).is_err() {
            return damaged;
        }
    }
    for (file, dead) in all.files.iter().filter(|(file, _)| !file.spans) {
        match send_file(shared, file, dead, scope, logs) {
            Ok(true) => {}
            Ok(false) => return damaged,
            Err(error) => damaged.push((file.id, error.to_string())),
        }
    }
    damaged
}

fn send_file(
    shared: &Shared,
    file: &Segment,
    dead: &Dead,
    scope: &ProjectScope,
    logs: &mpsc::Sender<LogRecord>,
) -> parquet::errors::Result<bool> {
    let rows = segment::reading(&shared.segments, file, COLUMNS, BATCH)?.rows;
    for batch in scan(&shared.segments, file, COLUMNS, rows)? {
        let batch = batch?;
        let traces = batch.column_by_name("trace_id").and_then(|column| column.as_string_opt::<i32>());
        if traces.is_some_and(|traces| traces.null_count() == 0) {
            continue;
        }
        for log in rows::logs(&batch).into_iter().flatten() {
            let counts =
                log.trace_id.is_none() && scope.contains(&log.project) && !dead.has(&log.project, None, None);
            if counts && logs.blocking_send(log).is_err() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
