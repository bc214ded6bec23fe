//! OTLP over gRPC: unary calls of two services, in our own framing (docs/adr/0005-grpc-framing.md).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aitrace_otlp::{Encoding, Signal};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use tokio::time::timeout;

use crate::app::App;
use crate::caller::Caller;
use crate::error::{ApiError, Kind, Result};
use crate::handle::otlp::export;
use crate::ingest::receive;
use crate::media::Packing;

/// Path of the method that takes spans.
pub(crate) const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// Path of the method that takes log records.
pub(crate) const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// `TraceService/Export`.
pub(crate) async fn traces(State(app): State<App>, caller: Caller, request: Request) -> Result<Response> {
    call(&app, &caller, request, Signal::Traces).await
}

/// `LogsService/Export`.
pub(crate) async fn logs(State(app): State<App>, caller: Caller, request: Request) -> Result<Response> {
    call(&app, &caller, request, Signal::Logs).await
}

async fn call(app: &App, caller: &Caller, request: Request, signal: Signal) -> Result<Response> {
    if request.version() != Version::HTTP_2 {
        return Err(ApiError::new(Kind::BadRequest, "gRPC needs HTTP/2", "Send to /v1/traces or /v1/logs."));
    }
    let packing = packing(request.headers())?;
    let deadline = deadline(request.headers())?;
    let unary = async {
        let upload = receive(app, request).await?.unframed(packing)?;
        export(app, caller, upload, signal, Encoding::Protobuf).await
    };
    let message = match deadline {
        Some(deadline) => timeout(deadline, unary).await.unwrap_or_else(|_| {
            Err(ApiError::new(Kind::Timeout, "the call's deadline has passed", "Send it again."))
        })?,
        None => unary.await?,
    };
    Ok(answer(&message))
}

/// How a message is compressed that says it is.
fn packing(headers: &HeaderMap) -> Result<Packing> {
    let name = headers.get("grpc-encoding").map_or(&b""[..], HeaderValue::as_bytes);
    Packing::of_name(name).ok_or_else(|| {
        ApiError::new(
            Kind::UnsupportedMediaType,
            "the grpc-encoding is not one that is read here",
            "Send identity, gzip or zstd.",
        )
    })
}

/// `grpc-timeout`: at most eight digits and a unit.
fn deadline(headers: &HeaderMap) -> Result<Option<Duration>> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let parse = || {
        let (digits, unit) = value.to_str().ok()?.split_at_checked(value.len().checked_sub(1)?)?;
        let plain = (1..=8).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
        let count: u64 = digits.parse().ok().filter(|_| plain)?;
        Some(match unit {
            "H" => Duration::from_secs(count * 3600),
            "M" => Duration::from_secs(count * 60),
            "S" => Duration::from_secs(count),
            "m" => Duration::from_millis(count),
            "u" => Duration::from_micros(count),
            "n" => Duration::from_nanos(count),
            _ => return None,
        })
    };
    match parse() {
        Some(deadline) => Ok(Some(deadline)),
        None => {
            Err(ApiError::new(Kind::BadRequest, "the grpc-timeout is none", "Write it like 10S or 500m."))
        }
    }
}

fn answer(message: &[u8]) -> Response {
    let length = u32::try_from(message.len()).expect("an answer is short: its text is bounded");
    let mut data = Vec::with_capacity(5 + message.len());
    data.push(0);
    data.extend_from_slice(&length.to_be_bytes());
    data.extend_from_slice(message);
    let trailers = HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))]);
    let body = Answer { data: Some(data.into()), trailers: Some(trailers) };
    ([(header::CONTENT_TYPE, "application/grpc")], Body::new(body)).into_response()
}

/// One message, then the trailers.
struct Answer {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.data.take().map(Frame::data);
        Poll::Ready(data.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read_and_bad_ones_refused() {
        let read = |text: &str| {
            let value = HeaderValue::from_str(text).unwrap();
            deadline(&HeaderMap::from_iter([(HeaderName::from_static("grpc-timeout"), value)]))
        };
        assert_eq!(deadline(&HeaderMap::new()), Ok(None));
        for (text, millis) in
            [("10S", 10_000), ("500m", 500), ("1M", 60_000), ("1H", 3_600_000), ("1000u", 1)]
        {
            assert_eq!(read(text), Ok(Some(Duration::from_millis(millis))), "{text}");
        }
        assert!(read("99999999H").is_ok());
        for bad in ["", "S", "10", "10s", "-1S", "+1S", "123456789S", "1 S"] {
            assert_eq!(read(bad).unwrap_err().kind(), Kind::BadRequest, "{bad}");
        }
    }
}
