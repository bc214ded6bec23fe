//! The running count of a request against its limits, and the results so far.

use std::borrow::Cow;
use std::mem::size_of;
use std::sync::Arc;

use aitrace_model::{AnyValue, RawEvent, RawLink, RawLog, RawSpan, Resource, Scope};

use crate::decoded::{Decoded, DecodedLogs, Piece, Rejected, Sink, Summary};
use crate::fault::Fault;
use crate::limits::{Limits, TOO_DEEP};

/// Memory of a key and a value: the pair, and the two smallest allocations for their texts.
const VALUE_MEMORY: usize = size_of::<(String, AnyValue)>() + 2 * 24;

/// Longest reason that is kept, in bytes: reasons may quote hostile input.
const MAX_REASON: usize = 400;

/// One request being decoded.
pub(crate) struct Tally<'l> {
    pub(crate) limits: &'l Limits,
    /// Where pieces go; `None` where the request is to stay whole.
    pieces: Option<(usize, Sink<'l>)>,
    /// Whether the receiver of pieces wants no more.
    stopped: bool,
    decoded: Decoded,
    logs: Vec<RawLog>,
    /// Index of the next span or log record.
    next: usize,
    /// Values of the current part, a span, log record, resource or scope.
    values: usize,
    memory: usize,
    /// Whether lists of items wait until what they share is read to its end: a part of them may be handed on
    /// before, and what stands behind them would not be told to it.
    pub(crate) lists_wait: bool,
    /// Attributes of the last item: the next one has probably as many.
    pub(crate) usual_attributes: usize,
}

impl<'l> Tally<'l> {
    pub(crate) fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            pieces: None,
            stopped: false,
            decoded: Decoded::default(),
            logs: Vec::new(),
            next: 0,
            values: 0,
            memory: 0,
            lists_wait: false,
            usual_attributes: 0,
        }
    }

    /// Hands on what was read whenever it takes `bytes` in memory.
    pub(crate) fn in_pieces(limits: &'l Limits, bytes: usize, sink: Sink<'l>) -> Self {
        Self { pieces: Some((bytes, sink)), ..Self::new(limits) }
    }

    /// Whether a body of so many bytes of JSON may be handed on in more than one piece.
    pub(crate) fn may_be_cut(&self, body: usize) -> bool {
        /// What JSON becomes in memory, as a multiple of its length: small attributes become the most.
        const GROWS: usize = 8;
        self.pieces.as_ref().is_some_and(|(piece, _)| body.saturating_mul(GROWS) > *piece)
    }

    /// Hands on what is left; what is said of the whole request.
    pub(crate) fn finish_pieces(mut self) -> Summary {
        if !self.stopped {
            self.hand_on(true);
        }
        let Decoded { rejected, rejected_count, salvaged, .. } = self.decoded;
        Summary { rejected, rejected_count, salvaged }
    }

    fn hand_on(&mut self, last: bool) {
        let Some((_, sink)) = &mut self.pieces else { return };
        let (spans, logs) = (std::mem::take(&mut self.decoded.spans), std::mem::take(&mut self.logs));
        self.stopped = !sink(Piece { spans, logs, memory: std::mem::take(&mut self.memory), last });
    }

    /// As many items as make room for, of `bytes` each.
    fn piece_of(&self, bytes: usize) -> usize {
        self.pieces.as_ref().map_or(usize::MAX, |(piece, _)| piece.div_ceil(bytes))
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
        if self.stopped {
            return;
        }
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
                if self.pieces.as_ref().is_some_and(|(piece, _)| self.memory >= *piece) {
                    self.hand_on(false);
                }
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

    /// The results.
    fn kept<'t>(tally: &'t mut Tally<'_>) -> &'t mut Vec<Self>;

    fn resource(&mut self) -> &mut Arc<Resource>;

    fn scope(&mut self) -> &mut Arc<Scope>;

    /// Gives the last items, those of one resource, another one.
    fn in_resource(tally: &mut Tally<'_>, old: &Arc<Resource>, new: &Arc<Resource>) {
        let last = Self::kept(tally).iter_mut().rev().map(Self::resource);
        last.take_while(|of| Arc::ptr_eq(of, old)).for_each(|of| *of = Arc::clone(new));
    }

    /// Gives the last items, those of one scope, another one.
    fn in_scope(tally: &mut Tally<'_>, old: &Arc<Scope>, new: &Arc<Scope>) {
        let last = Self::kept(tally).iter_mut().rev().map(Self::scope);
        last.take_while(|of| Arc::ptr_eq(of, old)).for_each(|of| *of = Arc::clone(new));
    }
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
        let room = tally.piece_of(size_of::<Self>());
        tally.decoded.spans.reserve(count.min(bytes / 32).min(room));
    }

    fn keep(self, tally: &mut Tally<'_>) {
        tally.decoded.spans.push(self);
    }

    fn kept<'t>(tally: &'t mut Tally<'_>) -> &'t mut Vec<Self> {
        &mut tally.decoded.spans
    }

    fn resource(&mut self) -> &mut Arc<Resource> {
        &mut self.resource
    }

    fn scope(&mut self) -> &mut Arc<Scope> {
        &mut self.scope
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
        let room = tally.piece_of(size_of::<Self>());
        tally.logs.reserve(count.min(bytes / 32).min(room));
    }

    fn keep(self, tally: &mut Tally<'_>) {
        tally.logs.push(self);
    }

    fn kept<'t>(tally: &'t mut Tally<'_>) -> &'t mut Vec<Self> {
        &mut tally.logs
    }

    fn resource(&mut self) -> &mut Arc<Resource> {
        &mut self.resource
    }

    fn scope(&mut self) -> &mut Arc<Scope> {
        &mut self.scope
    }
}
