//! Spans and events of the `tracing` crate, recorded under the current context.

mod fields;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use aitrace_model::{CodeLocation, Level};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context as LayerContext, Layer as TracingLayer};
use tracing_subscriber::registry::{LookupSpan, SpanRef as Registered};

use crate::code::Code;
use crate::context::Context;
use crate::data::SpanStatus;
use crate::local::{self, Token};
use crate::log::{Log, LogSpan};
use crate::span::{Parent, SpanHandle, SpanOptions};
use crate::text::Text;
use crate::tracer::Tracer;
use crate::value::Value;
use fields::Fields;

/// A layer for `tracing_subscriber` that records spans as spans and events as log records.
///
/// They go to the tracer that is found where they happen ([`Tracer::discover`]), or to the one that
/// [`Layer::with_tracer`] names; where none is, nothing is recorded. Spans of `tracing` and of aitrace nest in
/// each other. Levels and targets are chosen by a filter of `tracing_subscriber`, as for any layer.
///
/// Fields become attributes; `Span::record` and `follows_from` (a link) count as long as the span is open. The
/// fields that OpenTelemetry's layer knows mean the same here: `otel.name`, `otel.kind`, `otel.status_code`,
/// `otel.status_description`. An event of level error with a field `error`, as `#[instrument(err)]` writes
/// it, marks its span as failed.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// let tracer = aitrace::Tracer::builder().target("memory").build();
/// let layer = aitrace::layer().with_tracer(&tracer).with_filter(tracing::level_filters::LevelFilter::INFO);
/// let subscriber = tracing_subscriber::registry().with(layer);
/// tracing::subscriber::with_default(subscriber, || {
///     let _span = tracing::info_span!("search", query = "red shoes").entered();
///     tracing::debug!("not recorded");
///     tracing::info!(hits = 3, "found");
/// });
/// assert_eq!(tracer.spans()[0].name, "search");
/// assert_eq!(tracer.logs()[0].attrs.as_str(), r#"{"hits":3}"#);
/// ```
pub fn layer() -> Layer {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    Layer { number: NUMBERS.fetch_add(1, Ordering::Relaxed), tracer: None, events: Events::Logs }
}

/// What becomes of events of `tracing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Events {
    /// Log records, of the span they happen in and outside of any.
    #[default]
    Logs,
    /// Events of the span they happen in; outside of any they are left out.
    Spans,
    /// Both.
    Both,
}

/// The layer: [`layer`].
#[derive(Debug, Clone)]
pub struct Layer {
    /// Tells several layers of one subscriber apart.
    number: u64,
    tracer: Option<Tracer>,
    events: Events,
}

impl Layer {
    /// Records with this tracer, whatever the context says. Several layers with a tracer each may stand side
    /// by side.
    pub fn with_tracer(mut self, tracer: &Tracer) -> Self {
        self.tracer = Some(tracer.clone());
        self
    }

    /// Sets what becomes of events. Default: log records.
    ///
    /// ```
    /// let layer = aitrace::layer().with_events(aitrace::Events::Both);
    /// ```
    pub fn with_events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    fn tracer(&self) -> Option<Tracer> {
        if local::is_suppressed() {
            return None;
        }
        self.tracer.clone().or_else(Tracer::discover)
    }

