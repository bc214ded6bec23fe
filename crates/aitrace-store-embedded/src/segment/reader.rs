//! Rows out of a file.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aitrace_model::{LogRecord, Span, SpanId, TraceId};
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Schema, TimestampNanosecondType};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowFilter, RowSelector,
};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;

use super::writer::{SUMS, WORDS};
use super::{Segment, Segments, Verified};
use crate::rows;
use crate::sums::Sums;
use crate::words::{Index, Patterns};

/// Rows of a batch at most, and their bytes where whole rows are read.
const ROWS: usize = 8192;
const BYTES: i64 = 8 << 20;

/// Which rows of a trace, and which columns of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scan<'a> {
    pub(crate) project: &'a str,
    pub(crate) trace_id: TraceId,
    /// Only this span.
    pub(crate) span_id: Option<SpanId>,
    /// Only these columns; all where it is empty.
    pub(crate) columns: &'a [&'a str],
}

/// Spans of a trace with their packed parts. Cells of columns that are not read are empty.
pub(crate) fn read_spans(
    segments: &Segments,
    segment: &Segment,
    scan: &Scan<'_>,
) -> Result<Vec<(Span, Option<Vec<u8>>)>> {
    let mut found = Vec::new();
    for batch in batches(segments, segment, scan)? {
        found.extend(rows::spans(&batch?).ok_or_else(not_ours)?);
    }
    Ok(found)
}

/// Gives the spans of a trace to `each`, a batch of them in memory at a time.
pub(crate) fn each_span(
    segments: &Segments,
    segment: &Segment,
    scan: &Scan<'_>,
    mut each: impl FnMut(Span, Option<Vec<u8>>) -> Result<()>,
) -> Result<()> {
    for batch in batches(segments, segment, scan)? {
        let spans = rows::spans(&batch?).ok_or_else(not_ours)?;
        spans.into_iter().try_for_each(|(span, packed)| each(span, packed))?;
    }
    Ok(())
}

/// The same with log records.
pub(crate) fn each_log(
    segments: &Segments,
    segment: &Segment,
    scan: &Scan<'_>,
    mut each: impl FnMut(LogRecord),
) -> Result<()> {
    for batch in batches(segments, segment, scan)? {
        rows::logs(&batch?).ok_or_else(not_ours)?.into_iter().for_each(&mut each);
    }
    Ok(())
}

/// Rows of a trace as columns, a batch at a time.
pub(crate) fn each_batch(
    segments: &Segments,
    segment: &Segment,
    scan: &Scan<'_>,
    mut each: impl FnMut(&RecordBatch) -> Option<()>,
) -> Result<()> {
    batches(segments, segment, scan)?.try_for_each(|batch| each(&batch?).ok_or_else(not_ours))
}

/// Rows of a file that are read at once, so that they are at most `most` of this many bytes, by what those of the row
/// group with the largest ones take on average.
pub(super) fn batch_rows(file: &ParquetMetaData, bytes: i64, most: usize) -> usize {
    let of = |group: &RowGroupMetaData| group.total_byte_size() / group.num_rows().max(1);
    let largest = file.row_groups().iter().map(of).max().unwrap_or(0).max(1);
    usize::try_from(bytes / largest).unwrap_or(1).clamp(1, most)
}

/// All rows of a file with some of its columns (those that it has), in batches.
pub(crate) fn scan(
    segments: &Segments,
    segment: &Segment,
    columns: &[&str],
    rows: usize,
) -> Result<ParquetRecordBatchReader> {
    let (file, footer) = segments.open(segment)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer);
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    builder.with_projection(mask).with_batch_size(rows).build()
}

/// The same of those blocks alone whose words fulfil the patterns (see `words`), where the file says so.
pub(crate) fn scan_words(
    segments: &Segments,
    segment: &Segment,
    columns: &[&str],
    rows: usize,
    patterns: &Patterns,
) -> Result<ParquetRecordBatchReader> {
    let (file, footer) = segments.open(segment)?;
    let runs = selected(&file, &footer, patterns)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer);
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    let builder = builder.with_projection(mask).with_batch_size(rows);
    let Some(runs) = runs else { return builder.build() };
    let select = |(rows, read)| if read { RowSelector::select(rows) } else { RowSelector::skip(rows) };
    builder.with_row_selection(runs.into_iter().map(select).collect::<Vec<_>>().into()).build()
}

type Runs = Vec<(usize, bool)>;

