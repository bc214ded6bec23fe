//! Strings, numbers, enums, ids and bytes, in every form that senders write them.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, Visitor};

use crate::tally::Tally;

/// A string that must be one of a few words or digits: what is not Unicode in it makes it none.
pub(super) struct Word<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserialize<'de> for Word<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Word<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Word<'de>, E> {
                Ok(Word(
                    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed),
                ))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Word<'de>, E> {
                Ok(Word(Cow::Owned(String::from_utf8_lossy(bytes).into_owned())))
            }
        }
        // As bytes, because as a string the parser would refuse a lone surrogate.
        deserializer.deserialize_bytes(Words)
    }
}

/// A user's string, `None` for null. Lone surrogates, which JSON can escape and UTF-8 cannot hold,
/// become U+FFFD.
pub(super) struct Text<'t, 'l>(pub(super) &'t mut Tally<'l>);

impl<'de> DeserializeSeed<'de> for Text<'_, '_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Text<'_, '_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        // As bytes, because as a string the parser would refuse a lone surrogate.
        deserializer.deserialize_bytes(self)
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Ok(Some(text.to_owned()));
        }
        self.0.salvaged_string();
        Ok(Some(without_surrogates(bytes)))
    }
}

/// The parser writes a lone surrogate as UTF-8 would have it, three bytes from ED A0 80 to ED BF BF.
fn without_surrogates(bytes: &[u8]) -> String {
    let mut repaired = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = match tail {
            [0xa0..=0xbf, _, after @ ..] if *first == 0xed => {
                repaired.extend_from_slice("\u{fffd}".as_bytes());
                after
            }
            _ => {
                repaired.push(*first);
                tail
            }
        };
    }
    String::from_utf8_lossy(&repaired).into_owned()
}

/// A whole number: a JSON number or its text. `None` for null.
pub(super) struct Whole(pub(super) Option<i128>);

