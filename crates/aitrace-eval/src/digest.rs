//! Ids from content: the same row has the same id in each run and in each SDK.

use std::fmt::Write as _;

use serde_json::{Number, Value};
use sha2::{Digest as _, Sha256};

/// Deeper rows are cut there: a row that deep has been refused by whatever read it.
const MAX_DEPTH: usize = 128;

/// `EXT-` and 24 hex digits of the SHA-256 of the values as canonical JSON: keys sorted, `", "` and `": "`
/// between, floats as Python writes them.
pub(crate) fn external_id(values: &[&Value]) -> String {
    let mut text = String::from("[");
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        canonical(&mut text, value, 0);
    }
    text.push(']');
    let digest = Sha256::digest(text.as_bytes());
    let mut id = String::from("EXT-");
    for byte in &digest[..12] {
        write!(id, "{byte:02x}").expect("a String takes everything");
    }
    id
}

fn canonical(out: &mut String, value: &Value, depth: usize) {
    match value {
        _ if depth > MAX_DEPTH => out.push_str("null"),
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => push_number(out, number),
        Value::String(text) => push_string(out, text),
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                canonical(out, value, depth + 1);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            for (index, (key, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                push_string(out, key);
                out.push_str(": ");
                canonical(out, value, depth + 1);
            }
            out.push('}');
        }
    }
}

fn push_string(out: &mut String, text: &str) {
    // serde_json escapes as Python does with `ensure_ascii=False`.
    out.push_str(&Value::from(text).to_string());
}

fn push_number(out: &mut String, number: &Number) {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) => python_float(out, float),
        None => out.push_str(&number.to_string()),
    }
}

/// The shortest digits that read back the same, with an exponent below 1e-4 and from 1e16 on.
fn python_float(out: &mut String, float: f64) {
    // `d.ddde±x`: the digits and the exponent.
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if float != 0.0 && !(-4..16).contains(&power) {
        let sign = if power < 0 { '-' } else { '+' };
        write!(out, "{digits}e{sign}{:02}", power.abs()).expect("a String takes everything");
        return;
    }
    let plain = format!("{float}");
    out.push_str(&plain);
    if !plain.contains('.') {
        out.push_str(".0");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (float, expected) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (123_456_789.25, "123456789.25"),
        ] {
            let mut out = String::new();
            python_float(&mut out, float);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn keys_are_sorted_and_strings_kept() {
        let mut out = String::new();
        canonical(&mut out, &serde_json::json!({"b": [1, null], "a": "é\u{7}\"\n"}), 0);
        assert_eq!(out, "{\"a\": \"é\\u0007\\\"\\n\", \"b\": [1, null]}");
    }
}
