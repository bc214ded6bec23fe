//! A span and a log record as the recorder keeps them, before they are written for anyone.

use std::sync::{Arc, LazyLock};

use aitrace_model::{
    CodeLocation, ErrorInfo, EventType, Json, Level, Phase, RawLink, Scope, SpanId, SpanKind, Timestamp,
    TraceId,
};

use crate::code::Code;
use crate::context::{Baggage, SpanContext};
use crate::fields::Fields;
use crate::identity::Identity;
use crate::text::Text;
use crate::ticks::{Tick, TimeSource};
use crate::value::Value;

/// Most events and links of a span, each; what is beyond is counted.
pub(crate) const MAX_PARTS: usize = 128;

/// Most attributes of a span: instrumentors write several for each message of a conversation, the answer last.
pub(crate) const MAX_ATTRIBUTES: usize = 1024;

/// An attribute.
pub(crate) type Attribute = (Text, Value);

/// How a span ended, as its owner said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpanStatus {
    /// Nothing was said: ok once it has ended.
    #[default]
    Unset,
    /// Said to be well.
    Ok,
    /// Failed.
    Error,
}

/// Something that happened within a span.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) time: i64,
    pub(crate) name: Text,
    pub(crate) attributes: Vec<Attribute>,
}

/// What a program's own processing of a span came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Processed {
    /// It goes on.
    #[default]
    Kept,
    /// It is left out, by what has this name.
    LeftOut(Text),
    /// Processing failed: its contents must not leave.
    Failed,
}

/// What few spans have: boxed, so that the others are small.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extra {
    /// As an enrichment brought them.
    pub(crate) fields: Option<Box<Fields>>,
    pub(crate) error: Option<ErrorInfo>,
    pub(crate) events: Vec<Event>,
    pub(crate) links: Vec<RawLink>,
    /// The instrumentation library, where it is not ours.
    pub(crate) scope: Option<Arc<Scope>>,
    /// OTLP's span kind, where one was given.
    pub(crate) otel_kind: Option<i32>,
    pub(crate) abandoned: bool,
    /// What the program's own processing of ended spans came to.
    pub(crate) processed: Processed,
    /// Attributes, events and links beyond the limit.
    pub(crate) dropped: u32,
}

static NO_FIELDS: LazyLock<Fields> = LazyLock::new(Fields::default);

impl Extra {
    /// What was said about the span; nothing where nothing was.
    pub(crate) fn said(&self) -> &Fields {
        self.fields.as_deref().unwrap_or_else(|| &NO_FIELDS)
    }

    /// Adds to what was said.
    pub(crate) fn say(&mut self, fields: Box<Fields>) {
        match &mut self.fields {
            Some(known) => known.merge(*fields),
            none => *none = Some(fields),
        }
    }

    fn heap(&self) -> usize {
        let events = self.events.iter().map(|event| 64 + attributes_heap(&event.attributes));
        size_of::<Self>()
            + self.fields.as_ref().map_or(0, |fields| size_of::<Fields>() + fields.heap())
            + events.sum::<usize>()
            + self.links.len() * 64
            + self.error.as_ref().map_or(0, |error| error.message.len() + error.stacktrace.len())
    }
}

/// A span without its attributes.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) context: SpanContext,
    pub(crate) parent: Option<SpanId>,
    pub(crate) name: Text,
    pub(crate) begun: Tick,
    /// Nanoseconds since the epoch; [`UNREAD`] until somebody asks: see [`Body::start`].
    pub(crate) start: i64,
    pub(crate) code: Code,
    pub(crate) baggage: Option<Arc<Baggage>>,
    pub(crate) extra: Option<Box<Extra>>,
    pub(crate) event_type: Option<EventType>,
    pub(crate) kind: Option<SpanKind>,
    pub(crate) status: SpanStatus,
}

/// The part of a span that few have, made when it is needed.
#[inline]
pub(crate) fn grow(extra: &mut Option<Box<Extra>>) -> &mut Extra {
    extra.get_or_insert_default()
}

/// A start of which only the tick is known.
const UNREAD: i64 = i64::MIN;

impl Body {
    /// No span: what stands in a cell that is not in use.
    pub(crate) fn empty() -> Self {
        Self {
            context: SpanContext::invalid(),
            parent: None,
            name: Text::Static(""),
            begun: Tick::default(),
            start: UNREAD,
            code: Code::Unknown,
            baggage: None,
            extra: None,
            event_type: None,
            kind: None,
            status: SpanStatus::Unset,
        }
    }

    /// When it began, in nanoseconds since the epoch. Asked again, the answer is the same.
    pub(crate) fn start(&mut self, time: &TimeSource) -> i64 {
        if self.start == UNREAD {
            self.start = time.wall(self.begun);
        }
        self.start
    }

