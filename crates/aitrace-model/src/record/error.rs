//! What can be wrong with a trace record.

use std::fmt;

/// Why a record was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// No `__tracer_meta__`: a record of format 1.
    #[error("a record without `__tracer_meta__` is format 1: run `aitrace convert` to turn it into format 2")]
    Format1,
    /// Not one JSON value.
    #[error("not valid JSON: {reason}")]
    NotJson {
        /// The parser's words, with the column.
        reason: String,
    },
    /// JSON, but no object.
    #[error("a record must be a JSON object, one a line")]
    NotObject,
    /// The text of an array is no array, or stops being one here.
    #[error("not a JSON array of records: {reason}")]
    NotArray {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Bytes that are not UTF-8.
    #[error("not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// Offset in the record.
        at: usize,
    },
    /// More bytes than allowed.
    #[error("a record may have {limit} bytes; this one has more")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// More members than allowed.
    #[error("a record may have {limit} members and attributes; this one has more")]
    TooManyMembers {
        /// The limit.
        limit: usize,
    },
    /// Nested too deeply.
    #[error("a record may be nested {limit} deep; this one is deeper")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The last line stops in the middle of a record.
    #[error("the record is cut off")]
    Truncated,
    /// Metadata without which there is no record.
    #[error("`{key}` is missing in `__tracer_meta__`")]
    Missing {
        /// Its key.
        key: &'static str,
    },
    /// Metadata of the wrong type or form.
    #[error("`{key}`: {reason}")]
    Invalid {
        /// Its key.
        key: &'static str,
        /// What is wrong and what came.
        reason: String,
    },
}

impl RecordError {
    /// A word for programs: `format_1`, `not_json`, `not_utf8`, `too_large`, `too_deep`,
    /// `truncated`, `missing` or `invalid`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Format1 => "format_1",
            Self::NotJson { .. } | Self::NotObject | Self::NotArray { .. } => "not_json",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::TooLarge { .. } | Self::TooManyMembers { .. } => "too_large",
            Self::TooDeep { .. } => "too_deep",
            Self::Truncated => "truncated",
            Self::Missing { .. } => "missing",
            Self::Invalid { .. } => "invalid",
        }
    }
}

/// Where a record stands in what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Line from 1.
    Line(u64),
    /// Index in an array from 0.
    Index(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Index(index) => write!(f, "index {index}"),
        }
    }
}
