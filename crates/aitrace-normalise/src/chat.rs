//! Messages as providers and frameworks write them (OpenAI, Anthropic, Gemini, Bedrock, LangChain, Vercel),
//! told as OpenTelemetry does: see `messages`.

use std::borrow::Cow;
use std::fmt;

use aitrace_model::Json;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::draft::Side;
use crate::embed::embedded;
use crate::parts::{array, part};
use crate::reason;

/// Levels of objects that hold the messages.
const DEPTH: u8 = 6;

type Members = Vec<(String, Json)>;

/// The messages in a value; `None` where it holds none, or where they are as they should be already.
pub(crate) fn recognised(json: &Json, side: Side) -> Option<Json> {
    if surely_told(json) {
        return None;
    }
    let messages = find(json, side, DEPTH)?;
    let as_they_should =
        |m: Members| get(&m, "parts").is_some() && get(&m, "finish_reason").is_none_or(reason::is_canonical);
    let all = items(json)?.iter().all(|item| item.members().is_some_and(as_they_should));
    (!all).then_some(messages)
}

/// Whether it is a list of messages as they should be, seen in one pass that copies nothing. False says nothing.
fn surely_told(json: &Json) -> bool {
    serde_json::from_str::<Vec<Told>>(json.as_str()).is_ok()
}

/// An object with the member `parts`, and a reason of its end by its one name if there is one.
struct Told;

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ToldVisitor)
    }
}

struct ToldVisitor;

impl<'de> Visitor<'de> for ToldVisitor {
    type Value = Told;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message with parts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Told, A::Error> {
        let mut told = false;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            told |= key == "parts";
            if key != "finish_reason" {
                map.next_value::<IgnoredAny>()?;
            } else if !reason::is_told(&map.next_value::<Cow<'de, str>>()?) {
                return Err(Error::custom("a reason by another name"));
            }
        }
        if told { Ok(Told) } else { Err(Error::missing_field("parts")) }
    }
}

/// The same for a value that is one message, or an object that holds them.
pub(crate) fn within(json: &Json, side: Side) -> Option<Json> {
    find(json, side, DEPTH)
}

fn find(json: &Json, side: Side, depth: u8) -> Option<Json> {
    if depth == 0 {
        return None;
    }
    if let Some(items) = items(json) {
        // LangChain sends a list of conversations.
        if let [only] = items.as_slice()
            && self::items(only).is_some()
            && let Some(found) = find(only, side, depth - 1)
        {
            return Some(found);
        }
        let messages: Option<Vec<Json>> = items.iter().map(|item| message(item, side)).collect();
        return messages.filter(|messages| !messages.is_empty()).map(array);
    }
    let members = json.members()?;
    if let Some(choices) = get(&members, "choices").and_then(items) {
        let messages: Option<Vec<Json>> = choices.iter().map(|choice| choice_message(choice, side)).collect();
        return messages.map(array);
    }
    let inner = ["messages", "generations", "output", "message"];
    for name in inner {
        if let Some(found) = get(&members, name).and_then(|inner| find(inner, side, depth - 1)) {
            return Some(found);
        }
    }
    message(json, side).map(|message| array([message]))
}

fn choice_message(choice: &Json, side: Side) -> Option<Json> {
    let members = choice.members()?;
    told(&get(&members, "message")?.members()?, ended(&members), side)
}

/// Why it ended, as OpenAI and as Anthropic say it.
fn ended(members: &Members) -> Option<&Json> {
    let said = |name| get(members, name).filter(|reason| reason.as_str() != "null");
    said("finish_reason").or_else(|| said("stop_reason"))
}

fn message(item: &Json, side: Side) -> Option<Json> {
    // LangChain's short form: ["user", "text"].
    if let Some([role, content]) = items(item).as_deref() {
        let pair = vec![("role".to_owned(), role.clone()), ("content".to_owned(), content.clone())];
        return told(&pair, None, side);
    }
    let members = item.members()?;
    if get(&members, "parts").is_some() && text(&members, "role").is_some() {
        return Some(reason::told_anew(item, &members));
    }
    // LangChain's serialised objects, and its generations, which hold the message.
    let inner = get(&members, "kwargs").or_else(|| get(&members, "message"));
    match inner.and_then(Json::members) {
        Some(inner) => told(&inner, None, side).or_else(|| message(get(&members, "message")?, side)),
        None => told(&members, ended(&members), side),
    }
}

