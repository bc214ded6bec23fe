//! OTLP/JSON (opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
//!
//! As the specification has it, ids are hex and enums may be numbers; field names in snake_case,
//! enums by name, 64-bit integers as numbers, and null for an unset field are read as well.

mod encode;
mod encode_log;
mod log;
mod message;
mod request;
mod scalar;
mod span;
mod value;

use aitrace_model::{RawLog, RawSpan};

use crate::decoded::{Decoded, DecodedLogs, Summary};
use crate::error::DecodeError;
use crate::limits::Limits;
use crate::tally::Tally;

pub use encode::encode_traces_json;
pub use encode_log::encode_logs_json;

pub(crate) fn decode_traces(body: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
    let mut tally = Tally::new(limits);
    request::decode::<RawSpan>(body, &mut tally)?;
    Ok(tally.finish())
}

pub(crate) fn decode_pieces(body: &[u8], logs: bool, mut tally: Tally<'_>) -> Result<Summary, DecodeError> {
    let decode = if logs { request::decode::<RawLog> } else { request::decode::<RawSpan> };
    decode(body, &mut tally)?;
    Ok(tally.finish_pieces())
}

pub(crate) fn decode_logs(body: &[u8], limits: &Limits) -> Result<DecodedLogs, DecodeError> {
    let mut tally = Tally::new(limits);
    request::decode::<RawLog>(body, &mut tally)?;
    Ok(tally.finish_logs())
}
