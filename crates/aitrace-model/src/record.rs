//! The trace record, format 2.1: one JSON object a line, metadata in `__tracer_meta__`, the
//! user's data beside it. A superset of format 2.0.
//!
//! Reading: [`read()`] takes one record, [`JsonlParser`] chunks of JSON lines, [`read_lines`] a whole
//! buffer of them, [`read_array`] a JSON array. [`convert()`] turns format 1 into format 2. Writing:
//! [`Record::write_line`], with [`start_record`], [`end_record`] and [`log_record`] to make records
//! from what was traced.

mod array;
mod convert;
mod error;
mod json_text;
mod lines;
mod make;
mod meta;
mod read;
mod seal;
mod write;

pub use array::{ArrayReader, read_array};
pub use convert::convert;
pub use error::{Place, RecordError};
pub use lines::{JsonlParser, LineSplitter, read_lines};
pub use make::{end_record, exact_record, log_record, records_of_span, start_record};
pub use meta::{Lifecycle, Meta, Record, Role};
pub use read::{Limits, read};
pub use seal::{is_sealed, seal, unseal};

/// The key that holds a record's metadata.
pub const META_KEY: &str = "__tracer_meta__";
/// The version that is written.
pub const VERSION: &str = "2.1";
