//! A span of ours as OpenTelemetry's.

use std::borrow::Cow;
use std::mem::ManuallyDrop;
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext as OtelSpanContext, Status, TraceContextExt as _};
use opentelemetry::{Context as OtelContext, KeyValue};

use super::{open, text, translate};
use crate::bridge;
use crate::context::{SpanContext, SpanRef};
use crate::data::SpanStatus;
use crate::span::SpanHandle;

/// A span that is recorded by one of our tracers. Dropping it ends it.
#[derive(Debug)]
pub struct Span {
    handle: ManuallyDrop<SpanHandle>,
    context: OtelSpanContext,
    /// The ids of the span that this value owns; `None` for one that only speaks about a span of another.
    owned: Option<SpanContext>,
}

impl Span {
    pub(super) fn owned(handle: SpanHandle, context: SpanContext, sampled: bool) -> Self {
        let theirs = bridge::otel_span_context(context, false, sampled);
        Self { handle: ManuallyDrop::new(handle), context: theirs, owned: Some(context) }
    }

    /// Of which nothing is recorded: it passes on the ids of its parent.
    pub(super) fn unrecorded(parent: &OtelContext) -> Self {
        let context = parent.span().span_context().clone();
        Self { handle: ManuallyDrop::new(SpanHandle::none()), context, owned: None }
    }
}

/// OpenTelemetry's context inside of a span of ours: what libraries say of the current span goes there.
pub(super) fn inside(outer: &OtelContext, span: SpanRef) -> OtelContext {
    let remote = span.is_remote();
    let context = bridge::otel_span_context(span.context(), remote, span.is_sampled());
    if remote {
        return outer.with_remote_span_context(context);
    }
    // Not dropped with this value: who began the span ends it.
    outer.with_span(Span { handle: ManuallyDrop::new(SpanHandle::new(span)), context, owned: None })
}

/// Links a span to one of OpenTelemetry's.
pub(super) fn link(handle: &SpanHandle, to: &OtelSpanContext, attributes: Vec<KeyValue>) {
    if let Some(to) = bridge::span_context(to) {
        handle.add_link_with(to, translate::attributes(attributes));
    }
}

impl Span {
    fn close(&mut self, end: Option<SystemTime>) {
        if let Some(context) = self.owned {
            open::remove(context, self.handle.tracer());
        }
        match end {
            Some(end) => self.handle.end_at(translate::timestamp(end)),
            None => self.handle.end(),
        }
    }
}

impl opentelemetry::trace::Span for Span {
    fn add_event<T: Into<Cow<'static, str>>>(&mut self, name: T, attributes: Vec<KeyValue>) {
        self.handle.add_event(text(name.into()), translate::attributes(attributes), None);
    }

    fn add_event_with_timestamp<T: Into<Cow<'static, str>>>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) {
        let time = Some(translate::timestamp(timestamp));
        self.handle.add_event(text(name.into()), translate::attributes(attributes), time);
    }

    fn span_context(&self) -> &OtelSpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        self.handle.is_recording()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        let (key, value) = translate::attribute(attribute);
        self.handle.set_attribute(key, value);
    }

    fn set_attributes(&mut self, attributes: impl IntoIterator<Item = KeyValue>) {
        self.handle.set_attributes(translate::attributes(attributes));
    }

    fn set_status(&mut self, status: Status) {
        match status {
            Status::Unset => {}
            Status::Ok => self.handle.set_status(SpanStatus::Ok, None),
            Status::Error { description } => self.handle.set_status(SpanStatus::Error, Some(&description)),
        }
    }

    fn update_name<T: Into<Cow<'static, str>>>(&mut self, new_name: T) {
        self.handle.set_name(text(new_name.into()));
    }

    fn add_link(&mut self, span_context: OtelSpanContext, attributes: Vec<KeyValue>) {
        link(&self.handle, &span_context, attributes);
    }

    /// By the tracer's clock.
    fn end(&mut self) {
        self.close(None);
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        self.close(Some(timestamp));
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if self.owned.is_some() {
            self.close(None);
        }
    }
}
