//! JSON text taken apart one level deep, without recursion and without loss.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::text::Text;

/// The members of an object as they stand in the text; keys may repeat.
pub(super) struct Members<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Members)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(20);
        while let Some((Text(key), value)) = map.next_entry()? {
            members.push((key, value));
        }
        Ok(members)
    }
}

/// The text of a JSON string; `None` for any other value.
pub(super) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

/// Whether the text nests objects and arrays more than `limit` deep.
pub(super) fn deeper_than(text: &[u8], limit: usize) -> bool {
    // Both differ from `{` by one bit at most. Counts of few bytes fit a byte: the processor counts many at once.
    let few =
        |bytes: &[u8]| bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(u8::from(byte | 0x20 == b'{')));
    let opening: usize = text.chunks(usize::from(u8::MAX)).map(|bytes| usize::from(few(bytes))).sum();
    opening > limit
        && find_structure(text, |byte, depth| matches!(byte, b'{' | b'[') && depth >= limit).is_some()
}

/// Whether the text has more than `limit` members in its objects of the first two levels, which become values of
/// their own. A text that is too short for so many costs nothing.
pub(super) fn more_members_than(text: &[u8], limit: usize) -> bool {
    /// Bytes of the shortest member: `"":1,`.
    const SHORTEST: usize = 5;
    if text.len() / SHORTEST <= limit {
        return false;
    }
    // Elements of arrays stay together as text: only objects count.
    let (commas, objects) = (Cell::new(0), [const { Cell::new(false) }; 3]);
    let beyond = |byte, depth: usize| {
        match (byte, objects.get(depth)) {
            (b',', Some(object)) if object.get() => commas.set(commas.get() + 1),
            (b'{' | b'[', _) if depth < 2 => objects[depth + 1].set(byte == b'{'),
            _ => {}
        }
        commas.get() > limit
    };
    find_structure(text, beyond).is_some()
}

/// Where the first brace, bracket or comma outside of strings stands that `wanted` takes. It is told
/// the byte and how many are open before it.
pub(super) fn find_structure(text: &[u8], wanted: impl Fn(u8, usize) -> bool) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => {
                at += string_length(&text[at..])?;
                continue;
            }
            b'{' | b'[' | b'}' | b']' | b',' if wanted(byte, depth) => return Some(at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Length of the string that the text begins with, its quotes included; `None` where it has no end.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_stay_as_written() {
        let text = r#"{"a\ud800b":"\udfff\ud83d\ude00","\ud801":1}"#;
        let Members(members) = serde_json::from_str(text).expect("JSON");
        assert_eq!(members[0].0, "a\\ud800b");
        assert_eq!(members[1].0, "\\ud801");
        assert_eq!(string(members[0].1).expect("string"), "\\udfff😀");
    }

    #[test]
    fn members_count_on_two_levels() {
        let many = |count: usize| vec!["'':1"; count].join(",").replace('\'', "\"");
        assert!(!more_members_than(format!("{{{}}}", many(100)).as_bytes(), 99));
        assert!(more_members_than(format!("{{{}}}", many(101)).as_bytes(), 99));
        assert!(more_members_than(format!(r#"{{"a":{{{}}}}}"#, many(101)).as_bytes(), 99));
        assert!(!more_members_than(format!(r#"{{"a":{{"b":{{{}}}}}}}"#, many(101)).as_bytes(), 99));
        assert!(!more_members_than(format!(r#"{{"a":[{}1]}}"#, "1,".repeat(900)).as_bytes(), 99));
        assert!(!more_members_than(format!(r#"{{"a":"{}"}}"#, ",".repeat(900)).as_bytes(), 99));
    }

    #[test]
    fn depth_counts_outside_of_strings() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!deeper_than(nested(128).as_bytes(), 128));
        assert!(deeper_than(nested(129).as_bytes(), 128));
        let quoted = format!(r#"["{}\"["]"#, "[".repeat(500));
        assert!(!deeper_than(quoted.as_bytes(), 128));
    }
}
