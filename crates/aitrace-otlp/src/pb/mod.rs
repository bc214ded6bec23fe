//! OTLP protobuf.

use aitrace_model::RawSpan;

use crate::{DecodeError, Decoded, Limits};

pub(crate) fn decode_traces(_body: &[u8], _limits: &Limits) -> Result<Decoded, DecodeError> {
    todo!()
}

/// Writes an `ExportTraceServiceRequest` in protobuf.
///
/// Consecutive spans that share a resource (and scope) by identity of the `Arc` are grouped.
pub fn encode_traces(_spans: &[RawSpan]) -> Vec<u8> {
    todo!()
}
