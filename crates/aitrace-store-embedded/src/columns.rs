//! Rows to columns and back, by tables of typed column definitions.

use std::borrow::Cow;
use std::sync::Arc;

use aitrace_model::Timestamp;
use aitrace_store::Result;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, Float64Array, RecordBatch, RecordBatchOptions,
    StringBuilder, TimestampNanosecondArray, UInt64Array, new_null_array,
};
use arrow::datatypes::{
    DataType, Field, Float64Type, Schema, SchemaRef, TimeUnit, TimestampNanosecondType, UInt64Type,
};

use crate::faults;

/// How a cell is taken from a row, by the type of its column.
pub(crate) enum Column<T> {
    /// UTF-8 text.
    Text(for<'a> fn(&'a T) -> Option<Cow<'a, str>>),
    /// Nanoseconds, UTC.
    Time(fn(&T) -> Option<Timestamp>),
    /// Unsigned 64 bits.
    Number(fn(&T) -> Option<u64>),
    /// 64-bit floating point.
    Double(fn(&T) -> Option<f64>),
    /// True or false.
    Flag(fn(&T) -> bool),
    /// Bytes.
    Bytes(for<'a> fn(&'a T) -> Option<&'a [u8]>),
}

impl<T> Column<T> {
    fn data_type(&self) -> DataType {
        match self {
            Self::Text(_) => DataType::Utf8,
            Self::Time(_) => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            Self::Number(_) => DataType::UInt64,
            Self::Double(_) => DataType::Float64,
            Self::Flag(_) => DataType::Boolean,
            Self::Bytes(_) => DataType::Binary,
        }
    }

    /// `usual` is how many bytes of text there probably are, and becomes how many there were.
    fn array(&self, rows: &[T], usual: &mut usize) -> ArrayRef {
        match self {
            Self::Text(get) => {
                // A little more, so that not every second slice grows it; never so much that few large rows count.
                const MOST: usize = 4 << 20;
                let mut builder = StringBuilder::with_capacity(rows.len(), (*usual + *usual / 8).min(MOST));
                for row in rows {
                    builder.append_option(get(row));
                }
                *usual = builder.values_slice().len();
                Arc::new(builder.finish())
            }
            Self::Time(get) => {
                let nanos = rows.iter().map(|row| get(row).map(Timestamp::nanos));
                Arc::new(nanos.collect::<TimestampNanosecondArray>().with_timezone("UTC"))
            }
            Self::Number(get) => Arc::new(rows.iter().map(get).collect::<UInt64Array>()),
            Self::Double(get) => Arc::new(rows.iter().map(get).collect::<Float64Array>()),
            Self::Flag(get) => Arc::new(rows.iter().map(|row| Some(get(row))).collect::<BooleanArray>()),
            Self::Bytes(get) => {
                let mut builder = BinaryBuilder::with_capacity(rows.len(), 0);
                for row in rows {
                    builder.append_option(get(row));
                }
                Arc::new(builder.finish())
            }
        }
    }
}

/// The schema of a table. All columns may be null, so that later versions can add and drop some.
pub(crate) fn schema<T>(columns: &[(&str, Column<T>)]) -> SchemaRef {
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Rows as columns. The text of one column must stay below 2 GiB: pass rows in slices.
pub(crate) fn batch<T>(schema: &SchemaRef, columns: &[(&str, Column<T>)], rows: &[T]) -> Result<RecordBatch> {
    batch_like(schema, columns, rows, &mut vec![0; columns.len()])
}

/// The same for one of many slices of rows: `usual` holds for each column how much text the last one had, so that
/// room is made once.
pub(crate) fn batch_like<T>(
    schema: &SchemaRef,
    columns: &[(&str, Column<T>)],
    rows: &[T],
    usual: &mut [usize],
) -> Result<RecordBatch> {
    let arrays = columns.iter().zip(usual).map(|((_, column), usual)| column.array(rows, usual)).collect();
    RecordBatch::try_new(Arc::clone(schema), arrays).map_err(faults::arrow("building a batch"))
}

/// Rows as some of the columns, by their numbers; `schema` is of those.
pub(crate) fn picked<T>(
    schema: &SchemaRef,
    columns: &[(&str, Column<T>)],
    picks: &[usize],
    rows: &[T],
) -> Result<RecordBatch> {
    let arrays = picks.iter().map(|index| columns[*index].1.array(rows, &mut 0)).collect();
    // Of no columns the number of rows is all that is said.
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
        .map_err(faults::arrow("building a batch"))
}

/// A batch of an older file with the columns of `schema`: what it lacks is null.
pub(crate) fn conform(
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> std::result::Result<RecordBatch, arrow::error::ArrowError> {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => new_null_array(field.data_type(), batch.num_rows()),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect())
}

/// The cells of one row from left to right. A cell of an unexpected type reads as null.
pub(crate) struct Cells<'a> {
    batch: &'a RecordBatch,
    row: usize,
    next: usize,
}

impl<'a> Cells<'a> {
    pub(crate) fn new(batch: &'a RecordBatch, row: usize) -> Self {
        Self { batch, row, next: 0 }
    }

    /// Goes on with the column of this number.
    pub(crate) fn seek(&mut self, column: usize) {
        self.next = column;
    }

    pub(crate) fn skip(&mut self) {
        self.next += 1;
    }

    fn next(&mut self) -> Option<&'a ArrayRef> {
        let column = self.batch.columns().get(self.next)?;
        self.next += 1;
        (!column.is_null(self.row)).then_some(column)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        Some(self.next()?.as_string_opt::<i32>()?.value(self.row))
    }

    pub(crate) fn time(&mut self) -> Option<Timestamp> {
        let array = self.next()?.as_primitive_opt::<TimestampNanosecondType>()?;
        Some(Timestamp::from_nanos(array.value(self.row)))
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        Some(self.next()?.as_primitive_opt::<UInt64Type>()?.value(self.row))
    }

    pub(crate) fn double(&mut self) -> Option<f64> {
        Some(self.next()?.as_primitive_opt::<Float64Type>()?.value(self.row))
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.next().and_then(|array| array.as_boolean_opt()).is_some_and(|array| array.value(self.row))
    }

    pub(crate) fn bytes(&mut self) -> Option<Vec<u8>> {
        Some(self.next()?.as_binary_opt::<i32>()?.value(self.row).to_vec())
    }
}
