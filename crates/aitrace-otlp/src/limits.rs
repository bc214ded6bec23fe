//! How much a request may hold once decoded. The size of the body is the transport's to limit.

/// Text that stands for a value nested deeper than [`Limits::max_depth`].
pub const TOO_DEEP: &str = "[nested too deeply]";

/// Deepest nesting that is encoded, and the default of what is decoded; OpenTelemetry's SDKs stop at 64.
pub(crate) const MAX_DEPTH: usize = 64;

/// Bounds of decoding. The defaults let everything through that a sane client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Nesting of a value: 1 is an attribute's own value, 2 an element of it. Default 64; stack use grows with it.
    pub max_depth: usize,
    /// Attributes of a span, of its events and links, and all elements of their values, together.
    /// A resource and a scope have the same bound. Default 100 000.
    pub max_values: usize,
    /// Events of a span. Default 100 000.
    pub max_events: usize,
    /// Links of a span. Default 100 000.
    pub max_links: usize,
    /// Bytes of a span as encoded. Default 16 MiB, as for a trace record.
    pub max_span_bytes: usize,
    /// Bytes that the kept spans take in memory, estimated; what comes after is refused. Small
    /// messages can grow thirtyfold when decoded. Default 512 MiB.
    pub max_memory: usize,
    /// Refused spans that are listed with their reasons; the others are only counted. Default 10 000.
    pub max_reported: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_depth: MAX_DEPTH,
            max_values: 100_000,
            max_events: 100_000,
            max_links: 100_000,
            max_span_bytes: 16 << 20,
            max_memory: 512 << 20,
            max_reported: 10_000,
        }
    }
}
