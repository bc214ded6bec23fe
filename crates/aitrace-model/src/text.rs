//! JSON strings that may hold what is no Unicode text.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A JSON string. Escapes of lone surrogates, which are JSON but no Unicode text, stay as written.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As bytes, because serde_json refuses lone surrogates in a `str`.
        deserializer.deserialize_bytes(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(spell_surrogates(bytes)),
        })
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(std::str::from_utf8(bytes).map_or_else(|_| spell_surrogates(bytes), str::to_owned)))
    }
}

/// UTF-8 with three-byte surrogates in it as text, with `\ud83d` for such a surrogate.
fn spell_surrogates(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 8);
    let mut rest = bytes;
    while let Err(error) = std::str::from_utf8(rest) {
        let (valid, broken) = rest.split_at(error.valid_up_to());
        out.push_str(std::str::from_utf8(valid).expect("valid up to here"));
        let used = if let [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, ..] = broken {
            let unit = 0xD000 | u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F);
            write!(out, "\\u{unit:04x}").expect("a String takes everything");
            3
        } else {
            out.push(char::REPLACEMENT_CHARACTER);
            error.error_len().unwrap_or(broken.len())
        };
        rest = &broken[used..];
    }
    out.push_str(std::str::from_utf8(rest).expect("the loop ends on valid text"));
    out
}

/// Appends a JSON string.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    // Runs without anything to escape are copied whole.
    while let Some(at) = first_escaped(rest.as_bytes()) {
        out.push_str(&rest[..at]);
        write_escape(out, rest.as_bytes()[at]);
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Where the first byte stands that a JSON string must escape: a control, a quote, a backslash.
fn first_escaped(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = escaped(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(8 * index + found.trailing_zeros() as usize / 8);
        }
    }
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    let found = escaped(u64::from_le_bytes(last));
    (found != 0).then(|| 8 * words.len() + found.trailing_zeros() as usize / 8)
}

/// The high bit of each of eight bytes that must be escaped. Above the lowest one there may be false ones: each test
/// subtracts, and what it borrows comes from the bytes above.
const fn escaped(word: u64) -> u64 {
    const fn all(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    const fn zero(word: u64) -> u64 {
        word.wrapping_sub(all(1)) & !word
    }
    let control = word.wrapping_sub(all(0x20)) & !word;
    (control | zero(word ^ all(b'"')) | zero(word ^ all(b'\\'))) & all(0x80)
}

fn write_escape(out: &mut String, byte: u8) {
    let short = match byte {
        b'"' => "\\\"",
        b'\\' => "\\\\",
        b'\n' => "\\n",
        b'\r' => "\\r",
        b'\t' => "\\t",
        0x08 => "\\b",
        0x0C => "\\f",
        _ => return write!(out, "\\u{byte:04x}").expect("a String takes everything"),
    };
    out.push_str(short);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_written_as_json(text in "\\PC*|[\\x00-\\x7F]*") {
            let mut out = String::new();
            write_string(&mut out, &text);
            prop_assert_eq!(&out, &serde_json::to_string(&text).expect("a string"));
        }
    }
}
