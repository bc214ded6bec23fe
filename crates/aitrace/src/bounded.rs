//! Captured values as JSON within bounds: 32 levels, 10 000 nodes, 1 MiB, 10 ms.
//!
//! What is beyond a bound is replaced by a mark in its place; what fits stays readable.

use std::time::{Duration, Instant};

use aitrace_model::Json;
use serde::Serialize;

use crate::instant::instant;

mod writer;

pub(crate) const MAX_DEPTH: usize = 32;
pub(crate) const MAX_NODES: usize = 10_000;
pub(crate) const MAX_BYTES: usize = 1 << 20;
const MAX_TIME: Duration = Duration::from_millis(10);
/// The clock is read once for so many nodes, so that most values never read it.
const NODES_PER_TICK: usize = 16;

/// How long a capture may take. A value that is asked for its text cannot be stopped; nothing is asked after it.
#[derive(Debug)]
struct Deadline {
    limit: Duration,
    at: Option<Instant>,
    passed: bool,
}

impl Deadline {
    fn new(limit: Duration) -> Self {
        Self { limit, at: None, passed: false }
    }

    /// Begins, where it has not.
    fn start(&mut self) {
        if self.at.is_none() {
            self.at = Some(instant() + self.limit);
        }
    }

    /// Looks at the clock; says whether the time is up.
    fn look(&mut self) -> bool {
        self.passed |= self.at.is_some_and(|at| instant() >= at);
        self.passed
    }
}

/// The JSON of a value, within the bounds: 32 levels, 10 000 nodes, 1 MiB, 10 ms. A value that fails to
/// serialise becomes a string that says why.
pub fn capture<T: Serialize + ?Sized>(value: &T) -> Json {
    capture_within(value, MAX_TIME)
}

fn capture_within<T: Serialize + ?Sized>(value: &T, limit: Duration) -> Json {
    let mut out = writer::Writer::new(Deadline::new(limit));
    match value.serialize(&mut out) {
        Ok(()) => Json::from_trusted(out.finish()),
        Err(error) => Json::string(&format!("[not serialisable: {error}]")),
    }
}

/// The JSON string of a value's `Debug` form, cut at 1 MiB and after 10 ms.
pub fn capture_debug<T: std::fmt::Debug + ?Sized>(value: &T) -> Json {
    capture_debug_within(value, MAX_TIME)
}

fn capture_debug_within<T: std::fmt::Debug + ?Sized>(value: &T, limit: Duration) -> Json {
    let mut out = Cut { text: String::new(), parts: 0, deadline: Deadline::new(limit), full: false };
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
    parts: usize,
    deadline: Deadline,
    full: bool,
}

impl std::fmt::Write for Cut {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        self.deadline.start();
        self.parts += 1;
        if self.parts.is_multiple_of(NODES_PER_TICK) && self.deadline.look() {
            self.full = true;
            return Err(std::fmt::Error);
        }
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
    fn after_the_time_nothing_more_is_asked() {
        let json = capture_within(&vec![0_u8; 5_000], Duration::ZERO);
        let items = json.to_value().expect("valid").as_array().expect("an array").len();
        assert!((NODES_PER_TICK - 2..=NODES_PER_TICK + 1).contains(&items), "{items}");
        assert!(json.as_str().ends_with("\"…[more]\"]"));
        let json = capture_within(&(0..500).map(|n| (n, n)).collect::<BTreeMap<_, _>>(), Duration::ZERO);
        assert!(json.as_str().ends_with("\"…\":\"[more]\"}"), "{json}");
        assert_eq!(
            capture_within(&[1, 2, 3], Duration::ZERO).as_str(),
            "[1,2,3]",
            "small values take their time"
        );
        let json = capture_debug_within(&vec![0_u8; 5_000], Duration::ZERO);
        assert!(json.as_str().len() < 500 && json.as_str().ends_with("…[cut]\""), "{json}");
        assert_eq!(
            capture_within(&vec![0_u8; 5_000], Duration::from_mins(1))
                .to_value()
                .expect("valid")
                .as_array()
                .map(Vec::len),
            Some(5_000)
        );
    }

    #[test]
    fn debug_text_is_cut() {
        assert_eq!(capture_debug(&Some(1)).as_str(), "\"Some(1)\"");
        let json = capture_debug(&"é".repeat(2_000_000));
        assert!(json.as_str().len() < MAX_BYTES, "{}", json.as_str().len());
        assert!(json.as_str().ends_with("…[cut]\""));
    }
}
