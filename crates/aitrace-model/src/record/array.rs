//! A JSON array of records, one element at a time.

use super::error::RecordError;
use super::meta::Record;
use super::read::{Limits, read};
use crate::scan::find_structure;

/// The elements of an array; made by [`read_array`].
#[derive(Debug)]
pub struct ArrayReader<'a> {
    text: &'a [u8],
    at: usize,
    index: usize,
    limits: Limits,
    state: State,
}

const STRAY: &str = "a brace closes what none opened";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Within,
    Stray,
    After,
    Done,
}

/// Reads a JSON array of records: the index of each element from 0 and what it says.
///
/// A bad element never costs another one. Where the array itself stops being one, an error with the
/// index of the next element is the last item; what came before stands.
pub fn read_array<'a>(text: &'a [u8], limits: &Limits) -> ArrayReader<'a> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    ArrayReader { text, at: 0, index: 0, limits: *limits, state: State::Before }
}

impl Iterator for ArrayReader<'_> {
    type Item = (usize, Result<Record, RecordError>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Before {
            self.skip_blanks();
            if self.text.get(self.at) != Some(&b'[') {
                return Some(self.broken("it must begin with `[`"));
            }
            self.at += 1;
            self.skip_blanks();
            self.state = State::Within;
            if self.text.get(self.at) == Some(&b']') {
                self.at += 1;
                self.state = State::After;
            }
        }
        match self.state {
            State::Within => Some(self.element()),
            State::Stray => Some(self.broken(STRAY)),
            State::After => {
                self.state = State::Done;
                self.skip_blanks();
                (self.at < self.text.len()).then(|| self.broken("something follows its `]`"))
            }
            State::Before | State::Done => None,
        }
    }
}

impl ArrayReader<'_> {
    fn element(&mut self) -> (usize, Result<Record, RecordError>) {
        let rest = &self.text[self.at..];
        let ends = |byte, depth| depth == 0 && matches!(byte, b',' | b']' | b'}');
        let Some(length) = find_structure(rest, ends) else {
            return self.broken("it ends in the middle of an element");
        };
        let element = rest[..length].trim_ascii();
        match rest[length] {
            b'}' if element.is_empty() => return self.broken(STRAY),
            b'}' => self.state = State::Stray,
            b']' if element.is_empty() => return self.broken("nothing follows its last comma"),
            b']' => self.state = State::After,
            _ => {}
        }
        self.at += length + 1;
        let index = self.index;
        self.index += 1;
        if element.is_empty() {
            return (index, Err(RecordError::NotArray { reason: "an element is missing" }));
        }
        (index, read(element, &self.limits))
    }

    fn broken(&mut self, reason: &'static str) -> (usize, Result<Record, RecordError>) {
        self.state = State::Done;
        (self.index, Err(RecordError::NotArray { reason }))
    }

    fn skip_blanks(&mut self) {
        self.at += self.text[self.at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }
}
