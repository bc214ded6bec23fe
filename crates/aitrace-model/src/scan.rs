//! JSON text that is known to be JSON, taken apart one level deep: nothing is checked again, and nothing is copied.
//!
//! Text that is none gives pieces of it, never a panic.

use std::borrow::Cow;

use crate::text::Text;

/// The members of an object in their order, each value as its text; keys may repeat. `None` where it is none.
pub(crate) fn members(text: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let mut scan = Scan { text, at: 0 };
    scan.take(b'{')?;
    let mut members = Vec::with_capacity(16);
    if scan.take(b'}').is_some() {
        return Some(members);
    }
    loop {
        let key = scan.value()?;
        scan.take(b':')?;
        members.push((string(key)?, scan.value()?));
        if scan.take(b',').is_none() {
            scan.take(b'}')?;
            return Some(members);
        }
    }
}

/// What a JSON string says; `None` for any other value.
pub(crate) fn string(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<Text<'_>>(text).ok().map(|text| text.0)
}

/// Where the first brace, bracket or comma outside of strings stands that `wanted` takes. It is told
/// the byte and how many are open before it.
pub(crate) fn find_structure(text: &[u8], wanted: impl Fn(u8, usize) -> bool) -> Option<usize> {
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

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(&mut self) -> &'a [u8] {
        let rest = &self.text.as_bytes()[self.at..];
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += blanks;
        &rest[blanks..]
    }

    /// Passes over a mark, where it is the next one.
    fn take(&mut self, mark: u8) -> Option<()> {
        let found = self.rest().first() == Some(&mark);
        self.at += usize::from(found);
        found.then_some(())
    }

    /// The text of the next value.
    fn value(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let length = match rest.first()? {
            b'"' => string_length(rest)?,
            b'{' | b'[' => find_structure(rest, |byte, depth| depth == 1 && matches!(byte, b'}' | b']'))? + 1,
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                rest.iter().position(ends).unwrap_or(rest.len())
            }
        };
        let value = self.text.get(self.at..self.at + length)?;
        self.at += length;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn members_stand_as_they_were_written() {
        let text = " {\"a\" :1e400 , \"b\\u0063\": \"x\\\"}\",\"a\":[ {\"}\":1} ,2], \"e\":{} ,\"n\":null\n}";
        let expected =
            [("a", "1e400"), ("bc", "\"x\\\"}\""), ("a", "[ {\"}\":1} ,2]"), ("e", "{}"), ("n", "null")];
        let found = members(text).expect("an object");
        let found: Vec<(&str, &str)> = found.iter().map(|(key, value)| (&**key, *value)).collect();
        assert_eq!(found, expected);
        assert_eq!(members("{}"), Some(vec![]));
        for other in
            ["[]", "1", "\"{}\"", "", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":\"", "{\"a\":[1,{]"]
        {
            assert_eq!(members(other), None, "{other}");
        }
    }

    #[test]
    fn lone_surrogates_stay_as_written() {
        let found = members(r#"{"a\ud800b":"\udfff\ud83d\ude00"}"#).expect("an object");
        assert_eq!(found[0].0, "a\\ud800b");
        assert_eq!(string(found[0].1).expect("a string"), "\\udfff😀");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "(\\PC|[\\\\\"{}\\[\\],: \n]){0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("(\\PC|[\\\\\"{},: ]){0,6}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn objects_are_taken_apart_as_a_parser_does(value in json(), pretty in any::<bool>()) {
            let text =
                if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.expect("JSON");
            let read = |(key, value): &(Cow<'_, str>, &str)| {
                (key.to_string(), serde_json::from_str::<Value>(value).expect("JSON"))
            };
            let found = members(&text).map(|members| members.iter().map(read).collect::<Vec<_>>());
            let text_of = |value: &Value| serde_json::from_str(&value.to_string()).expect("JSON");
            let expected = value.as_object().map(|members| {
                members.iter().map(|(key, value)| (key.clone(), text_of(value))).collect::<Vec<(String, Value)>>()
            });
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn what_is_no_json_does_not_panic(text in "(\\PC|[\\\\\"{}\\[\\],: \n]){0,40}") {
            drop(members(&text));
            drop(members(&format!("{{{text}")));
        }
    }
}
