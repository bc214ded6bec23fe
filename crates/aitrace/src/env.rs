//! The environment: read here and nowhere else in this crate. An empty variable is an unset one.

use std::time::Duration;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// The user's home folder.
pub(crate) fn home() -> Option<String> {
    variable("HOME").or_else(|| variable("USERPROFILE"))
}

/// `AITRACE_CONFIG`: a configuration file in place of the usual ones.
pub(crate) fn config_file() -> Option<String> {
    variable("AITRACE_CONFIG")
}

/// `AITRACE_COMPAT_MODE`.
pub(crate) fn compat_mode() -> Option<bool> {
    variable("AITRACE_COMPAT_MODE").as_deref().and_then(flag_of)
}

/// A yes or no as a word; `None` for another one.
pub(crate) fn flag_of(word: &str) -> Option<bool> {
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// What the environment says about tracers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// `AITRACE_PROJECT`.
    pub(crate) project: Option<String>,
    /// `AITRACE_SOURCE`.
    pub(crate) source: Option<String>,
    /// `AITRACE_TARGET`, else `LOG_TRG`.
    pub(crate) target: Option<String>,
    /// `AITRACE_SERVER_URL`.
    pub(crate) server_url: Option<String>,
    /// `AITRACE_API_KEY`.
    pub(crate) api_key: Option<String>,
    /// `OTEL_SERVICE_NAME`.
    pub(crate) service: Option<String>,
    /// `AITRACE_COMPAT_MODE`.
    pub(crate) compat_mode: Option<bool>,
    /// `OTEL_SDK_DISABLED`.
    pub(crate) disabled: bool,
    /// `OTEL_EXPORTER_OTLP_COMPRESSION` is `gzip`.
    pub(crate) gzip: bool,
    /// `OTEL_BSP_MAX_QUEUE_SIZE`.
    pub(crate) queue_items: Option<usize>,
    /// `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`.
    pub(crate) batch_items: Option<usize>,
    /// `OTEL_BSP_SCHEDULE_DELAY`, milliseconds.
    pub(crate) batch_delay: Option<Duration>,
    /// `OTEL_BSP_EXPORT_TIMEOUT`, milliseconds.
    pub(crate) export_timeout: Option<Duration>,
    /// `AITRACE_RULES`.
    pub(crate) rules: Option<String>,
    /// `AITRACE_MASK`.
    pub(crate) mask: Option<bool>,
    /// `HOME`.
    pub(crate) home: Option<String>,
}

impl Environment {
    /// Reads the process's environment. A value that makes no sense counts as unset.
    pub(crate) fn read() -> Self {
        Self::from(variable)
    }

    pub(crate) fn from(get: impl Fn(&str) -> Option<String>) -> Self {
        let number = |name: &str| get(name)?.trim().parse::<usize>().ok().filter(|number| *number > 0);
        let millis = |name: &str| Some(Duration::from_millis(number(name)? as u64));
        let on = |name: &str| {
            get(name).is_some_and(|value| matches!(value.trim(), "1" | "true" | "True" | "TRUE"))
        };
        Self {
            project: get("AITRACE_PROJECT"),
            source: get("AITRACE_SOURCE"),
            target: get("AITRACE_TARGET").or_else(|| get("LOG_TRG")),
            server_url: get("AITRACE_SERVER_URL"),
            api_key: get("AITRACE_API_KEY"),
            service: get("OTEL_SERVICE_NAME"),
            compat_mode: get("AITRACE_COMPAT_MODE").as_deref().and_then(flag_of),
            disabled: on("OTEL_SDK_DISABLED"),
            gzip: get("OTEL_EXPORTER_OTLP_COMPRESSION").is_some_and(|value| value.trim() == "gzip"),
            queue_items: number("OTEL_BSP_MAX_QUEUE_SIZE"),
            batch_items: number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
            batch_delay: millis("OTEL_BSP_SCHEDULE_DELAY"),
            export_timeout: millis("OTEL_BSP_EXPORT_TIMEOUT"),
            rules: get("AITRACE_RULES"),
            mask: get("AITRACE_MASK").and_then(|value| match value.trim().to_ascii_lowercase().as_str() {
                "0" | "false" | "no" | "off" => Some(false),
                "1" | "true" | "yes" | "on" => Some(true),
                _ => None,
            }),
            home: get("HOME"),
        }
    }
}

/// `AITRACE_SERVER_URL`.
#[cfg(feature = "evaluate")]
pub(crate) fn server_url() -> Option<String> {
    variable("AITRACE_SERVER_URL")
}

/// `AITRACE_DATA_DIR`, else where this platform keeps a program's data.
#[cfg(feature = "evaluate")]
pub(crate) fn data_dir() -> Option<std::path::PathBuf> {
    use std::path::PathBuf;
    let path = |name: &str| variable(name).map(PathBuf::from);
    if let Some(named) = path("AITRACE_DATA_DIR") {
        return Some(match (named.strip_prefix("~"), path("HOME")) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => named,
        });
    }
    let folder = if cfg!(windows) {
        path("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        path("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        path("XDG_DATA_HOME").or_else(|| path("HOME").map(|home| home.join(".local/share")))
    };
    folder.map(|folder| folder.join("aitrace"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_makes_no_sense_counts_as_unset() {
        let environment = Environment::from(|name| match name {
            "LOG_TRG" => Some("-".to_owned()),
            "OTEL_BSP_MAX_QUEUE_SIZE" => Some("many".to_owned()),
            "OTEL_BSP_SCHEDULE_DELAY" => Some(" 250 ".to_owned()),
            "OTEL_SDK_DISABLED" => Some("true".to_owned()),
            _ => None,
        });
        assert_eq!(environment.target.as_deref(), Some("-"));
        assert_eq!(environment.queue_items, None);
        assert_eq!(environment.batch_delay, Some(Duration::from_millis(250)));
        assert!(environment.disabled && environment.compat_mode.is_none());
    }
}
