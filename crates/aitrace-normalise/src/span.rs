//! Spans of OTLP.

use std::sync::Arc;

use aitrace_model::{
    AnyValue, CodeLocation, EventType, Json, Phase, RawEvent, RawLink, RawSpan, Resource, Span, SpanEvent,
    SpanKind, SpanLink, Usage, key,
};

use crate::content;
use crate::dialect;
use crate::draft::{Count, Draft, Object, Side, Word};
use crate::{Context, failure, kind, messages, otel, pending, provider};

/// What a resource says of all its spans.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Held, so that its address is that of no other one.
    resource: Arc<Resource>,
    attributes: Json,
    source: Option<String>,
    service: Option<String>,
}

impl Origin {
    pub(crate) fn new(resource: &Arc<Resource>) -> Self {
        let service = resource_word(resource, key::SERVICE_NAME);
        Self {
            resource: Arc::clone(resource),
            attributes: AnyValue::object_to_json(&resource.attributes),
            source: environment(resource),
            service: service.filter(|name| !name.starts_with("unknown_service")).map(str::to_owned),
        }
    }

    /// Whether it is the one of this span.
    pub(crate) fn is_of(&self, raw: &RawSpan) -> bool {
        Arc::ptr_eq(&self.resource, &raw.resource)
    }
}

/// A span that was not exported as the model has it.
pub(crate) fn plain(mut raw: RawSpan, context: &Context, origin: &Origin) -> Span {
    let pending = pending::resolve(&mut raw);
    let mut draft = Draft::default();
    dialect::read(&mut draft, &raw.attributes);
    dialect::read_events(&mut draft, &raw.events);
    let project = project(&draft, &raw.resource);
    let mut span = Span::new(&context.project(project), raw.trace_id, raw.span_id, &raw.name, raw.start);
    span.scope.clone_from(&raw.scope.name);
    set_life(&mut span, draft.word(Word::Lifecycle), &raw);
    if pending {
        span.phase = Phase::Start;
        span.end = None;
    }
    describe(&mut span, &draft);
    span.inputs = span.inputs.or_else(|| messages::from_events(&raw.events, Side::Input));
    span.outputs = span.outputs.or_else(|| messages::from_events(&raw.events, Side::Output));
    span.otel = otel::beside(&raw);
    let source = span.source.take();
    span.source = source.or_else(|| origin.source.clone());
    span.service.clone_from(&origin.service);
    (span.status, span.error) = failure::of_span(raw.status, &raw.events, draft.word(Word::ErrorType));
    if let (Some(error), Some(message)) = (&mut span.error, draft.text(Word::ErrorMessage)) {
        error.message = message;
    }
    span.parent_span_id = raw.parent_span_id;
    span.received = context.received;
    span.attributes = AnyValue::object_to_json(&raw.attributes);
    span.resource = origin.attributes.clone();
    span.events = events(&raw.events);
    span.links = raw.links.iter().map(link).collect();
    span
}

/// The project that the data names.
pub(crate) fn project<'a>(draft: &Draft<'a>, resource: &'a Resource) -> Option<&'a str> {
    let project = draft.word(Word::Project).or_else(|| resource_word(resource, key::PROJECT));
    project.or_else(|| resource_word(resource, "openinference.project.name"))
}

fn set_life(span: &mut Span, lifecycle: Option<&str>, raw: &RawSpan) {
    let running = |phase: &Phase| matches!(phase, Phase::Start | Phase::Heartbeat);
    let phase = lifecycle.and_then(Phase::from_word).filter(running);
    match (phase, raw.end) {
        (Some(phase), _) => {
            span.phase = phase;
            span.heartbeats = true;
        }
        (None, Some(end)) => {
            span.phase = Phase::End;
            span.end = Some(end);
        }
        (None, None) => span.phase = Phase::Start,
    }
}