/// Which rows may fulfil the patterns; `None` where the file does not say it.
fn selected(file: &Verified, footer: &ArrowReaderMetadata, patterns: &Patterns) -> Result<Option<Runs>> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let Some(blob) = noted(file, footer, WORDS)? else { return Ok(None) };
    let rows = usize::try_from(footer.metadata().file_metadata().num_rows()).map_err(|_| not_ours())?;
    Index::read(&blob).and_then(|index| index.rows(patterns, rows)).ok_or_else(not_ours).map(Some)
}

/// What a file notes of its rows under a key, if it does.
fn noted(file: &Verified, footer: &ArrowReaderMetadata, key: &str) -> Result<Option<Bytes>> {
    let pairs = footer.metadata().file_metadata().key_value_metadata();
    let place = pairs.into_iter().flatten().find(|pair| pair.key == key);
    let Some(place) = place.and_then(|pair| pair.value.as_deref()) else { return Ok(None) };
    let (offset, length) = place.split_once(',').ok_or_else(not_ours)?;
    let (Ok(offset), Ok(length)) = (offset.parse::<u64>(), length.parse::<u64>()) else {
        return Err(not_ours());
    };
    file.range(offset..offset.saturating_add(length)).map(Some)
}

/// The sums over the spans of a file, if it has them and they fit: asked with the bytes that reading them takes.
pub(crate) fn sums(
    segments: &Segments,
    segment: &Segment,
    fits: impl FnOnce(usize) -> bool,
) -> Result<Option<Sums>> {
    let (file, footer) = segments.open(segment)?;
    let Some(blob) = noted(&file, &footer, SUMS)? else { return Ok(None) };
    let bytes = blob.len() + Sums::unpacked(&blob).ok_or_else(not_ours)?;
    if fits(bytes) { Sums::read(&blob).ok_or_else(not_ours).map(Some) } else { Ok(None) }
}

/// The same with the columns of few texts as dictionaries, of rows whose start is admitted.
pub(crate) fn scan_coded(
    segments: &Segments,
    segment: &Segment,
    columns: &[&str],
    rows: usize,
    starts: Option<impl Fn(i64) -> bool + Send + 'static>,
) -> Result<ParquetRecordBatchReader> {
    let (file, footer) = segments.open(segment)?;
    let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let fields = footer.schema().fields().iter().map(|field| {
        let field = field.as_ref().clone();
        if CODED.contains(&field.name().as_str()) { field.with_data_type(coded.clone()) } else { field }
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = ArrowReaderOptions::new().with_schema(schema);
    let footer = ArrowReaderMetadata::try_new(Arc::clone(footer.metadata()), options)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer);
    let schema = builder.parquet_schema();
    let mask = ProjectionMask::columns(schema, columns.iter().copied());
    let keep = starts.map(|admits| {
        ArrowPredicateFn::new(ProjectionMask::columns(schema, ["start"]), move |batch| {
            let starts = batch.column(0).as_primitive_opt::<TimestampNanosecondType>();
            let Some(starts) = starts else { return Ok(BooleanArray::from(vec![true; batch.num_rows()])) };
            Ok(starts.values().iter().map(|start| Some(admits(*start))).collect())
        })
    });
    let builder = builder.with_projection(mask).with_batch_size(rows);
    match keep {
        Some(keep) => builder.with_row_filter(RowFilter::new(vec![Box::new(keep)])).build(),
        None => builder.build(),
    }
}

/// Columns of texts that are written with dictionaries and counted by.
const CODED: &[&str] =
    &["project", "kind", "name", "model", "provider", "session_id", "user_id", "source", "service"];

/// A cell is not what was written.
pub(crate) fn not_ours() -> ParquetError {
    ParquetError::General("a cell does not hold what its column promises".to_owned())
}

/// Whole rows of spans whose project and id (in hex) are wanted.
pub(crate) fn read_wanted(
    segments: &Segments,
    segment: &Segment,
    wanted: HashMap<String, HashSet<String>>,
) -> Result<ParquetRecordBatchReader> {
    let (file, footer) = segments.open(segment)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer);
    let columns = ProjectionMask::columns(builder.parquet_schema(), ["project", "span_id"]);
    let keep = ArrowPredicateFn::new(columns, move |batch| {
        let text = |name| batch.column_by_name(name).and_then(|array| array.as_string_opt::<i32>());
        let (Some(projects), Some(spans)) = (text("project"), text("span_id")) else {
            return Ok(BooleanArray::from(vec![false; batch.num_rows()]));
        };
        let is_wanted = |(project, span): (Option<&str>, Option<&str>)| {
            let of = project.and_then(|project| wanted.get(project));
            Some(of.zip(span).is_some_and(|(of, span)| of.contains(span)))
        };
        Ok(projects.iter().zip(spans.iter()).map(is_wanted).collect())
    });
    let filter = RowFilter::new(vec![Box::new(keep)]);
    builder.with_row_filter(filter).with_batch_size(64).build()
}

