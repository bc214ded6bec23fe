//! What users say about a span, read from Python's arguments.

use aitrace::{Enrich, EventType, Group, Json, SpanKind, Text};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::capture::{bounded, error_parts, is_plain, json_of, to_json};
use crate::convert::{name_of, text_of};

/// The groups of values.
#[derive(Default, Clone, Copy)]
pub(crate) struct Arguments<'a, 'py> {
    pub(crate) metadata: Option<&'a Bound<'py, PyAny>>,
    pub(crate) metrics: Option<&'a Bound<'py, PyAny>>,
    pub(crate) feedback: Option<&'a Bound<'py, PyAny>>,
    pub(crate) inputs: Option<&'a Bound<'py, PyAny>>,
    pub(crate) outputs: Option<&'a Bound<'py, PyAny>>,
    pub(crate) config: Option<&'a Bound<'py, PyAny>>,
    pub(crate) error: Option<&'a Bound<'py, PyAny>>,
    pub(crate) user_properties: Option<&'a Bound<'py, PyAny>>,
    /// `event_type`, `kind`, `user_id` and `session_id`; everything else is metadata.
    pub(crate) kwargs: Option<&'a Bound<'py, PyDict>>,
}

impl Arguments<'_, '_> {
    pub(crate) fn read(&self) -> Enrich {
        let mut enrich = Enrich::new();
        for (group, value) in [
            (Group::Metadata, self.metadata),
            (Group::Metrics, self.metrics),
            (Group::Feedback, self.feedback),
            (Group::Config, self.config),
            (Group::UserProperties, self.user_properties),
        ] {
            if let Some(value) = value {
                enrich.extend(group, members(value));
            }
        }
        if let Some(inputs) = self.inputs {
            enrich = enrich.inputs_json(json_of(inputs));
        }
        if let Some(outputs) = self.outputs {
            enrich = enrich.outputs_json(json_of(outputs));
        }
        if let Some(error) = self.error {
            enrich = enrich.error(error_text(error));
        }
        match self.kwargs {
            Some(kwargs) => others(enrich, kwargs),
            None => enrich,
        }
    }
}

fn others(mut enrich: Enrich, kwargs: &Bound<'_, PyDict>) -> Enrich {
    for (key, value) in kwargs.iter() {
        if value.is_none() {
            continue;
        }
        let key = name_of(&key);
        enrich = match (key.as_str(), event_type_of(&value), kind_of(&value)) {
            ("event_type", Some(event_type), _) => enrich.event_type(event_type),
            ("kind", _, Some(kind)) => enrich.kind(kind),
            ("user_id", ..) => enrich.user_id(text_of(&value)),
            ("session_id", ..) => enrich.session_id(text_of(&value)),
            _ => enrich.metadata_json(key, json_of(&value)),
        };
    }
    enrich
}

/// The members of a dict, each under its key; another value stands under `value`.
fn members(value: &Bound<'_, PyAny>) -> Vec<(Text, Json)> {
    let Ok(dict) = value.cast::<PyDict>() else { return vec![(Text::from("value"), json_of(value))] };
    if let Some(members) = plain_members(dict) {
        return members;
    }
    // Taken out before anything of the user's runs, which might change the dict.
    let items: Vec<(Bound<'_, PyAny>, Bound<'_, PyAny>)> = dict.iter().collect();
    let mut members: Vec<(Text, Json)> = Vec::with_capacity(items.len());
    let mut plain = true;
    for (key, value) in items {
        plain &= key.is_exact_instance_of::<PyString>();
        let member = (name_of(&key), json_of(&value));
        // Keys that are no strings may come out the same: the last one counts.
        let known = if plain { None } else { members.iter_mut().find(|(known, _)| *known == member.0) };
        match known {
            Some(known) => *known = member,
            None => members.push(member),
        }
    }
    members
}

/// The members of a dict whose keys and values are all plain, as most are: no list of them is made.
fn plain_members(dict: &Bound<'_, PyDict>) -> Option<Vec<(Text, Json)>> {
    let mut members = Vec::with_capacity(dict.len());
    for (key, value) in dict.iter() {
        if !(key.is_exact_instance_of::<PyString>() && is_plain(&value)) {
            return None;
        }
        members.push((name_of(&key), json_of(&value)));
    }
    Some(members)
}

/// An exception by its type and message, a string as it is, anything else as JSON.
fn error_text(error: &Bound<'_, PyAny>) -> String {
    if let Ok(text) = error.cast::<PyString>() {
        return bounded(text, 1 << 16);
    }
    if error.is_instance_of::<pyo3::exceptions::PyBaseException>() {
        let (kind, message) = error_parts(error);
        return format!("{kind}: {message}");
    }
    to_json(error)
}

/// An event type by its word or by an enum member that is a string.
pub(crate) fn event_type_of(value: &Bound<'_, PyAny>) -> Option<EventType> {
    word(value).and_then(|word| EventType::from_word(&word))
}

/// A kind by its word.
pub(crate) fn kind_of(value: &Bound<'_, PyAny>) -> Option<SpanKind> {
    word(value).and_then(|word| SpanKind::from_word(&word.to_ascii_lowercase()))
}

fn word(value: &Bound<'_, PyAny>) -> Option<String> {
    // An enum that is a string is cast as that string.
    Some(value.cast::<PyString>().ok()?.to_str().ok()?.to_owned())
}
