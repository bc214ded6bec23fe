//! What went in, what came out, and the objects beside it.

use aitrace_model::{AnyValue, Json, SpanKind};

use crate::draft::{Draft, Form, Gather, Object, Side};
use crate::embed::{embedded, opened};
use crate::{chat, messages, nest, parts};

/// What went in or came out: messages where there are any, else the content.
pub(crate) fn of_side(draft: &Draft<'_>, side: Side) -> Option<Json> {
    let calls_model = draft.kind.is_some_and(|(_, kind)| kind == SpanKind::Llm);
    messages::of_side(draft, side)
        .or_else(|| {
            let (value, form) = draft.content(side)?;
            let content = match form {
                Form::Items => items(value),
                Form::Plain | Form::Chat => content(value, draft.mime(side)),
            };
            let messages = || chat::within(&content, side).or_else(|| answer(&content, side));
            let messages = if form == Form::Chat && calls_model { messages() } else { None };
            Some(messages.unwrap_or(content))
        })
        .or_else(|| draft.gathered(Gather::List(side)).map(|(_, pieces)| messages::list(&pieces)))
        .or_else(|| draft.gathered(Gather::Tree(side)).map(|(_, pieces)| nest::nested(&pieces, true)))
}

/// A text that a model said, as a message.
fn answer(content: &Json, side: Side) -> Option<Json> {
    let said = side == Side::Output && content.as_str().starts_with('"');
    said.then(|| {
        let parts = parts::array([parts::part("text", &[("content", content.clone())])]);
        let role = Json::string("assistant");
        parts::array([Json::object([("role", &role), ("parts", &parts)])])
    })
}

/// A list whose items are JSON text.
fn items(value: &AnyValue) -> Json {
    match value {
        AnyValue::Array(items) => parts::array(items.iter().map(|item| match item.as_str() {
            Some(text) => embedded(text).unwrap_or_else(|| item.to_json()),
            None => item.to_json(),
        })),
        other => content(other, None),
    }
}

/// An object: the one that was sent as such, else one gathered from keys.
pub(crate) fn object(draft: &Draft<'_>, slot: Object) -> Option<Json> {
    if let Some(value) = draft.object(slot) {
        return Some(structured(value));
    }
    let nested = draft.gathered(Gather::Nested(slot));
    if let Some((_, pieces)) = nested {
        return Some(nest::nested(&pieces, false));
    }
    let opened_members = draft.gathered(Gather::Opened(slot));
    let open = opened_members.is_some();
    let (_, members) = opened_members.or_else(|| draft.gathered(Gather::Member(slot)))?;
    let member = |value: &AnyValue| if open { opened(value) } else { value.to_json() };
    let members: Vec<(&str, Json)> = members.into_iter().map(|(key, value)| (key, member(value))).collect();
    Some(Json::object(members.iter().map(|(key, value)| (*key, value))))
}

/// A content with its media type. JSON is kept to the letter where the sender says that it is JSON.
fn content(value: &AnyValue, mime: Option<&str>) -> Json {
    let AnyValue::String(text) = value else { return value.to_json() };
    let parsed = match mime {
        Some("application/json") => Json::parse(text).ok(),
        Some("text/plain") => None,
        _ => embedded(text),
    };
    parsed.unwrap_or_else(|| value.to_json())
}

/// JSON text of any value, as our own SDKs write objects; other text is a string.
fn structured(value: &AnyValue) -> Json {
    value.as_str().and_then(|text| Json::parse(text).ok()).unwrap_or_else(|| value.to_json())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_decides() {
        let text = AnyValue::from(r#"{"a": 1.0}"#);
        assert_eq!(content(&text, Some("application/json")).as_str(), r#"{"a": 1.0}"#);
        assert_eq!(content(&text, Some("text/plain")).as_str(), r#""{\"a\": 1.0}""#);
        assert_eq!(content(&text, None).as_str(), r#"{"a": 1.0}"#);
        assert_eq!(content(&AnyValue::from("42"), None).as_str(), r#""42""#);
        assert_eq!(content(&AnyValue::from("42"), Some("application/json")).as_str(), "42");
        assert_eq!(content(&AnyValue::from("{"), Some("application/json")).as_str(), r#""{""#);
    }
}
