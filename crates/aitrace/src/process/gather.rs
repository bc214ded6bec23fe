//! Where a tracer's rules come from; a broken source is told of once and breaks nothing.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Mutex;

use super::read::{self, RulesError};
use super::rules::Rules;
use crate::config::Settings;

/// What says something about a tracer's rules.
pub(crate) struct Sources<'s> {
    /// The configuration files, of which the section `processing` counts.
    pub(crate) configuration: &'s Settings,
    /// `AITRACE_RULES`.
    pub(crate) setting: Option<&'s str>,
    /// For a `~` in it.
    pub(crate) home: Option<&'s str>,
    /// What the program gave.
    pub(crate) given: Option<Rules>,
    /// What the program or the environment says about masking.
    pub(crate) mask: Option<bool>,
}

/// The rules of the configuration, of the environment and of the program, in this order; and what was wrong.
///
/// Where a source is broken, masking stays on whatever the others say: nobody knows what it asked for.
pub(crate) fn gather(sources: Sources<'_>) -> (Rules, Option<RulesError>) {
    let Sources { configuration, setting, home, given, mask } = sources;
    let setting =
        setting.map_or_else(|| Ok(Rules::default()), |text| read::from_setting(text, home, "AITRACE_RULES"));
    let mut broken = None;
    let mut rules = Rules::default();
    for source in [of_configuration(configuration), setting, Ok(given.unwrap_or_default())] {
        match source {
            Ok(more) => rules = rules.and(more),
            Err(error) => broken = Some(error),
        }
    }
    rules.mask.enabled = mask.or(rules.mask.enabled);
    if broken.is_some() || configuration.is_broken() {
        rules.mask.enabled = Some(true);
        rules.mask.defaults = Some(true);
    }
    if let Some(error) = &broken {
        tell_once(error);
    }
    (rules, broken)
}

/// The section `processing` as it was read with the rest; what is wrong in it is looked up in the file, which
/// knows its lines.
fn of_configuration(configuration: &Settings) -> Result<Rules, RulesError> {
    let Some(section) = configuration.values().get("processing") else { return Ok(Rules::default()) };
    serde_json::from_value(section.clone()).map_err(|error| {
        let found = configuration.files().iter().find_map(|path| Rules::read_configuration(path).err());
        let place = "the section processing of the configuration".to_owned();
        found.unwrap_or_else(|| RulesError { place, line: None, reason: error.to_string() })
    })
}

/// Most different complaints of a process.
const COMPLAINTS: usize = 16;

#[expect(
    clippy::let_underscore_must_use,
    reason = "a complaint that cannot be written is kept in the statistics"
)]
fn tell_once(error: &RulesError) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let text = error.to_string();
    // Nobody waits here: a fork may have left the lock taken for ever.
    let Ok(mut told) = TOLD.try_lock() else { return };
    if told.len() < COMPLAINTS && told.insert(text.clone()) {
        let line = format!("aitrace: {text}; these rules are not applied, credentials are masked\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::read::RulesFormat;

    #[test]
    fn a_broken_source_costs_its_own_rules_and_masking_stays_on() {
        let given =
            Rules::parse("rules = [{drop = true}]\n[mask]\nenabled = false\n", RulesFormat::Toml, "r");
        let given = || Some(given.clone().expect("valid"));
        let none = Settings::default();
        let sources =
            || Sources { configuration: &none, setting: None, home: None, given: given(), mask: None };
        let (rules, broken) = gather(sources());
        assert_eq!((rules.mask.enabled, broken), (Some(false), None));
        let setting = Some("{\"rules\": 1}");
        let (rules, broken) = gather(Sources { setting, mask: Some(false), ..sources() });
        assert_eq!((rules.rules.len(), rules.mask.enabled), (1, Some(true)));
        assert!(broken.expect("broken").to_string().starts_with("AITRACE_RULES:1: invalid type"));
        let setting = Some(r#"{"mask":{"enabled":false}}"#);
        let (rules, _) = gather(Sources { setting, mask: Some(true), given: None, ..sources() });
        assert_eq!(rules.mask.enabled, Some(true), "the program goes first");
    }

    #[test]
    fn the_configuration_has_a_section_and_its_errors_a_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("writes");
            let settings = crate::config::Settings::read(&path).expect("TOML");
            gather(Sources { configuration: &settings, setting: None, home: None, given: None, mask: None })
        };
        let (rules, broken) = read("project = 'p'\n[processing]\nrules = [{drop = true}]\n");
        assert_eq!((rules.rules.len(), broken), (1, None));
        let (rules, broken) = read("[processing.mask]\nenabled = false\nkeyz = 1\n");
        assert!(broken.expect("broken").to_string().contains("config.toml:3: unknown field `keyz`"));
        assert_eq!(rules.mask.enabled, Some(true));
    }
}
