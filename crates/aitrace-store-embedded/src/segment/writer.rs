//! Rows to a file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aitrace_model::{LogRecord, Timestamp};
use aitrace_store::{ErrorKind, Result, StoreError, log_bytes, span_bytes};
use arrow::array::{AsArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{SchemaRef, TimestampNanosecondType};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::blocks::Summing;
use super::group::Group;
use crate::columns::{self, Column};
use crate::faults;
use crate::options::Options;
use crate::rows::{LOGS, LONG, SPANS, SpanRow};
use crate::steps::{Step, Watch};
use crate::{sums, words};

/// Rows that are turned into columns at a time: they fit into the processor's cache.
const SLICE: usize = 512;
/// The same in bytes; a row that is larger is turned alone.
const SLICE_BYTES: usize = 4 << 20;
/// Rows of a row group: each costs a reader a decompressor for each column. Within it a trace is found by its pages.
const GROUP: usize = 65_536;
/// Bytes of a row group in memory: as they come, and packed. Until it is full all of it is.
const GROUP_BYTES: usize = 256 << 20;
const GROUP_PACKED: usize = 24 << 20;
/// Rows of a page at most, in columns of small values.
const PAGE_ROWS: usize = 4096;
/// Uncompressed bytes of a page. Reading one span decompresses one page of each column.
const PAGE: usize = 256 << 10;
/// Rows of a file from which on a second thread is worth its start.
const SHARED: usize = 4096;

/// Columns of long or distinct values, which a dictionary only slows down.
const NO_DICTIONARY: &[&str] = &[
    "span_id",
    "start",
    "end",
    "duration_ns",
    "received",
    "inputs",
    "outputs",
    "attributes",
    "events",
    "links",
    "parts",
    "error_stacktrace",
    "id",
    "time",
    "attrs",
    "cost",
    "cost_formula",
];
/// Columns of numbers that are read by the million for statistics: as differences they take less and are read faster
/// than as they are, and packing them further gains nothing.
const DIFFERENCES: &[&str] = &["start", "end", "duration_ns", "received", "time"];
/// Key of where the words of a file are in it: offset and length in bytes, with a comma between.
pub(super) const WORDS: &str = "aitrace.words";
/// The same of sums over its spans.
pub(super) const SUMS: &str = "aitrace.sums";

/// A file that was written; durable except for its name.
#[derive(Debug)]
pub(crate) struct Written {
    /// Length.
    pub(crate) bytes: u64,
    /// Rows in it.
    pub(crate) rows: u64,
    /// Earliest and latest start (or time) of a row.
    pub(crate) starts: Option<(Timestamp, Timestamp)>,
    /// Sum of each block.
    pub(crate) sums: Vec<u32>,
}

/// Day of receipt, since 1970.
pub(crate) fn day_of(received: Timestamp) -> i64 {
    received.nanos().div_euclid(86_400_000_000_000)
}

/// Writes spans, sorted by project, trace, start, to a new file at `path`.
pub(crate) fn write_spans(path: &Path, rows: &mut [SpanRow], options: &Options) -> Result<Written> {
    rows.sort_unstable_by(|a, b| {
        let key = |row: &SpanRow| {
            let span = &row.stored.span;
            (span.trace_id, span.start, span.span_id)
        };
        a.stored.span.project.cmp(&b.stored.span.project).then_with(|| key(a).cmp(&key(b)))
    });
    write(path, SPANS, rows, |row| span_bytes(&row.stored.span), options)
}

/// Writes log records, sorted by project, trace, time.
pub(crate) fn write_logs(path: &Path, rows: &mut [Arc<LogRecord>], options: &Options) -> Result<Written> {
    rows.sort_unstable_by(|a, b| {
        (&a.project, a.trace_id, a.time, &a.id).cmp(&(&b.project, b.trace_id, b.time, &b.id))
    });
    write(path, LOGS, rows, |log| log_bytes(log), options)
}

fn write<T>(
    path: &Path,
    columns: &[(&str, Column<T>)],
    rows: &[T],
    weigh: fn(&T) -> usize,
    options: &Options,
) -> Result<Written> {
    let schema = columns::schema(columns);
    let mut writer =
        FileWriter::create(path, &schema, rows.len(), options.compression, options.watch.clone())?;
    let (mut rest, mut usual) = (rows, vec![0; columns.len()]);
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |row: &&T| {
            bytes += weigh(row);
            bytes <= SLICE_BYTES
        };
        let count = rest.iter().take(SLICE).take_while(fits).count().max(1);
        let (slice, more) = rest.split_at(count);
        writer.write(&columns::batch_like(&schema, columns, slice, &mut usual)?)?;
        rest = more;
    }
    writer.finish()
}

/// A file that is being written.
pub(super) struct FileWriter {
    path: PathBuf,
    writer: SerializedFileWriter<Summing<File>>,
    factory: ArrowRowGroupWriterFactory,
    watch: Watch,
    rows: u64,
    /// Whether two threads share the work.
    shared: bool,
    /// The row group that is being filled.
    group: Option<Group>,
    /// Bytes of it, as they came.
    bytes: usize,
    starts: Option<(i64, i64)>,
    words: Option<words::Builder>,
    sums: Option<sums::Builder>,
}

