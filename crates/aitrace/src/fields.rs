//! What a user says about a span beyond plain attributes.

use aitrace_model::{EventType, Json, SpanKind};
use serde::Serialize;

use crate::bounded;
use crate::text::Text;
use crate::value::Value;

/// Values by the user's exact keys, in the order given; a key that is given again replaces.
pub(crate) type Members = Vec<(Text, Json)>;

/// The user's groups of values on one span.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fields {
    pub(crate) metadata: Members,
    pub(crate) metrics: Members,
    pub(crate) feedback: Members,
    pub(crate) config: Members,
    pub(crate) user_properties: Members,
    pub(crate) inputs: Option<Json>,
    pub(crate) outputs: Option<Json>,
    pub(crate) user_id: Option<Text>,
    pub(crate) session_id: Option<Text>,
    pub(crate) event_id: Option<Text>,
}

impl Fields {
    /// Takes over what `other` has; of a key that both have, `other`'s value stays.
    pub(crate) fn merge(&mut self, other: Self) {
        merge_members(&mut self.metadata, other.metadata);
        merge_members(&mut self.metrics, other.metrics);
        merge_members(&mut self.feedback, other.feedback);
        merge_members(&mut self.config, other.config);
        merge_members(&mut self.user_properties, other.user_properties);
        merge_content(&mut self.inputs, other.inputs);
        merge_content(&mut self.outputs, other.outputs);
        replace(&mut self.user_id, other.user_id);
        replace(&mut self.session_id, other.session_id);
        replace(&mut self.event_id, other.event_id);
    }

    /// Bytes on the heap, estimated.
    pub(crate) fn heap(&self) -> usize {
        let groups = [&self.metadata, &self.metrics, &self.feedback, &self.config, &self.user_properties];
        let members = groups.into_iter().flatten();
        let members: usize = members.map(|(key, json)| 40 + key.heap() + json.as_str().len()).sum();
        let contents = self.inputs.iter().chain(&self.outputs).map(|json| json.as_str().len());
        members + contents.sum::<usize>()
    }
}

pub(crate) fn merge_members(members: &mut Members, others: Members) {
    if members.is_empty() {
        *members = others;
        return;
    }
    for (key, json) in others {
        set_member(members, key, json);
    }
}

fn set_member(members: &mut Members, key: Text, json: Json) {
    match members.iter_mut().find(|(known, _)| *known == key) {
        Some((_, value)) => *value = json,
        None => members.push((key, json)),
    }
}

/// A group of the user's values on a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What describes it.
    Metadata,
    /// What measures it.
    Metrics,
    /// What people think of it.
    Feedback,
    /// How it was configured.
    Config,
    /// Whom it was for.
    UserProperties,
}

/// Two objects become one; anything else is replaced.
fn merge_content(content: &mut Option<Json>, other: Option<Json>) {
    let Some(other) = other else { return };
    let both = content.as_ref().and_then(|content| Some((content.members()?, other.members()?)));
    let Some((mut members, others)) = both else {
        *content = Some(other);
        return;
    };
    for (key, json) in others {
        match members.iter_mut().find(|(known, _)| *known == key) {
            Some((_, value)) => *value = json,
            None => members.push((key, json)),
        }
    }
    *content = Some(Json::object(members.iter().map(|(key, json)| (key.as_str(), json))));
}

fn replace<T>(place: &mut Option<T>, other: Option<T>) {
    if other.is_some() {
        *place = other;
    }
}

/// Something to say about a span: [`Tracer::enrich_span`](crate::Tracer::enrich_span).
///
/// Values are anything that serialises; they are captured at once, within bounds (32 levels, 10 000 nodes,
/// 1 MiB, 10 ms). Keys, types and nesting are stored exactly. Enriching again adds; a key given again replaces.
#[derive(Debug, Clone, Default)]
pub struct Enrich {
    /// Boxed, so that they go to a span that has none by their address.
    pub(crate) fields: Option<Box<Fields>>,
    pub(crate) error: Option<String>,
    pub(crate) event_type: Option<EventType>,
    pub(crate) kind: Option<SpanKind>,
    pub(crate) attributes: Vec<(Text, Value)>,
}

