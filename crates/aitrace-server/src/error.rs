//! Errors as HTTP says them: the one file that maps a kind to a status.
//!
//! OpenTelemetry's clients resend after 429, 502, 503 and 504 and drop data after anything else. So a passing
//! fault never becomes 500, 507 or 413, and what can only fail again never becomes 429 or 503.

use std::borrow::Cow;
use std::fmt::Write as _;

use aitrace_otlp::{Encoding, encode_retry_status, encode_status};
use aitrace_store::{ErrorKind, StoreError};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::json;

/// What went wrong, in a word that programs can rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    BadRequest,
    Unauthorized,
    Forbidden,
    CrossSite,
    NotFound,
    MethodNotAllowed,
    Timeout,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    WrongHost,
    TooManyTries,
    Overloaded,
    Unavailable,
    Corrupt,
    Internal,
}

/// Code of `google.rpc.Status`: what a gRPC or OTLP client is told beside the HTTP status.
type RpcCode = i32;

impl Kind {
    #[cfg(test)]
    const ALL: [Self; 16] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::CrossSite,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Timeout,
        Self::Conflict,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::WrongHost,
        Self::TooManyTries,
        Self::Overloaded,
        Self::Unavailable,
        Self::Corrupt,
        Self::Internal,
    ];

    const fn row(self) -> (&'static str, StatusCode, RpcCode) {
        match self {
            Self::BadRequest => ("bad_request", StatusCode::BAD_REQUEST, 3),
            Self::Unauthorized => ("unauthorized", StatusCode::UNAUTHORIZED, 16),
            Self::Forbidden => ("forbidden", StatusCode::FORBIDDEN, 7),
            Self::CrossSite => ("cross_site", StatusCode::FORBIDDEN, 7),
            Self::NotFound => ("not_found", StatusCode::NOT_FOUND, 5),
            Self::MethodNotAllowed => ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, 12),
            Self::Timeout => ("timeout", StatusCode::REQUEST_TIMEOUT, 4),
            Self::Conflict => ("conflict", StatusCode::CONFLICT, 10),
            Self::TooLarge => ("too_large", StatusCode::PAYLOAD_TOO_LARGE, 3),
            Self::UnsupportedMediaType => ("unsupported_media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, 3),
            Self::WrongHost => ("wrong_host", StatusCode::MISDIRECTED_REQUEST, 7),
            Self::TooManyTries => ("too_many_tries", StatusCode::TOO_MANY_REQUESTS, 8),
            Self::Overloaded => ("overloaded", StatusCode::TOO_MANY_REQUESTS, 8),
            Self::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, 14),
            Self::Corrupt => ("corrupt", StatusCode::INTERNAL_SERVER_ERROR, 15),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, 13),
        }
    }

    /// Seconds after which a passing fault is worth another try.
    const fn retry_after(self) -> Option<&'static str> {
        match self {
            Self::TooManyTries => Some("60"),
            Self::Overloaded => Some("1"),
            Self::Unavailable => Some("2"),
            _ => None,
        }
    }
}

/// An error on its way to a client: what was wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    kind: Kind,
    message: Cow<'static, str>,
    hint: Cow<'static, str>,
}

pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

