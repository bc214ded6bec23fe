//! Messages of a model call, in whatever way they came, as OpenTelemetry writes them:
//! `[{"role", "parts": [{"type": "text", "content"} | {"type": "tool_call", "id", "name", "arguments"}
//! | {"type": "tool_call_response", "id", "response"} | …], "finish_reason"?}]`.

use std::collections::BTreeMap;

use aitrace_model::{AnyValue, Json, RawEvent, Timestamp};

use crate::chat;
use crate::draft::{Draft, Gather, Side};
use crate::embed::{embedded, opened};
use crate::parts::{array, part};
use crate::reason;

/// The messages of one side; of two sources the one whose dialect counts.
pub(crate) fn of_side(draft: &Draft<'_>, side: Side) -> Option<Json> {
    let whole = draft.messages(side);
    let gathered = draft.gathered(Gather::Messages(side));
    let messages = match (whole, gathered) {
        (Some((rank, _)), Some((other, pieces))) if other < rank => indexed(&pieces, side),
        (Some((_, value)), _) => {
            let messages = opened(value);
            chat::recognised(&messages, side).unwrap_or(messages)
        }
        (None, Some((_, pieces))) => indexed(&pieces, side),
        (None, None) => {
            let other = replied(draft, side).or_else(|| happened(draft.happened()?, side));
            let system = || instructions(draft.system()?, None);
            return other.or_else(|| (side == Side::Input).then(system).flatten());
        }
    };
    let system = if side == Side::Input { draft.system() } else { None };
    Some(system.and_then(|system| instructions(system, Some(&messages))).unwrap_or(messages))
}

/// The one message that the keys of a reply make up.
fn replied(draft: &Draft<'_>, side: Side) -> Option<Json> {
    let (_, pieces) = draft.gathered(Gather::Reply(side))?;
    // A text stays text, whatever it looks like; the others are JSON text.
    let value = |key: &str, value: &AnyValue| match key {
        "text" | "reasoning" => value.to_json(),
        _ => opened(value),
    };
    let members: Vec<(&str, Json)> = pieces.iter().map(|(key, sent)| (*key, value(key, sent))).collect();
    chat::reply(&members)
}

/// The messages in a list of events; a choice is the answer, everything else was asked.
fn happened(events: &AnyValue, side: Side) -> Option<Json> {
    let events = opened(events).items()?;
    let mut messages = Vec::new();
    for event in events {
        let members = event.members()?;
        let attributes = members.iter().map(|(key, value)| (key.clone(), from_json(value))).collect();
        let named = members.iter().find(|(key, _)| key == "event.name")?;
        let name = serde_json::from_str(named.1.as_str()).ok()?;
        let event = RawEvent { time: Timestamp::default(), name, attributes, dropped_attributes: 0 };
        messages.extend(event_message(&event, side));
    }
    (!messages.is_empty()).then(|| array(messages))
}

