//! An OpenTelemetry `TracerProvider` over the same recorder: what is instrumented with the crate
//! `opentelemetry` records into our tracers, nests under our spans, and ours under its.
//!
//! ```
//! use opentelemetry::trace::{Tracer as _, TracerProvider as _};
//!
//! let tracer = aitrace::Tracer::builder().target("memory").build();
//! let library = tracer.provider().tracer("some-library");
//! {
//!     let _outer = tracer.start_span("outer");
//!     library.in_span("theirs", |_| tracer.start_span("ours").end());
//! }
//! let names: Vec<_> = tracer.spans().into_iter().map(|span| span.name).collect();
//! assert_eq!(names, ["ours", "theirs", "outer"]);
//! ```
//!
//! The global provider is left alone unless [`TracerProvider::install_global`] is called. Providers of several
//! tracers live side by side, and beside those of other SDKs: from the first [`Tracer::provider`] on, a
//! span of ours that is current is current for OpenTelemetry too, and the other way round. Making a provider
//! early, before spans are open, lets it know all of them.
//!
//! [`Tracer::provider`]: crate::Tracer::provider

mod open;
mod span;
mod translate;

use std::borrow::Cow;
use std::sync::Arc;

use aitrace_model::Scope;
use opentelemetry::trace::SpanBuilder;
use opentelemetry::{Context as OtelContext, InstrumentationScope};

pub use span::Span;

use crate::bridge;
use crate::context::Context;
use crate::local;
use crate::span::{Parent, SpanHandle, SpanOptions};
use crate::text::Text;
use crate::tracer::Tracer as OurTracer;

impl OurTracer {
    /// An OpenTelemetry `TracerProvider` that records with this tracer.
    ///
    /// ```
    /// use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    ///
    /// let tracer = aitrace::Tracer::builder().target("memory").build();
    /// let mut span = tracer.provider().tracer("library").start("request");
    /// span.set_attribute(opentelemetry::KeyValue::new("attempt", 1));
    /// span.end();
    /// assert_eq!(tracer.spans()[0].scope, "library");
    /// ```
    pub fn provider(&self) -> TracerProvider {
        bridge::turn_on(bridge::Bridge { inside: span::inside, find: open::find });
        TracerProvider { tracer: self.clone() }
    }
}

/// OpenTelemetry's provider of tracers that record with one of ours: [`OurTracer::provider`].
///
/// Cheap to clone. It keeps the tracer alive.
#[derive(Debug, Clone)]
pub struct TracerProvider {
    tracer: OurTracer,
}

impl TracerProvider {
    /// Makes this the process's global provider. The one that was there is replaced.
    pub fn install_global(&self) {
        opentelemetry::global::set_tracer_provider(self.clone());
    }
}

impl opentelemetry::trace::TracerProvider for TracerProvider {
    type Tracer = Tracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> Tracer {
        Tracer { tracer: self.tracer.clone(), scope: Arc::new(translate::scope(&scope)) }
    }
}

/// An instrumentation library's tracer that records with one of ours.
#[derive(Debug, Clone)]
pub struct Tracer {
    tracer: OurTracer,
    scope: Arc<Scope>,
}

impl opentelemetry::trace::Tracer for Tracer {
    type Span = Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &OtelContext) -> Span {
        // What a worker's HTTP client says about sending spans would be sent too, for ever.
        if local::is_suppressed() || parent.is_telemetry_suppressed() {
            return Span::unrecorded(parent);
        }
        let context = bridge::context_of(parent);
        let SpanBuilder { span_kind, name, start_time, attributes, events, links } = builder;
        let mut options = SpanOptions::new(text(name)).parent(Parent::Context(context.clone()));
        options.start = start_time.map(translate::timestamp);
        options.attributes = translate::attributes(attributes.unwrap_or_default());
        options.otel_kind = span_kind.as_ref().map(translate::kind);
        options.scope = Some(self.scope.clone());
        let handle = self.tracer.start(options);
        for link in links.unwrap_or_default() {
            span::link(&handle, &link.span_context, link.attributes);
        }
        for event in events.unwrap_or_default() {
            let attributes = translate::attributes(event.attributes);
            handle.add_event(text(event.name), attributes, Some(translate::timestamp(event.timestamp)));
        }
        started(handle, &context, parent)
    }
}

fn started(handle: SpanHandle, outer: &Context, parent: &OtelContext) -> Span {
    match handle.context() {
        Some(ids) => {
            let inside = handle.within(outer);
            let sampled = inside.is_sampled();
            open::add(ids, inside);
            Span::owned(handle, ids, sampled)
        }
        None => Span::unrecorded(parent),
    }
}

fn text(text: Cow<'static, str>) -> Text {
    match text {
        Cow::Borrowed(text) => text.into(),
        Cow::Owned(text) => text.into(),
    }
}