impl ApiError {
    /// An error; `hint` says what the caller can do about it.
    pub(crate) fn new(
        kind: Kind,
        message: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { kind, message: message.into(), hint: hint.into() }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The same, of one item of several.
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message).into();
        self
    }

    /// The same error of a request of which `stored` records are stored already.
    pub(crate) fn after(mut self, stored: usize) -> Self {
        if stored > 0 {
            let text = format!("{}; {stored} records before it are stored", self.message);
            self.message = text.into();
        }
        self
    }

    /// An error of a store that was asked for something.
    pub(crate) fn reading(error: &StoreError) -> Self {
        let kind = match error.kind() {
            ErrorKind::Invalid => Kind::BadRequest,
            ErrorKind::NotFound => Kind::NotFound,
            ErrorKind::Conflict => Kind::Conflict,
            ErrorKind::Unavailable | ErrorKind::Closed => Kind::Unavailable,
            ErrorKind::Overloaded => Kind::Overloaded,
            ErrorKind::Corrupt => Kind::Corrupt,
            _ => Kind::Internal,
        };
        let later = matches!(kind, Kind::Unavailable | Kind::Overloaded);
        Self::of_store(kind, error, if later { "Ask for less, or again later." } else { "" })
    }

    /// The same error with a hint, where it has none.
    pub(crate) fn or_hint(mut self, hint: &'static str) -> Self {
        if self.hint.is_empty() {
            self.hint = hint.into();
        }
        self
    }

    /// An error of a store that was given something to keep.
    ///
    /// The data was understood, so it is not the sender's fault: whatever broke in the store, the sender is
    /// asked to keep the data and to try again.
    pub(crate) fn writing(error: &StoreError) -> Self {
        let kind = match error.kind() {
            ErrorKind::Invalid => Kind::BadRequest,
            ErrorKind::Overloaded => Kind::Overloaded,
            _ => Kind::Unavailable,
        };
        let later = matches!(kind, Kind::Unavailable | Kind::Overloaded);
        Self::of_store(kind, error, if later { "Nothing was acknowledged: send it again later." } else { "" })
    }

    fn of_store(kind: Kind, error: &StoreError, hint: &'static str) -> Self {
        let hint = match kind {
            Kind::Corrupt => "Run `aitrace doctor` on the data directory.",
            Kind::Internal => "This is a defect of aitrace; the server's log says more.",
            _ => hint,
        };
        let message = match kind {
            // Words for the operator, not for the network: paths and causes are in the log.
            Kind::Internal => "the store failed".to_owned(),
            _ => error.to_string(),
        };
        if matches!(kind, Kind::BadRequest | Kind::NotFound | Kind::Conflict) {
            // The caller's fault, and maybe the caller's data.
            tracing::debug!(kind = ?error.kind(), error = %error, "store refused");
        } else {
            tracing::warn!(kind = ?error.kind(), error = %error, "store refused");
        }
        Self::new(kind, message, hint)
    }

    /// The answer as a `google.rpc.Status`, which OTLP demands. In JSON our own form stands beside it.
    pub(crate) fn into_status_response(self, encoding: Encoding) -> Response {
        let (word, status, code) = self.kind.row();
        let text = self.text();
        let body = match encoding {
            Encoding::Protobuf => encode_status(code, &text, encoding),
            Encoding::Json => {
                json!({"code": code, "message": text, "error": self.body(word)}).to_string().into_bytes()
            }
        };
        self.respond(status, encoding.content_type(), body)
    }

    /// The answer of a gRPC call that failed: no body, and the status in the headers. A passing fault is
    /// UNAVAILABLE with a `RetryInfo`, without which OTLP's clients would drop the data.
    pub(crate) fn into_grpc_response(self) -> Response {
        const TEXT: usize = 1024;
        let mut text = self.text();
        text.truncate(text.floor_char_boundary(TEXT));
        let seconds = self.kind.retry_after().and_then(|seconds| seconds.parse().ok());
        let code = match self.kind {
            Kind::UnsupportedMediaType => 12,
            _ if seconds.is_some() => 14,
            kind => kind.row().2,
        };
        let details = match seconds {
            Some(seconds) => encode_retry_status(code, &text, seconds),
            None => encode_status(code, &text, Encoding::Protobuf),
        };
        let ascii = |text: String| HeaderValue::from_str(&text).expect("visible ASCII");
        let headers = [
            ("content-type", HeaderValue::from_static("application/grpc")),
            ("grpc-status", HeaderValue::from(code)),
            ("grpc-message", ascii(percent(&text))),
            ("grpc-status-details-bin", ascii(STANDARD_NO_PAD.encode(details))),
        ];
        (StatusCode::OK, headers, ()).into_response()
    }

    fn text(&self) -> String {
        if self.hint.is_empty() {
            self.message.to_string()
        } else {
            format!("{}. {}", self.message, self.hint)
        }
    }

    fn body(&self, word: &str) -> serde_json::Value {
        json!({"kind": word, "message": self.message, "hint": self.hint})
    }

    fn respond(self, status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
        let mut response = (status, [(header::CONTENT_TYPE, content_type)], body).into_response();
        if let Some(seconds) = self.kind.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        if self.kind == Kind::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (word, status, _) = self.kind.row();
        let body = json!({"error": self.body(word)}).to_string().into_bytes();
        self.respond(status, "application/json", body)
    }
}

/// A text as `grpc-message` has it: what is not visible ASCII, and the percent sign, as `%XX`.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..=0x1f | 0x7f.. => write!(out, "%{byte:02X}").expect("a String takes everything"),
            _ => out.push(byte.into()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_told_to_try_again_after_passing_faults_alone() {
        for kind in Kind::ALL {
            let response = ApiError::new(kind, "é%", "h").into_grpc_response();
            let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
            let details = STANDARD_NO_PAD.decode(header("grpc-status-details-bin")).unwrap();
            let retry = details.windows(9).any(|part| part == b"RetryInfo");
            assert_eq!(retry, header("grpc-status") == "14", "{kind:?}");
            assert_eq!(retry, kind.retry_after().is_some(), "{kind:?}");
            assert_ne!(header("grpc-status"), "8", "{kind:?}: clients drop data for it");
            assert_eq!(header("grpc-message"), "%C3%A9%25. h");
        }
    }

    fn store(kind: ErrorKind) -> StoreError {
        StoreError::new(kind, "went wrong")
    }

    #[test]
    fn passing_faults_can_be_retried_and_others_cannot() {
        for kind in Kind::ALL {
            let response = ApiError::new(kind, "m", "h").into_response();
            let retryable = matches!(response.status().as_u16(), 429 | 503);
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), retryable, "{kind:?}");
        }
    }

    #[test]
    fn data_that_was_understood_is_never_dropped_for_a_fault_of_the_store() {
        for kind in [
            ErrorKind::Unavailable,
            ErrorKind::Overloaded,
            ErrorKind::Corrupt,
            ErrorKind::Closed,
            ErrorKind::Internal,
            ErrorKind::Conflict,
            ErrorKind::NotFound,
        ] {
            let status = ApiError::writing(&store(kind)).into_response().status().as_u16();
            assert!(matches!(status, 429 | 503), "{kind:?}: {status}");
        }
        assert_eq!(ApiError::writing(&store(ErrorKind::Invalid)).kind(), Kind::BadRequest);
    }

    #[test]
    fn words_are_distinct() {
        let words: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.row().0).collect();
        assert_eq!(words.len(), Kind::ALL.len());
    }

    #[test]
    fn reading_tells_what_the_store_said() {
        let error = ApiError::reading(&store(ErrorKind::NotFound));
        assert_eq!((error.kind(), error.text()), (Kind::NotFound, "went wrong".to_owned()));
        assert!(!ApiError::reading(&store(ErrorKind::Internal)).text().contains("went wrong"));
    }
}
