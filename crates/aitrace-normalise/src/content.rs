//! What went in, what came out, and the objects beside it.

use aitrace_model::{AnyValue, Json};

use crate::draft::{Draft, Gather, Object, Side};
use crate::embed::embedded;
use crate::messages;

/// What went in or came out: messages where there are any, else the content.
pub(crate) fn of_side(draft: &Draft<'_>, side: Side) -> Option<Json> {
    messages::of_side(draft, side)
        .or_else(|| draft.content(side).map(|value| content(value, draft.mime(side))))
        .or_else(|| draft.gathered(Gather::List(side)).map(|(_, pieces)| messages::list(&pieces)))
}

/// An object: the one that was sent as such, else one gathered from keys.
pub(crate) fn object(draft: &Draft<'_>, slot: Object) -> Option<Json> {
    if let Some(value) = draft.object(slot) {
        return Some(structured(value));
    }
    let (_, members) = draft.gathered(Gather::Member(slot))?;
    let members: Vec<(&str, Json)> = members.into_iter().map(|(key, value)| (key, value.to_json())).collect();
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
