//! The running count of a request against its limits, and the results so far.

use std::borrow::Cow;
use std::mem::size_of;

use aitrace_model::{AnyValue, RawEvent, RawLink, RawSpan};

use crate::decoded::{Decoded, Rejected};
use crate::fault::Fault;
use crate::limits::{Limits, TOO_DEEP};

/// Memory of a key and a value: the pair, and the two smallest allocations for their texts.
const VALUE_MEMORY: usize = size_of::<(String, AnyValue)>() + 2 * 24;

/// Longest reason that is kept, in bytes: reasons may quote hostile input.
const MAX_REASON: usize = 400;

/// One request being decoded.
pub(crate) struct Tally<'l> {
    pub(crate) limits: &'l Limits,
    decoded: Decoded,
    /// Index of the next span.
    next: usize,
    /// Values of the current part, a span, resource or scope.
    values: usize,
    memory: usize,
    /// Attributes of the last span: the next one has probably as many.
    pub(crate) usual_attributes: usize,
}

impl<'l> Tally<'l> {
    pub(crate) fn new(limits: &'l Limits) -> Self {
        Self { limits, decoded: Decoded::default(), next: 0, values: 0, memory: 0, usual_attributes: 0 }
    }

    /// The result.
    pub(crate) fn finish(self) -> Decoded {
        self.decoded
    }

    /// Reads the next span, which takes `size` bytes in the request, or notes why it is refused.
    pub(crate) fn span<E: std::fmt::Display>(
        &mut self,
        size: usize,
        read: impl FnOnce(&mut Self) -> Result<RawSpan, E>,
    ) {
        let limits = self.limits;
        if size > limits.max_span_bytes {
            return self
                .refuse(&format_args!("span of {size} bytes; at most {} are taken", limits.max_span_bytes));
        }
        let before = self.decoded.salvaged;
        self.values = 0;
        match read(self) {
            Ok(span) => {
                let memory = self.memory + size + self.values * VALUE_MEMORY + shell(&span);
                if memory > limits.max_memory {
                    self.decoded.salvaged = before;
                    return self.refuse(&format_args!(
                        "the spans before it take the {} bytes of memory that a request may take",
                        limits.max_memory
                    ));
                }
                self.memory = memory;
                self.usual_attributes = span.attributes.len();
                self.decoded.spans.push(span);
                self.next += 1;
            }
            Err(reason) => {
                self.decoded.salvaged = before;
                self.refuse(&reason);
            }
        }
    }

    /// Reads a resource or scope, whose spans will share it.
    pub(crate) fn shared<T>(&mut self, size: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        self.values = 0;
        let part = read(self);
        self.memory += size + self.values * VALUE_MEMORY;
        part
    }

    /// Refuses the next span, or a part of the request whose spans cannot be told apart.
    pub(crate) fn refuse(&mut self, reason: &dyn std::fmt::Display) {
        if self.decoded.rejected.len() < self.limits.max_reported {
            let mut reason = reason.to_string();
            reason.truncate(reason.floor_char_boundary(MAX_REASON));
            self.decoded.rejected.push(Rejected { index: self.next, reason });
        }
        self.decoded.rejected_count += 1;
        self.next += 1;
    }

    /// Counts an attribute or an element of a value.
    pub(crate) fn value(&mut self) -> Result<(), Fault> {
        self.values += 1;
        if self.values > self.limits.max_values {
            return Err(Fault::TooMany { what: "attributes and values", limit: self.limits.max_values });
        }
        Ok(())
    }

    /// What stands for a value that is nested too deeply.
    pub(crate) fn too_deep(&mut self) -> AnyValue {
        self.decoded.salvaged.values += 1;
        AnyValue::from(TOO_DEEP)
    }

    /// Text from bytes that should be UTF-8.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> String {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => self.salvage(bytes),
        }
    }

    /// A body that should be UTF-8, which counts as one text.
    pub(crate) fn body<'b>(&mut self, bytes: &'b [u8]) -> Cow<'b, str> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(self.salvage(bytes)),
        }
    }

    #[cold]
    fn salvage(&mut self, bytes: &[u8]) -> String {
        self.salvaged_string();
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// Counts a text that was repaired.
    pub(crate) fn salvaged_string(&mut self) {
        self.decoded.salvaged.strings += 1;
    }

    /// Counts a link that leads nowhere.
    pub(crate) fn salvaged_link(&mut self) {
        self.decoded.salvaged.links += 1;
    }

    /// Makes room for spans that are about to come in `bytes` bytes, few of which are smaller than 32.
    pub(crate) fn expect_spans(&mut self, count: usize, bytes: usize) {
        self.decoded.spans.reserve(count.min(bytes / 32));
    }
}

/// Memory of a span without its texts and attributes.
fn shell(span: &RawSpan) -> usize {
    size_of::<RawSpan>() + span.events.len() * size_of::<RawEvent>() + span.links.len() * size_of::<RawLink>()
}