impl FileWriter {
    /// A new file for about so many rows.
    pub(super) fn create(
        path: &Path,
        schema: &SchemaRef,
        rows: usize,
        level: i32,
        watch: Watch,
    ) -> Result<Self> {
        let file = File::create(path).map_err(faults::io("writing", path))?;
        let properties = properties(schema, rows, level)?;
        let writer = ArrowWriter::try_new(Summing::new(file), Arc::clone(schema), Some(properties));
        let parts = writer.and_then(ArrowWriter::into_serialized_writer);
        let (writer, factory) = parts.map_err(faults::parquet(path))?;
        // Log records are not counted.
        let sums = schema.column_with_name("duration_ns").map(|_| sums::Builder::default());
        Ok(Self {
            path: path.to_owned(),
            writer,
            factory,
            watch,
            rows: 0,
            shared: rows >= SHARED,
            group: None,
            bytes: 0,
            starts: None,
            words: None,
            sums,
        })
    }

    /// Notes the words of its rows, so that searches read less. Costs about as much as compressing them.
    pub(super) fn with_words(mut self) -> Self {
        self.words = Some(words::Builder::default());
        self
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends rows, which must be sorted.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let start = batch.column_by_name("start").or_else(|| batch.column_by_name("time"));
        let start = start.and_then(|column| column.as_primitive_opt::<TimestampNanosecondType>());
        let (min, max) = (start.and_then(compute::min), start.and_then(compute::max));
        if let Some((min, max)) = min.zip(max) {
            let known = self.starts.unwrap_or((min, max));
            self.starts = Some((known.0.min(min), known.1.max(max)));
        }
        if let Some(words) = &mut self.words {
            words.add(batch);
        }
        if let Some(sums) = &mut self.sums {
            sums.add(batch);
        }
        self.rows += batch.num_rows() as u64;
        self.bytes += batch.get_array_memory_size();
        self.pack(batch).map_err(faults::parquet(&self.path))
    }

    /// Appends rows to the row group, and to the next one what it does not take.
    fn pack(&mut self, batch: &RecordBatch) -> parquet::errors::Result<()> {
        let mut at = 0;
        while at < batch.num_rows() {
            let group = match &mut self.group {
                Some(group) => group,
                none => {
                    let index = self.writer.flushed_row_groups().len();
                    none.insert(Group::begin(&self.factory, index, batch, self.shared)?)
                }
            };
            let count = (batch.num_rows() - at).min(GROUP - group.rows());
            group.write(&batch.slice(at, count))?;
            at += count;
            let full = group.rows() >= GROUP || self.bytes >= GROUP_BYTES;
            if full || group.memory_size() >= GROUP_PACKED {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Ends the row group.
    fn flush(&mut self) -> parquet::errors::Result<()> {
        self.bytes = 0;
        let Some(group) = self.group.take() else { return Ok(()) };
        let chunks = group.close()?;
        let mut out = self.writer.next_row_group()?;
        chunks.into_iter().try_for_each(|chunk| chunk.append_to_row_group(&mut out))?;
        out.close().map(drop)
    }

    /// Writes what is noted of its rows behind them, and where that is.
    fn note(&mut self, key: &str, blob: &[u8]) -> Result<()> {
        let offset = self.writer.bytes_written();
        self.writer.write_all(blob).map_err(faults::io("writing", &self.path))?;
        let place = format!("{offset},{}", blob.len());
        self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), place));
        Ok(())
    }

    /// Syncs it.
    pub(super) fn finish(mut self) -> Result<Written> {
        let words = self.words.take().and_then(words::Builder::finish);
        let sums = self.sums.take().and_then(sums::Builder::finish);
        self.flush().map_err(faults::parquet(&self.path))?;
        for (key, blob) in [(WORDS, words), (SUMS, sums)] {
            if let Some(blob) = blob {
                self.note(key, &blob)?;
            }
        }
        let (file, sums) = self.writer.into_inner().map_err(faults::parquet(&self.path))?.finish();
        let fail = faults::io("writing", &self.path);
        self.watch.at(Step::Sync, &self.path)?;
        file.sync_all().map_err(&fail)?;
        let time = Timestamp::from_nanos;
        Ok(Written {
            bytes: file.metadata().map_err(&fail)?.len(),
            rows: self.rows,
            starts: self.starts.map(|(min, max)| (time(min), time(max))),
            sums,
        })
    }
}

fn properties(schema: &SchemaRef, rows: usize, level: i32) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(level).map_err(|error| {
        StoreError::new(ErrorKind::Invalid, format!("compression level {level} is not 1 to 22"))
            .with_source(error)
    })?;
    let mut builder = WriterProperties::builder()
        .set_created_by("aitrace".to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_data_page_size_limit(PAGE)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(64)
        .set_statistics_enabled(EnabledStatistics::Page);
    for name in schema.fields().iter().map(|field| field.name().as_str()) {
        let path = ColumnPath::from(name);
        if NO_DICTIONARY.contains(&name) {
            builder = builder.set_column_dictionary_enabled(path.clone(), false);
        }
        if DIFFERENCES.contains(&name) {
            builder = builder
                .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
                .set_column_compression(path.clone(), Compression::UNCOMPRESSED);
        }
        // Nobody asks for their least and greatest value.
        if LONG.contains(&name) {
            builder = builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::None);
        }
        if matches!(name, "trace_id" | "session_id") {
            builder = builder
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_max_ndv(path, rows.min(GROUP) as u64);
        }
    }
    Ok(builder.build())
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    let sync = || File::open(folder)?.sync_all();
    sync().map_err(faults::io("syncing", folder))
}
