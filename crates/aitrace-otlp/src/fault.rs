//! Why one span (or resource, or scope) is refused.

use aitrace_model::{SpanId, TraceId};

use crate::error::WireError;

/// What is wrong within a part of a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("more than {limit} {what}")]
    TooMany { what: &'static str, limit: usize },
    #[error("must be {wanted} bytes, not all zero; got {got} bytes{}", if *zero { " of zeros" } else { "" })]
    Id { wanted: usize, got: usize, zero: bool },
    #[error("{field} is missing")]
    Missing { field: &'static str },
}

impl Fault {
    /// A trace id that is none.
    pub(crate) fn trace_id(bytes: &[u8]) -> Self {
        Self::id(TraceId::LEN, bytes)
    }

    /// A span id that is none.
    pub(crate) fn span_id(bytes: &[u8]) -> Self {
        Self::id(SpanId::LEN, bytes)
    }

    fn id(wanted: usize, bytes: &[u8]) -> Self {
        Self::Id { wanted, got: bytes.len(), zero: bytes.len() == wanted }
    }
}
