//! The environment: read here and nowhere else in this crate. An empty variable is an unset one.

use std::path::PathBuf;
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
    /// `OTEL_EXPORTER_OTLP_*`.
    pub(crate) otlp: Otlp,
    /// Where to put what cannot be sent: `AITRACE_SPOOL_DIR`, else `spool` in the data folder, which is
    /// `AITRACE_DATA_DIR` or the platform's. `None` with `AITRACE_SPOOL=off`, or where there is no such folder.
    pub(crate) spool: Option<PathBuf>,
    /// `AITRACE_FALLBACK_HTML`: the folder of pages made from what was spooled.
    pub(crate) fallback_html: Option<PathBuf>,
    /// `AITRACE_VERBOSE`.
    pub(crate) verbose: bool,
    /// `HOME`.
    pub(crate) home: Option<String>,
}

/// What OpenTelemetry's variables say about its exporter. One that is for traces (`…_TRACES_…`) comes before
/// the general one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Otlp {
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`: where spans go, as it is.
    pub(crate) traces_endpoint: Option<String>,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: the base of `/v1/traces`.
    pub(crate) endpoint: Option<String>,
    /// `OTEL_EXPORTER_OTLP_HEADERS`, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// `OTEL_EXPORTER_OTLP_TIMEOUT`, milliseconds.
    pub(crate) timeout: Option<Duration>,
    /// Whether `OTEL_EXPORTER_OTLP_COMPRESSION` is `gzip`.
    pub(crate) gzip: bool,
    /// `OTEL_EXPORTER_OTLP_CERTIFICATE`: a PEM file.
    pub(crate) certificate: Option<PathBuf>,
}

impl Environment {
    /// Reads the process's environment. A value that makes no sense counts as unset.
    pub(crate) fn read() -> Self {
        Self::from(variable)
    }

    pub(crate) fn from(get: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        let number = |name: &str| get(name)?.trim().parse::<usize>().ok().filter(|number| *number > 0);
        let millis = |name: &str| Some(Duration::from_millis(number(name)? as u64));
        let on = |name: &str| {
            get(name).is_some_and(|value| {
                ["1", "true", "yes", "on"].contains(&value.trim().to_ascii_lowercase().as_str())
            })
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
            otlp: Otlp::from(&get),
            spool: spool(&get),
            fallback_html: get("AITRACE_FALLBACK_HTML").map(PathBuf::from),
            verbose: on("AITRACE_VERBOSE"),
            home: get("HOME"),
        }
    }
}

/// `AITRACE_SERVER_URL`.
#[cfg(feature = "evaluate")]
pub(crate) fn server_url() -> Option<String> {
    variable("AITRACE_SERVER_URL")
}

/// Where data is kept.
#[cfg(feature = "evaluate")]
pub(crate) fn data_dir() -> Option<PathBuf> {
    data_dir_of(&variable)
}

impl Otlp {
    fn from(get: &impl Fn(&str) -> Option<String>) -> Self {
        let own = |name: &str| get(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"));
        let either = |name: &str| own(name).or_else(|| get(&format!("OTEL_EXPORTER_OTLP_{name}")));
        let url = |text: String| {
            let text = text.trim().to_owned();
            (text.starts_with("http://") || text.starts_with("https://")).then_some(text)
        };
        let millis = |text: String| text.trim().parse().ok().filter(|millis| *millis > 0);
        Self {
            traces_endpoint: own("ENDPOINT").and_then(url),
            endpoint: get("OTEL_EXPORTER_OTLP_ENDPOINT").and_then(url),
            headers: either("HEADERS").map(|text| headers(&text)).unwrap_or_default(),
            timeout: either("TIMEOUT").and_then(millis).map(Duration::from_millis),
            gzip: either("COMPRESSION").is_some_and(|value| value.trim() == "gzip"),
            certificate: either("CERTIFICATE").map(PathBuf::from),
        }
    }
}

/// `name=value,name=value`, values percent-encoded. What could not stand in a request is left out.
fn headers(text: &str) -> Vec<(String, String)> {
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim().to_ascii_lowercase(), decode(value.trim()));
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let good = !name.is_empty() && name.bytes().all(token);
        (good && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))).then_some((name, value))
    };
    text.split(',').filter_map(header).collect()
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let decoded = digits.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(decoded.unwrap_or(*byte));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn spool(get: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let off = get("AITRACE_SPOOL").is_some_and(|value| {
        ["off", "0", "false", "no"].contains(&value.trim().to_ascii_lowercase().as_str())
    });
    if off {
        return None;
    }
    if let Some(folder) = get("AITRACE_SPOOL_DIR") {
        return Some(folder.into());
    }
    Some(data_dir_of(get)?.join("spool"))
}

/// `AITRACE_DATA_DIR`, else where this platform keeps a program's data: the same folder as the command's.
fn data_dir_of(get: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let home = || get("HOME").map(PathBuf::from);
    if let Some(named) = get("AITRACE_DATA_DIR").map(PathBuf::from) {
        return Some(match (named.strip_prefix("~"), home()) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => named,
        });
    }
    let folder = if cfg!(windows) {
        get("LOCALAPPDATA").map(PathBuf::from)
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Application Support"))
    } else {
        // A relative path is to be ignored, says the specification of these folders.
        let named = get("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        named.or_else(|| home().map(|home| home.join(".local/share")))
    };
    folder.map(|folder| folder.join("aitrace"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Environment {
        Environment::from(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_variable_that_makes_no_sense_counts_as_unset() {
        let environment = read(&[
            ("LOG_TRG", "-"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", ""),
            ("OTEL_BSP_SCHEDULE_DELAY", " 250 "),
            ("OTEL_BSP_EXPORT_TIMEOUT", "-1"),
            ("OTEL_SDK_DISABLED", "true"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ]);
        assert_eq!(environment.target.as_deref(), Some("-"));
        assert_eq!((environment.queue_items, environment.batch_items), (None, None));
        assert_eq!(environment.batch_delay, Some(Duration::from_millis(250)));
        assert_eq!((environment.export_timeout, environment.otlp.timeout), (None, None));
        assert_eq!(environment.otlp.endpoint, None);
        assert!(environment.disabled && environment.compat_mode.is_none());
    }

    #[test]
    fn what_is_for_traces_comes_before_what_is_for_all_and_empty_is_unset() {
        let general = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "100"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ];
        let empty = [("OTEL_EXPORTER_OTLP_TRACES_HEADERS", " "), ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "")];
        let otlp = read(&[&general[..], &empty[..]].concat()).otlp;
        assert_eq!((otlp.traces_endpoint, otlp.endpoint.as_deref()), (None, Some("http://all")));
        assert_eq!(otlp.headers, [("a".to_owned(), "1".to_owned())]);
        assert_eq!((otlp.timeout, otlp.gzip), (Some(Duration::from_millis(100)), true));
        assert_eq!(otlp.certificate, Some("/ca.pem".into()));
        let own = [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://own/x"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "200"),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
        ];
        let otlp = read(&[&general[..], &own[..]].concat()).otlp;
        assert_eq!(otlp.traces_endpoint.as_deref(), Some("http://own/x"));
        assert_eq!(otlp.headers, [("b".to_owned(), "2".to_owned())]);
        assert_eq!((otlp.timeout, otlp.gzip), (Some(Duration::from_millis(200)), false));
    }

    #[test]
    fn headers_are_decoded_and_what_would_break_a_request_is_left_out() {
        let read = headers(" Api-Key = a%20b%3D ,=x,bad name=1,c=%0d%0aX: y,d=%zz,e, ,f=");
        let read: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(read, [("api-key", "a b="), ("d", "%zz"), ("f", "")]);
    }

    #[test]
    fn the_spools_folder() {
        let folder = |variables: &[(&str, &str)]| read(variables).spool;
        assert_eq!(folder(&[("AITRACE_SPOOL_DIR", "/s"), ("AITRACE_DATA_DIR", "/d")]), Some("/s".into()));
        assert_eq!(folder(&[("AITRACE_DATA_DIR", "/d"), ("HOME", "/h")]), Some("/d/spool".into()));
        assert_eq!(folder(&[("AITRACE_SPOOL", " OFF"), ("AITRACE_SPOOL_DIR", "/s")]), None);
        assert_eq!(folder(&[]), None);
        if cfg!(all(unix, not(target_os = "macos"))) {
            let home = ("HOME", "/h");
            assert_eq!(folder(&[home]), Some("/h/.local/share/aitrace/spool".into()));
            assert_eq!(folder(&[home, ("XDG_DATA_HOME", "/x")]), Some("/x/aitrace/spool".into()));
            assert_eq!(folder(&[home, ("XDG_DATA_HOME", "x")]), Some("/h/.local/share/aitrace/spool".into()));
        }
    }
}
