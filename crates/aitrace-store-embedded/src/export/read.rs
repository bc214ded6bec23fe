//! Parquet to rows. Other programs may have written the file anew: what counts is that the columns are there.

use std::fs::File;
use std::path::Path;

use aitrace_model::LogRecord;
use aitrace_store::{ErrorKind, Result, StoreError, StoredSpan};
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::rows::{self, COLUMNS, Row};
use crate::columns::{self, Cells};

/// Rows that are read at once.
const BATCH: usize = 256;
/// Columns without which a file is no export.
const NEEDED: &[&str] = &["type", "project", "trace_id", "span_id", "name", "start", "received"];

/// Whether these first bytes are those of a Parquet file.
pub fn is_parquet(head: &[u8]) -> bool {
    head.starts_with(b"PAR1")
}

/// A row of an exported table.
#[derive(Debug, Clone, PartialEq)]
pub enum ExportRow {
    /// A span.
    Span(Box<StoredSpan>),
    /// A log record.
    Log(Box<LogRecord>),
}

/// Reads an exported file, some rows at a time: each with its number from 1, or what is wrong with it.
#[derive(Debug)]
pub struct ReadExport {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    batch: Option<RecordBatch>,
    row: usize,
    number: u64,
    ended: bool,
}

impl ReadExport {
    /// Opens the file at `path`. Fails with [`ErrorKind::Unavailable`] where it cannot be read, and with
    /// [`ErrorKind::Invalid`] where it is no export.
    pub fn open(path: &Path) -> Result<Self> {
        let invalid = |why: String| StoreError::new(ErrorKind::Invalid, why);
        let file = File::open(path).map_err(crate::faults::io("opening", path))?;
        let damaged = |error| invalid(format!("this is no whole Parquet file: {error}"));
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)?.with_batch_size(BATCH);
        let missing = NEEDED.iter().find(|name| builder.schema().field_with_name(name).is_err());
        if let Some(name) = missing {
            let hint = "export with `aitrace export --format parquet`";
            return Err(invalid(format!(
                "its columns are not those of an export, {name:?} is missing: {hint}"
            )));
        }
        let reader = builder.build().map_err(damaged)?;
        Ok(Self { reader, schema: columns::schema(COLUMNS), batch: None, row: 0, number: 0, ended: false })
    }

    /// The next rows with the columns in our order and of our types.
    fn next_batch(&mut self) -> Option<std::result::Result<RecordBatch, String>> {
        let batch = match self.reader.next()? {
            Ok(batch) => batch,
            Err(error) => return Some(Err(format!("the rest cannot be read: {error}"))),
        };
        let typed = self.schema.fields().iter().filter_map(|field| {
            let column = batch.column_by_name(field.name())?;
            Some(cast(column, field.data_type()).map(|column| (field.name().clone(), column)))
        });
        let typed = typed.collect::<std::result::Result<Vec<_>, _>>().and_then(RecordBatch::try_from_iter);
        let conformed = typed.and_then(|batch| columns::conform(&batch, &self.schema));
        Some(conformed.map_err(|error| format!("a column has another type than exports have: {error}")))
    }
}

impl Iterator for ReadExport {
    type Item = (u64, std::result::Result<ExportRow, String>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.batch.as_ref().is_none_or(|batch| self.row >= batch.num_rows()) {
            if self.ended {
                return None;
            }
            self.row = 0;
            match self.next_batch() {
                Some(Ok(batch)) => self.batch = Some(batch),
                Some(Err(why)) => {
                    self.ended = true;
                    self.batch = None;
                    return Some((self.number + 1, Err(why)));
                }
                None => {
                    self.ended = true;
                    self.batch = None;
                }
            }
        }
        let batch = self.batch.as_ref()?;
        let read = rows::read(&mut Cells::new(batch, self.row));
        self.row += 1;
        self.number += 1;
        let read = read.map(|row| match row {
            Row::Span(stored) => ExportRow::Span(stored),
            Row::Log(log) => ExportRow::Log(log),
        });
        Some((self.number, read.map_err(|column| format!("{column} does not hold what it should"))))
    }
}

/// Number of rows of the Parquet file at `path`.
pub fn export_rows(path: &Path) -> Result<u64> {
    let file = File::open(path).map_err(crate::faults::io("opening", path))?;
    let rows = ParquetRecordBatchReaderBuilder::try_new(file)
        .map(|builder| builder.metadata().file_metadata().num_rows());
    let damaged =
        |error| StoreError::new(ErrorKind::Invalid, format!("this is no whole Parquet file: {error}"));
    rows.map(|rows| u64::try_from(rows).unwrap_or(0)).map_err(damaged)
}
