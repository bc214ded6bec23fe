//! Types and encodings of request bodies.

use axum::http::{HeaderMap, header};

use crate::error::{ApiError, Kind, Result};

/// Types of body that some route takes. None of them can be sent by a plain HTML form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Ndjson,
    Protobuf,
    Grpc,
}

impl Media {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Protobuf => "application/x-protobuf",
            Self::Grpc => "application/grpc",
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
            "application/grpc" | "application/grpc+proto" => Self::Grpc,
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

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// The packing of this name, in any case; `None` for one that is not read here.
    pub(crate) fn of_name(name: &[u8]) -> Option<Self> {
        match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Some(Self::None),
            b"gzip" | b"x-gzip" => Some(Self::Gzip),
            b"zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// How the body is compressed; an error for an encoding that is not read here, and for more than one.
pub(crate) fn packing(headers: &HeaderMap) -> Result<Packing> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let name = values.next().map_or(&b""[..], |value| value.as_bytes());
    match (Packing::of_name(name), values.next()) {
        (Some(packing), None) => Ok(packing),
        _ => Err(ApiError::new(
            Kind::UnsupportedMediaType,
            "the body's Content-Encoding is not one that is read here",
            "Send identity, gzip or zstd.",
        )),
    }
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
        assert_eq!(of("application/grpc+proto"), Some(Media::Grpc));
        assert_eq!(of("application/grpc+json"), None);
        for bad in
            ["", "text/plain", "application/json; charset=utf-16", "application/jsonx", "multipart/form-data"]
        {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(Media::of(&HeaderMap::new()), None);
        assert_eq!(Media::of(&headers(&header::CONTENT_TYPE, &["application/json", "text/plain"])), None);
    }

    #[test]
    fn one_packing_or_nothing() {
        let packing = |values: &[&str]| packing(&headers(&header::CONTENT_ENCODING, values)).ok();
        assert_eq!(packing(&[]), Some(Packing::None));
        assert_eq!(packing(&["identity"]), Some(Packing::None));
        assert_eq!(packing(&["GZIP "]), Some(Packing::Gzip));
        assert_eq!(packing(&["zstd"]), Some(Packing::Zstd));
        assert_eq!(packing(&["gzip", "gzip"]), None);
        for bad in ["gzip, gzip", "deflate", "br", "gzip;q=1"] {
            assert_eq!(packing(&[bad]), None, "{bad}");
        }
    }
}
