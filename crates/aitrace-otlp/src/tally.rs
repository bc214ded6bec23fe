//! The running count of a request against its limits, and the results so far.

use std::borrow::Cow;
use std::mem::size_of;

use aitrace_model::{AnyValue, RawEvent, RawLink, RawLog, RawSpan};

use crate::decoded::{Decoded, DecodedLogs, Rejected};
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
    logs: Vec<RawLog>,
    /// Index of the next span or log record.
    next: usize,
    /// Values of the current part, a span, log record, resource or scope.
    values: usize,
    memory: usize,
    /// Attributes of the last item: the next one has probably as many.
    pub(crate) usual_attributes: usize,
}

impl<'l> Tally<'l> {
    pub(crate) fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            decoded: Decoded::default(),
            logs: Vec::new(),
            next: 0,
            values: 0,
            memory: 0,
            usual_attributes: 0,
        }
    }

    /// The result of a request of spans.
    pub(crate) fn finish(self) -> Decoded {
        self.decoded
    }

    /// The result of a request of log records.
    pub(crate) fn finish_logs(self) -> DecodedLogs {
        let Decoded { rejected, rejected_count, salvaged, .. } = self.decoded;
        DecodedLogs { logs: self.logs, rejected, rejected_count, salvaged }
    }

    /// Reads the next item, which takes `size` bytes in the request, or notes why it is refused.
    pub(crate) fn item<T: Item, E: std::fmt::Display>(
        &mut self,
        size: usize,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) {
        let limits = self.limits;
        if size > limits.max_span_bytes {
            return self.refuse(&format_args!(
                "{} of {size} bytes; at most {} are taken",
                T::NAME,
                limits.max_span_bytes
            ));
        }
        let before = self.decoded.salvaged;
        self.values = 0;
        match read(self) {
            Ok(item) => {
                let memory = self.memory + size + self.values * VALUE_MEMORY + item.shell();
                if memory > limits.max_memory {
                    self.decoded.salvaged = before;
                    return self.refuse(&format_args!(
                        "the {}s before it take the {} bytes of memory that a request may take",
                        T::NAME,
                        limits.max_memory
                    ));
                }
                self.memory = memory;
                self.usual_attributes = item.attributes();
                item.keep(self);
                self.next += 1;
            }
            Err(reason) => {
                self.decoded.salvaged = before;
                self.refuse(&reason);
            }
        }
    }

    /// Reads a resource or scope, whose items will share it.
    pub(crate) fn shared<T>(&mut self, size: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        self.values = 0;
        let part = read(self);
        self.memory += size + self.values * VALUE_MEMORY;
        part
    }

    /// Refuses the next item, or a part of the request whose items cannot be told apart.
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

    /// Counts an id that is none.
    pub(crate) fn salvaged_id(&mut self) {
        self.decoded.salvaged.ids += 1;
    }
}

/// What a request holds many of.
pub(crate) trait Item: Sized {
    /// What to call it.
    const NAME: &'static str;

    /// Memory of it without its texts and attributes.
    fn shell(&self) -> usize;

    /// How many attributes it has.
    fn attributes(&self) -> usize;

    /// Makes room for items that are about to come in `bytes` bytes, few of which are smaller than 32.
    fn expect(count: usize, bytes: usize, tally: &mut Tally<'_>);

    /// Appends it to the results.
    fn keep(self, tally: &mut Tally<'_>);
}

impl Item for RawSpan {
    const NAME: &'static str = "span";

    fn shell(&self) -> usize {
        size_of::<Self>()
            + self.events.len() * size_of::<RawEvent>()
            + self.links.len() * size_of::<RawLink>()
    }

    fn attributes(&self) -> usize {
        self.attributes.len()
    }

    fn expect(count: usize, bytes: usize, tally: &mut Tally<'_>) {
        tally.decoded.spans.reserve(count.min(bytes / 32));
    }

    fn keep(self, tally: &mut Tally<'_>) {
        tally.decoded.spans.push(self);
    }
}

impl Item for RawLog {
    const NAME: &'static str = "log record";

    fn shell(&self) -> usize {
        size_of::<Self>()
    }

    fn attributes(&self) -> usize {
        self.attributes.len()
    }

    fn expect(count: usize, bytes: usize, tally: &mut Tally<'_>) {
        tally.logs.reserve(count.min(bytes / 32));
    }

    fn keep(self, tally: &mut Tally<'_>) {
        tally.logs.push(self);
    }
}
