//! The rows of one trace out of a file.

use std::fs::File;

use aitrace_model::{LogRecord, Span, TraceId};
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowFilter,
};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::{Segment, Segments};
use crate::rows;

/// Spans of a trace with their packed parts.
pub(crate) fn read_spans(
    segments: &Segments,
    segment: &Segment,
    project: &str,
    trace_id: TraceId,
) -> Result<Vec<(Span, Option<Vec<u8>>)>> {
    let mut found = Vec::new();
    for batch in batches(segments, segment, project, trace_id)? {
        found.extend(rows::spans(&batch).ok_or_else(not_ours)?);
    }
    Ok(found)
}

/// Log records of a trace.
pub(crate) fn read_logs(
    segments: &Segments,
    segment: &Segment,
    project: &str,
    trace_id: TraceId,
) -> Result<Vec<LogRecord>> {
    let mut found = Vec::new();
    for batch in batches(segments, segment, project, trace_id)? {
        found.extend(rows::logs(&batch).ok_or_else(not_ours)?);
    }
    Ok(found)
}

fn not_ours() -> ParquetError {
    ParquetError::General("a cell does not hold what its column promises".to_owned())
}

/// Rows of a trace: row groups by their statistics, then pages by a filter on the two columns
/// that are cheap to read. Planning a query would cost more than all of this.
fn batches(
    segments: &Segments,
    segment: &Segment,
    project: &str,
    trace_id: TraceId,
) -> Result<Vec<RecordBatch>> {
    let file = File::open(&segment.path)?;
    let footer = segments.footer(segment.id, || {
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        ArrowReaderMetadata::load(&file, options)
    })?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer);
    let schema = builder.parquet_schema();
    let column = |name: &str| {
        (0..schema.num_columns()).find(|index| schema.column(*index).name() == name).ok_or_else(not_ours)
    };
    let (trace_column, project_column) = (column("trace_id")?, column("project")?);
    let hex = trace_id.to_hex();
    let groups = builder.metadata().row_groups().iter().enumerate();
    let groups = groups.filter(|(_, group)| may_hold(group, trace_column, &hex)).map(|(index, _)| index);
    let groups: Vec<usize> = groups.collect();
    let mask = ProjectionMask::leaves(schema, [trace_column, project_column]);
    let project = project.to_owned();
    let keep = ArrowPredicateFn::new(mask, move |batch| {
        let text = |name| batch.column_by_name(name).and_then(|array| array.as_string_opt::<i32>());
        let (Some(projects), Some(traces)) = (text("project"), text("trace_id")) else {
            return Ok(BooleanArray::from(vec![false; batch.num_rows()]));
        };
        let pairs = traces.iter().zip(projects.iter());
        Ok(pairs.map(|(id, of)| Some(id == Some(&hex) && of == Some(&project))).collect())
    });
    let reader = builder
        .with_row_groups(groups)
        .with_row_filter(RowFilter::new(vec![Box::new(keep)]))
        .with_batch_size(8192)
        .build()?;
    reader.map(|batch| Ok(batch?)).collect()
}

fn may_hold(group: &RowGroupMetaData, column: usize, hex: &str) -> bool {
    let Some(Statistics::ByteArray(known)) = group.column(column).statistics() else { return true };
    let below = known.min_bytes_opt().is_none_or(|min| min <= hex.as_bytes());
    let above = known.max_bytes_opt().is_none_or(|max| max >= hex.as_bytes());
    below && above
}
