//! Captured values as JSON within bounds: 32 levels, 10 000 nodes, 1 MiB.
//!
//! What is beyond a bound is replaced by a mark in its place; what fits stays readable.

use aitrace_model::Json;
use serde::Serialize;

mod writer;

pub(crate) const MAX_DEPTH: usize = 32;
pub(crate) const MAX_NODES: usize = 10_000;
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// The JSON of a value, within the bounds. A value that fails to serialise becomes a string that says why.
pub fn capture<T: Serialize + ?Sized>(value: &T) -> Json {
    let mut out = writer::Writer::default();
    match value.serialize(&mut out) {
        Ok(()) => Json::from_trusted(out.finish()),
        Err(error) => Json::string(&format!("[not serialisable: {error}]")),
    }
}

/// The JSON string of a value's `Debug` form, cut at 1 MiB.
pub fn capture_debug<T: std::fmt::Debug + ?Sized>(value: &T) -> Json {
    let mut out = Cut { text: String::new(), full: false };
    // The error says the text is full, which is what was wanted.
    let complete = std::fmt::write(&mut out, format_args!("{value:?}")).is_ok();
    if !complete && out.full {
        out.text.push_str("…[cut]");
    }
    Json::string(&out.text)
}

/// Takes text until it is full, then stops the formatter.
struct Cut {
    text: String,
    full: bool,
}

impl std::fmt::Write for Cut {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        // Half the bound: escapes may double the text.
        let room = (MAX_BYTES / 2).saturating_sub(self.text.len());
        if part.len() > room {
            self.text.push_str(&part[..part.floor_char_boundary(room)]);
            self.full = true;
            return Err(std::fmt::Error);
        }
        self.text.push_str(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Tuple(u8, u8),
        Struct { a: Option<u8> },
    }

    #[test]
    fn what_fits_is_what_serde_json_writes() {
        let value = (
            vec![Shape::Unit, Shape::New(1), Shape::Tuple(1, 2), Shape::Struct { a: None }],
            BTreeMap::from([(1, "one\n"), (2, "é")]),
            (u64::MAX, -1.5, 'c', true, ()),
        );
        assert_eq!(capture(&value).as_str(), serde_json::to_string(&value).expect("valid"));
    }

    #[test]
    fn what_json_cannot_say_is_said_in_words() {
        assert_eq!(capture(&[f64::NAN, f64::INFINITY]).as_str(), r#"["NaN","Infinity"]"#);
        let keys = BTreeMap::from([(vec![1], 1)]);
        assert!(capture(&keys).as_str().contains("not serialisable"), "{}", capture(&keys));
    }

    #[test]
    fn beyond_each_bound_there_is_a_mark_and_valid_json() {
        let mut deep = serde_json::json!(1);
        for _ in 0..100 {
            deep = serde_json::json!([deep]);
        }
        let json = capture(&deep);
        assert!(json.as_str().contains("too deep"), "{json}");
        assert_eq!(json.as_str().matches('[').count(), MAX_DEPTH + 1);

        let json = capture(&vec![0_u8; 20_000]);
        assert!(json.to_value().expect("valid").as_array().expect("array").len() <= MAX_NODES + 1);
        assert!(json.as_str().ends_with("\"…[more]\"]"), "{}", &json.as_str()[json.as_str().len() - 30..]);

        let json = capture(&vec!["x".repeat(400_000); 5]);
        assert!(json.as_str().len() <= MAX_BYTES + 1024, "{}", json.as_str().len());
        assert!(json.to_value().is_some());
        let json = capture(&"\u{1}".repeat(3_000_000));
        assert!(json.as_str().len() <= MAX_BYTES + 1024, "{}", json.as_str().len());
    }

    #[test]
    fn debug_text_is_cut() {
        assert_eq!(capture_debug(&Some(1)).as_str(), "\"Some(1)\"");
        let json = capture_debug(&"é".repeat(2_000_000));
        assert!(json.as_str().len() < MAX_BYTES, "{}", json.as_str().len());
        assert!(json.as_str().ends_with("…[cut]\""));
    }
}
