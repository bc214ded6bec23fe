//! Answers to an export request.

use crate::{DecodeError, Encoding};

/// What an `ExportTraceServiceResponse` says: nothing refused and no message where all is well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartialSuccess {
    /// Spans that were refused and must not be sent again.
    pub rejected: u64,
    /// Why, or a warning where nothing was refused; empty where there is nothing to say.
    pub message: String,
}

/// Writes an `ExportTraceServiceResponse`; `partial_success` is unset when nothing was refused and
/// `message` is empty.
pub fn encode_response(_rejected: u64, _message: &str, _encoding: Encoding) -> Vec<u8> {
    todo!()
}

/// Reads an `ExportTraceServiceResponse`.
///
/// # Errors
///
/// The body is not such a message: whatever answered is not an OTLP receiver.
pub fn decode_response(_body: &[u8], _encoding: Encoding) -> Result<PartialSuccess, DecodeError> {
    todo!()
}

/// Writes a `google.rpc.Status`, the body of a 4xx or 5xx answer. `code` is gRPC's (3 invalid
/// argument, 8 resource exhausted, 14 unavailable, 16 unauthenticated).
pub fn encode_status(_code: i32, _message: &str, _encoding: Encoding) -> Vec<u8> {
    todo!()
}
