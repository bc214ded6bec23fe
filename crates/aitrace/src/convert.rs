//! A recorded span as others want it: raw for OTLP, a model span for records and for the program itself.

use std::sync::Arc;

use aitrace_model::{
    AnyValue, Dropped, ErrorInfo, EventType, Json, LogRecord, Phase, RawEvent, RawSpan, RawStatus, Span,
    SpanEvent, SpanKind, SpanLink, Status, Timestamp, key,
};

use crate::data::{Attribute, Extra, LogData, SpanData, SpanStatus};
use crate::fields::{Fields, Members};

/// OTLP's span kinds.
const INTERNAL: i32 = 1;
const CLIENT: i32 = 3;

const DROPPED: &str = "aitrace.dropped_parts";
const EVENT_ID: &str = "aitrace.event_id";

static NO_EXTRA: std::sync::LazyLock<Extra> = std::sync::LazyLock::new(Extra::default);

impl SpanData {
    fn extra(&self) -> &Extra {
        self.cell.body.extra.as_deref().unwrap_or(&NO_EXTRA)
    }

    /// The kind: the one that was set, else what the event type suggests.
    fn kind(&self) -> Option<SpanKind> {
        self.cell.body.kind.or_else(|| {
            self.cell.body.event_type.map(|event_type| match event_type {
                EventType::Model => SpanKind::Llm,
                EventType::Tool => SpanKind::Tool,
                EventType::Chain | EventType::Session => SpanKind::Chain,
            })
        })
    }

    fn otel_kind(&self) -> i32 {
        if self.kind() == Some(SpanKind::Llm) { CLIENT } else { INTERNAL }
    }

    /// The value of one of the four travelling keys: the tracer's own comes first.
    fn run(&self, own: Option<&Arc<str>>, key: &str) -> Option<String> {
        let travelled = || self.cell.body.baggage.as_ref().and_then(|baggage| baggage.get(key));
        own.map(AsRef::as_ref).or_else(travelled).map(str::to_owned)
    }

    /// The span as OTLP carries it.
    pub fn to_raw(&self) -> RawSpan {
        let body = &self.cell.body;
        let status = match (body.status, &self.extra().error) {
            (SpanStatus::Error, error) => {
                RawStatus::Error(error.as_ref().map(|error| error.message.clone()).unwrap_or_default())
            }
            (SpanStatus::Ok, _) => RawStatus::Ok,
            (SpanStatus::Unset, _) => RawStatus::Unset,
        };
        RawSpan {
            trace_id: body.context.trace_id,
            span_id: body.context.span_id,
            parent_span_id: body.parent,
            name: body.name.to_string(),
            otel_kind: self.extra().otel_kind.unwrap_or_else(|| self.otel_kind()),
            trace_state: String::new(),
            start: Timestamp::from_nanos(body.start),
            end: self.cell.end.map(Timestamp::from_nanos),
            attributes: self.wire_attributes(),
            events: self
                .extra()
                .events
                .iter()
                .map(|event| RawEvent {
                    time: Timestamp::from_nanos(event.time),
                    name: event.name.to_string(),
                    attributes: plain(&event.attributes),
                    dropped_attributes: 0,
                })
                .collect(),
            links: self.extra().links.clone(),
            status,
            dropped: Dropped::default(),
            flags: 0,
            resource: self.identity.resource.clone(),
            scope: self.extra().scope.as_ref().unwrap_or(&self.identity.scope).clone(),
        }
    }