/// The system's instructions as the first message. `None` where they cannot stand before the others.
fn instructions(system: &AnyValue, messages: Option<&Json>) -> Option<Json> {
    let rest = match messages {
        None => "]",
        Some(messages) => messages.as_str().trim_start().strip_prefix('[')?.trim_start(),
    };
    let parts = opened(system);
    let parts =
        if parts.as_str().starts_with('[') { parts } else { array([part("text", &[("content", parts)])]) };
    let comma = if rest == "]" { "" } else { "," };
    Some(Json::from_trusted(format!(r#"[{{"role":"system","parts":{parts}}}{comma}{rest}"#)))
}

/// Messages from keys `{index}.{member}`, with or without `message.` before the member.
fn indexed(pieces: &[(&str, &AnyValue)], side: Side) -> Json {
    let groups = by_index(pieces);
    array(groups.values().map(|members| {
        let members: Vec<(&str, &AnyValue)> = members
            .iter()
            .map(|(key, value)| (key.strip_prefix("message.").unwrap_or(key), *value))
            .collect();
        message(&members, side)
    }))
}

/// Objects from keys `{index}.{member}`; a word that all members of an object begin with is dropped
/// (`document.id`, `embedding.text`).
pub(crate) fn list(pieces: &[(&str, &AnyValue)]) -> Json {
    array(by_index(pieces).values().map(|members| {
        let members: Vec<(&str, Json)> = members
            .iter()
            .map(|(key, value)| (key.split_once('.').map_or(*key, |(_, member)| member), opened(value)))
            .collect();
        Json::object(members.iter().map(|(key, value)| (*key, value)))
    }))
}

type Members<'p> = Vec<(&'p str, &'p AnyValue)>;

fn by_index<'p>(pieces: &[(&'p str, &'p AnyValue)]) -> BTreeMap<u32, Members<'p>> {
    let mut groups: BTreeMap<u32, Members<'p>> = BTreeMap::new();
    for (rest, value) in pieces {
        if let Some((index, member)) = rest.split_once('.')
            && let Ok(index) = index.parse()
        {
            groups.entry(index).or_default().push((member, value));
        }
    }
    groups
}

fn message(members: &[(&str, &AnyValue)], side: Side) -> Json {
    let find = |name: &str| members.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let below = |prefix: &str| {
        let own = members.iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, *value)));
        by_index(&own.collect::<Vec<_>>())
    };
    let default = if side == Side::Input { "user" } else { "assistant" };
    let role = find("role").and_then(AnyValue::as_str).unwrap_or(default);
    let mut parts = content_parts(role, find("content"), find("tool_call_id"));
    parts.extend(below("contents.").values().map(|members| content_part(members)));
    parts.extend(below("tool_calls.").values().map(|members| tool_call(members)));
    whole(role, parts, find("name"), find("finish_reason"))
}

fn whole(role: &str, parts: Vec<Json>, name: Option<&AnyValue>, finish_reason: Option<&AnyValue>) -> Json {
    let mut members = vec![("role", Json::string(role)), ("parts", array(parts))];
    members.extend(name.map(|name| ("name", name.to_json())));
    members.extend(finish_reason.map(|sent| ("finish_reason", reason::canonical(&sent.to_json()))));
    Json::object(members.iter().map(|(key, value)| (*key, value)))
}

/// The parts of a content: one text, a list of parts in a string, or the answer of a tool.
fn content_parts(role: &str, content: Option<&AnyValue>, call: Option<&AnyValue>) -> Vec<Json> {
    let Some(content) = content.filter(|value| !matches!(value, AnyValue::Null)) else { return Vec::new() };
    if role == "tool" {
        let id = call.map_or_else(|| Json::from_trusted("null"), AnyValue::to_json);
        return vec![part("tool_call_response", &[("id", id), ("response", opened(content))])];
    }
    match content.as_str() {
        Some("") => Vec::new(),
        Some(text) => {
            typed_parts(text).unwrap_or_else(|| vec![part("text", &[("content", content.to_json())])])
        }
        None => {
            let content = content.to_json();
            chat::blocks(&content).unwrap_or_else(|| vec![part("text", &[("content", content)])])
        }
    }
}

/// The parts in a string that is a JSON list of objects with a type, as OpenAI and Anthropic write
/// contents of several parts; `None` for any other text.
fn typed_parts(text: &str) -> Option<Vec<Json>> {
    let json = embedded(text)?;
    let items = json.items()?;
    items
        .into_iter()
        .map(|item| {
            let members = item.members()?;
            let find =
                |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            let kind = find("type")?;
            Some(match find("text") {
                Some(text) if kind.as_str() == "\"text\"" => part("text", &[("content", text)]),
                _ => item,
            })
        })
        .collect()
}

/// `message_content.type`, `message_content.text`, … as one part.
fn content_part(members: &[(&str, &AnyValue)]) -> Json {
    let members: Vec<(&str, Json)> = members
        .iter()
        .map(|(key, value)| (key.strip_prefix("message_content.").unwrap_or(key), value.to_json()))
        .collect();
    let find =
        |name: &str| members.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
    match (find("type"), find("text")) {
        (Some(kind), Some(text)) if kind.as_str() == "\"text\"" => part("text", &[("content", text)]),
        (None, Some(text)) => part("text", &[("content", text)]),
        _ => Json::object(members.iter().map(|(key, value)| (*key, value))),
    }
}

