//! OTLP/JSON.

use aitrace_model::RawSpan;

use crate::{DecodeError, Decoded, Limits};

pub(crate) fn decode_traces(_body: &[u8], _limits: &Limits) -> Result<Decoded, DecodeError> {
    todo!()
}

/// Writes an `ExportTraceServiceRequest` in OTLP/JSON, grouped as [`crate::encode_traces`] groups.
pub fn encode_traces_json(_spans: &[RawSpan]) -> Vec<u8> {
    todo!()
}
