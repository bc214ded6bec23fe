//! What comes out of a request.

use aitrace_model::RawSpan;

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

/// A span that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Position of the span in the request, counted from 0 over all resources and scopes. A part of
    /// the request in which the spans cannot be told apart counts as one.
    pub index: usize,
    /// What was wrong, and in which field.
    pub reason: String,
}

/// What was changed in spans that were kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Salvaged {
    /// Texts in which invalid sequences became U+FFFD.
    pub strings: u64,
    /// Values that were nested too deeply and became [`crate::TOO_DEEP`].
    pub values: u64,
    /// Links that were left out because their ids are no ids.
    pub links: u64,
}
