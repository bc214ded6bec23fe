//! Types and encodings of request bodies.

use axum::http::{HeaderMap, header};

use crate::error::{ApiError, Kind, Result};

/// Types of body that some route takes. None of them can be sent by a plain HTML form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Ndjson,
    Protobuf,
}

impl Media {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Protobuf => "application/x-protobuf",
        }
    }

    /// The type of a body; `None` where it is none of ours.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let mut parts = value.to_str().ok()?.split(';').map(str::trim);
        let media = match parts.next()?.to_ascii_lowercase().as_str() {
            "application/json" => Self::Json,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Self::Ndjson,
            "application/x-protobuf" => Self::Protobuf,
            _ => return None,
        };
        let utf8 = parts.all(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            !name.trim().eq_ignore_ascii_case("charset")
                || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        });
        (utf8 || media == Self::Protobuf).then_some(media)
    }
}

/// Whether the body is gzip; an error for any other encoding but none.
pub(crate) fn is_gzip(headers: &HeaderMap) -> Result<bool> {
    let mut gzip = false;
    for (index, value) in headers.get_all(header::CONTENT_ENCODING).iter().enumerate() {
        gzip = match value.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" if index == 0 => false,
            b"gzip" | b"x-gzip" if index == 0 => true,
            _ => {
                return Err(ApiError::new(
                    Kind::UnsupportedMediaType,
                    "the body's Content-Encoding is not one that is read here",
                    "Send identity or gzip.",
                ));
            }
        };
    }
    Ok(gzip)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn types_are_told_apart() {
        let of = |value: &str| Media::of(&headers(&header::CONTENT_TYPE, &[value]));
        assert_eq!(of("application/json"), Some(Media::Json));
        assert_eq!(of("Application/JSON; Charset=\"UTF-8\""), Some(Media::Json));
        assert_eq!(of("application/x-ndjson"), Some(Media::Ndjson));
        assert_eq!(of("application/x-protobuf"), Some(Media::Protobuf));
        for bad in
            ["", "text/plain", "application/json; charset=utf-16", "application/jsonx", "multipart/form-data"]
        {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(Media::of(&HeaderMap::new()), None);
        assert_eq!(Media::of(&headers(&header::CONTENT_TYPE, &["application/json", "text/plain"])), None);
    }

    #[test]
    fn one_gzip_or_nothing() {
        let gzip = |values: &[&str]| is_gzip(&headers(&header::CONTENT_ENCODING, values)).ok();
        assert_eq!(gzip(&[]), Some(false));
        assert_eq!(gzip(&["identity"]), Some(false));
        assert_eq!(gzip(&["GZIP "]), Some(true));
        assert_eq!(gzip(&["gzip", "gzip"]), None);
        for bad in ["gzip, gzip", "deflate", "br", "zstd", "gzip;q=1"] {
            assert_eq!(gzip(&[bad]), None, "{bad}");
        }
    }
}
