//! OTLP protobuf.

mod encode;
mod log;
mod request;
mod span;
mod value;

use aitrace_model::{RawLog, RawSpan};

use crate::decoded::{Decoded, DecodedLogs, Summary};
use crate::error::DecodeError;
use crate::limits::Limits;
use crate::tally::Tally;

pub use encode::encode_traces;

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
