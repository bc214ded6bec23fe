//! How much rows take, by what a file says of its pages.

use std::ops::Range;

use aitrace_model::TraceId;
use parquet::errors::Result;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use super::reader::{may_hold, not_ours};
use super::{Segment, Segments};

/// How many times as much packed messages are, about, where a file says only how much there is of them.
const UNPACKED: u64 = 4;

/// Bytes of a batch of rows with contents, about.
const BATCH: usize = 1 << 20;
/// Bytes that a column that is read takes beside its pages: what unpacks it, what is known of it.
const COLUMN: usize = 192 << 10;
/// How often a batch is in memory: as columns, whose buffers grow by doubling, with attributes whole, and as spans.
const COPIES: usize = 4;

/// What reading a file in batches counts as at the most. A row that takes more is read all the same: else a single one would
/// keep everybody from searching.
const MOST: usize = 32 << 20;

/// Rows of a file that may be of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Part {
    pub(crate) rows: u64,
    /// Bytes of their texts.
    pub(crate) bytes: u64,
}

/// The rows of those pages that may hold a trace: they may hold others, too.
pub(crate) fn part(segments: &Segments, segment: &Segment, trace_id: TraceId) -> Result<Part> {
    let (_, footer) = segments.open(segment)?;
    let (footer, hex) = (footer.metadata(), trace_id.to_hex());
    let schema = footer.file_metadata().schema_descr();
    let ids = (0..schema.num_columns()).find(|index| schema.column(*index).name() == "trace_id");
    let ids = ids.ok_or_else(not_ours)?;
    let mut all = Part::default();
    for (number, group) in footer.row_groups().iter().enumerate() {
        if !may_hold(group, ids, &hex) {
            continue;
        }
        let ranges =
            ranges(footer, number, ids, &hex).unwrap_or_else(|| std::iter::once(0..rows(group)).collect());
        all.rows += ranges.iter().map(|range| range.end - range.start).sum::<u64>();
        for column in 0..group.num_columns() {
            let times = match schema.column(column).name() {
                "parts" => UNPACKED,
                // Attributes may say them once more.
                "inputs" | "outputs" => 2,
                _ => 1,
            };
            all.bytes += times * bytes(footer, number, column, &ranges);
        }
    }
    Ok(all)
}

fn rows(group: &RowGroupMetaData) -> u64 {
    group.num_rows().max(0).unsigned_abs()
}

/// Ranges of rows of those pages of a group that may hold a trace.
fn ranges(footer: &ParquetMetaData, group: usize, ids: usize, hex: &str) -> Option<Vec<Range<u64>>> {
    let ColumnIndexMetaData::BYTE_ARRAY(values) = footer.column_index()?.get(group)?.get(ids)? else {
        return None;
    };
    let may = |page: usize| {
        let above = values.min_value(page).is_some_and(|min| min <= hex.as_bytes());
        above && values.max_value(page).is_some_and(|max| max >= hex.as_bytes())
    };
    let pages = pages(footer, group, ids)?;
    Some(pages.into_iter().enumerate().filter(|(page, _)| may(*page)).map(|(_, rows)| rows).collect())
}

/// The rows of each page of a column.
fn pages(footer: &ParquetMetaData, group: usize, column: usize) -> Option<Vec<Range<u64>>> {
    let places = footer.offset_index()?.get(group)?.get(column)?.page_locations();
    let first = |row: i64| row.max(0).unsigned_abs();
    let starts = places.iter().map(|page| first(page.first_row_index));
    let ends = starts.clone().skip(1).chain([rows(footer.row_group(group))]);
    Some(starts.zip(ends).map(|(start, end)| start..end.max(start)).collect())
}

/// About how many bytes of text a column has in some rows.
fn bytes(footer: &ParquetMetaData, group: usize, column: usize, ranges: &[Range<u64>]) -> u64 {
    let known = || {
        let index = footer.offset_index()?.get(group)?.get(column)?;
        let texts = index.unencoded_byte_array_data_bytes()?;
        Some((pages(footer, group, column)?, texts))
    };
    let share = |page: &Range<u64>| {
        let common = |range: &Range<u64>| range.end.min(page.end).saturating_sub(range.start.max(page.start));
        ranges.iter().map(common).sum::<u64>() as f64 / (page.end - page.start).max(1) as f64
    };
    let whole = 0..rows(footer.row_group(group));
    let Some((pages, texts)) = known() else {
        let all = text_bytes(footer.row_group(group), column).unwrap_or(0);
        return (all as f64 * share(&whole)) as u64;
    };
    let bytes = pages.iter().zip(texts).map(|(page, bytes)| share(page) * (*bytes).max(0) as f64);
    bytes.sum::<f64>() as u64
}

