//! Several files as one, in their order, without the rows that do not count. Memory: a batch of each.

use std::path::Path;
use std::sync::Arc;

use aitrace_model::{SpanId, TraceId};
use aitrace_store::Result;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{SchemaRef, TimestampNanosecondType};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::reader::batch_rows;
use super::writer::{FileWriter, Written};
use super::{Dead, Segment, Segments};
use crate::columns;
use crate::options::Options;
use crate::rows::{LOGS, SPANS};

/// Rows of a batch that is read or written.
const BATCH: usize = 512;
/// The same in bytes of what is read, on average over the row group with the largest rows.
const BATCH_BYTES: i64 = 2 << 20;
/// Least zstd level of what is merged.
const LEVEL: i32 = 3;

/// What became of files that were merged.
#[derive(Debug)]
pub(crate) struct Merged {
    /// The new file; `None` if no row counts.
    pub(crate) file: Option<Written>,
    /// Files that cannot be read, and why; then there is no new file.
    pub(crate) damaged: Vec<(i64, String)>,
}

/// Writes what counts of `inputs`, all of one kind, to a new file at `path`.
pub(crate) fn merge(
    path: &Path,
    segments: &Segments,
    inputs: &[(Arc<Segment>, Arc<Dead>)],
    options: &Options,
) -> Result<Merged> {
    let spans = inputs.first().is_some_and(|(segment, _)| segment.spans);
    let schema = if spans { columns::schema(SPANS) } else { columns::schema(LOGS) };
    let (mut sources, mut damaged) = (Vec::new(), Vec::new());
    for (segment, dead) in inputs {
        match Source::open(segments, segment, dead, &schema) {
            Ok(source) => sources.push(source),
            Err(why) => damaged.push((segment.id, why)),
        }
    }
    let rows: u64 = inputs.iter().map(|(segment, _)| segment.rows).sum();
    let level = options.compression.max(LEVEL);
    let mut out = FileWriter::create(path, &schema, rows as usize, level, options.watch.clone())?;
    if rows >= options.words_from {
        out = out.with_words();
    }
    while damaged.is_empty() {
        match next_batch(&mut sources) {
            Ok(Some(batch)) => out.write(&batch)?,
            Ok(None) => break,
            Err(bad) => damaged.push(bad),
        }
    }
    if damaged.is_empty() && out.rows() > 0 {
        return Ok(Merged { file: Some(out.finish()?), damaged });
    }
    drop(out);
    std::fs::remove_file(path).map_err(crate::faults::io("removing", path))?;
    Ok(Merged { file: None, damaged })
}

type Key = (String, String, i64, String);

struct Source {
    id: i64,
    spans: bool,
    dead: Arc<Dead>,
    schema: SchemaRef,
    reader: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    row: usize,
    key: Option<Key>,
}

/// The next rows of all sources in order.
fn next_batch(sources: &mut [Source]) -> std::result::Result<Option<RecordBatch>, (i64, String)> {
    let batches: Vec<Option<RecordBatch>> = sources.iter().map(|source| source.batch.clone()).collect();
    let held: Vec<(usize, &RecordBatch)> =
        batches.iter().enumerate().filter_map(|(index, batch)| Some((index, batch.as_ref()?))).collect();
    let mut picks = Vec::with_capacity(BATCH);
    while picks.len() < BATCH {
        let least =
            sources.iter().enumerate().filter_map(|(index, source)| Some((source.key.as_ref()?, index)));
        let Some(index) = least.min().map(|(_, index)| index) else { break };
        let place = held.iter().position(|(of, _)| *of == index);
        let source = &mut sources[index];
        picks.extend(place.map(|place| (place, source.row)));
        let id = source.id;
        if source.advance().map_err(|why| (id, why))? {
            // Its next row is in a batch that is not among those held.
            break;
        }
    }
    if picks.is_empty() {
        return Ok(None);
    }
    let held: Vec<&RecordBatch> = held.into_iter().map(|(_, batch)| batch).collect();
    interleave_record_batch(&held, &picks).map(Some).map_err(|error| (sources[0].id, error.to_string()))
}

impl Source {
    fn open(
        segments: &Segments,
        segment: &Segment,
        dead: &Arc<Dead>,
        schema: &SchemaRef,
    ) -> std::result::Result<Self, String> {
        let (file, footer) = segments.open(segment).map_err(|error| error.to_string())?;
        let rows = batch_rows(footer.metadata(), BATCH_BYTES, BATCH);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer).with_batch_size(rows);
        let mut source = Self {
            id: segment.id,
            spans: segment.spans,
            dead: Arc::clone(dead),
            schema: Arc::clone(schema),
            reader: builder.build().map_err(|error| error.to_string())?,
            batch: None,
            row: 0,
            key: None,
        };
        source.advance()?;
        Ok(source)
    }

    /// Goes to the next row that counts. Whether that is in another batch, or there is none.
    fn advance(&mut self) -> std::result::Result<bool, String> {
        let mut changed = false;
        self.key = None;
        loop {
            let next = if self.batch.is_none() { 0 } else { self.row + 1 };
            let end = self.batch.as_ref().map_or(0, RecordBatch::num_rows);
            if next < end {
                self.row = next;
            } else {
                changed = true;
                let Some(batch) = self.reader.next() else {
                    self.batch = None;
                    return Ok(true);
                };
                let batch = batch.map_err(|error| error.to_string())?;
                self.batch = Some(columns::conform(&batch, &self.schema).map_err(|error| error.to_string())?);
                if batch.num_rows() == 0 {
                    self.row = 0;
                    continue;
                }
                self.row = 0;
            }
            let key = self.read_key().ok_or("a cell does not hold what its column promises")?;
            let parse = |id: &str| id.parse::<TraceId>().ok();
            let span_id = if self.spans { key.3.parse::<SpanId>().ok() } else { None };
            if !self.dead.has(&key.0, parse(&key.1), span_id) {
                self.key = Some(key);
                return Ok(changed);
            }
        }
    }

    fn read_key(&self) -> Option<Key> {
        let batch = self.batch.as_ref()?;
        let text = |name: &str| {
            let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
            Some(if column.is_null(self.row) { String::new() } else { column.value(self.row).to_owned() })
        };
        let (time, id) = if self.spans { ("start", "span_id") } else { ("time", "id") };
        let time = batch.column_by_name(time)?.as_primitive_opt::<TimestampNanosecondType>()?;
        Some((text("project")?, text("trace_id")?, time.value(self.row), text(id)?))
    }
}
