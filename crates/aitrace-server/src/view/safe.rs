//! JSON text whose numbers JavaScript can read.

/// The largest whole number up to which all can be told apart as doubles: 2^53.
pub(super) const LARGEST: u64 = 1 << 53;
const DIGITS: &[u8] = b"9007199254740992";

/// Appends a JSON text; whole numbers beyond ±2^53 become strings of their digits.
///
/// Nearly no text has such a number. A run of 16 digits touches every 16th byte or one of it, so looking at those
/// is enough to know that there is none.
pub(super) fn push_safe(out: &mut String, json: &str) {
    if has_long_run(json.as_bytes()) { rewrite(out, json) } else { out.push_str(json) }
}

fn has_long_run(text: &[u8]) -> bool {
    let mut at = DIGITS.len() - 1;
    while let Some(byte) = text.get(at) {
        if byte.is_ascii_digit() {
            let before = text[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            let after = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if before + after >= DIGITS.len() {
                return true;
            }
        }
        at += DIGITS.len();
    }
    false
}

fn rewrite(out: &mut String, json: &str) {
    out.reserve(json.len() + 16);
    let bytes = json.as_bytes();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at),
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..].iter().take_while(|byte| in_number(**byte)).count();
                let number = &json[at..at + length];
                if beyond(number) {
                    out.push_str(&json[copied..at]);
                    out.push('"');
                    out.push_str(number);
                    out.push('"');
                    copied = at + length;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    out.push_str(&json[copied..]);
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn in_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

fn beyond(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number).as_bytes();
    digits.iter().all(u8::is_ascii_digit)
        && (digits.len() > DIGITS.len() || digits.len() == DIGITS.len() && digits > DIGITS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn safe(json: &str) -> String {
        let mut out = String::new();
        push_safe(&mut out, json);
        out
    }

    #[test]
    fn only_whole_numbers_beyond_the_limit_change() {
        for same in [
            "9007199254740992",
            "-9007199254740992",
            "0.12345678901234567890",
            "12345678901234567890e1",
            r#""9007199254740993""#,
            r#"{"9007199254740993":"\"9007199254740993"}"#,
            "[1, 2 , 3]",
            "",
        ] {
            assert_eq!(safe(same), same);
        }
        assert_eq!(safe("9007199254740993"), r#""9007199254740993""#);
        assert_eq!(safe("-18446744073709551615"), r#""-18446744073709551615""#);
        assert_eq!(
            safe(r#"{"a\\":[ 9223372036854775807,1],"b\"":"é",  "c":-9223372036854775808}"#),
            r#"{"a\\":[ "9223372036854775807",1],"b\"":"é",  "c":"-9223372036854775808"}"#
        );
    }

    fn expected(value: &Value) -> Value {
        match value {
            Value::Number(number) if number.as_i64().is_some_and(|n| n.unsigned_abs() > LARGEST) => {
                Value::String(number.to_string())
            }
            Value::Number(number) if number.as_u64().is_some_and(|n| n > LARGEST) => {
                Value::String(number.to_string())
            }
            Value::Array(values) => values.iter().map(expected).collect(),
            Value::Object(members) => {
                Value::Object(members.iter().map(|(key, value)| (key.clone(), expected(value))).collect())
            }
            other => other.clone(),
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-3_i64..3).prop_map(|n| Value::from((1 << 53) + n)),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[0-9\"\\\\-]{0,40}".prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 30, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_a_rewrite_of_the_parsed_value(value in json()) {
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let read: Value = serde_json::from_str(&safe(&text)).unwrap();
                prop_assert_eq!(&read, &expected(&value));
            }
        }
    }
}
