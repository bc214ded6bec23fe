//! The viewer's files, as they were built into the binary.

use std::borrow::Cow;

use aitrace_web::File;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::error::{ApiError, Kind};

/// The page of every route of the viewer.
pub(crate) async fn page(headers: HeaderMap) -> Response {
    match aitrace_web::index() {
        Some(file) => respond(file, &headers),
        None => not_built(),
    }
}

/// A file below `/assets/`.
pub(crate) async fn file(request: Request) -> Response {
    find(&request).unwrap_or_else(no_such_route)
}

/// Whatever is in no route: a file beside the page (its icon), else nothing.
pub(crate) async fn other(request: Request) -> Response {
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    // The page is served at its own routes only.
    let found = (reads && request.uri().path() != "/index.html").then(|| find(&request)).flatten();
    found.unwrap_or_else(no_such_route)
}

fn find(request: &Request) -> Option<Response> {
    // The path as sent: names of built files need no escapes.
    let file = aitrace_web::file(request.uri().path())?;
    Some(respond(file, request.headers()))
}

fn no_such_route() -> Response {
    ApiError::new(Kind::NotFound, "there is nothing at this path", "The viewer is at /, the API below /api/.")
        .into_response()
}

fn not_built() -> Response {
    const PAGE: &str = "<!doctype html><title>aitrace</title><p>The viewer was not built into this binary. \
        The API works: see <a href=\"/api/traces\">/api/traces</a>. To build the viewer, run npm ci and \
        npm run build in web/, then build the binary again.";
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE).into_response()
}

fn respond(file: File, headers: &HeaderMap) -> Response {
    let fresh = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, &file.etag));
    let cache = if file.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let bytes = match file.bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        ([(header::CONTENT_TYPE, file.mime)], Body::from(bytes)).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(etag) = HeaderValue::from_str(&file.etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

/// Whether an `If-None-Match` names a tag. Tags compare weakly there.
fn names(value: &HeaderValue, etag: &str) -> bool {
    let Ok(value) = value.to_str() else { return false };
    value.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(immutable: bool) -> File {
        File { bytes: Cow::Borrowed(b"x"), mime: "text/javascript", etag: "\"abc\"".to_owned(), immutable }
    }

    fn with_tag(tag: &str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(tag).unwrap());
        respond(sample(true), &headers)
    }

    #[test]
    fn hashed_files_are_kept_and_the_page_is_asked_for_again() {
        let cache = |immutable| {
            respond(sample(immutable), &HeaderMap::new()).headers()[header::CACHE_CONTROL].clone()
        };
        assert!(cache(true).to_str().unwrap().contains("immutable"));
        assert_eq!(cache(false), "no-cache");
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        for known in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            let response = with_tag(known);
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(response.headers()[header::ETAG], "\"abc\"");
        }
        for other in ["\"ab\"", "abc", ""] {
            assert_eq!(with_tag(other).status(), StatusCode::OK, "{other}");
        }
    }
}
