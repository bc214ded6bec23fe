//! Exports as Parquet: one table of spans and log records, with columns for whoever reads it and everything from which it
//! is read back.
//!
//! It stands here because Arrow and Parquet are behind this crate alone; it knows nothing of the store.

mod read;
mod rows;
mod write;

pub use read::{ExportRow, ReadExport, export_rows, is_parquet};
pub use write::ParquetExport;