fn tool_call(members: &[(&str, &AnyValue)]) -> Json {
    let find = |name: &str| {
        let bare = |key: &str| {
            let key = key.strip_prefix("tool_call.").unwrap_or(key);
            key.strip_prefix("function.").unwrap_or(key) == name
        };
        members.iter().rev().find(|(key, _)| bare(key)).map(|(_, value)| *value)
    };
    let mut call: Vec<(&str, Json)> = vec![("type", Json::string("tool_call"))];
    call.extend(find("id").map(|id| ("id", id.to_json())));
    call.extend(find("name").map(|name| ("name", name.to_json())));
    call.extend(find("arguments").map(|arguments| ("arguments", opened(arguments))));
    Json::object(call.iter().map(|(key, value)| (*key, value)))
}

/// Messages from the span events of the conventions before 1.37: `gen_ai.user.message`, `gen_ai.choice`.
pub(crate) fn from_events(events: &[RawEvent], side: Side) -> Option<Json> {
    let messages: Vec<Json> = events.iter().filter_map(|event| event_message(event, side)).collect();
    (!messages.is_empty()).then(|| array(messages))
}

/// Side and role of the message that an event of this name is.
fn spoken_in(event: &str) -> Option<(Side, &'static str)> {
    Some(match event {
        "gen_ai.system.message" => (Side::Input, "system"),
        "gen_ai.user.message" => (Side::Input, "user"),
        "gen_ai.assistant.message" => (Side::Input, "assistant"),
        "gen_ai.tool.message" => (Side::Input, "tool"),
        "gen_ai.choice" => (Side::Output, "assistant"),
        _ => return None,
    })
}

/// Whether an event of this name is a message.
pub(crate) fn is_message(event: &str) -> bool {
    spoken_in(event).is_some()
}

fn event_message(event: &RawEvent, side: Side) -> Option<Json> {
    let (_, role) = spoken_in(&event.name).filter(|(own, _)| *own == side)?;
    let find =
        |name: &str| event.attributes.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
    // A choice holds its message in a member, as JSON text; the older form has the members beside it.
    let inner = find("message").map(opened).and_then(|message| message.members());
    let inner =
        |name: &str| inner.as_ref()?.iter().find(|(key, _)| key == name).map(|(_, value)| from_json(value));
    let get = |name: &str| inner(name).or_else(|| find(name).cloned());
    let (content, id) = (get("content"), get("id").or_else(|| get("tool_call_id")));
    let spoken = get("role").and_then(|role| role.as_str().map(str::to_owned));
    let role = spoken.as_deref().unwrap_or(role);
    let mut parts = content_parts(role, content.as_ref(), id.as_ref());
    parts.extend(get("tool_calls").map(|calls| called(&opened(&calls))).unwrap_or_default());
    Some(whole(role, parts, get("name").as_ref(), get("finish_reason").as_ref()))
}

/// OpenAI's tool calls as parts.
fn called(calls: &Json) -> Vec<Json> {
    let Some(calls) = calls.items() else { return Vec::new() };
    let part = |call: &Json| {
        let mut members = call.members()?;
        if let Some(at) = members.iter().position(|(key, _)| key == "function") {
            let (_, function) = members.remove(at);
            members.extend(function.members().unwrap_or_default());
        }
        let members: Vec<(&str, AnyValue)> =
            members.iter().map(|(key, value)| (key.as_str(), from_json(value))).collect();
        Some(tool_call(&members.iter().map(|(key, value)| (*key, value)).collect::<Vec<_>>()))
    };
    calls.iter().filter_map(part).collect()
}

fn from_json(json: &Json) -> AnyValue {
    json.to_value().map_or(AnyValue::Null, |value| AnyValue::from(&value))
}
