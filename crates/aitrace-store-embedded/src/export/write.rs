//! Rows to Parquet, piece by piece.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use aitrace_model::LogRecord;
use aitrace_store::{ErrorKind, ExportFormat, ExportWriter, Result, StoreError, Trace};
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::rows::{COLUMNS, Row};
use crate::{columns, faults};

/// Rows that become columns at once, and bytes of their texts.
const SLICE: usize = 512;
const SLICE_BYTES: usize = 2 << 20;
/// Rows of a row group at most, and memory from which on it is written.
const GROUP: usize = 8192;
const GROUP_BYTES: usize = 6 << 20;

/// The format Parquet.
#[derive(Debug, Clone, Copy, Default)]
pub struct ParquetExport;

impl ExportFormat for ParquetExport {
    fn media_type(&self) -> &'static str {
        "application/vnd.apache.parquet"
    }

    fn gathered(&self) -> usize {
        // Rows, the same as columns, and what is packed of them.
        2 * SLICE_BYTES + GROUP_BYTES
    }

    fn writer(&self) -> Box<dyn ExportWriter> {
        Box::new(Writer::default())
    }
}

/// What was written and not taken yet.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Writer {
    sink: Sink,
    parquet: Option<ArrowWriter<Sink>>,
    rows: Vec<Row>,
    /// Bytes of their texts.
    weight: usize,
}

impl Writer {
    fn push(&mut self, row: Row) -> Result<()> {
        self.weight += row.weight();
        self.rows.push(row);
        if self.rows.len() >= SLICE || self.weight >= SLICE_BYTES { self.flush() } else { Ok(()) }
    }

    fn parquet(&mut self) -> Result<(&mut ArrowWriter<Sink>, SchemaRef)> {
        let schema = columns::schema(COLUMNS);
        let parquet = match self.parquet.take() {
            Some(known) => known,
            None => ArrowWriter::try_new(self.sink.clone(), Arc::clone(&schema), Some(properties()?))
                .map_err(failed)?,
        };
        Ok((self.parquet.insert(parquet), schema))
    }

    fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        self.weight = 0;
        let (parquet, schema) = self.parquet()?;
        parquet.write(&columns::batch(&schema, COLUMNS, &rows)?).map_err(failed)?;
        if parquet.memory_size() >= GROUP_BYTES { parquet.flush().map_err(failed) } else { Ok(()) }
    }
}

impl ExportWriter for Writer {
    fn trace(&mut self, trace: &Trace) -> Result<()> {
        for stored in &trace.spans {
            self.push(Row::Span(Box::new(stored.clone())))?;
        }
        trace.logs.iter().try_for_each(|log| self.log(log))
    }

    fn log(&mut self, log: &LogRecord) -> Result<()> {
        self.push(Row::Log(Box::new(log.clone())))
    }

    fn finish(&mut self) -> Result<()> {
        if !self.rows.is_empty() {
            self.flush()?;
        }
        // A file without rows is a file all the same.
        self.parquet()?.0.finish().map_err(failed)?;
        Ok(())
    }

    fn ready(&self) -> usize {
        self.sink.0.lock().len()
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut *self.sink.0.lock())
    }
}

fn properties() -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(3).map_err(|error| {
        StoreError::new(ErrorKind::Internal, "this level of compression is none").with_source(error)
    })?;
    Ok(WriterProperties::builder()
        .set_created_by("aitrace".to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP))
        .build())
}

fn failed(error: parquet::errors::ParquetError) -> StoreError {
    faults::parquet(Path::new("an export"))(error)
}
