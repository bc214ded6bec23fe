//! A checksum within a line, so that a file of records knows which of its lines are whole.
//!
//! The checksum is a key of `__tracer_meta__`, so a sealed line is a trace record like any other.

use std::fmt::Write as _;

/// What stands between the record and its end: `,"crc32":"89abcdef"}}`.
const HEAD: &str = ",\"crc32\":\"";
const TAIL: &str = "\"}}";
const DIGITS: usize = 8;

/// Adds the CRC-32 of a line that [`Record::to_line`](super::Record::to_line) wrote as the last key of its
/// metadata, `crc32`: eight hex digits.
pub fn seal(line: &mut String) {
    let sum = crc32fast::hash(line.as_bytes());
    debug_assert!(line.ends_with("}}"), "the metadata stands last");
    line.truncate(line.len().saturating_sub(2));
    line.push_str(HEAD);
    write!(line, "{sum:08x}").expect("a String takes everything");
    line.push_str(TAIL);
}

/// Whether a line ends as [`seal`] ends one, with whatever checksum.
pub fn is_sealed(line: &str) -> bool {
    let rest = line.strip_suffix(TAIL).and_then(|rest| rest.get(..rest.len().checked_sub(DIGITS)?));
    rest.is_some_and(|rest| rest.ends_with(HEAD))
}

/// The line as it was before [`seal`]; `None` where it carries no checksum or another one than its own.
pub fn unseal(line: &str) -> Option<String> {
    let rest = line.strip_suffix(TAIL)?;
    let cut = rest.len().checked_sub(DIGITS)?;
    let (rest, digits) = rest.split_at_checked(cut)?;
    let line = format!("{}}}}}", rest.strip_suffix(HEAD)?);
    let sum = u32::from_str_radix(digits, 16).ok()?;
    (crc32fast::hash(line.as_bytes()) == sum).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        r#"{"text":"grüße","__tracer_meta__":{"timestamp":"2026-01-01T00:00:00.000000Z","event":"e"}}"#;

    fn sealed() -> String {
        let mut line = LINE.to_owned();
        seal(&mut line);
        line
    }

    #[test]
    fn what_is_sealed_can_be_unsealed_and_is_still_a_record() {
        assert_eq!(unseal(&sealed()).as_deref(), Some(LINE));
        let record = crate::record::read(sealed().as_bytes(), &crate::record::Limits::default());
        assert_eq!(record.expect("a record").meta.event, "e");
    }

    #[test]
    fn a_changed_a_torn_and_an_unsealed_line_are_told() {
        let whole = sealed();
        for (at, char) in whole.char_indices() {
            let torn = &whole[..at];
            assert_eq!(unseal(torn), None, "{torn}");
            let other = if char == 'x' { "y" } else { "x" };
            let changed = format!("{torn}{other}{}", &whole[at + char.len_utf8()..]);
            assert_eq!(unseal(&changed), None, "{changed}");
        }
        assert_eq!((unseal(LINE), is_sealed(LINE), is_sealed(&whole)), (None, false, true));
        assert!(is_sealed(&whole.replacen('g', "x", 1)), "a wrong checksum is one");
        assert_eq!(unseal("ü\"}}"), None);
    }
}
