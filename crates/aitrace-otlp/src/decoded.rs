//! What comes out of a request.

use aitrace_model::{RawLog, RawSpan};

/// A decoded request: what was kept and what was refused.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    /// The spans that are kept, in the order of the request.
    pub spans: Vec<RawSpan>,
    /// The spans that were refused, in the order of the request; at most [`crate::Limits::max_reported`].
    pub rejected: Vec<Rejected>,
    /// How many were refused, also those beyond the list: `partial_success.rejected_spans`.
    pub rejected_count: u64,
    /// What was replaced or left out in order to keep spans.
    pub salvaged: Salvaged,
}

/// A decoded request of log records: what was kept and what was refused.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DecodedLogs {
    /// The log records that are kept, in the order of the request.
    pub logs: Vec<RawLog>,
    /// The log records that were refused, as [`Decoded::rejected`].
    pub rejected: Vec<Rejected>,
    /// How many were refused, also those beyond the list: `partial_success.rejected_log_records`.
    pub rejected_count: u64,
    /// What was replaced or left out in order to keep log records.
    pub salvaged: Salvaged,
}

/// A part of a request: spans or log records that stand behind one another in it.
#[derive(Debug)]
pub struct Piece {
    /// Spans that are kept; none in a request of log records.
    pub spans: Vec<RawSpan>,
    /// Log records that are kept; none in a request of spans.
    pub logs: Vec<RawLog>,
    /// Bytes that they take in memory, estimated.
    pub memory: usize,
    /// Whether it is the last one. It may be empty.
    pub last: bool,
}

/// Takes pieces as they come; says whether it wants more.
pub type Sink<'s> = &'s mut dyn FnMut(Piece) -> bool;

/// What is said of a request that was decoded in pieces: as in [`Decoded`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// The items that were refused, the first ones.
    pub rejected: Vec<Rejected>,
    /// How many were refused.
    pub rejected_count: u64,
    /// What was replaced or left out in order to keep items.
    pub salvaged: Salvaged,
}

/// A span or log record that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Position of the item in the request, counted from 0 over all resources and scopes. A part of
    /// the request in which the items cannot be told apart counts as one.
    pub index: usize,
    /// What was wrong, and in which field.
    pub reason: String,
}

/// What was changed in spans and log records that were kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Salvaged {
    /// Texts in which invalid sequences became U+FFFD.
    pub strings: u64,
    /// Values that were nested too deeply and became [`crate::TOO_DEEP`].
    pub values: u64,
    /// Links that were left out because their ids are no ids.
    pub links: u64,
    /// Ids of log records that are no ids: the record is kept without.
    pub ids: u64,
}