fn told(members: &Members, finish_reason: Option<&Json>, side: Side) -> Option<Json> {
    let word = text(members, "role").or_else(|| text(members, "type"))?;
    let role = match word.as_str() {
        "human" | "HumanMessage" => "user",
        "ai" | "AIMessage" | "AIMessageChunk" | "model" => "assistant",
        "SystemMessage" | "developer" => "system",
        "ToolMessage" | "function" => "tool",
        role @ ("user" | "assistant" | "system" | "tool") => role,
        _ => return None,
    };
    let content = get(members, "content").filter(|content| content.as_str() != "null");
    let calls = get(members, "tool_calls").and_then(items);
    if content.is_none() && calls.is_none() && side == Side::Input && role != "assistant" {
        return None;
    }
    let mut parts = content.map(|content| parts(role, content, members)).unwrap_or_default();
    parts.extend(calls.unwrap_or_default().iter().filter_map(call));
    let mut out = vec![("role", Json::string(role)), ("parts", array(parts))];
    out.extend(
        get(members, "name").filter(|name| name.as_str() != "null").map(|name| ("name", name.clone())),
    );
    out.extend(finish_reason.map(|sent| ("finish_reason", reason::canonical(sent))));
    Some(Json::object(out.iter().map(|(key, value)| (*key, value))))
}

fn parts(role: &str, content: &Json, members: &Members) -> Vec<Json> {
    if role == "tool" && items(content).is_none_or(|items| items.iter().all(|item| block(item).is_none())) {
        let id = get(members, "tool_call_id").cloned().unwrap_or_else(|| Json::from_trusted("null"));
        return vec![part("tool_call_response", &[("id", id), ("response", content.clone())])];
    }
    match blocks(content) {
        Some(parts) => parts,
        None if content.as_str() == "\"\"" => Vec::new(),
        None => vec![part("text", &[("content", content.clone())])],
    }
}

/// The parts of a content that is a list.
pub(crate) fn blocks(content: &Json) -> Option<Vec<Json>> {
    Some(items(content)?.iter().map(|item| block(item).unwrap_or_else(|| item.clone())).collect())
}

/// A part of a content, by its type.
fn block(item: &Json) -> Option<Json> {
    if item.as_str().starts_with('"') {
        return Some(part("text", &[("content", item.clone())]));
    }
    let members = item.members()?;
    let first = |names: &[&str]| names.iter().find_map(|name| get(&members, name)).cloned();
    let null = || Json::from_trusted("null");
    let kind = text(&members, "type").unwrap_or_default();
    match kind.as_str() {
        "text" | "input_text" | "output_text" => Some(part("text", &[("content", first(&["text"])?)])),
        "thinking" | "reasoning" => {
            Some(part("reasoning", &[("content", first(&["thinking", "text", "content"])?)]))
        }
        "tool_use" | "tool-call" | "function_call" => call(item),
        "tool_result" | "tool-result" | "function_call_output" => {
            let id = first(&["tool_use_id", "toolCallId", "call_id"]).unwrap_or_else(null);
            let response = first(&["content", "output", "result"]).unwrap_or_else(null);
            // Vercel wraps it: {"type": "text", "value": …}.
            let inner = response.members().and_then(|inner| get(&inner, "value").cloned());
            Some(part("tool_call_response", &[("id", id), ("response", inner.unwrap_or(response))]))
        }
        "" => first(&["text"]).map(|text| part("text", &[("content", text)])),
        _ => None,
    }
}

/// A tool call of any of them as a part.
fn call(item: &Json) -> Option<Json> {
    let mut members = item.members()?;
    if let Some(function) = get(&members, "function").and_then(Json::members) {
        members.extend(function);
    }
    let first = |names: &[&str]| names.iter().find_map(|name| get(&members, name)).cloned();
    let name = first(&["name", "toolName"])?;
    let id = first(&["id", "call_id", "toolCallId"]).unwrap_or_else(|| Json::from_trusted("null"));
    let arguments = first(&["arguments", "args", "input"]).unwrap_or_else(|| Json::from_trusted("{}"));
    let text = serde_json::from_str::<String>(arguments.as_str()).ok();
    let arguments = text.as_deref().and_then(embedded).unwrap_or(arguments);
    Some(part("tool_call", &[("id", id), ("name", name), ("arguments", arguments)]))
}

/// `text`, `toolCalls`, `object`, `reasoning`, `finishReason` of a reply, as Vercel's SDK tells them.
pub(crate) fn reply(members: &[(&str, Json)]) -> Option<Json> {
    let find = |name: &str| members.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    let mut parts = Vec::new();
    parts.extend(find("reasoning").map(|text| part("reasoning", &[("content", text.clone())])));
    parts.extend(find("text").map(|text| part("text", &[("content", text.clone())])));
    parts.extend(find("object").map(|object| part("text", &[("content", object.clone())])));
    parts.extend(find("toolCalls").and_then(items).unwrap_or_default().iter().filter_map(call));
    if parts.is_empty() {
        return None;
    }
    let mut out = vec![("role", Json::string("assistant")), ("parts", array(parts))];
    out.extend(find("finishReason").map(|sent| ("finish_reason", reason::canonical(sent))));
    Some(array([Json::object(out.iter().map(|(key, value)| (*key, value)))]))
}

fn items(json: &Json) -> Option<Vec<Json>> {
    json.as_str().trim_start().starts_with('[').then(|| json.items())?
}

fn get<'m>(members: &'m Members, name: &str) -> Option<&'m Json> {
    members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn text(members: &Members, name: &str) -> Option<String> {
    serde_json::from_str(get(members, name)?.as_str()).ok()
}
