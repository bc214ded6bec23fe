//! Spans and events of the `tracing` crate, recorded under the current context.

use std::cell::RefCell;
use std::fmt::Debug;

use aitrace_model::{CodeLocation, Level};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context as LayerContext, Layer as TracingLayer};
use tracing_subscriber::registry::LookupSpan;

use crate::code::Code;
use crate::context::Context;
use crate::local::{self, Token};
use crate::log::{Log, LogSpan};
use crate::span::{Parent, SpanHandle, SpanOptions};
use crate::text::Text;
use crate::tracer::Tracer;
use crate::value::Value;

/// A layer for `tracing_subscriber` that records spans as spans and events as log records.
///
/// They go to the tracer that is found where they happen ([`Tracer::discover`]); where none is, nothing is
/// recorded. Spans of `tracing` and of aitrace nest in each other. Levels are chosen by a filter of
/// `tracing_subscriber`, as for any layer.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// let subscriber = tracing_subscriber::registry().with(aitrace::layer());
/// ```
pub fn layer() -> Layer {
    Layer { tracer: None }
}

/// The layer: [`layer`].
#[derive(Debug, Clone, Default)]
pub struct Layer {
    tracer: Option<Tracer>,
}

impl Layer {
    /// Records with this tracer, whatever the context says.
    pub fn with_tracer(mut self, tracer: &Tracer) -> Self {
        self.tracer = Some(tracer.clone());
        self
    }

    fn tracer(&self) -> Option<Tracer> {
        if local::is_suppressed() {
            return None;
        }
        self.tracer.clone().or_else(Tracer::discover)
    }
}

/// What a span of `tracing` carries.
struct Carried {
    span: SpanHandle,
    /// The context inside the span.
    context: Context,
}

thread_local! {
    /// Spans of `tracing` that this thread is in, with what leaves each.
    static ENTERED: RefCell<Vec<(u64, Option<Token>)>> = const { RefCell::new(Vec::new()) };
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> TracingLayer<S> for Layer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, layers: LayerContext<'_, S>) {
        let (Some(tracer), Some(registered)) = (self.tracer(), layers.span(id)) else { return };
        // An explicit parent is another span of `tracing`; else what is current counts, which entering
        // spans of either crate has set.
        let outer = match attributes.parent().and_then(|parent| layers.span(parent)) {
            Some(parent) => parent.extensions().get::<Carried>().map(|carried| carried.context.clone()),
            None if attributes.is_root() => Some(Context { span: None, ..Context::current() }),
            None => Some(Context::current()),
        };
        let outer = outer.unwrap_or_default();
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let metadata = attributes.metadata();
        let mut options = SpanOptions::new(metadata.name()).parent(Parent::Context(outer.clone()));
        if let Some(place) = place(metadata) {
            options.code = Code::Shared(place.into());
        }
        options.attributes = fields.values;
        options.attributes.extend(fields.message.map(|message| ("message".into(), message.into())));
        let span = tracer.start(options);
        let context = span.within(&outer);
        registered.extensions_mut().insert(Carried { span, context });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, layers: LayerContext<'_, S>) {
        let Some(registered) = layers.span(id) else { return };
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(carried) = registered.extensions().get::<Carried>() {
            carried.span.set_attributes(fields.values);
        }
    }

    fn on_enter(&self, id: &Id, layers: LayerContext<'_, S>) {
        let Some(registered) = layers.span(id) else { return };
        let context = registered.extensions().get::<Carried>().map(|carried| carried.context.clone());
        if let Some(context) = context {
            let token = local::enter(context);
            ENTERED.with_borrow_mut(|entered| entered.push((id.into_u64(), token)));
        }
    }

    fn on_exit(&self, id: &Id, _layers: LayerContext<'_, S>) {
        let token = ENTERED.with_borrow_mut(|entered| {
            let index = entered.iter().rposition(|(known, _)| *known == id.into_u64())?;
            entered.remove(index).1
        });
        local::leave(token);
    }

    fn on_close(&self, id: Id, layers: LayerContext<'_, S>) {
        let Some(registered) = layers.span(&id) else { return };
        let carried = registered.extensions_mut().remove::<Carried>();
        if let Some(carried) = carried {
            carried.span.end();
        }
    }

    fn on_event(&self, event: &Event<'_>, layers: LayerContext<'_, S>) {
        let Some(tracer) = self.tracer() else { return };
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.message.map_or(Text::Static(metadata.name()), Text::from);
        let mut log = Log::new(message).level(level(*metadata.level())).logger(metadata.target());
        let parent = event.parent().and_then(|parent| layers.span(parent));
        if let Some(parent) = parent
            && let Some(carried) = parent.extensions().get::<Carried>()
            && let Some(span) = carried.span.context()
        {
            log = log.span(LogSpan::Span(span));
        }
        if let Some(place) = place(metadata) {
            log = log.code(place);
        }
        for (key, value) in fields.values {
            log = log.field_json(key, value.to_any().to_json());
        }
        tracer.log(log);
    }
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
    }
}

fn place(metadata: &Metadata<'_>) -> Option<CodeLocation> {
    Some(CodeLocation {
        file: metadata.file()?.to_owned(),
        line: metadata.line().unwrap_or(0),
        function: metadata.module_path().unwrap_or_default().to_owned(),
    })
}

/// The fields of a span or an event; `message` is what is said.
#[derive(Default)]
struct Fields {
    message: Option<String>,
    values: Vec<(Text, Value)>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: Value) {
        self.values.push((Text::Static(field.name()), value));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = Some(text);
        } else {
            self.push(field, text.into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = Some(value.to_owned());
        } else {
            self.push(field, value.into());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value.into());
    }
}
