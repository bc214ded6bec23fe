//! User data as JSON text, kept to the letter.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{ModelError, Result};
use crate::scan;
use crate::text::write_string;

/// One JSON value as its text.
///
/// Numbers keep their digits, keys their order, strings their escapes: what a user sent is
/// what a user gets back. The text is valid JSON; its numbers may be outside of `f64`.
/// Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// Takes a text after checking that it is one JSON value.
    pub fn parse(text: &str) -> Result<Self> {
        match serde_json::from_str::<&RawValue>(text) {
            Ok(raw) => Ok(Self(raw.get().into())),
            Err(error) => Err(ModelError::Json { reason: error.to_string() }),
        }
    }

    /// The text of a parsed value.
    pub fn from_value(value: &Value) -> Self {
        Self(value.to_string().into())
    }

    /// A JSON string.
    pub fn string(text: &str) -> Self {
        written(|out| write_string(out, text))
    }

    /// The text of anything that serialises; an error where it cannot (a map with keys that are no strings).
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        match serde_json::to_string(value) {
            Ok(text) => Ok(Self(text.into())),
            Err(error) => Err(ModelError::Json { reason: error.to_string() }),
        }
    }

    /// An object of the given members, in this order. Keys are expected to be distinct.
    pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, &'a Json)>) -> Self {
        written(|text| {
            text.push('{');
            for (key, value) in members {
                if text.len() > 1 {
                    text.push(',');
                }
                write_string(text, key);
                text.push(':');
                text.push_str(value.as_str());
            }
            text.push('}');
        })
    }

    /// Takes a text that is known to be one JSON value, because our own code just wrote it.
    pub fn from_trusted(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        debug_assert!(serde_json::from_str::<&RawValue>(&text).is_ok(), "not JSON: {text}");
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parsed value, `None` where a number or the depth (128) is beyond [`Value`].
    pub fn to_value(&self) -> Option<Value> {
        serde_json::from_str(&self.0).ok()
    }

    /// The items of an array, `None` where this is none.
    pub fn items(&self) -> Option<Vec<Json>> {
        let items: Vec<&RawValue> = serde_json::from_str(&self.0).ok()?;
        Some(items.into_iter().map(|item| Self(item.get().into())).collect())
    }

    /// The members of an object in their order, `None` where this is none. Of keys that repeat the last
    /// value counts.
    pub fn members(&self) -> Option<Vec<(String, Json)>> {
        let members = scan::members(&self.0)?.into_iter();
        Some(distinct(members.map(|(key, value)| (key.into_owned(), Self(value.into()))).collect()))
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({})", self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(raw.get().into()))
    }
}

/// The JSON that is written into a text. The text is kept for the next one of this thread: a large allocation costs
/// as much as writing a span's attributes.
pub(crate) fn written(write: impl FnOnce(&mut String)) -> Json {
    /// Bytes of a text that is worth being kept.
    const KEPT: usize = 64 << 10;
    thread_local! {
        static TEXT: Cell<String> = const { Cell::new(String::new()) };
    }
    // While a thread ends there is none any more.
    let mut text = TEXT.try_with(Cell::take).unwrap_or_default();
    text.clear();
    write(&mut text);
    let json = Json::from_trusted(text.as_str());
    if text.capacity() <= KEPT {
        TEXT.try_with(|kept| kept.set(text)).ok();
    }
    json
}

/// Of repeated keys the last value, at the first place.
pub(crate) fn distinct(members: Vec<(String, Json)>) -> Vec<(String, Json)> {
    const FEW: usize = 32;
    if members.len() <= FEW {
        let repeats = |at: usize| members[..at].iter().any(|(key, _)| *key == members[at].0);
        if !(1..members.len()).any(repeats) {
            return members;
        }
    }
    let mut places: HashMap<String, usize> = HashMap::with_capacity(members.len());
    let mut kept: Vec<(String, Json)> = Vec::with_capacity(members.len());
    for (key, value) in members {
        if let Some(at) = places.get(&key) {
            kept[*at].1 = value;
        } else {
            places.insert(key.clone(), kept.len());
            kept.push((key, value));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept_to_the_letter() {
        let text = r#"{"b":1e400,"a":123456789012345678901234567890,"s":"é","n":-0.0}"#;
        let json = Json::parse(text).expect("valid");
        assert_eq!(json.as_str(), text);
        assert_eq!(serde_json::to_string(&json).expect("writes"), text);
        assert_eq!(json.members().expect("object")[1].1.as_str(), "123456789012345678901234567890");
    }

    #[test]
    fn object_escapes_keys() {
        let one = Json::from_trusted("1");
        let json = Json::object([("a\"b", &one), ("", &one)]);
        assert_eq!(json.as_str(), r#"{"a\"b":1,"":1}"#);
        assert!(Json::parse("{").is_err());
        assert!(Json::parse("[1]").expect("valid").members().is_none());
    }
}
