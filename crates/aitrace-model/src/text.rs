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
