//! What a model call used.

/// Tokens of one model call, and whose they are. Counts that were not told are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Provider, lower case, as in [`crate::Span::provider`].
    pub provider: Option<String>,
    /// Model that answered, else the one asked for.
    pub model: Option<String>,
    /// Input tokens, with the cached ones.
    pub input: Option<u64>,
    /// Of the input, tokens read from a cache.
    pub cache_read: Option<u64>,
    /// Of the input, tokens written to a cache.
    pub cache_write: Option<u64>,
    /// Output tokens, with those of reasoning.
    pub output: Option<u64>,
    /// Of the output, tokens of reasoning.
    pub reasoning: Option<u64>,
}
