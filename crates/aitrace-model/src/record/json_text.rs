//! Whether JSON text is within limits, told without recursion and before it is read.

use std::cell::Cell;

use crate::scan::find_structure;

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

#[cfg(test)]
mod tests {
    use super::*;

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
