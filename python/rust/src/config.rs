//! The configuration file and the compatibility mode, for `aitrace.config`.

use std::path::PathBuf;

use aitrace::config::{self, Settings};
use pyo3::prelude::*;

/// What files say as the text of a JSON object, the files that were found, and what is wrong with others.
pub(crate) type Loaded = (String, Vec<PathBuf>, Vec<String>);

fn told(settings: &Settings, errors: &[config::ConfigError]) -> Loaded {
    let text = serde_json::to_string(settings.values()).unwrap_or_else(|_| "{}".to_owned());
    (text, settings.files().to_vec(), errors.iter().map(ToString::to_string).collect())
}

/// What the configuration files say. They are read once in a process.
#[pyfunction]
pub(crate) fn config_current() -> Loaded {
    told(&config::current(), &[])
}

/// Reads the configuration files again, or these.
#[pyfunction]
#[pyo3(signature = (paths = None))]
pub(crate) fn config_reload(paths: Option<Vec<PathBuf>>) -> Loaded {
    let (settings, errors) = config::reload(&paths.unwrap_or_else(config::paths));
    told(&settings, &errors)
}

/// The folder of the configuration files; None without a home.
#[pyfunction]
pub(crate) fn config_folder() -> Option<PathBuf> {
    config::folder()
}

/// Whether trace records repeat their timestamp at the top level.
#[pyfunction]
pub(crate) fn compat_mode() -> bool {
    config::compat_mode()
}

/// Sets the compatibility mode for everything this process writes from now on; None takes that back.
#[pyfunction]
#[pyo3(signature = (mode))]
pub(crate) fn set_compat_mode(mode: Option<bool>) {
    config::set_compat_mode(mode);
}