    /// All attributes with the keys of the wire: the user's plain ones, then what we add.
    fn wire_attributes(&self) -> Vec<(String, AnyValue)> {
        let mut out = plain(&self.cell.attributes);
        let mut add = |key: &str, value: AnyValue| out.push((key.to_owned(), value));
        if self.phase != Phase::End {
            add(key::LIFECYCLE, self.phase.as_str().into());
        }
        if let Some(event_type) = self.cell.body.event_type {
            add(key::EVENT_TYPE, event_type.as_str().into());
        }
        if let Some(kind) = self.kind().filter(|kind| *kind != SpanKind::Span) {
            add(key::SPAN_KIND, AnyValue::String(kind.as_str().to_ascii_uppercase()));
        }
        self.add_identity(&mut add);
        let extra = self.extra();
        add_fields(extra.said(), &mut add);
        if let Some(code) = self.cell.body.code.locate() {
            add(key::CODE_FILE, AnyValue::String(code.file));
            add(key::CODE_LINE, AnyValue::Int(i64::from(code.line)));
            if !code.function.is_empty() {
                add(key::CODE_FUNCTION, AnyValue::String(code.function));
            }
        }
        if extra.abandoned {
            add(key::ABANDONED, AnyValue::Bool(true));
        }
        if extra.dropped > 0 {
            add(DROPPED, AnyValue::Int(i64::from(extra.dropped)));
        }
        out
    }

    fn add_identity(&self, add: &mut impl FnMut(&str, AnyValue)) {
        let identity = &self.identity;
        let session = identity.session_at(self.cell.body.start);
        add(key::TRACER_ID, identity.tracer_id.as_ref().into());
        if let Some(own) = &self.extra().said().session_id {
            add(key::SESSION_ID, own.as_str().into());
        } else {
            add(key::SESSION_ID, session.id.as_ref().into());
            if let Some(name) = &session.name {
                add(key::SESSION_NAME, name.as_ref().into());
            }
        }
        for (key, own, name) in [
            (key::RUN_ID, &identity.run_id, "run_id"),
            (key::DATASET_ID, &identity.dataset_id, "dataset_id"),
            (key::DATAPOINT_ID, &identity.datapoint_id, "datapoint_id"),
        ] {
            if let Some(value) = self.run(own.as_ref(), name) {
                add(key, AnyValue::String(value));
            }
        }
    }

    /// The span as the model has it.
    pub fn to_span(&self) -> Span {
        let (body, identity, extra) = (&self.cell.body, &self.identity, self.extra());
        let start = Timestamp::from_nanos(body.start);
        let ids = body.context;
        let mut span = Span::new(&identity.project, ids.trace_id, ids.span_id, &body.name, start);
        span.parent_span_id = body.parent;
        span.phase = self.phase;
        span.heartbeats = true;
        span.kind = self.kind().unwrap_or(SpanKind::Span);
        span.event_type = body.event_type.unwrap_or(EventType::Tool);
        span.end = self.cell.end.map(Timestamp::from_nanos);
        span.received = span.end.unwrap_or(start);
        (span.status, span.error) = self.outcome();
        span.source = Some(identity.source.to_string());
        span.service = identity.service.as_deref().map(str::to_owned);
        let own_session = extra.said().session_id.as_ref().map(ToString::to_string);
        span.session_id = own_session.or_else(|| Some(identity.session_at(body.start).id.to_string()));
        span.user_id = extra.said().user_id.as_ref().map(ToString::to_string);
        span.run_id = self.run(identity.run_id.as_ref(), "run_id");
        span.dataset_id = self.run(identity.dataset_id.as_ref(), "dataset_id");
        span.datapoint_id = self.run(identity.datapoint_id.as_ref(), "datapoint_id");
        span.inputs.clone_from(&extra.said().inputs);
        span.outputs.clone_from(&extra.said().outputs);
        span.metadata = object(&extra.said().metadata);
        span.metrics = object(&extra.said().metrics);
        span.feedback = object(&extra.said().feedback);
        span.config = object(&extra.said().config);
        span.user_properties = object(&extra.said().user_properties);
        span.code = body.code.locate();
        span.scope.clone_from(&extra.scope.as_ref().unwrap_or(&identity.scope).name);
        span.attributes = AnyValue::object_to_json(&self.wire_attributes());
        span.resource = AnyValue::object_to_json(&identity.resource.attributes);
        span.events = self.events();
        let link = |link: &aitrace_model::RawLink| SpanLink {
            trace_id: link.trace_id,
            span_id: link.span_id,
            attributes: AnyValue::object_to_json(&link.attributes),
        };
        span.links = extra.links.iter().map(link).collect();
        self.add_model(&mut span);
        span
    }

