//! Members of JSON objects.

use aitrace_model::Json;

/// Sets members; of two objects at one key the members are set instead, one level deep.
pub(crate) fn merge_members(
    mut members: Vec<(String, Json)>,
    changes: Vec<(String, Json)>,
    below: bool,
) -> Json {
    for (key, value) in changes {
        match members.iter_mut().find(|(known, _)| *known == key) {
            None => members.push((key, value)),
            Some((_, known)) => {
                *known = match (known.members(), value.members()) {
                    (Some(old), Some(new)) if below => merge_members(old, new, false),
                    _ => value,
                };
            }
        }
    }
    Json::object(members.iter().map(|(key, value)| (key.as_str(), value)))
}
