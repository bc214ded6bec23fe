//! Handles of spans.

use std::fmt::Display;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aitrace_model::{ErrorInfo, EventType, RawLink, Scope, SpanKind, Timestamp};

use crate::code::Code;
use crate::context::{Context, Place, SpanContext, SpanRef};
use crate::data::{Attribute, Body, Event, Extra, MAX_ATTRIBUTES, MAX_PARTS, Processed, SpanStatus, grow};
use crate::fields::Enrich;
use crate::local::{self, Token};
use crate::text::Text;
use crate::ticks::TimeSource;
use crate::value::Value;

/// Under what a span begins.
#[derive(Debug, Clone, Default)]
pub enum Parent {
    /// What is current in the calling thread.
    #[default]
    Current,
    /// Nothing: a new trace, with the baggage that is current.
    Root,
    /// This span, with the baggage that is current.
    Span(SpanContext),
    /// What is current in this context, and its baggage; the calling thread does not matter.
    Context(Context),
}

/// How to start a span.
#[derive(Debug, Clone)]
pub struct SpanOptions {
    /// Name.
    pub name: Text,
    /// Under what it begins. Default: what is current.
    pub parent: Parent,
    /// HoneyHive's event type.
    pub event_type: Option<EventType>,
    /// Kind, which wins over what the event type suggests.
    pub kind: Option<SpanKind>,
    /// When it began. Default: now.
    pub start: Option<Timestamp>,
    /// Where the traced code is.
    pub code: Code,
    /// Attributes from the start.
    pub attributes: Vec<(Text, Value)>,
    /// Links to other spans.
    pub links: Vec<SpanContext>,
    /// The instrumentation library that speaks, where it is not ours.
    pub scope: Option<Arc<Scope>>,
    /// OTLP's span kind. Default: client for a model's call, else internal.
    pub otel_kind: Option<i32>,
    /// Ids that another recorder of the same span gave it. Default: new ones, in the parent's trace.
    pub ids: Option<SpanContext>,
}

impl From<&str> for SpanOptions {
    fn from(name: &str) -> Self {
        Self::new(name.to_owned())
    }
}

impl From<String> for SpanOptions {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl SpanOptions {
    /// A span under what is current, beginning now.
    pub fn new(name: impl Into<Text>) -> Self {
        Self {
            name: name.into(),
            parent: Parent::Current,
            event_type: None,
            kind: None,
            start: None,
            code: Code::Unknown,
            attributes: Vec::new(),
            links: Vec::new(),
            scope: None,
            otel_kind: None,
            ids: None,
        }
    }

    /// Sets the parent.
    pub fn parent(mut self, parent: Parent) -> Self {
        self.parent = parent;
        self
    }

    /// Sets the event type.
    pub fn event_type(mut self, event_type: EventType) -> Self {
        self.event_type = Some(event_type);
        self
    }

    /// Sets the kind.
    pub fn kind(mut self, kind: SpanKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Sets the beginning.
    pub fn start(mut self, start: Timestamp) -> Self {
        self.start = Some(start);
        self
    }

    /// Sets the place in the code.
    pub fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// Adds an attribute.
    pub fn attribute(mut self, key: impl Into<Text>, value: impl Into<Value>) -> Self {
        self.attributes.push((key.into(), value.into()));
        self
    }

    /// Adds a link.
    pub fn link(mut self, span: SpanContext) -> Self {
        self.links.push(span);
        self
    }
}

/// A span that is not current by itself: it may be sent to other threads and used from several at once.
///
/// All methods do nothing once the span has ended. One that is dropped unended is ended and marked abandoned.
#[derive(Debug)]
pub struct SpanHandle {
    span: Option<SpanRef>,
    ended: AtomicBool,
}

impl SpanHandle {
    /// One of a trace that is not recorded has ids, and can be a parent.
    #[inline]
    pub(crate) fn new(span: SpanRef) -> Self {
        let ended = AtomicBool::new(!span.is_sampled());
        Self { span: Some(span), ended }
    }

