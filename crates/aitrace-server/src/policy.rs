//! What a route takes and who may use it. Checked before its handler runs.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};

use crate::auth::Scope;
use crate::error::{ApiError, Kind};
use crate::limits::Limits;
use crate::media::Media;

/// What a route does to what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Read,
    /// It stores something.
    Write,
}

/// What a caller must be allowed to do. While no keys exist, a server listens on loopback only and whoever
/// reaches it may do everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing: it shows no data of a project.
    Open,
    /// Read a project.
    Read,
    /// Add to a project.
    Ingest,
    /// Delete from a project, and decide who may use it.
    Admin,
}

impl Access {
    /// The scope that a key must have; `None` where none is needed.
    pub(crate) const fn scope(self) -> Option<Scope> {
        match self {
            Self::Open => None,
            Self::Read => Some(Scope::Read),
            Self::Ingest => Some(Scope::Ingest),
            Self::Admin => Some(Scope::Admin),
        }
    }
}

/// The body a route takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    /// None; what comes is left unread.
    None,
    /// One of these types.
    Upload {
        types: &'static [Media],
        /// Bytes as sent.
        limit: fn(&Limits) -> usize,
    },
}

/// How a route writes its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errors {
    /// `{"error": …}`.
    Ours,
    /// `google.rpc.Status` in the encoding of the request.
    Status,
    /// The trailers of gRPC.
    Grpc,
}

/// The policy of one route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) methods: &'static [Method],
    pub(crate) body: Body,
    pub(crate) effect: Effect,
    pub(crate) access: Access,
    pub(crate) errors: Errors,
    /// A page that people open and link to.
    pub(crate) page: bool,
}

impl Policy {
    /// The answer to a request that the policy does not admit.
    /// `allow` lists the methods of the path.
    pub(crate) fn refuse(&self, request: &Request, limits: &Limits, allow: &[Method]) -> Option<Response> {
        if !self.methods.contains(request.method()) {
            return Some(wrong_method(allow));
        }
        let error = self.check_body(request.headers(), limits)?;
        Some(error.into_response())
    }

    fn check_body(&self, headers: &HeaderMap, limits: &Limits) -> Option<ApiError> {
        let Body::Upload { types, limit } = self.body else { return None };
        if !Media::of(headers).is_some_and(|media| types.contains(&media)) {
            let names: Vec<&str> = types.iter().map(|media| media.name()).collect();
            return Some(ApiError::new(
                Kind::UnsupportedMediaType,
                "the body's Content-Type is missing or not one that is read here",
                format!("Send {}.", names.join(" or ")),
            ));
        }
        if Media::of(headers) == Some(Media::Ndjson) {
            // It is read as a stream.
            return None;
        }
        let announced = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse::<u64>().ok()?;
        let limit = limit(limits);
        (announced > limit as u64).then(|| {
            ApiError::new(
                Kind::TooLarge,
                format!("the body is larger than {limit} bytes"),
                "Send smaller batches.",
            )
        })
    }
}

fn wrong_method(allow: &[Method]) -> Response {
    let names: Vec<&str> = allow.iter().map(Method::as_str).collect();
    let names = names.join(", ");
    let hint = format!("Use {names}.");
    let mut response =
        ApiError::new(Kind::MethodNotAllowed, "this route does not take this method", hint).into_response();
    let allow = HeaderValue::from_str(&names).expect("names of methods are ASCII");
    response.headers_mut().insert(header::ALLOW, allow);
    response
}
