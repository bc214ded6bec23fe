//! Lines of trace records that a host writes itself, Python's loggers for one: masked like what the worker
//! writes, by the rules of configuration and environment.

use std::sync::Arc;

use aitrace_model::Json;

use crate::config::{self, Settings};
use crate::env::Environment;
use crate::lock::Mutex;
use crate::process::mask::Masker;
use crate::process::plan::mask_plan;
use crate::process::{self, Sources};

/// A masker and the settings that it was made of; `None`: nothing is masked.
type Made = (Arc<Settings>, Option<Masker>);

static MASKER: Mutex<Option<Made>> = Mutex::new(None);

/// A line with its secrets masked. `None` for what is no JSON object: nothing can be said of it, so nobody may
/// see it.
pub fn masked_line(line: &str) -> Option<String> {
    let members = Json::parse(line).ok()?.members()?;
    let settings = config::current();
    let mut made = MASKER.lock();
    let same = made.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, &settings));
    if !same {
        *made = Some((settings.clone(), masker(&settings)));
    }
    let Some((_, Some(masker))) = made.as_mut() else { return Some(line.to_owned()) };
    let members: Vec<(String, Json)> =
        members.into_iter().map(|(key, json)| (masked(masker, &key, &json), key, json)).map(newer).collect();
    let object = Json::object(members.iter().map(|(key, json)| (key.as_str(), json)));
    Some(object.as_str().to_owned())
}

fn newer((masked, key, json): (Option<Json>, String, Json)) -> (String, Json) {
    (key, masked.unwrap_or(json))
}

fn masker(settings: &Settings) -> Option<Masker> {
    let environment = Environment::read();
    let (rules, _) = process::gather(Sources {
        configuration: settings,
        setting: environment.rules.as_deref(),
        home: environment.home.as_deref(),
        given: None,
        mask: environment.mask,
    });
    mask_plan(rules.mask).map(|plan| Masker::new(&plan))
}

/// The metadata is ours but for the texts in it.
fn masked(masker: &mut Masker, key: &str, json: &Json) -> Option<Json> {
    if key != "__tracer_meta__" {
        return masker.json_at(key, json);
    }
    let members = json.members()?;
    let members: Vec<(String, Json)> = members
        .into_iter()
        .map(|(key, json)| {
            let ours = !matches!(key.as_str(), "event" | "error" | "logger");
            (if ours { None } else { masker.json(&json) }, key, json)
        })
        .map(newer)
        .collect();
    Some(Json::object(members.iter().map(|(key, json)| (key.as_str(), json))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_ids_stay() {
        let line = r#"{"__tracer_meta__":{"event":"got sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD","trace_id":"0123456789abcdef0123456789abcdef"},"password":"hunter2hunter2","n":1}"#;
        let masked = masked_line(line).expect("an object");
        assert!(!masked.contains("hunter2") && !masked.contains("sk-proj-abcdef"), "{masked}");
        assert!(
            masked.contains("0123456789abcdef0123456789abcdef") && masked.contains(r#""n":1"#),
            "{masked}"
        );
        assert_eq!(masked_line("no JSON"), None);
        assert_eq!(masked_line("[]"), None);
    }
}
