//! Log records: the user's own, and what is said about sessions and events.

use std::sync::Arc;
use std::time::Duration;

use aitrace_model::{CodeLocation, EventType, Json, Level, Timestamp};

use crate::bounded;
use crate::context::{Context, SpanContext};
use crate::correct;
use crate::data::LogData;
use crate::fields::{Enrich, Fields, Members, merge_members};
use crate::identity::Session;
use crate::ids::Random;
use crate::local;
use crate::text::Text;
use crate::tracer::{Tracer, shard_of};

/// To which span a log record belongs.
#[derive(Debug, Clone, Default)]
pub enum LogSpan {
    /// What is current in the calling thread.
    #[default]
    Current,
    /// None: it is found by search, in no trace.
    None,
    /// This one.
    Span(SpanContext),
}

/// A log record to be written by [`Tracer::log`].
#[derive(Debug, Clone)]
pub struct Log {
    event: Text,
    level: Level,
    logger: Option<Text>,
    code: Option<CodeLocation>,
    span: LogSpan,
    time: Option<Timestamp>,
    fields: Members,
}

impl Log {
    /// A record of level info, without data.
    pub fn new(event: impl Into<Text>) -> Self {
        Self {
            event: event.into(),
            level: Level::Info,
            logger: None,
            code: None,
            span: LogSpan::Current,
            time: None,
            fields: Members::new(),
        }
    }

    /// Sets the level.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Sets the name of the logger.
    pub fn logger(mut self, logger: impl Into<Text>) -> Self {
        self.logger = Some(logger.into());
        self
    }

    /// Sets the place in the code.
    pub fn code(mut self, code: CodeLocation) -> Self {
        self.code = Some(code);
        self
    }

    /// Sets the span it belongs to.
    pub fn span(mut self, span: LogSpan) -> Self {
        self.span = span;
        self
    }

    /// Sets when it happened. Default: now.
    pub fn time(mut self, time: Timestamp) -> Self {
        self.time = Some(time);
        self
    }

    /// Adds a value.
    pub fn field(self, key: impl Into<Text>, value: impl serde::Serialize) -> Self {
        self.field_json(key, bounded::capture(&value))
    }

    /// Adds a value that is captured already.
    pub fn field_json(mut self, key: impl Into<Text>, value: Json) -> Self {
        merge_members(&mut self.fields, vec![(key.into(), value)]);
        self
    }
}

/// Something that happened outside of any traced code: [`Tracer::create_event`].
#[derive(Debug, Clone, Default)]
pub struct NewEvent {
    /// Its type. Default: tool.
    pub event_type: Option<EventType>,
    /// Inputs, outputs, metadata and the like, and an error.
    pub about: Enrich,
    /// How long it took.
    pub duration: Option<Duration>,
}

impl Tracer {
    /// Writes a log record. Returns its id, `None` where nothing is recorded: the tracer is shut down, or the
    /// current span is of a trace that is not recorded.
    pub fn log(&self, log: Log) -> Option<String> {
        if self.core.is_off() || local::is_suppressed() {
            return None;
        }
        let core = &self.core;
        local::with(|local| {
            let unsampled = local.context().is_some_and(|context| !context.is_sampled());
            if unsampled && matches!(log.span, LogSpan::Current) {
                core.state().hub.count_not_sampled();
                return None;
            }
            let id = local.random().uuid();
            let current = || local.context()?.span();
            let span = match log.span {
                LogSpan::Current => current(),
                LogSpan::None => None,
                LogSpan::Span(span) => Some(span),
            };
            let members = log.fields.iter().map(|(key, json)| (key.as_str(), json));
            let data = LogData {
                identity: core.identity.clone(),
                id: id.clone(),
                time: log.time.unwrap_or_else(|| core.plan.time.timestamp()),
                span: span.map(|span| (span.trace_id, span.span_id)),
                event: log.event,
                level: log.level,
                logger: log.logger,
                code: log.code,
                attrs: Json::object(members),
                room: 0,
            };
            let mut guard = shard_of(core, local).lock();
            let (head, inner) = guard.parts();
            inner.log(head, Box::new(data));
            Some(id)
        })
        .flatten()
    }

