//! What messages are made of: lists, and parts with a type.

use aitrace_model::Json;

pub(crate) fn part<const N: usize>(kind: &str, members: &[(&str, Json); N]) -> Json {
    let kind = Json::string(kind);
    Json::object(std::iter::once(("type", &kind)).chain(members.iter().map(|(key, value)| (*key, value))))
}

pub(crate) fn array(items: impl IntoIterator<Item = Json>) -> Json {
    let mut text = String::from("[");
    for item in items {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(item.as_str());
    }
    text.push(']');
    Json::from_trusted(text)
}
