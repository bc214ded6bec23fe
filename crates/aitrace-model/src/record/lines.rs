//! JSON lines: in chunks as they come, or as a whole buffer.

use super::error::RecordError;
use super::meta::Record;
use super::read::{Limits, read, trim};

/// Cuts chunks of bytes into lines. Holds no more than one line, and of a line beyond the limit
/// nothing.
#[derive(Debug)]
pub struct LineSplitter {
    limit: usize,
    partial: Vec<u8>,
    line: u64,
    skipping: bool,
}

impl LineSplitter {
    /// A splitter at the start of a file or stream; `limit` in bytes a line.
    pub fn new(limit: usize) -> Self {
        Self { limit, partial: Vec::new(), line: 0, skipping: false }
    }

    /// Bytes that are held of a line whose end has not come.
    pub fn held(&self) -> usize {
        self.partial.capacity()
    }

    /// Takes the next bytes, cut anywhere, and hands over each line that is complete, but for blank
    /// ones: its number from 1 and its bytes without the line end, a byte order mark and outer blanks.
    pub fn push(&mut self, chunk: &[u8], mut each: impl FnMut(u64, Result<&[u8], RecordError>)) {
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            if self.partial.is_empty() && !self.skipping {
                // The common case: the whole line stands in the chunk, nothing is copied.
                self.line += 1;
                hand_over(self.line, line, self.limit, &mut each);
            } else {
                self.hold(line);
                self.flush(&mut each);
            }
        }
        self.hold(rest);
    }

    /// Says that nothing follows: what stands after the last line end is a line, too.
    pub fn finish(&mut self, mut each: impl FnMut(u64, Result<&[u8], RecordError>)) {
        if self.skipping || !self.partial.is_empty() {
            self.flush(&mut each);
        }
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.skipping {
            return;
        }
        // Beyond the limit by the few bytes that trimming may take off again.
        if self.partial.len() + bytes.len() > self.limit.saturating_add(16) {
            self.skipping = true;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn flush(&mut self, each: &mut impl FnMut(u64, Result<&[u8], RecordError>)) {
        self.line += 1;
        if std::mem::take(&mut self.skipping) {
            each(self.line, Err(RecordError::TooLarge { limit: self.limit }));
        } else {
            hand_over(self.line, &self.partial, self.limit, each);
            self.partial.clear();
        }
    }
}

fn hand_over(number: u64, line: &[u8], limit: usize, each: &mut impl FnMut(u64, Result<&[u8], RecordError>)) {
    let line = trim(line);
    if line.len() > limit {
        each(number, Err(RecordError::TooLarge { limit }));
    } else if !line.is_empty() {
        each(number, Ok(line));
    }
}

/// Reads records from chunks of JSON lines. A bad line is reported with its number and never costs
/// another one; a line that the end of the input cuts off is [`RecordError::Truncated`].
#[derive(Debug)]
pub struct JsonlParser {
    limits: Limits,
    lines: LineSplitter,
}

impl JsonlParser {
    /// A parser at the start of a file or stream.
    pub fn new(limits: Limits) -> Self {
        Self { limits, lines: LineSplitter::new(limits.bytes) }
    }

    /// Bytes that are held of a line whose end has not come.
    pub fn held(&self) -> usize {
        self.lines.held()
    }

    /// Takes the next bytes, cut anywhere, and hands over the records of all complete lines: the
    /// number of the line from 1 and what it says.
    pub fn push(&mut self, chunk: &[u8], mut each: impl FnMut(u64, Result<Record, RecordError>)) {
        let limits = self.limits;
        self.lines.push(chunk, |number, line| each(number, line.and_then(|line| read(line, &limits))));
    }

    /// Says that nothing follows.
    pub fn finish(&mut self, mut each: impl FnMut(u64, Result<Record, RecordError>)) {
        let limits = self.limits;
        self.lines.finish(|number, line| each(number, line.and_then(|line| read(line, &limits))));
    }
}

/// The records of a buffer of JSON lines: the number of the line from 1 and what it says.
pub fn read_lines<'a>(
    text: &'a [u8],
    limits: &Limits,
) -> impl Iterator<Item = (u64, Result<Record, RecordError>)> + 'a {
    let limits = *limits;
    let ends = memchr::memchr_iter(b'\n', text).chain([text.len()]);
    let lines = ends.scan(0, move |begin, end| Some(&text[std::mem::replace(begin, end + 1)..end]));
    lines.zip(1_u64..).filter_map(move |(line, number)| {
        let line = trim(line);
        (!line.is_empty()).then(|| (number, read(line, &limits)))
    })
}
