//! Parquet tables: each row as the trace record that it was exported from.

use std::path::Path;

use aitrace_model::TraceStatus;
use aitrace_model::record::{exact_record, log_record};
use aitrace_store_embedded::{ExportRow, ReadExport};
use anyhow::{Context as _, Result};

use super::batches::Batches;

/// Sends all rows of a file. Rows are numbered from 1, like lines.
pub(super) fn send_all(path: &Path, to: &mut Batches<'_>) -> Result<()> {
    let rows = ReadExport::open(path).with_context(|| format!("cannot import {}", to.name))?;
    for (number, row) in rows {
        let record = match row {
            Ok(ExportRow::Span(stored)) => exact_record(&stored.span, stored.status == TraceStatus::Lost),
            Ok(ExportRow::Log(log)) => log_record(&log),
            Err(why) => {
                to.report.reject(&to.name, number, &why);
                continue;
            }
        };
        to.push(number, record.to_line(false).trim_end().as_bytes())?;
    }
    to.send()
}
