//! Attribute values on the caller's side: cheap to make, cheap to clone, bounded.

use std::sync::Arc;

use aitrace_model::{AnyValue, Json};

use crate::text::SHARED_OVERHEAD;

/// Longest text of one value, in bytes.
pub(crate) const MAX_TEXT: usize = 1 << 20;

/// The value of an attribute.
///
/// Everything usual converts into it: booleans, integers, floats, strings, [`Json`], `serde_json::Value`.
/// A text longer than 1 MiB is cut, with a mark that says how long it was.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number, which may be NaN or infinite.
    Double(f64),
    /// A string.
    Text(Arc<str>),
    /// A short string, kept in place: it needs no memory of its own.
    Short(Short),
    /// Anything else that OTLP knows: bytes, arrays, maps, null.
    Any(Arc<AnyValue>),
}

impl Value {
    /// The value as the model's.
    pub fn to_any(&self) -> AnyValue {
        match self {
            Self::Bool(value) => AnyValue::Bool(*value),
            Self::Int(value) => AnyValue::Int(*value),
            Self::Double(value) => AnyValue::Double(*value),
            Self::Text(text) => AnyValue::String(text.as_ref().to_owned()),
            Self::Short(text) => AnyValue::String(text.as_str().to_owned()),
            Self::Any(value) => value.as_ref().clone(),
        }
    }

    /// Bytes on the heap, estimated.
    pub(crate) fn heap(&self) -> usize {
        match self {
            Self::Bool(_) | Self::Int(_) | Self::Double(_) | Self::Short(_) => 0,
            Self::Text(text) => text.len() + SHARED_OVERHEAD,
            Self::Any(value) => heap_of(value, 0),
        }
    }
}

impl Default for Value {
    #[inline]
    fn default() -> Self {
        Self::Bool(false)
    }
}

/// Bytes that a value holds in place.
const SHORT: usize = 22;

/// A string of at most 22 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short {
    length: u8,
    /// Zeros behind the text.
    bytes: [u8; SHORT],
}

impl Short {
    /// The text, if it is short enough.
    #[inline]
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; SHORT];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { length: text.len() as u8, bytes })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let text =
            self.bytes.get(..usize::from(self.length)).and_then(|bytes| std::str::from_utf8(bytes).ok());
        text.expect("made from a text of this length")
    }
}

fn heap_of(value: &AnyValue, depth: usize) -> usize {
    // Deeper values are cut before they are sent; their weight is not worth a deeper walk.
    if depth > 32 {
        return 0;
    }
    match value {
        AnyValue::String(text) => text.len(),
        AnyValue::Bytes(bytes) => bytes.len(),
        AnyValue::Array(values) => values.iter().map(|value| 32 + heap_of(value, depth + 1)).sum(),
        AnyValue::Map(members) => {
            members.iter().map(|(key, value)| 56 + key.len() + heap_of(value, depth + 1)).sum()
        }
        _ => 0,
    }
}

/// A text within the bound: cut at a character's border, with a mark.
pub(crate) fn bounded_text(text: &str) -> std::borrow::Cow<'_, str> {
    if text.len() <= MAX_TEXT {
        return text.into();
    }
    let end = text.floor_char_boundary(MAX_TEXT - 64);
    format!("{}…[cut: {} bytes]", &text[..end], text.len()).into()
}

impl From<&str> for Value {
    #[inline]
    fn from(text: &str) -> Self {
        Short::new(text).map_or_else(|| Self::Text(bounded_text(text).into()), Self::Short)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        if text.len() > MAX_TEXT { text.as_ref().into() } else { Self::Text(text) }
    }
}

impl From<bool> for Value {
    #[inline]
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

macro_rules! numbers {
    ($($from:ty => $variant:ident as $to:ty),+) => {
        $(impl From<$from> for Value {
            #[inline]
            fn from(value: $from) -> Self {
                Self::$variant(<$to>::from(value))
            }
        })+
    };
}
numbers!(
    i8 => Int as i64, i16 => Int as i64, i32 => Int as i64, i64 => Int as i64,
    u8 => Int as i64, u16 => Int as i64, u32 => Int as i64,
    f32 => Double as f64, f64 => Double as f64
);

macro_rules! wide_numbers {
    ($($from:ty),+) => {
        $(impl From<$from> for Value {
            /// A number beyond `i64` becomes its decimal digits as a string: no digit is lost.
            fn from(value: $from) -> Self {
                i64::try_from(value).map_or_else(|_| Self::from(value.to_string()), Self::Int)
            }
        })+
    };
}
wide_numbers!(u64, usize, isize, u128, i128);

impl From<AnyValue> for Value {
    fn from(value: AnyValue) -> Self {
        match value {
            AnyValue::Bool(value) => Self::Bool(value),
            AnyValue::Int(value) => Self::Int(value),
            AnyValue::Double(value) => Self::Double(value),
            AnyValue::String(text) => text.into(),
            other => Self::Any(Arc::new(other)),
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        AnyValue::from(&value).into()
    }
}

impl From<Json> for Value {
    /// The JSON's text as a string value.
    fn from(json: Json) -> Self {
        json.as_str().into()
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        let values = values.into_iter().map(|value| value.into().to_any()).collect();
        Self::Any(Arc::new(AnyValue::Array(values)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit() {
        assert_eq!(Value::from(7_u8), Value::Int(7));
        assert_eq!(
            Value::from(u64::MAX),
            Value::Short(Short::new("18446744073709551615").expect("20 bytes"))
        );
        assert_eq!(
            Value::from(vec![1, 2]).to_any(),
            AnyValue::Array(vec![AnyValue::Int(1), AnyValue::Int(2)])
        );
    }

    #[test]
    fn short_texts_stay_in_place() {
        assert_eq!(size_of::<Value>(), 24);
        for text in ["", "é", "a text of 22 bytes ...", "a text of 23 bytes ...."] {
            let value = Value::from(text);
            assert_eq!(value.to_any(), AnyValue::from(text));
            assert_eq!(matches!(value, Value::Short(_)), text.len() <= SHORT, "{text}");
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_and_says_so() {
        let Value::Text(text) = Value::from("é".repeat(MAX_TEXT)) else { panic!("a text") };
        assert!(text.len() <= MAX_TEXT);
        assert!(text.ends_with("…[cut: 2097152 bytes]"), "{}", &text[text.len() - 40..]);
    }
}
