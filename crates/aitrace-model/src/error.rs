//! What can be wrong with a value of the model.

/// A value that is not what its type demands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// An id that is not lower- or upper-case hex of the right length, or is all zeros.
    #[error("{what} must be {digits} hex digits, not all zero; got {got:?}")]
    Id {
        /// `trace_id` or `span_id`.
        what: &'static str,
        /// 32 or 16.
        digits: usize,
        /// The first 64 characters of what came instead.
        got: String,
    },
    /// A text that is not an RFC 3339 time within the years 1678 to 2261.
    #[error("time must be RFC 3339, for example 2026-01-31T12:00:00.000001Z; got {got:?}")]
    Time {
        /// The first 64 characters of what came instead.
        got: String,
    },
    /// A text that is not one JSON value.
    #[error("not valid JSON: {reason}")]
    Json {
        /// The parser's words.
        reason: String,
    },
}

/// The result of reading a value of the model.
pub type Result<T, E = ModelError> = std::result::Result<T, E>;

/// The start of a hostile text, short enough for an error message.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}