impl Whole {
    /// The number as `T`.
    pub(super) fn within<T: TryFrom<i128> + Default, E: Error>(self) -> Result<Option<T>, E> {
        let Some(number) = self.0 else { return Ok(None) };
        match T::try_from(number) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(E::custom(format_args!("{number} is out of range"))),
        }
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl Visitor<'_> for Numbers {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or a string with one")
            }

            fn visit_unit<E>(self) -> Result<Whole, E> {
                Ok(Whole(None))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole(Some(number.into())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole(Some(number.into())))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
                // 1e3 is a whole number too; beyond 2^64 nothing fits anyway.
                if number.fract() == 0.0 && number.abs() <= 2e19 {
                    return Ok(Whole(Some(number as i128)));
                }
                Err(E::custom(format_args!("{number} is no whole number of 64 bits")))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Whole, E> {
                match text.trim().parse() {
                    Ok(number) => Ok(Whole(Some(number))),
                    Err(_) => Err(E::custom(format_args!("{:?} is no whole number", excerpt(text)))),
                }
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}

/// A floating-point number: a JSON number, its text, or "NaN", "Infinity", "-Infinity". `None` for
/// null.
pub(super) struct Double(pub(super) Option<f64>);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Doubles;
        impl Visitor<'_> for Doubles {
            type Value = Double;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a string with one")
            }

            fn visit_unit<E>(self) -> Result<Double, E> {
                Ok(Double(None))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Double, E> {
                Ok(Double(Some(number as f64)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Double, E> {
                Ok(Double(Some(number as f64)))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Double, E> {
                Ok(Double(Some(number)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Double, E> {
                match text.trim().parse() {
                    Ok(number) => Ok(Double(Some(number))),
                    Err(_) => Err(E::custom(format_args!("{:?} is no number", excerpt(text)))),
                }
            }
        }
        deserializer.deserialize_any(Doubles)
    }
}

/// An enum: its number, the text of its number, or its name, with or without the enum's prefix and
/// in any case. `None` for null.
pub(super) struct Enum {
    /// For example `SPAN_KIND_`.
    pub(super) prefix: &'static str,
    /// Names without the prefix, in the order of their numbers.
    pub(super) names: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for Enum {
    type Value = Option<i32>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Enum {
    type Value = Option<i32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number, or a name {}…", self.prefix)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Whole(Some(number.into())).within()
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Whole(Some(number.into())).within()
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let upper = text.trim().to_ascii_uppercase();
        let name = upper.strip_prefix(self.prefix).unwrap_or(&upper);
        let number = self.names.iter().position(|known| *known == name);
        match number.map(|number| number as i32).or_else(|| name.parse().ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(E::custom(format_args!(
                "{:?} is none of {}{{{}}}",
                excerpt(text),
                self.prefix,
                self.names.join(", ")
            ))),
        }
    }
}

/// Bytes from base64, of either alphabet, padded or not.
pub(super) fn base64<E: Error>(text: &str) -> Result<Vec<u8>, E> {
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
        .decode(text)
        .map_err(|error| E::custom(format_args!("not base64: {error}")))
}

/// Why a text is no id, for one that should be `digits` hex digits.
pub(super) fn bad_id(digits: usize, text: &str) -> String {
    let bytes = digits / 2;
    let base64 = base64::<serde::de::value::Error>(text).is_ok_and(|id| id.len() == bytes);
    let hint = if base64 { ", which is base64; OTLP/JSON has ids in hex" } else { "" };
    format!("must be {digits} hex digits, not all zero; got {:?}{hint}", excerpt(text))
}

/// The start of a text, short enough for an error.
pub(super) fn excerpt(text: &str) -> &str {
    &text[..text.floor_char_boundary(64)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::from_str;

    #[expect(clippy::option_option, reason = "an error, null, a number")]
    fn whole<T: TryFrom<i128> + Default>(text: &str) -> Option<Option<T>> {
        from_str::<Whole>(text).and_then(Whole::within).ok()
    }

    #[test]
    fn whole_numbers_in_every_form() {
        for (text, number) in [
            ("1", 1),
            ("\"1\"", 1),
            ("1e3", 1000),
            ("-5", -5),
            ("\"-9223372036854775808\"", i64::MIN),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(whole(text), Some(Some(number)), "{text}");
        }
        assert_eq!(whole("18446744073709551615"), Some(Some(u64::MAX)));
        assert_eq!(whole::<u64>("null"), Some(None));
        for text in ["1.5", "\"\"", "\"1.5\"", "9223372036854775808", "1e300", "true", "[]", "{}"] {
            assert_eq!(whole::<i64>(text), None, "{text}");
        }
        assert_eq!(whole::<u64>("-1"), None);
    }

    #[test]
    fn doubles_in_every_form() {
        let double = |text| from_str::<Double>(text).expect(text).0;
        assert_eq!(double("0.1"), Some(0.1));
        assert_eq!(double("3"), Some(3.0));
        assert_eq!(double("\"-Infinity\""), Some(f64::NEG_INFINITY));
        assert_eq!(double("\"Infinity\""), Some(f64::INFINITY));
        assert!(double("\"NaN\"").expect("a number").is_nan());
        assert_eq!(double("\"1e3\""), Some(1000.0));
        assert_eq!(double("null"), None);
        assert!(from_str::<Double>("\"many\"").is_err());
    }

    #[test]
    fn bytes_in_both_alphabets() {
        let bytes = |text| base64::<serde::de::value::Error>(text).ok();
        assert_eq!(bytes("+/8="), Some(vec![0xfb, 0xff]));
        assert_eq!(bytes("-_8"), Some(vec![0xfb, 0xff]));
        assert_eq!(bytes(""), Some(vec![]));
        assert_eq!(bytes("a"), None);
        assert_eq!(bytes("%%%%"), None);
    }

    #[test]
    fn an_id_in_base64_is_named_as_such() {
        assert!(bad_id(16, "APBnqgupArc=").contains("base64"));
        assert!(!bad_id(16, "xyz").contains("base64"));
        assert!(bad_id(16, &"é".repeat(1000)).len() < 300);
    }

    #[test]
    fn a_lone_surrogate_is_one_replacement() {
        assert_eq!(without_surrogates(b"a\xed\xa0\x80b\xed\xbf\xbf"), "a\u{fffd}b\u{fffd}");
        assert_eq!(without_surrogates("\u{d7ff}x".as_bytes()), "\u{d7ff}x");
    }
}
