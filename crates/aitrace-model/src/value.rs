//! Attribute values as OTLP types them (opentelemetry.proto.common.v1.AnyValue).

use std::fmt::Write as _;

use serde_json::Value;

use crate::json::{Json, written};
use crate::text::write_string;

/// One attribute value.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyValue {
    /// No value was set.
    Null,
    /// `string_value`.
    String(String),
    /// `bool_value`.
    Bool(bool),
    /// `int_value`.
    Int(i64),
    /// `double_value`, which may be NaN or infinite.
    Double(f64),
    /// `bytes_value`.
    Bytes(Vec<u8>),
    /// `array_value`.
    Array(Vec<AnyValue>),
    /// `kvlist_value`, in the order received; keys may repeat.
    Map(Vec<(String, AnyValue)>),
}

impl AnyValue {
    /// The text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The value as JSON text that can be read back without loss.
    ///
    /// What JSON cannot say is an object with one key: `{"$bytes": base64}` and
    /// `{"$double": "NaN" | "Infinity" | "-Infinity"}`. Doubles always have a point or an exponent.
    pub fn to_json(&self) -> Json {
        written(|out| self.write_json(out))
    }

    /// Appends [`AnyValue::to_json`]'s text. Recursion is bounded by the decoders' depth limit.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::String(text) => write_string(out, text),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => write!(out, "{value}").expect("a String takes everything"),
            Self::Double(value) => write_double(out, *value),
            Self::Bytes(bytes) => {
                out.push_str(r#"{"$bytes":""#);
                write_base64(out, bytes);
                out.push_str("\"}");
            }
            Self::Array(values) => {
                out.push('[');
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    value.write_json(out);
                }
                out.push(']');
            }
            Self::Map(members) => write_members(out, members),
        }
    }

    /// An object of attributes; of keys that repeat the last one counts.
    pub fn object_to_json(members: &[(String, AnyValue)]) -> Json {
        let strings = members.iter().map(|(key, value)| key.len() + value.as_str().map_or(16, str::len) + 8);
        let expected = strings.sum::<usize>() + 64;
        written(|out| {
            // A large text grows once.
            out.reserve(expected);
            write_members(out, members);
        })
    }
}

impl AnyValue {
    /// The value whose [`AnyValue::to_json`] this is. Of other JSON the nearest: whole numbers beyond `i64` become
    /// doubles, and what is nested deeper than 128 becomes its text.
    pub fn from_json(json: &Json) -> Self {
        json.to_value().map_or_else(|| Self::from(json.as_str()), |value| Self::from_parsed(&value))
    }

    fn from_parsed(value: &Value) -> Self {
        match value {
            Value::Array(values) => Self::Array(values.iter().map(Self::from_parsed).collect()),
            Value::Object(members) => {
                let mut all = members.iter();
                if let (Some((key, Value::String(text))), None) = (all.next(), all.next())
                    && let Some(value) = marked(key, text)
                {
                    return value;
                }
                Self::Map(
                    members.iter().map(|(key, value)| (key.clone(), Self::from_parsed(value))).collect(),
                )
            }
            scalar => Self::from(scalar),
        }
    }
}

/// What JSON cannot say otherwise.
fn marked(key: &str, text: &str) -> Option<AnyValue> {
    match (key, text) {
        ("$double", "NaN") => Some(AnyValue::Double(f64::NAN)),
        ("$double", "Infinity") => Some(AnyValue::Double(f64::INFINITY)),
        ("$double", "-Infinity") => Some(AnyValue::Double(f64::NEG_INFINITY)),
        ("$bytes", text) => read_base64(text).map(AnyValue::Bytes),
        _ => None,
    }
}

