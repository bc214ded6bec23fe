//! Where a tracer's rules come from; a broken source is told of once and breaks nothing.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use super::read::{self, RulesError};
use super::rules::Rules;

/// The rules of the configuration file, of `AITRACE_RULES`, and those that were given, in this order; and
/// what was wrong with a source. `mask` is what the program or the environment says about masking.
///
/// Where a source is broken, masking stays on whatever the others say: nobody knows what it asked for.
pub(crate) fn gather(
    home: Option<&str>,
    setting: Option<&str>,
    given: Option<Rules>,
    mask: Option<bool>,
) -> (Rules, Option<RulesError>) {
    let configuration = home
        .and_then(|home| read::configuration_file(Path::new(home)))
        .map_or_else(|| Ok(Rules::default()), Rules::read_configuration);
    let setting =
        setting.map_or_else(|| Ok(Rules::default()), |text| read::from_setting(text, home, "AITRACE_RULES"));
    let mut broken = None;
    let mut rules = Rules::default();
    for source in [configuration, setting, Ok(given.unwrap_or_default())] {
        match source {
            Ok(more) => rules = rules.and(more),
            Err(error) => broken = Some(error),
        }
    }
    rules.mask.enabled = mask.or(rules.mask.enabled);
    if let Some(error) = &broken {
        rules.mask.enabled = Some(true);
        rules.mask.defaults = Some(true);
        tell_once(error);
    }
    (rules, broken)
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
        let given = given.expect("valid");
        let (rules, broken) = gather(None, None, Some(given.clone()), None);
        assert_eq!((rules.mask.enabled, broken), (Some(false), None));
        let (rules, broken) = gather(None, Some("{\"rules\": 1}"), Some(given.clone()), Some(false));
        assert_eq!((rules.rules.len(), rules.mask.enabled), (1, Some(true)));
        assert!(broken.expect("broken").to_string().starts_with("AITRACE_RULES:1: invalid type"));
        let (rules, _) = gather(None, Some(r#"{"mask":{"enabled":false}}"#), None, Some(true));
        assert_eq!(rules.mask.enabled, Some(true), "the program goes first");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join(".config/aitrace")).expect("made");
        std::fs::write(folder.path().join(".config/aitrace/config.toml"), "[processing]\nrules = 1\n")
            .expect("writes");
        let (_, broken) = gather(folder.path().to_str(), None, None, None);
        assert!(broken.expect("broken").to_string().contains("config.toml:2: "));
    }
}