    fn events(&self) -> Vec<SpanEvent> {
        let event = |event: &crate::data::Event| SpanEvent {
            time: Timestamp::from_nanos(event.time),
            name: event.name.to_string(),
            attributes: AnyValue::object_to_json(&plain(&event.attributes)),
        };
        self.extra().events.iter().map(event).collect()
    }

    fn outcome(&self) -> (Option<Status>, Option<ErrorInfo>) {
        match self.cell.body.status {
            SpanStatus::Unset => (None, self.extra().error.clone()),
            SpanStatus::Ok => (Some(Status::Ok), None),
            SpanStatus::Error => (Some(Status::Error), Some(self.extra().error.clone().unwrap_or_default())),
        }
    }

    /// What a span says of its model in OpenTelemetry's words.
    fn add_model(&self, span: &mut Span) {
        let find = |key: &str| self.cell.attributes.iter().rev().find(|(known, _)| known.as_str() == key);
        let value = |key: &str| find(key).map(|(_, value)| value.to_any());
        let text = |key: &str| match value(key)? {
            AnyValue::String(text) => Some(text),
            _ => None,
        };
        let count = |key: &str| match value(key)? {
            AnyValue::Int(count) => u64::try_from(count).ok(),
            _ => None,
        };
        span.provider = text("gen_ai.provider.name").or_else(|| text("gen_ai.system"));
        span.model = text("gen_ai.response.model").or_else(|| text("gen_ai.request.model"));
        span.input_tokens = count("gen_ai.usage.input_tokens");
        span.output_tokens = count("gen_ai.usage.output_tokens");
    }
}

impl LogData {
    /// The log record as the model has it.
    pub fn to_log_record(&self) -> LogRecord {
        LogRecord {
            project: self.identity.project.to_string(),
            id: self.id.clone(),
            trace_id: self.span.map(|(trace_id, _)| trace_id),
            span_id: self.span.map(|(_, span_id)| span_id),
            time: self.time,
            event: self.event.to_string(),
            level: self.level,
            logger: self.logger.as_ref().map(ToString::to_string),
            code: self.code.clone(),
            session_id: Some(self.identity.session_at(self.time.nanos()).id.to_string()),
            attrs: self.attrs.clone(),
            received: self.time,
        }
    }
}

fn plain(attributes: &[Attribute]) -> Vec<(String, AnyValue)> {
    attributes.iter().map(|(key, value)| (key.to_string(), value.to_any())).collect()
}

fn object(members: &Members) -> Option<Json> {
    (!members.is_empty()).then(|| Json::object(members.iter().map(|(key, json)| (key.as_str(), json))))
}

fn add_fields(fields: &Fields, add: &mut impl FnMut(&str, AnyValue)) {
    for (content, value, mime) in [
        (&fields.inputs, key::INPUT_VALUE, key::INPUT_MIME_TYPE),
        (&fields.outputs, key::OUTPUT_VALUE, key::OUTPUT_MIME_TYPE),
    ] {
        let Some(content) = content else { continue };
        if let Ok(text) = serde_json::from_str::<String>(content.as_str()) {
            add(value, AnyValue::String(text));
            add(mime, "text/plain".into());
        } else {
            add(value, content.as_str().into());
            add(mime, "application/json".into());
        }
    }
    for (members, key) in [
        (&fields.metadata, key::METADATA),
        (&fields.metrics, key::METRICS),
        (&fields.feedback, key::FEEDBACK),
        (&fields.config, key::CONFIG),
        (&fields.user_properties, key::USER_PROPERTIES),
    ] {
        if let Some(json) = object(members) {
            add(key, json.as_str().into());
        }
    }
    for (id, key) in [(&fields.user_id, key::USER_ID), (&fields.event_id, EVENT_ID)] {
        if let Some(id) = id {
            add(key, id.as_str().into());
        }
    }
}