    /// The moment now on the span's own time line.
    pub(crate) fn now(&mut self, time: &TimeSource) -> i64 {
        self.at(time, time.tick())
    }

    /// A moment on the span's own time line, which no clock that is set can bend.
    pub(crate) fn at(&mut self, time: &TimeSource, tick: Tick) -> i64 {
        self.start(time).saturating_add(time.between(self.begun, tick))
    }

    pub(crate) fn extra(&mut self) -> &mut Extra {
        grow(&mut self.extra)
    }

    /// Bytes that the span takes, estimated.
    #[inline]
    pub(crate) fn weight(&self) -> usize {
        size_of::<Cell>() + self.name.heap() + self.extra.as_ref().map_or(0, |extra| extra.heap())
    }
}

/// Where a span is kept from its start until it was sent: it is written once and never moved.
///
/// Cells are used again. One that is not in use is [`Cell::default`], so that a start writes only what it has.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) body: Body,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) ended: Tick,
    /// The end, where its owner gave one; once the worker has it, the end of each span that has ended.
    pub(crate) end: Option<i64>,
    /// Estimated bytes, as counted against the queue's bound.
    pub(crate) weight: u32,
}

/// Bytes that a cell takes beside its own: its item in a chunk, and what an allocator adds.
const CELL_OVERHEAD: usize = 48;
/// Attributes for which a cell keeps room when its span has gone.
const KEPT_ATTRIBUTES: usize = 8;

impl Default for Cell {
    fn default() -> Self {
        Self { body: Body::empty(), attributes: Vec::new(), ended: Tick::default(), end: None, weight: 0 }
    }
}

impl Cell {
    /// Forgets the span; the cell can be used again.
    pub(crate) fn clear(&mut self) {
        self.end = None;
        self.body = Body::empty();
        // The room stays here, unless it is large: the next span is likely to have as many.
        if self.attributes.capacity() > KEPT_ATTRIBUTES {
            self.attributes = Vec::new();
        } else {
            self.attributes.clear();
        }
    }

    /// Bytes that it takes, estimated.
    #[inline]
    pub(crate) fn weigh(&self) -> usize {
        // With the room that is kept beside what is used, and the cell's place in the chunk.
        let room = (self.attributes.capacity() - self.attributes.len()) * size_of::<Attribute>();
        self.body.weight() + attributes_heap(&self.attributes) + room + CELL_OVERHEAD
    }
}

/// Bytes on the heap of attributes, estimated.
#[inline]
pub(crate) fn attributes_heap(attributes: &[Attribute]) -> usize {
    attributes.iter().map(|(key, value)| size_of::<Attribute>() + key.heap() + value.heap()).sum()
}

/// A message about a span, for an exporter: its start, a heartbeat, or its end.
#[derive(Debug, Clone)]
pub struct SpanData {
    pub(crate) identity: Arc<Identity>,
    pub(crate) phase: Phase,
    pub(crate) cell: Box<Cell>,
}

impl SpanData {
    /// A copy of an open span: it holds no room in the queue.
    pub(crate) fn open(
        identity: Arc<Identity>,
        phase: Phase,
        body: Body,
        attributes: Vec<Attribute>,
    ) -> Self {
        Self { identity, phase, cell: Box::new(Cell { body, attributes, ..Cell::default() }) }
    }

    /// Estimated bytes, as counted against the queue's bound.
    pub(crate) fn weight(&self) -> usize {
        self.cell.weight as usize
    }

    /// Which part of the span's life this tells.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Its ids.
    pub fn context(&self) -> SpanContext {
        self.cell.body.context
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.cell.body.name
    }

    /// Whether there is something to normalise: attributes of its own, events, or another library's word.
    pub fn is_raw(&self) -> bool {
        let extra = self.cell.body.extra.as_deref();
        !self.cell.attributes.is_empty()
            || extra.is_some_and(|extra| extra.scope.is_some() || !extra.events.is_empty())
    }
}

/// A log record, for an exporter.
#[derive(Debug, Clone)]
pub struct LogData {
    pub(crate) identity: Arc<Identity>,
    /// Unique id of the record.
    pub(crate) id: String,
    pub(crate) time: Timestamp,
    pub(crate) span: Option<(TraceId, SpanId)>,
    pub(crate) event: Text,
    pub(crate) level: Level,
    pub(crate) logger: Option<Text>,
    pub(crate) code: Option<CodeLocation>,
    /// The user's data, an object.
    pub(crate) attrs: Json,
    /// Bytes of room that it holds in the queue; set when it leaves its thread, since masking changes its size.
    pub(crate) room: usize,
}

impl LogData {
    /// Name of the event, or the message.
    pub fn event(&self) -> &str {
        &self.event
    }

    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.id.len() + self.event.heap() + self.attrs.as_str().len()
    }
}