    /// A span of which nothing is recorded.
    pub fn none() -> Self {
        Self { span: None, ended: AtomicBool::new(true) }
    }

    /// Its ids; `None` where nothing is recorded.
    pub fn context(&self) -> Option<SpanContext> {
        self.span.as_ref().map(SpanRef::context)
    }

    /// `context` with this span as the current one.
    pub fn within(&self, context: &Context) -> Context {
        self.span.map_or_else(|| context.clone(), |span| context.inside(span))
    }

    /// Whether what is said about it is still recorded.
    pub fn is_recording(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    /// The number of its tracer, ended or not.
    pub(crate) fn tracer(&self) -> Option<u32> {
        self.span.as_ref()?.tracer()
    }

    #[inline]
    fn place(&self) -> Option<&Place> {
        if self.is_recording() { self.span.as_ref()?.place.as_ref() } else { None }
    }

    /// Sets an attribute; the last value of a key counts. At most 1024 keys.
    #[inline]
    pub fn set_attribute(&self, key: impl Into<Text>, value: impl Into<Value>) {
        let Some(place) = self.place() else { return };
        // Lent, not moved: each move on the way would be a copy.
        let (mut key, mut value) = (key.into(), value.into());
        local::at(place, |_, inner| {
            inner.change(place, |body, attributes| set(&mut body.extra, attributes, &mut key, &mut value))
        });
    }

    /// Sets several attributes at once, which is cheaper than one by one.
    pub fn set_attributes<K: Into<Text>, V: Into<Value>>(
        &self,
        attributes: impl IntoIterator<Item = (K, V)>,
    ) {
        let values: Vec<Attribute> =
            attributes.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self.change(|body, attributes| {
            for (mut key, mut value) in values {
                set(&mut body.extra, attributes, &mut key, &mut value);
            }
        });
    }

    /// Adds metadata, metrics, inputs and the like.
    pub fn enrich(&self, enrich: Enrich) {
        self.change(|body, attributes| apply(body, attributes, enrich));
    }

    /// Notes that something happened now, or at `time`. At most 128 events.
    pub fn add_event(&self, name: impl Into<Text>, attributes: Vec<(Text, Value)>, time: Option<Timestamp>) {
        let name = name.into();
        self.change_timed(|body, _, time_source| {
            let time = time.map_or_else(|| body.now(time_source), Timestamp::nanos);
            push_event(body, Event { time, name, attributes });
        });
    }

    /// Notes an exception as an event and as the span's error; the status becomes an error.
    pub fn record_exception(&self, error: ErrorInfo) {
        self.change_timed(|body, _, time_source| {
            let time = body.now(time_source);
            record_exception(body, error, time);
        });
    }

    /// Notes an error value: its type's name and its message.
    pub fn record_error<E: Display + ?Sized>(&self, error: &E) {
        self.record_exception(error_info(error));
    }

    /// Sets the status; `message` says why it failed.
    pub fn set_status(&self, status: SpanStatus, message: Option<&str>) {
        self.change(|body, _| {
            body.status = status;
            if let (SpanStatus::Error, Some(message)) = (status, message) {
                message.clone_into(&mut body.extra().error.get_or_insert_default().message);
            }
        });
    }

    /// Sets the event type.
    pub fn set_event_type(&self, event_type: EventType) {
        self.change(|body, _| body.event_type = Some(event_type));
    }

    /// Sets the kind.
    pub fn set_kind(&self, kind: SpanKind) {
        self.change(|body, _| body.kind = Some(kind));
    }

    /// Renames it.
    pub fn set_name(&self, name: impl Into<Text>) {
        let name = name.into();
        self.change(|body, _| body.name = name);
    }

    /// Links it to another span. At most 128 links.
    pub fn add_link(&self, span: SpanContext) {
        self.add_link_with(span, Vec::new());
    }

    /// Links it to another span and says why. At most 128 links.
    pub fn add_link_with(&self, span: SpanContext, attributes: Vec<(Text, Value)>) {
        self.change(|body, _| push_link(&mut body.extra, span, attributes));
    }

    /// Ends it now.
    #[inline]
    pub fn end(&self) {
        self.finish(None, false);
    }

    /// Ends it at a given time.
    pub fn end_at(&self, end: Timestamp) {
        self.finish(Some(end), false);
    }

    /// Ends the span of something that was dropped before its end: cancelled, or torn down by a panic.
    pub(crate) fn cut_off(&self) {
        if !self.is_recording() {
            return;
        }
        if std::thread::panicking() {
            self.set_status(SpanStatus::Error, Some("panicked"));
        } else {
            self.set_attribute("aitrace.cancelled", true);
        }
        self.end();
    }

    #[inline]
    fn finish(&self, end: Option<Timestamp>, abandoned: bool) {
        // Not a swap: of two threads that end it at once, the shard lets one through.
        if self.ended.load(Ordering::Relaxed) {
            return;
        }
        self.ended.store(true, Ordering::Relaxed);
        let Some(place) = self.span.as_ref().and_then(|span| span.place.as_ref()) else { return };
        let end = end.map(Timestamp::nanos);
        local::at(place, |head, inner| {
            inner.close(head, place, (head.time.tick(), end), |body| {
                if abandoned {
                    body.extra().abandoned = true;
                }
            })
        });
    }

    /// Ends it and leaves it out of what is exported; it counts as filtered by `processor`.
    ///
    /// Where open spans are told of, its start may be known already: see
    /// [`TracerBuilder::hold_open_spans`](crate::TracerBuilder::hold_open_spans).
    pub fn leave_out(&self, processor: impl Into<Text>) {
        let processor = processor.into();
        self.change(|body, _| body.extra().processed = Processed::LeftOut(processor));
        self.end();
    }

    /// Has its name and everything that was said about it replaced before it is exported: for where the
    /// program's own processing of it failed.
    pub fn conceal(&self) {
        self.change(|body, _| body.extra().processed = Processed::Failed);
    }

    fn change(&self, change: impl FnOnce(&mut Body, &mut Vec<Attribute>)) {
        self.change_timed(|body, attributes, _| change(body, attributes));
    }

    fn change_timed(&self, change: impl FnOnce(&mut Body, &mut Vec<Attribute>, &TimeSource)) {
        if let Some(place) = self.place() {
            change_at(place, change);
        }
    }
}

impl Drop for SpanHandle {
    #[inline]
    fn drop(&mut self) {
        if !*self.ended.get_mut() {
            self.finish(None, true);
        }
    }
}

/// Changes an open span wherever it is.
pub(crate) fn change_at(place: &Place, change: impl FnOnce(&mut Body, &mut Vec<Attribute>, &TimeSource)) {
    local::at(place, |head, inner| {
        inner.change(place, |body, attributes| change(body, attributes, &head.time))
    });
}

/// Applies an enrichment to an open span.
pub(crate) fn apply(body: &mut Body, attributes: &mut Vec<Attribute>, enrich: Enrich) {
    let Enrich { fields, error, event_type, kind, attributes: more } = enrich;
    body.event_type = event_type.or(body.event_type);
    body.kind = kind.or(body.kind);
    if let Some(message) = error {
        body.status = SpanStatus::Error;
        body.extra().error.get_or_insert_default().message = message;
    }
    for (mut key, mut value) in more {
        set(&mut body.extra, attributes, &mut key, &mut value);
    }
    if let Some(fields) = fields {
        body.extra().say(fields);
    }
}

/// Sets an attribute within the limit. Key and value are taken.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "a call would pass what it works with through memory, which costs more"
)]
pub(crate) fn set(
    extra: &mut Option<Box<Extra>>,
    attributes: &mut Vec<Attribute>,
    key: &mut Text,
    value: &mut Value,
) {
    if let Some((_, known)) = attributes.iter_mut().find(|(known, _)| known == key) {
        *known = std::mem::take(value);
    } else if attributes.len() < MAX_ATTRIBUTES {
        attributes.push((std::mem::take(key), std::mem::take(value)));
    } else {
        grow(extra).dropped += 1;
    }
}

pub(crate) fn push_event(body: &mut Body, event: Event) {
    let extra = body.extra();
    if extra.events.len() < MAX_PARTS { extra.events.push(event) } else { extra.dropped += 1 }
}

pub(crate) fn push_link(extra: &mut Option<Box<Extra>>, span: SpanContext, attributes: Vec<Attribute>) {
    let extra = grow(extra);
    if extra.links.len() < MAX_PARTS {
        let SpanContext { trace_id, span_id } = span;
        let attributes = attributes.into_iter().map(|(key, value)| (key.to_string(), value.to_any()));
        extra.links.push(RawLink::new(trace_id, span_id, attributes.collect()));
    } else {
        extra.dropped += 1;
    }
}

fn record_exception(body: &mut Body, error: ErrorInfo, time: i64) {
    use aitrace_model::key;
    body.status = SpanStatus::Error;
    let mut attributes: Vec<Attribute> = vec![
        (Text::Static(key::EXCEPTION_TYPE), error.kind.as_str().into()),
        (Text::Static(key::EXCEPTION_MESSAGE), error.message.as_str().into()),
    ];
    if !error.stacktrace.is_empty() {
        attributes.push((Text::Static(key::EXCEPTION_STACKTRACE), error.stacktrace.as_str().into()));
    }
    push_event(body, Event { time, name: Text::Static(key::EXCEPTION_EVENT), attributes });
    body.extra().error = Some(error);
}

/// An error value as the model tells it.
pub(crate) fn error_info<E: Display + ?Sized>(error: &E) -> ErrorInfo {
    let kind = std::any::type_name::<E>();
    // `alloc::boxed::Box<dyn core::error::Error + Send>` → `core::error::Error + Send`: the box says nothing.
    let inner = kind.strip_prefix("alloc::boxed::Box<").unwrap_or(kind);
    let inner = inner.strip_prefix("dyn ").unwrap_or(inner);
    // `path::to::Error<other::Thing>` → `Error`: what people call it.
    let end = inner.find(['<', '>', ' ']).unwrap_or(inner.len());
    let short = inner[..end].rsplit("::").next().unwrap_or(inner);
    let message = error.to_string();
    ErrorInfo {
        kind: short.to_owned(),
        message: crate::value::bounded_text(&message).into_owned(),
        stacktrace: String::new(),
    }
}

/// A span that is current while this guard lives, and ends with it.
///
/// The guard stays in its thread. For a future use [`InSpan::in_span`](crate::InSpan::in_span), for another
/// thread hand over a [`Context`].
#[derive(Debug)]
pub struct Span {
    handle: SpanHandle,
    token: Option<Token>,
    /// What it made current is this thread's.
    stays: PhantomData<*const ()>,
}

impl Span {
    #[inline]
    pub(crate) fn new(handle: SpanHandle, token: Option<Token>) -> Self {
        Self { handle, token, stays: PhantomData }
    }

    /// Ends the span and makes current what was so before: the same as dropping it.
    pub fn end(self) {}
}

impl std::ops::Deref for Span {
    type Target = SpanHandle;

    fn deref(&self) -> &SpanHandle {
        &self.handle
    }
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        if std::thread::panicking() && self.handle.is_recording() {
            self.handle.set_status(SpanStatus::Error, Some("panicked"));
        }
        let token = self.token.take();
        let Some(place) = self.handle.place() else { return local::leave(token) };
        self.handle.ended.store(true, Ordering::Relaxed);
        // One visit to the thread's own things for both.
        let near = local::with(|local| {
            if let Some(token) = token {
                local.leave(token);
            }
            let Some(own) = local.own(place) else { return false };
            let mut guard = own.lock();
            let (head, inner) = guard.parts();
            inner.close(head, place, (head.time.tick(), None), |_| {});
            true
        });
        if near != Some(true) {
            close_far(place, None);
        }
    }
}

/// Ends a span that is not this thread's.
#[cold]
fn close_far(place: &Place, end: Option<i64>) {
    local::at(place, |head, inner| inner.close(head, place, (head.time.tick(), end), |_| {}));
}
