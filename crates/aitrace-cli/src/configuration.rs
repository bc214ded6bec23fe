//! Whether the configuration can be used. A program that only uses the SDK goes on without it; a command does not.

use std::path::Path;

use aitrace::config::{Settings, paths};
use aitrace::{Rules, RulesFormat};
use anyhow::Result;

use crate::env;
use crate::failure::Failure;

const HINT: &str = "mend it, or move it away";

/// An error, with the line, for a configuration file or rules that are broken.
pub(crate) fn check() -> Result<()> {
    for path in paths().iter().filter(|path| path.is_file()) {
        Settings::read(path).map_err(|error| Failure::new(error.to_string(), HINT))?;
        Rules::read_configuration(path).map_err(|error| Failure::new(error.to_string(), HINT))?;
    }
    if let Some(setting) = env::text("AITRACE_RULES") {
        rules(setting.trim())
            .map_err(|error| Failure::new(error.to_string(), "mend it, or unset AITRACE_RULES"))?;
    }
    Ok(())
}

/// JSON that begins with a brace, else the path of a file.
fn rules(setting: &str) -> Result<Rules, aitrace::RulesError> {
    if setting.starts_with('{') {
        return Rules::parse(setting, RulesFormat::Json, "AITRACE_RULES");
    }
    match (setting.strip_prefix("~/"), env::text("HOME")) {
        (Some(rest), Some(home)) => Rules::read(Path::new(&home).join(rest)),
        _ => Rules::read(setting),
    }
}
