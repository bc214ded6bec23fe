//! The two encodings of OTLP.

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `application/x-protobuf`, and the messages of gRPC.
    Protobuf,
    /// `application/json`: OTLP/JSON (ids in hex, 64-bit integers as strings).
    Json,
}

impl Encoding {
    /// The media type of a body in this encoding.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}
