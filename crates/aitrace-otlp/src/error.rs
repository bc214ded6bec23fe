//! What can be wrong with a body as a whole.

/// A body that is no OTLP message at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not protobuf, or cut off.
    #[error(
        "the body is not {message} in protobuf: {problem} (byte {offset} of {length}); \
         check Content-Type and Content-Encoding"
    )]
    Protobuf {
        /// The message that was expected, for example `ExportTraceServiceRequest`.
        message: &'static str,
        /// Bytes that could be read.
        offset: usize,
        /// Bytes of the body.
        length: usize,
        /// What was wrong there.
        problem: WireError,
    },
    /// Not JSON, or not an object.
    #[error("the body is not {message} in JSON: {reason}; check Content-Type and Content-Encoding")]
    Json {
        /// The message that was expected, for example `ExportTraceServiceRequest`.
        message: &'static str,
        /// The parser's words, with line and column.
        reason: String,
    },
}

/// What can be wrong with bytes that should be protobuf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A field is longer than what is left of its message.
    #[error("a field of {wanted} bytes where {left} are left")]
    Truncated {
        /// Bytes the field claims to have.
        wanted: u64,
        /// Bytes left.
        left: usize,
    },
    /// A variable-length integer of more than 64 bits.
    #[error("an integer of more than 64 bits")]
    VarintOverflow,
    /// A field number of zero or beyond 29 bits.
    #[error("{0} is no field number")]
    FieldNumber(u64),
    /// A group, or a wire type that does not exist.
    #[error("wire type {0}, which OTLP does not use")]
    WireType(u8),
    /// A known field with another wire type than its own.
    #[error("wire type {got} where {wanted} belongs")]
    Mismatch {
        /// The wire type of the field's type.
        wanted: u8,
        /// The wire type that came.
        got: u8,
    },
}
