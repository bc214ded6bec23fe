//! Lines of trace records that a host writes itself, Python's loggers for one: masked like what the worker
//! writes, by the rules of configuration and environment.

use std::sync::Arc;

use aitrace_model::Json;

use crate::config::{self, Settings};
use crate::env::Environment;
use crate::lock::Mutex;
use crate::process::mask::Masker;
use crate::process::plan::{line_plans, mask_plan};
use crate::process::rules::When;
use crate::process::{self, Rules, Sources};

/// Maskers, for those lines that each is about, and the settings that they were made of.
type Made = (Arc<Settings>, Vec<(When, Masker)>);

static MASKERS: Mutex<Option<Made>> = Mutex::new(None);

/// A line with its secrets masked. `None` for what is no JSON object: nothing can be said of it, so nobody may
/// see it.
pub fn masked_line(line: &str) -> Option<String> {
    let members = Json::parse(line).ok()?.members()?;
    let settings = config::current();
    let mut made = MASKERS.lock();
    let same = made.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, &settings));
    if !same {
        *made = Some((settings.clone(), maskers(gathered(&settings))));
    }
    Some(conceal(&mut made.as_mut()?.1, members))
}

fn conceal(maskers: &mut [(When, Masker)], mut members: Vec<(String, Json)>) -> String {
    let (project, source) = identity(&members);
    for (_, masker) in maskers.iter_mut().filter(|(when, _)| when.is_within(&project, &source)) {
        members = members
            .into_iter()
            .map(|(key, json)| (masked(masker, &key, &json), key, json))
            .map(newer)
            .collect();
    }
    let object = Json::object(members.iter().map(|(key, json)| (key.as_str(), json)));
    object.as_str().to_owned()
}

fn newer((masked, key, json): (Option<Json>, String, Json)) -> (String, Json) {
    (key, masked.unwrap_or(json))
}

/// Project and source of a record; empty where it says none.
fn identity(members: &[(String, Json)]) -> (String, String) {
    let meta = members.iter().find(|(key, _)| key == "__tracer_meta__");
    let meta = meta.and_then(|(_, meta)| meta.members()).unwrap_or_default();
    let text = |key: &str| {
        let json = meta.iter().find(|(known, _)| known == key).map(|(_, json)| json.as_str());
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    };
    (text("project"), text("source"))
}

fn gathered(settings: &Settings) -> Rules {
    let environment = Environment::read();
    let (rules, _) = process::gather(Sources {
        configuration: settings,
        setting: environment.rules.as_deref(),
        home: environment.home.as_deref(),
        given: None,
        mask: environment.mask,
    });
    rules
}

fn maskers(rules: Rules) -> Vec<(When, Masker)> {
    let rest = mask_plan(rules.mask).map(|plan| (When::default(), plan));
    line_plans(rules.rules).into_iter().chain(rest).map(|(when, plan)| (when, Masker::new(&plan))).collect()
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
    use crate::process::RulesFormat;

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

    #[test]
    fn redaction_is_for_the_records_of_its_project() {
        let line = |project: &str| {
            format!(r#"{{"__tracer_meta__":{{"event":"for P-1","project":"{project}"}},"patient":"Ann"}}"#)
        };
        let rules = r#"
            [[rules]]
            when = { project = "clinic*" }
            redact = { keys = ["patient"], values = ['P-\d'] }

            [[rules]]
            when = { kind = "llm" }
            redact = { keys = ["*"] }
        "#;
        let rules = Rules::parse(rules, RulesFormat::Toml, "rules").expect("valid");
        let mut maskers = maskers(rules);
        let mut masked = |project| Some(conceal(&mut maskers, Json::parse(&line(project)).ok()?.members()?));
        let expected =
            r#"{"__tracer_meta__":{"event":"for [masked]","project":"clinic 1"},"patient":"[masked]"}"#;
        assert_eq!(masked("clinic 1").as_deref(), Some(expected));
        assert_eq!(masked("other"), Some(line("other")));
    }
}
