//! Answers to an export request.

use serde_json::{Value, json};

use crate::encoding::Encoding;
use crate::error::{DecodeError, WireError};
use crate::wire::{Reader, Writer};

const RESPONSE: &str = "an ExportTraceServiceResponse";

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
pub fn encode_response(rejected: u64, message: &str, encoding: Encoding) -> Vec<u8> {
    encode(rejected, message, encoding, "rejectedSpans")
}

/// Writes an `ExportLogsServiceResponse`, as [`encode_response`] writes one for spans.
pub fn encode_logs_response(rejected: u64, message: &str, encoding: Encoding) -> Vec<u8> {
    encode(rejected, message, encoding, "rejectedLogRecords")
}

/// In protobuf both answers are the same.
fn encode(rejected: u64, message: &str, encoding: Encoding, name: &str) -> Vec<u8> {
    let unset = rejected == 0 && message.is_empty();
    match encoding {
        Encoding::Protobuf if unset => Vec::new(),
        Encoding::Protobuf => {
            let mut writer = Writer::default();
            writer.message(1, message.len() + 12, |writer| {
                writer.varint_unless_zero(1, rejected);
                writer.bytes_unless_empty(2, message.as_bytes());
            });
            writer.into_bytes()
        }
        Encoding::Json if unset => b"{}".to_vec(),
        Encoding::Json => {
            let rejected = rejected.to_string();
            let partial = json!({ name: rejected, "errorMessage": message });
            json!({ "partialSuccess": partial }).to_string().into_bytes()
        }
    }
}

/// Reads an `ExportTraceServiceResponse`.
///
/// # Errors
///
/// The body is not such a message: whatever answered is not an OTLP receiver.
pub fn decode_response(body: &[u8], encoding: Encoding) -> Result<PartialSuccess, DecodeError> {
    match encoding {
        Encoding::Protobuf => {
            let mut reader = Reader::new(body);
            response(&mut reader).map_err(|problem| DecodeError::Protobuf {
                message: RESPONSE,
                offset: body.len() - reader.left(),
                length: body.len(),
                problem,
            })
        }
        Encoding::Json => response_json(body),
    }
}

fn response(reader: &mut Reader<'_>) -> Result<PartialSuccess, WireError> {
    let mut partial = PartialSuccess::default();
    while let Some(tag) = reader.tag()? {
        if tag.number == 1 {
            partial_success(reader.bytes(tag)?, &mut partial)?;
        } else {
            reader.skip(tag)?;
        }
    }
    Ok(partial)
}

fn partial_success(bytes: &[u8], partial: &mut PartialSuccess) -> Result<(), WireError> {
    let mut reader = Reader::new(bytes);
    while let Some(tag) = reader.tag()? {
        match tag.number {
            // An int64; below zero it means nothing.
            1 => partial.rejected = u64::try_from(reader.varint(tag)? as i64).unwrap_or(0),
            2 => partial.message = String::from_utf8_lossy(reader.bytes(tag)?).into_owned(),
            _ => reader.skip(tag)?,
        }
    }
    Ok(())
}

fn response_json(body: &[u8]) -> Result<PartialSuccess, DecodeError> {
    let error = |reason: String| DecodeError::Json { message: RESPONSE, reason };
    let response: Value = serde_json::from_slice(body).map_err(|reason| error(reason.to_string()))?;
    if !response.is_object() {
        return Err(error("not an object".to_owned()));
    }
    let field = |value: &Value, camel: &str, snake: &str| {
        value.get(camel).or_else(|| value.get(snake)).cloned().unwrap_or_default()
    };
    let partial = field(&response, "partialSuccess", "partial_success");
    let rejected = field(&partial, "rejectedSpans", "rejected_spans");
    let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0);
    let message = field(&partial, "errorMessage", "error_message");
    Ok(PartialSuccess { rejected, message: message.as_str().unwrap_or_default().to_owned() })
}

/// Writes a `google.rpc.Status`, the body of a 4xx or 5xx answer. `code` is gRPC's (3 invalid
/// argument, 8 resource exhausted, 14 unavailable, 16 unauthenticated).
pub fn encode_status(code: i32, message: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf => {
            let mut writer = Writer::default();
            writer.varint_unless_zero(1, i64::from(code) as u64);
            writer.bytes_unless_empty(2, message.as_bytes());
            writer.into_bytes()
        }
        Encoding::Json => json!({ "code": code, "message": message }).to_string().into_bytes(),
    }
}

/// Writes a `google.rpc.Status` in protobuf that holds a `google.rpc.RetryInfo`: the sender is to try again
/// after so many seconds. OTLP over gRPC takes a passing fault for one only with it.
pub fn encode_retry_status(code: i32, message: &str, seconds: u32) -> Vec<u8> {
    const RETRY_INFO: &[u8] = b"type.googleapis.com/google.rpc.RetryInfo";
    let mut writer = Writer::default();
    writer.varint_unless_zero(1, i64::from(code) as u64);
    writer.bytes_unless_empty(2, message.as_bytes());
    writer.message(3, RETRY_INFO.len() + 16, |any| {
        any.bytes(1, RETRY_INFO);
        // A RetryInfo holds a Duration, which holds the seconds.
        any.message(2, 8, |info| info.message(1, 6, |delay| delay.varint_unless_zero(1, seconds.into())));
    });
    writer.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_round_trip() {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            for (rejected, message) in [(0, ""), (0, "look"), (3, ""), (u64::from(u32::MAX), "é \"x\"")] {
                let body = encode_response(rejected, message, encoding);
                let expected = PartialSuccess { rejected, message: message.to_owned() };
                assert_eq!(decode_response(&body, encoding), Ok(expected));
            }
        }
    }

    #[test]
    fn success_is_an_unset_partial_success() {
        assert!(encode_response(0, "", Encoding::Protobuf).is_empty());
        assert_eq!(encode_response(0, "", Encoding::Json), b"{}");
    }

    #[test]
    fn an_answer_that_is_not_ours_is_an_error() {
        for body in ["<html>", "not found", "{\"ok\":true}", "OK"] {
            assert!(decode_response(body.as_bytes(), Encoding::Protobuf).is_err(), "{body}");
        }
        for body in ["<html>", "", "[]", "3"] {
            assert!(decode_response(body.as_bytes(), Encoding::Json).is_err(), "{body}");
        }
    }

    #[test]
    fn status_as_google_rpc_has_it() {
        assert_eq!(encode_status(3, "no", Encoding::Protobuf), b"\x08\x03\x12\x02no");
        assert_eq!(encode_status(3, "no", Encoding::Json), br#"{"code":3,"message":"no"}"#);
    }
}
