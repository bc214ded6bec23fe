//! Trace and span ids: W3C trace context, 16 and 8 bytes, never all zero.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{ModelError, Result, excerpt};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $bytes;

            /// An id from its bytes; all zeros is no id.
            pub fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            /// An id from a slice; `None` when the length is wrong or all bytes are zero.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Self::from_bytes(bytes.try_into().ok()?)
            }

            /// The bytes, most significant first.
            pub fn to_bytes(self) -> [u8; $bytes] {
                self.0
            }

            /// The id as lower-case hex.
            pub fn to_hex(self) -> String {
                self.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut hex = [0_u8; $bytes * 2];
                write_hex(&self.0, &mut hex);
                f.write_str(std::str::from_utf8(&hex).expect("hex digits are ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ModelError;

            fn from_str(text: &str) -> Result<Self> {
                let mut bytes = [0_u8; $bytes];
                if read_hex(text.as_bytes(), &mut bytes) && bytes != [0; $bytes] {
                    return Ok(Self(bytes));
                }
                Err(ModelError::Id { what: $what, digits: $bytes * 2, got: excerpt(text) })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

id! {
    /// The id of a trace: 16 bytes, written as 32 lower-case hex digits.
    TraceId, 16, "trace_id"
}
id! {
    /// The id of a span within its trace: 8 bytes, written as 16 lower-case hex digits.
    SpanId, 8, "span_id"
}

fn write_hex(bytes: &[u8], out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

fn read_hex(text: &[u8], out: &mut [u8]) -> bool {
    if text.len() != out.len() * 2 {
        return false;
    }
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        match (digit(pair[0]), digit(pair[1])) {
            (Some(high), Some(low)) => *byte = high << 4 | low,
            _ => return false,
        }
    }
    true
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_is_lower_case() {
        let id: TraceId = "00F067AA0BA902B74BF92F3577B34DA6".parse().expect("valid");
        assert_eq!(id.to_string(), "00f067aa0ba902b74bf92f3577b34da6");
        assert_eq!(id.to_hex().parse(), Ok(id));
    }

    #[test]
    fn what_is_no_id_is_refused_with_what_came() {
        for bad in ["", "xyz", "0000000000000000", "00f067aa0ba902b", "00f067aa0ba902b7 ", "é0f067aa0ba902b"]
        {
            let error = bad.parse::<SpanId>().expect_err(bad);
            assert!(error.to_string().contains("16 hex digits"), "{error}");
        }
    }

    #[test]
    fn serde_uses_the_text() {
        let id: SpanId = serde_json::from_str("\"00f067aa0ba902b7\"").expect("valid");
        assert_eq!(serde_json::to_string(&id).expect("string"), "\"00f067aa0ba902b7\"");
        assert!(serde_json::from_str::<SpanId>("\"0\"").is_err());
    }
}
