//! JSON within strings.

use std::borrow::Cow;

use aitrace_model::{AnyValue, Json};

/// An array, an object or a quoted string in a string, `None` where there is none. Escapes of letters
/// are undone, so that the text can be found.
pub(crate) fn embedded(text: &str) -> Option<Json> {
    let trimmed = text.trim_ascii();
    if !trimmed.starts_with(['{', '[', '"']) {
        return None;
    }
    match unescaped(trimmed) {
        Cow::Borrowed(text) => Json::parse(text).ok(),
        Cow::Owned(text) => Json::parse(&text).ok(),
    }
}

/// An array or object, also in a string; everything else as it is.
pub(crate) fn opened(value: &AnyValue) -> Json {
    value.as_str().and_then(embedded).unwrap_or_else(|| value.to_json())
}

/// JSON text with `\u00e9` written as é. Escapes that JSON needs, and half surrogates, stay.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = if let Some((letter, length)) = escape(rest) {
            out.push(letter);
            length
        } else {
            // Any other escape is two characters; in broken JSON the second may have several bytes.
            let length = rest.chars().take(2).map(char::len_utf8).sum();
            out.push_str(&rest[..length]);
            length
        };
        rest = &rest[length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The letter that the text begins with as an escape, beyond ASCII, and the escape's length.
fn escape(text: &str) -> Option<(char, usize)> {
    let first = unit(text)?;
    let (letter, length) = if let Some(letter) = char::from_u32(first) {
        (letter, 6)
    } else {
        let second = unit(text.get(6..)?)?;
        let pair = char::decode_utf16([first as u16, second as u16]).next()?;
        (pair.ok()?, 12)
    };
    (!letter.is_ascii() && !letter.is_control()).then_some((letter, length))
}

fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_unescaped_and_nothing_else() {
        let text = r#"["caf\u00e9 \ud83d\ude00 \\u00e9 \u0000 \u0022 \ud83d x \"\\\\\u00e9"]"#;
        let json = embedded(text).expect("JSON");
        assert_eq!(json.as_str(), r#"["café 😀 \\u00e9 \u0000 \u0022 \ud83d x \"\\\\é"]"#);
    }
}
