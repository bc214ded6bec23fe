//! A span as a reader gets it.

use aitrace_model::{Span, TraceStatus};

/// A span as merged from all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSpan {
    /// The merged span.
    pub span: Span,
    /// How it stands now.
    pub status: TraceStatus,
}