    /// Works with what this layer keeps on a span, or on the nearest around it that this layer has seen.
    fn nearest<S, R>(&self, span: &Registered<'_, S>, work: impl FnOnce(&Carried) -> R) -> Option<R>
    where
        S: Subscriber + for<'l> LookupSpan<'l>,
    {
        let mut work = Some(work);
        span.scope().find_map(|span| {
            let extensions = span.extensions();
            let carried = extensions.get::<AllCarried>()?.of(self.number)?;
            Some((work.take()?)(carried))
        })
    }

    /// Works with what this layer keeps on exactly this span.
    fn of<S, R>(&self, id: &Id, layers: &LayerContext<'_, S>, work: impl FnOnce(&Carried) -> R) -> Option<R>
    where
        S: Subscriber + for<'l> LookupSpan<'l>,
    {
        let span = layers.span(id)?;
        let extensions = span.extensions();
        Some(work(extensions.get::<AllCarried>()?.of(self.number)?))
    }

    fn span_event(&self, carried: &Carried, metadata: &Metadata<'_>, fields: &Fields) {
        if self.events == Events::Logs {
            return;
        }
        let name = fields.message.clone().map_or(Text::Static(metadata.name()), Text::from);
        let level = (Text::Static("level"), Value::from(level(*metadata.level()).as_str()));
        let attributes = fields.values.iter().cloned().chain([level]).collect();
        carried.span.add_event(name, attributes, None);
    }
}

/// What a span of `tracing` carries for one layer.
struct Carried {
    span: SpanHandle,
    /// The context inside the span.
    context: Context,
}

/// What a span of `tracing` carries, by the layers' numbers.
#[derive(Default)]
struct AllCarried(Vec<(u64, Carried)>);

impl AllCarried {
    fn of(&self, layer: u64) -> Option<&Carried> {
        self.0.iter().find(|(known, _)| *known == layer).map(|(_, carried)| carried)
    }
}

/// A span of `tracing` that the thread is in.
struct Entered {
    layer: u64,
    span: u64,
    token: Option<Token>,
}

thread_local! {
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> TracingLayer<S> for Layer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, layers: LayerContext<'_, S>) {
        let (Some(tracer), Some(registered)) = (self.tracer(), layers.span(id)) else { return };
        // An explicit parent is another span of `tracing`; else what is current counts, which entering
        // spans of either crate has set.
        let outer = if attributes.parent().is_some() {
            // A parent that a filter leaves out stands for the nearest above it that is not.
            let parent = registered.parent();
            parent
                .and_then(|parent| self.nearest(&parent, |carried| carried.context.clone()))
                .unwrap_or_default()
        } else if attributes.is_root() {
            Context { span: None, others: None, ..Context::current() }
        } else {
            Context::current()
        };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let metadata = attributes.metadata();
        let name = fields.name.take().map_or(Text::Static(metadata.name()), Text::from);
        let mut options = SpanOptions::new(name).parent(Parent::Context(outer.clone()));
        if let Some(place) = place(metadata, metadata.name()) {
            options.code = Code::Shared(place.into());
        }
        options.otel_kind = fields.kind;
        let status = fields.status.take();
        options.attributes = described(metadata, fields);
        let span = tracer.start(options);
        if let Some(status) = status {
            set_status(&span, status);
        }
        let context = span.within(&outer);
        let mut extensions = registered.extensions_mut();
        if extensions.get_mut::<AllCarried>().is_none() {
            extensions.insert(AllCarried::default());
        }
        if let Some(all) = extensions.get_mut::<AllCarried>() {
            all.0.push((self.number, Carried { span, context }));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, layers: LayerContext<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.of(id, &layers, |carried| {
            let Fields { message, name, status, values, .. } = fields;
            if let Some(name) = name {
                carried.span.set_name(name);
            }
            if let Some(status) = status {
                set_status(&carried.span, status);
            }
            let message = message.map(|message| (Text::Static("message"), Value::from(message)));
            carried.span.set_attributes(values.into_iter().chain(message));
        });
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, layers: LayerContext<'_, S>) {
        let followed = self.of(follows, &layers, |carried| carried.span.context()).flatten();
        if let Some(followed) = followed {
            self.of(id, &layers, |carried| carried.span.add_link(followed));
        }
    }

    fn on_enter(&self, id: &Id, layers: LayerContext<'_, S>) {
        let span = id.into_u64();
        let context = self.of(id, &layers, |carried| {
            // Another layer has just entered its span for this one: both are current.
            let beside = ENTERED.with_borrow(|entered| {
                entered.last().is_some_and(|last| last.span == span && last.layer != self.number)
            });
            if beside { carried.span.within(&Context::current()) } else { carried.context.clone() }
        });
        if let Some(context) = context {
            let token = local::enter(context);
            ENTERED.with_borrow_mut(|entered| entered.push(Entered { layer: self.number, span, token }));
        }
    }

    fn on_exit(&self, id: &Id, _layers: LayerContext<'_, S>) {
        let token = ENTERED.with_borrow_mut(|entered| {
            let mine = |known: &Entered| known.span == id.into_u64() && known.layer == self.number;
            let index = entered.iter().rposition(mine)?;
            entered.remove(index).token
        });
        local::leave(token);
    }

    fn on_close(&self, id: Id, layers: LayerContext<'_, S>) {
        let Some(registered) = layers.span(&id) else { return };
        let mut extensions = registered.extensions_mut();
        let Some(all) = extensions.get_mut::<AllCarried>() else { return };
        if let Some(index) = all.0.iter().position(|(known, _)| *known == self.number) {
            let (_, carried) = all.0.swap_remove(index);
            drop(extensions);
            carried.span.end();
        }
    }

    fn on_event(&self, event: &Event<'_>, layers: LayerContext<'_, S>) {
        let Some(tracer) = self.tracer() else { return };
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut span = LogSpan::Current;
        if let Some(registered) = layers.event_span(event) {
            self.nearest(&registered, |carried| {
                if let (Some(error), tracing::Level::ERROR) = (&fields.error, *metadata.level()) {
                    carried.span.record_exception(error.clone());
                }
                self.span_event(carried, metadata, &fields);
                // A span of ours may have begun since in it, and then counts, unless the event names its own.
                if event.parent().is_some()
                    && let Some(context) = carried.span.context()
                {
                    span = LogSpan::Span(context);
                }
            });
        }
        if self.events == Events::Spans {
            return;
        }
        let message = fields.message.map_or(Text::Static(metadata.name()), Text::from);
        let mut log = Log::new(message).level(level(*metadata.level())).logger(metadata.target()).span(span);
        if let Some(place) = place(metadata, "") {
            log = log.code(place);
        }
        for (key, value) in fields.values {
            log = log.field_json(key, value.to_any().to_json());
        }
        tracer.log(log);
    }
}

/// A span's fields, with what its metadata tells.
fn described(metadata: &Metadata<'_>, fields: Fields) -> Vec<(Text, Value)> {
    let message = fields.message.map(|message| (Text::Static("message"), message.into()));
    let level = (Text::Static("level"), level(*metadata.level()).as_str().into());
    let target = (Text::Static("target"), metadata.target().into());
    fields.values.into_iter().chain(message).chain([level, target]).collect()
}

fn set_status(span: &SpanHandle, (status, message): (SpanStatus, Option<String>)) {
    span.set_status(status, message.as_deref());
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
    }
}

/// Where a span or an event stands in the code; spans of `#[instrument]` are named after their function.
fn place(metadata: &Metadata<'_>, name: &str) -> Option<CodeLocation> {
    let module = metadata.module_path().unwrap_or_default();
    let function =
        if name.is_empty() || module.is_empty() { module.to_owned() } else { format!("{module}::{name}") };
    Some(CodeLocation { file: metadata.file()?.to_owned(), line: metadata.line().unwrap_or(0), function })
}