macro_rules! groups {
    ($($(#[$doc:meta])* $one:ident, $json:ident, $group:ident);+ $(;)?) => {
        $(
            $(#[$doc])*
            pub fn $one(self, key: impl Into<Text>, value: impl Serialize) -> Self {
                self.$json(key, bounded::capture(&value))
            }

            #[doc = concat!("[`Enrich::", stringify!($one), "`] with JSON that is captured already.")]
            pub fn $json(mut self, key: impl Into<Text>, value: Json) -> Self {
                set_member(&mut self.fields().$group, key.into(), value);
                self
            }
        )+
    };
}

impl Enrich {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    groups! {
        /// A value of the metadata.
        metadata, metadata_json, metadata;
        /// A metric: a number, a boolean, anything that measures.
        metric, metric_json, metrics;
        /// A value of the feedback.
        feedback, feedback_json, feedback;
        /// A value of the configuration.
        config, config_json, config;
        /// A property of the user.
        user_property, user_property_json, user_properties;
    }

    fn fields(&mut self) -> &mut Fields {
        self.fields.get_or_insert_default()
    }

    /// Adds captured values to a group all at once. Their keys must be distinct.
    pub fn extend(&mut self, group: Group, members: Vec<(Text, Json)>) {
        let fields = self.fields();
        let place = match group {
            Group::Metadata => &mut fields.metadata,
            Group::Metrics => &mut fields.metrics,
            Group::Feedback => &mut fields.feedback,
            Group::Config => &mut fields.config,
            Group::UserProperties => &mut fields.user_properties,
        };
        merge_members(place, members);
    }

    /// What went in. Given twice, two objects become one; anything else is replaced.
    pub fn inputs(self, value: impl Serialize) -> Self {
        self.inputs_json(bounded::capture(&value))
    }

    /// [`Enrich::inputs`] with JSON that is captured already.
    pub fn inputs_json(mut self, value: Json) -> Self {
        self.fields().inputs = Some(value);
        self
    }

    /// What came out. Given twice, two objects become one; anything else is replaced.
    pub fn outputs(self, value: impl Serialize) -> Self {
        self.outputs_json(bounded::capture(&value))
    }

    /// [`Enrich::outputs`] with JSON that is captured already.
    pub fn outputs_json(mut self, value: Json) -> Self {
        self.fields().outputs = Some(value);
        self
    }

    /// Marks the span as failed.
    pub fn error(mut self, message: impl Into<String>) -> Self {
        self.error = Some(message.into());
        self
    }

    /// The user.
    pub fn user_id(mut self, id: impl Into<Text>) -> Self {
        self.fields().user_id = Some(id.into());
        self
    }

    /// The session of this span, where it is not its tracer's.
    pub fn session_id(mut self, id: impl Into<Text>) -> Self {
        self.fields().session_id = Some(id.into());
        self
    }

    /// Speaks about the span or event of this id, which may have ended long ago, and not about the current
    /// one: [`Tracer::enrich_span`](crate::Tracer::enrich_span) then makes it a late correction,
    /// [`Tracer::update_event`](crate::Tracer::update_event).
    pub fn event_id(mut self, id: impl Into<Text>) -> Self {
        self.fields().event_id = Some(id.into());
        self
    }

    /// HoneyHive's event type.
    pub fn event_type(mut self, event_type: EventType) -> Self {
        self.event_type = Some(event_type);
        self
    }

    /// The kind, which wins over what the event type suggests.
    pub fn kind(mut self, kind: SpanKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// A plain attribute.
    pub fn attribute(mut self, key: impl Into<Text>, value: impl Into<Value>) -> Self {
        self.attributes.push((key.into(), value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enriching_again_adds_and_replaces() {
        let fields_of = |enrich: Enrich| *enrich.fields.expect("some");
        let mut fields = fields_of(Enrich::new().metadata("a", 1).metadata("b", "x").inputs([1]));
        fields.merge(fields_of(Enrich::new().metadata("b", 2.5).metric("hits", 3.0).inputs([2])));
        let names: Vec<_> = fields.metadata.iter().map(|(key, json)| format!("{key}={json}")).collect();
        assert_eq!(names, ["a=1", "b=2.5"]);
        assert_eq!(fields.inputs.as_ref().map(Json::as_str), Some("[2]"));
        assert!(fields.heap() > 0);
    }

    #[test]
    fn contents_that_are_objects_become_one() {
        let object = |text: &str| Json::parse(text).expect("valid");
        let fields_of = |text: &str| *Enrich::new().outputs_json(object(text)).fields.expect("some");
        let mut fields = fields_of(r#"{"a":1,"b":1}"#);
        fields.merge(fields_of(r#"{"b":2,"c":3}"#));
        assert_eq!(fields.outputs.expect("set").as_str(), r#"{"a":1,"b":2,"c":3}"#);
    }
}