    /// Begins a new session, which all spans of this tracer belong to that begin from now on; with `id`, the
    /// session of that id. Returns its id.
    pub fn create_session(&self, name: Option<&str>, id: Option<&str>, about: Enrich) -> String {
        let id = id.map_or_else(|| Random::seeded().uuid(), str::to_owned);
        let session = Session { id: id.as_str().into(), name: name.map(Arc::from) };
        self.core.identity.begin_session(self.core.plan.time.timestamp().nanos(), session);
        let log = self
            .session_log("session.started")
            .fields(about.fields.map_or_else(Fields::default, |fields| *fields));
        self.log(log);
        id
    }

    /// Adds to the tracer's session: metadata, metrics, feedback, user properties and the like. True when it was
    /// recorded.
    pub fn enrich_session(&self, about: Enrich) -> bool {
        let mut log = self
            .session_log("session.updated")
            .fields(about.fields.map_or_else(Fields::default, |fields| *fields));
        if let Some(error) = about.error {
            log = log.field("error", error);
        }
        self.log(log).is_some()
    }

    fn session_log(&self, event: &'static str) -> Log {
        let session = self.core.identity.session();
        let log = Log::new(event).span(LogSpan::None).field("session_id", session.id.as_ref());
        match &session.name {
            Some(name) => log.field("session_name", name.as_ref()),
            None => log,
        }
    }

    /// Records an event that happened outside of any traced code, under the current span if there is one.
    /// Returns its id, `None` where nothing is recorded.
    pub fn create_event(&self, name: &str, event: NewEvent) -> Option<String> {
        let id = Random::seeded().uuid();
        let event_type = event.event_type.unwrap_or(EventType::Tool);
        let mut log = Log::new("event.created")
            .field("event_id", &id)
            .field("event_name", name)
            .field("event_type", event_type.as_str())
            .field("source", self.core.identity.source.as_ref())
            .fields(event.about.fields.map_or_else(Fields::default, |fields| *fields));
        if let Some(error) = event.about.error {
            log = log.level(Level::Error).field("error", error);
        }
        if let Some(duration) = event.duration {
            log = log.field("duration_ms", duration.as_secs_f64() * 1e3);
        }
        self.log(log).map(|_| id)
    }

    /// Says something about a span or an event by its id: a span's, one from
    /// [`create_event`](Tracer::create_event). True when it was recorded; whether there is such an event, only
    /// the receiver knows. Event type, kind and plain attributes cannot be corrected.
    pub fn update_event(&self, event_id: &str, about: Enrich) -> bool {
        let mut log = Log::new(correct::UPDATED)
            .span(LogSpan::None)
            .field("event_id", event_id)
            .fields(about.fields.map_or_else(Fields::default, |fields| *fields));
        if let Some(error) = about.error {
            log = log.field("error", error);
        }
        self.log(log).is_some()
    }

    /// The current baggage with `key` set or cleared, as a context to attach. `None` for a key that does not
    /// travel: see [`Baggage::KEYS`](crate::Baggage::KEYS).
    pub fn with_baggage(&self, key: &str, value: Option<&str>) -> Option<Context> {
        let context = Context::current();
        let mut baggage = context.baggage().map(|baggage| baggage.as_ref().clone()).unwrap_or_default();
        baggage.set(key, value).then(|| context.with_baggage(baggage))
    }
}

impl Log {
    /// Adds all groups of an enrichment under their names.
    pub(crate) fn fields(mut self, fields: Fields) -> Self {
        for (name, members) in [
            ("metadata", &fields.metadata),
            ("metrics", &fields.metrics),
            ("feedback", &fields.feedback),
            ("config", &fields.config),
            ("user_properties", &fields.user_properties),
        ] {
            if !members.is_empty() {
                let object = Json::object(members.iter().map(|(key, json)| (key.as_str(), json)));
                self = self.field_json(name, object);
            }
        }
        for (name, content) in [("inputs", fields.inputs), ("outputs", fields.outputs)] {
            if let Some(content) = content {
                self = self.field_json(name, content);
            }
        }
        for (name, id) in [("user_id", fields.user_id), ("session_id", fields.session_id)] {
            if let Some(id) = id {
                self = self.field(name, id.as_str());
            }
        }
        self
    }
}
