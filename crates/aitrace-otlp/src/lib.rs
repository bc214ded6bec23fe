//! OTLP requests to raw spans and log records, and raw spans to OTLP.
//!
//! ```text
//! start → context → enrich → end → batch → export ⇒ ingest → decode → normalise → store → query → view
//!                                          ~~~~~~            ~~~~~~
//! ```
//!
//! Stage: decode, and the encoding half of export.
//! In: the body of an OTLP/HTTP or gRPC export request, decompressed
//! ([`decode_traces`], [`decode_logs`]);
//! raw spans and log records ([`encode_traces`], [`encode_traces_json`], [`encode_logs_json`]).
//! Out: [`Decoded`] and [`DecodedLogs`], every span or log record that can be read and the reason for every span that cannot; bytes.
//!
//! # What happens to bad input
//!
//! One bad value never costs a batch, and a bad span never costs its siblings:
//!
//! - Text that is not UTF-8 (or a lone surrogate in JSON): each invalid sequence becomes U+FFFD, the span is
//!   kept ([`Salvaged::strings`]).
//! - A value nested deeper than [`Limits::max_depth`] becomes the text [`TOO_DEEP`] ([`Salvaged::values`]).
//! - A link whose ids are no ids is left out ([`Salvaged::links`]).
//! - A parent id of zeros or no bytes means no parent. An id of a log record that is none is left out, as the
//!   specification says ([`Salvaged::ids`]).
//! - Everything else that is wrong within a span (an id that is none, a value of a wrong type, broken framing,
//!   more or larger content than [`Limits`] allow) refuses this span, with the reason, in [`Decoded::rejected`].
//! - What is wrong in a resource or scope refuses the spans that belong to it.
//! - Unknown fields are ignored. Times are kept as received, also an end before its start.
//!
//! Only a body that is not a protobuf message or not JSON at all is a [`DecodeError`].

mod decoded;
mod draft;
mod encoding;
mod error;
mod fault;
mod json;
mod limits;
mod nanos;
mod pb;
mod response;
mod tally;
mod wire;

pub use decoded::{Decoded, DecodedLogs, Piece, Rejected, Salvaged, Sink, Summary};
pub use encoding::Encoding;
pub use error::{DecodeError, WireError};
pub use json::{encode_logs_json, encode_traces_json};
pub use limits::{Limits, TOO_DEEP};
pub use pb::encode_traces;
pub use response::{
    PartialSuccess, decode_response, encode_logs_response, encode_response, encode_retry_status,
    encode_status,
};

/// Reads an `ExportTraceServiceRequest`.
///
/// An empty protobuf body is a valid request without spans. Spans come out in the order of the
/// request; those of one resource (or scope) share it.
///
/// # Errors
///
/// Only where the outer message is unreadable: truncated, not protobuf, not JSON. See the crate's
/// documentation for what happens to everything below it.
pub fn decode_traces(body: &[u8], encoding: Encoding, limits: &Limits) -> Result<Decoded, DecodeError> {
    match encoding {
        Encoding::Protobuf => pb::decode_traces(body, limits),
        Encoding::Json => json::decode_traces(body, limits),
    }
}

/// Reads an `ExportLogsServiceRequest`, as [`decode_traces`] reads one of spans: what is said there of spans holds
/// for log records, [`Limits::max_span_bytes`] included.
///
/// # Errors
///
/// Only where the outer message is unreadable: truncated, not protobuf, not JSON.
pub fn decode_logs(body: &[u8], encoding: Encoding, limits: &Limits) -> Result<DecodedLogs, DecodeError> {
    match encoding {
        Encoding::Protobuf => pb::decode_logs(body, limits),
        Encoding::Json => json::decode_logs(body, limits),
    }
}

/// What a request holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Spans: `ExportTraceServiceRequest`.
    Traces,
    /// Log records: `ExportLogsServiceRequest`.
    Logs,
}

/// Reads a request piece by piece, so that its spans need never be in memory all at once: whenever those that were
/// read take `bytes` bytes there, by estimate, they go to `sink`; in the end it gets the rest, also where
/// that is nothing. Once it wants no more, the rest of the request is passed over.
///
/// [`Limits::max_memory`] bounds a piece.
///
/// # Errors
///
/// As [`decode_traces`]; what came before the place of the error may have gone to `sink`.
pub fn decode_pieces(
    body: &[u8],
    signal: Signal,
    encoding: Encoding,
    limits: &Limits,
    bytes: usize,
    sink: Sink<'_>,
) -> Result<Summary, DecodeError> {
    let tally = tally::Tally::in_pieces(limits, bytes, sink);
    let logs = signal == Signal::Logs;
    match encoding {
        Encoding::Protobuf => pb::decode_pieces(body, logs, tally),
        Encoding::Json => json::decode_pieces(body, logs, tally),
    }
}
