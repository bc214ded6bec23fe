//! Which data, as parameters of the API.

use aitrace_model::SystemClock;
use anyhow::Result;

use crate::asks::Wanted;
use crate::settings;

/// Project and span of time.
pub(super) fn pairs(wanted: &Wanted) -> Result<Vec<(&'static str, String)>> {
    let mut pairs = Vec::new();
    pairs.extend(wanted.project.clone().map(|project| ("project", project)));
    for (name, flag, given) in [("since", "--since", &wanted.since), ("until", "--until", &wanted.until)] {
        if let Some(text) = given {
            pairs.push((name, settings::moment(flag, text, &SystemClock)?.to_string()));
        }
    }
    Ok(pairs)
}

/// The same by reference.
pub(super) fn borrowed<'a>(pairs: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    pairs.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