impl From<&str> for AnyValue {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

/// Parsed JSON as an attribute value: whole numbers beyond `i64` become doubles.
impl From<&Value> for AnyValue {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => {
                number.as_i64().map_or_else(|| Self::Double(number.as_f64().unwrap_or(f64::NAN)), Self::Int)
            }
            Value::String(text) => Self::String(text.clone()),
            Value::Array(values) => Self::Array(values.iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Map(members.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect())
            }
        }
    }
}

fn write_members(out: &mut String, members: &[(String, AnyValue)]) {
    out.push('{');
    let mut first = true;
    for (index, (key, value)) in members.iter().enumerate() {
        // Few members: a scan is cheaper than a set. Many: repeated keys are so rare that JSON may carry them.
        if members.len() <= 128 && members[index + 1..].iter().any(|(later, _)| later == key) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        write_string(out, key);
        out.push(':');
        value.write_json(out);
    }
    out.push('}');
}

fn write_double(out: &mut String, value: f64) {
    if value.is_finite() {
        out.push_str(&Value::from(value).to_string());
    } else if value.is_nan() {
        out.push_str(r#"{"$double":"NaN"}"#);
    } else {
        out.push_str(if value > 0.0 { r#"{"$double":"Infinity"}"# } else { r#"{"$double":"-Infinity"}"# });
    }
}

fn write_base64(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let word = u32::from(chunk[0]) << 16
            | u32::from(chunk.get(1).copied().unwrap_or(0)) << 8
            | u32::from(chunk.get(2).copied().unwrap_or(0));
        for place in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
}

fn read_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.as_bytes().chunks(4) {
        let padding = group.iter().rev().take_while(|byte| **byte == b'=').count();
        if group.len() != 4 || padding > 2 {
            return None;
        }
        let digits = &group[..4 - padding];
        let word = digits.iter().try_fold(0_u32, |word, byte| Some(word << 6 | u32::from(digit(*byte)?)))?;
        let word = word << (6 * padding);
        bytes.extend_from_slice(&word.to_be_bytes()[1..4 - padding]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_what_the_type_was() {
        let value = AnyValue::Map(vec![
            ("i".into(), AnyValue::Int(i64::MAX)),
            ("d".into(), AnyValue::Double(1.0)),
            ("n".into(), AnyValue::Double(f64::NAN)),
            ("b".into(), AnyValue::Bytes(b"any carnal".to_vec())),
            ("s".into(), AnyValue::from("a\"\u{1}")),
        ]);
        assert_eq!(
            value.to_json().as_str(),
            r#"{"i":9223372036854775807,"d":1.0,"n":{"$double":"NaN"},"b":{"$bytes":"YW55IGNhcm5hbA=="},"s":"a\"\u0001"}"#
        );
    }

    #[test]
    fn what_was_written_is_read_back() {
        for length in 0..9 {
            let value = AnyValue::Map(vec![
                ("b".into(), AnyValue::Bytes((0..length).map(|byte: u8| byte.wrapping_mul(97)).collect())),
                ("d".into(), AnyValue::Double(f64::NEG_INFINITY)),
                (
                    "l".into(),
                    AnyValue::Array(vec![AnyValue::Int(i64::MIN), AnyValue::Double(-0.0), AnyValue::Null]),
                ),
            ]);
            assert_eq!(AnyValue::from_json(&value.to_json()), value);
        }
        for plain in
            [r#"{"$bytes":"?"}"#, r#"{"$bytes":"YQ="}"#, r#"{"$double":"1"}"#, r#"{"$bytes":"YQ==","a":1}"#]
        {
            let json = Json::from_trusted(plain);
            assert!(matches!(AnyValue::from_json(&json), AnyValue::Map(_)), "{plain}");
            assert_eq!(AnyValue::from_json(&json).to_json(), json);
        }
    }

    #[test]
    fn the_last_of_repeated_keys_counts() {
        let members = [("a".to_owned(), AnyValue::Int(1)), ("a".to_owned(), AnyValue::Int(2))];
        assert_eq!(AnyValue::object_to_json(&members).as_str(), r#"{"a":2}"#);
    }
}