/// Rows of a trace: row groups by their statistics, then pages by a filter on the columns
/// that are cheap to read. Planning a query would cost more than all of this.
fn batches(
    segments: &Segments,
    segment: &Segment,
    scan: &Scan<'_>,
) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
    let (file, footer) = segments.open(segment)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer);
    let schema = builder.parquet_schema();
    let column = |name: &str| {
        (0..schema.num_columns()).find(|index| schema.column(*index).name() == name).ok_or_else(not_ours)
    };
    let trace_column = column("trace_id")?;
    let hex = scan.trace_id.to_hex();
    let groups = builder.metadata().row_groups().iter().enumerate();
    let groups = groups.filter(|(_, group)| may_hold(group, trace_column, &hex)).map(|(index, _)| index);
    let groups: Vec<usize> = groups.collect();
    let pages = pages(builder.metadata(), &groups, trace_column, &hex);
    let mut filters = vec![trace_column, column("project")?];
    if scan.span_id.is_some() {
        filters.push(column("span_id")?);
    }
    let (project, span) = (scan.project.to_owned(), scan.span_id.map(SpanId::to_hex));
    let keep = ArrowPredicateFn::new(ProjectionMask::leaves(schema, filters), move |batch| {
        let text = |name| batch.column_by_name(name).and_then(|array| array.as_string_opt::<i32>());
        let (Some(projects), Some(traces)) = (text("project"), text("trace_id")) else {
            return Ok(BooleanArray::from(vec![false; batch.num_rows()]));
        };
        let spans = text("span_id");
        let is_span = |row: usize| match (&span, spans) {
            (Some(span), Some(spans)) => spans.value(row) == span,
            (wanted, _) => wanted.is_none(),
        };
        let pairs = traces.iter().zip(projects.iter()).enumerate();
        let kept =
            pairs.map(|(row, (id, of))| Some(id == Some(&hex) && of == Some(&project) && is_span(row)));
        Ok(kept.collect())
    });
    let mask = match scan.columns {
        [] => ProjectionMask::all(),
        columns => ProjectionMask::columns(schema, columns.iter().copied()),
    };
    let builder = match pages {
        Some(pages) => builder.with_row_selection(pages.into()),
        None => builder,
    };
    let rows = if scan.columns.is_empty() { batch_rows(builder.metadata(), BYTES, ROWS) } else { ROWS };
    let reader = builder
        .with_row_groups(groups)
        .with_row_filter(RowFilter::new(vec![Box::new(keep)]))
        .with_projection(mask)
        .with_batch_size(rows)
        .build()?;
    Ok(reader.map(|batch| Ok(batch?)))
}

/// Rows of those pages of some groups that may hold a trace: rows are sorted by it. `None` where pages say nothing.
fn pages(footer: &ParquetMetaData, groups: &[usize], column: usize, hex: &str) -> Option<Vec<RowSelector>> {
    let (values, places) = (footer.column_index()?, footer.offset_index()?);
    let mut selected = Vec::new();
    for group in groups {
        let ColumnIndexMetaData::BYTE_ARRAY(values) = values.get(*group)?.get(column)? else { return None };
        let pages = places.get(*group)?.get(column)?.page_locations();
        let ends = pages.iter().skip(1).map(|page| page.first_row_index);
        let ends = ends.chain(std::iter::once(footer.row_group(*group).num_rows()));
        for (number, (page, end)) in pages.iter().zip(ends).enumerate() {
            let rows = usize::try_from(end - page.first_row_index).ok()?;
            let above = values.min_value(number).is_some_and(|min| min <= hex.as_bytes());
            let below = values.max_value(number).is_some_and(|max| max >= hex.as_bytes());
            let select = if above && below { RowSelector::select } else { RowSelector::skip };
            selected.push(select(rows));
        }
    }
    Some(selected)
}

/// Whether a group may hold rows of a trace, by the statistics of the column of their ids.
pub(super) fn may_hold(group: &RowGroupMetaData, column: usize, hex: &str) -> bool {
    let Some(Statistics::ByteArray(known)) = group.column(column).statistics() else { return true };
    let below = known.min_bytes_opt().is_none_or(|min| min <= hex.as_bytes());
    let above = known.max_bytes_opt().is_none_or(|max| max >= hex.as_bytes());
    below && above
}