/// Fills in what the attributes say.
pub(crate) fn describe(span: &mut Span, draft: &Draft<'_>) {
    let told = draft.event_type.map(|(_, event_type)| event_type);
    let found = draft.kind.map(|(_, kind)| kind).or_else(|| calls_a_model(draft).then_some(SpanKind::Llm));
    span.kind = found.or(told.map(kind::of_event_type)).unwrap_or(SpanKind::Span);
    span.event_type = told.or(found.map(kind::event_type)).unwrap_or(EventType::Tool);
    span.source = draft.text(Word::Source);
    span.session_id = draft.text(Word::Session);
    span.user_id = draft.text(Word::User);
    span.run_id = draft.text(Word::RunId);
    span.dataset_id = draft.text(Word::DatasetId);
    span.datapoint_id = draft.text(Word::DatapointId);
    span.provider = draft.word(Word::Provider).and_then(provider::canonical);
    span.model = draft.text(Word::ModelServed).or_else(|| draft.text(Word::ModelAsked));
    span.input_tokens = input_tokens(draft, &span.scope);
    span.output_tokens = draft.count(Count::Output);
    span.cache_read_tokens = draft.count(Count::CacheRead);
    span.cache_write_tokens = draft.count(Count::CacheWrite);
    span.reasoning_tokens = draft.count(Count::Reasoning);
    span.cost = draft.cost();
    span.inputs = content::of_side(draft, Side::Input);
    span.outputs = content::of_side(draft, Side::Output);
    span.metadata = content::object(draft, Object::Metadata);
    span.metrics = content::object(draft, Object::Metrics);
    span.feedback = content::object(draft, Object::Feedback);
    span.config = content::object(draft, Object::Config);
    span.user_properties = content::object(draft, Object::UserProperties);
    span.code = code(draft);
}

/// What the call used that a span tells of, to price it, also anew.
pub fn usage_of(span: &Span) -> Usage {
    Usage {
        provider: span.provider.clone(),
        model: span.model.clone(),
        input: span.input_tokens,
        cache_read: span.cache_read_tokens,
        cache_write: span.cache_write_tokens,
        output: span.output_tokens,
        reasoning: span.reasoning_tokens,
    }
}

/// Whether a span of which no kind is told is a call of a model: it names one and counts tokens.
fn calls_a_model(draft: &Draft<'_>) -> bool {
    draft.word(Word::ModelServed).or(draft.word(Word::ModelAsked)).is_some()
        && draft.count(Count::Input).is_some()
}

/// Libraries that send what Bedrock's API answers, which counts cached tokens apart.
const COUNT_CACHED_APART: [&str; 2] =
    ["opentelemetry.instrumentation.botocore.bedrock-runtime", "opentelemetry.instrumentation.bedrock"];

/// Input tokens with the cached ones. The APIs of Anthropic and of Bedrock count them apart; most instrumentors
/// add them up before they send, as OpenTelemetry demands. Who does not is known by its scope, or sends more
/// cached tokens than tokens.
fn input_tokens(draft: &Draft<'_>, scope: &str) -> Option<u64> {
    let input = draft.count(Count::Input)?;
    let read = draft.count(Count::CacheRead).unwrap_or(0);
    let cached = read.saturating_add(draft.count(Count::CacheWrite).unwrap_or(0));
    let apart = cached > input || COUNT_CACHED_APART.contains(&scope);
    Some(if apart { input.saturating_add(cached) } else { input })
}

pub(crate) fn code(draft: &Draft<'_>) -> Option<CodeLocation> {
    let (file, function) = (draft.word(Word::CodeFile), draft.word(Word::CodeFunction));
    if file.is_none() && function.is_none() {
        return None;
    }
    let line = draft.count(Count::CodeLine).and_then(|line| u32::try_from(line).ok());
    let function = match (draft.word(Word::CodeNamespace), function.unwrap_or_default()) {
        (Some(namespace), function) => format!("{namespace}.{function}"),
        (None, function) => function.to_owned(),
    };
    Some(CodeLocation { file: file.unwrap_or_default().to_owned(), line: line.unwrap_or(0), function })
}

fn environment(resource: &Resource) -> Option<String> {
    let names = [key::SOURCE, "deployment.environment.name", "deployment.environment"];
    names.iter().find_map(|name| resource_word(resource, name)).map(str::to_owned)
}

fn resource_word<'a>(resource: &'a Resource, name: &str) -> Option<&'a str> {
    let (_, value) = resource.attributes.iter().rev().find(|(key, _)| key == name)?;
    value.as_str().filter(|word| !word.is_empty())
}

fn events(raw: &[RawEvent]) -> Vec<SpanEvent> {
    let event = |event: &RawEvent| SpanEvent {
        time: event.time,
        name: event.name.clone(),
        attributes: AnyValue::object_to_json(&event.attributes),
    };
    let mut events: Vec<SpanEvent> = raw.iter().map(event).collect();
    events.sort_by_key(|event| event.time);
    events
}

fn link(link: &RawLink) -> SpanLink {
    SpanLink {
        trace_id: link.trace_id,
        span_id: link.span_id,
        attributes: AnyValue::object_to_json(&link.attributes),
    }
}

/// An empty object.
pub(crate) fn empty() -> Json {
    Json::from_trusted("{}")
}