/// Bytes of the texts of a column of a group; `None` where it has none.
fn text_bytes(group: &RowGroupMetaData, column: usize) -> Option<u64> {
    let column = group.column(column);
    let text = column.column_type() == parquet::basic::Type::BYTE_ARRAY;
    let bytes = column.unencoded_byte_array_data_bytes().unwrap_or(column.uncompressed_size());
    text.then(|| bytes.max(0).unsigned_abs())
}

/// How to read some columns of all rows of a file, batch by batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Rows of a batch.
    pub(crate) rows: usize,
    /// About how many bytes of memory it takes, 32 MiB at the most: pages as they are unpacked, a batch, and what is made of
    /// it.
    pub(crate) bytes: usize,
}

/// How to read some columns of a file in batches of at most `most` rows and, where they have contents, about a MiB.
pub(crate) fn reading(
    segments: &Segments,
    segment: &Segment,
    columns: &[&str],
    most: usize,
) -> Result<Reading> {
    let (_, footer) = segments.open(segment)?;
    let footer = footer.metadata();
    let (mut largest, mut pages) = (0_u64, 0_u64);
    for (number, group) in footer.row_groups().iter().enumerate() {
        let mut all = 0;
        for (index, column) in group.columns().iter().enumerate() {
            let name = column.column_path().parts().first().map_or("", String::as_str);
            if columns.contains(&name) {
                let page = largest_page(footer, number, index);
                (all, largest) = (all + page, largest.max(page));
            }
        }
        pages = pages.max(all);
    }
    let (width, _) = width(segments, segment, columns)?;
    let rows = (BATCH / width.max(1)).clamp(1, most);
    let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
    let batch = rows.saturating_mul(width).max(size(largest));
    let bytes = columns.len() * COLUMN + size(pages).saturating_mul(2);
    Ok(Reading { rows, bytes: bytes.saturating_add(batch.saturating_mul(COPIES)).min(MOST) })
}

/// Bytes of the largest page of a column of a group, unpacked.
fn largest_page(footer: &ParquetMetaData, group: usize, column: usize) -> u64 {
    let known = || {
        let index = footer.offset_index()?.get(group)?.get(column)?;
        let texts = index.unencoded_byte_array_data_bytes();
        let texts = texts.map_or(0, |texts| texts.iter().copied().max().unwrap_or(0));
        let packed = index.page_locations().iter().map(|page| i64::from(page.compressed_page_size)).max()?;
        Some(texts.max(packed).max(0).unsigned_abs())
    };
    // Of a column with a dictionary the texts are more than what is read.
    let all = footer.row_group(group).column(column).uncompressed_size().max(0).unsigned_abs();
    known().map_or(all, |page| page.min(all))
}

/// Bytes of a row in some columns, and bytes on disk of these columns in a group: on average and in all of the group where
/// they are most.
pub(crate) fn width(segments: &Segments, segment: &Segment, columns: &[&str]) -> Result<(usize, usize)> {
    let (_, footer) = segments.open(segment)?;
    let (mut width, mut packed) = (0, 0);
    for group in footer.metadata().row_groups() {
        let (mut texts, mut stored) = (0_u64, 0_u64);
        for (index, column) in group.columns().iter().enumerate() {
            let path = column.column_path();
            let name = path.parts().first().map_or("", String::as_str);
            if columns.contains(&name) {
                let times = if matches!(name, "inputs" | "outputs") { 2 } else { 1 };
                texts += text_bytes(group, index).unwrap_or(8 * rows(group)) * times;
                stored += column.compressed_size().max(0).unsigned_abs();
            }
        }
        width = width.max(texts / rows(group).max(1));
        packed = packed.max(stored);
    }
    let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
    Ok((size(width), size(packed)))
}
