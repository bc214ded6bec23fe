//! Where a tracer's spans go.

use std::path::PathBuf;

use aitrace_model::Timestamp;

use crate::env::Environment;

/// Where to send when nothing was said.
const DEFAULT_URL: &str = "http://localhost:8000";

/// Where a tracer's spans and log records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// OTLP over HTTP to this base URL (without a trailing slash). A URL that ends in `/api/ingest` gets
    /// trace records instead.
    Http(String),
    /// Trace records, appended to this file.
    File(PathBuf),
    /// Trace records on standard output.
    Stdout,
    /// Kept in this process: [`Tracer::spans`](crate::Tracer::spans).
    Memory,
}

/// A target that was chosen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) target: Target,
    /// Where spans go, if not to `/v1/traces` below the target.
    pub(crate) traces_url: Option<String>,
    /// OpenTelemetry's variables named it: its headers go with it, and no key that was not given in code.
    pub(crate) otlp: bool,
}

impl Target {
    /// Reads a target: `http(s)://…`, `-` (stdout), `memory`, else the path of a file, in which a leading
    /// `~/` and `<YYYYMMDD_HHMMSS>` (UTC) are expanded.
    pub(crate) fn parse(text: &str, home: Option<&str>, now: Timestamp) -> Self {
        let text = text.trim();
        if text.starts_with("http://") || text.starts_with("https://") {
            return Self::Http(text.trim_end_matches('/').to_owned());
        }
        match text {
            "-" => Self::Stdout,
            "memory" => Self::Memory,
            path => Self::File(expand(path, home, now)),
        }
    }

    /// The target by the rules of precedence: what was given, a server's URL that was given,
    /// `AITRACE_TARGET` or `LOG_TRG`, `AITRACE_SERVER_URL`, OpenTelemetry's endpoints, `http://localhost:8000`.
    pub(crate) fn choose(
        target: Option<&str>,
        server_url: Option<&str>,
        environment: &Environment,
        now: Timestamp,
    ) -> Chosen {
        let own = (environment.target.as_deref(), environment.server_url.as_deref());
        let named = target.or(server_url).or(own.0).or(own.1);
        if let Some(text) = named {
            let target = Self::parse(text, environment.home.as_deref(), now);
            return Chosen { target, traces_url: None, otlp: false };
        }
        let otlp = &environment.otlp;
        let (base, traces_url) = match (&otlp.traces_endpoint, &otlp.endpoint) {
            (Some(traces), _) => (base_of(traces), traces.clone()),
            (None, Some(base)) => {
                let base = base.trim_end_matches('/');
                (base.to_owned(), format!("{base}/v1/traces"))
            }
            (None, None) => {
                return Chosen { target: Self::Http(DEFAULT_URL.to_owned()), traces_url: None, otlp: false };
            }
        };
        Chosen { target: Self::Http(base), traces_url: Some(traces_url), otlp: true }
    }

    /// Whether trace records are written, so that a span's start is written at once.
    pub(crate) fn takes_records(&self) -> bool {
        match self {
            Self::Http(url) => url.ends_with("/api/ingest"),
            Self::File(_) | Self::Stdout => true,
            Self::Memory => false,
        }
    }
}

/// What an endpoint for traces stands below: the URL without `/v1/traces`, else without any path.
fn base_of(traces: &str) -> String {
    let url = traces.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    if let Some(base) = url.strip_suffix("/v1/traces") {
        return base.to_owned();
    }
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    format!("{scheme}://{}", rest.split('/').next().unwrap_or_default())
}

fn expand(path: &str, home: Option<&str>, now: Timestamp) -> PathBuf {
    // 2026-01-31T12:00:00.000000Z → 20260131_120000
    let time: String = now.to_string().chars().take(19).filter(char::is_ascii_digit).collect::<String>();
    let stamp = format!("{}_{}", time.get(..8).unwrap_or(""), time.get(8..).unwrap_or(""));
    let path = path.replace("<YYYYMMDD_HHMMSS>", &stamp);
    match (path.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            format!("{home}{rest}").into()
        }
        _ => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form() {
        let now: Timestamp = "2026-01-31T12:05:09.5Z".parse().expect("valid");
        let parse = |text| Target::parse(text, Some("/home/me"), now);
        assert_eq!(parse("https://a/b/"), Target::Http("https://a/b".into()));
        assert_eq!(parse("-"), Target::Stdout);
        assert_eq!(parse("memory"), Target::Memory);
        assert_eq!(
            parse("~/t/<YYYYMMDD_HHMMSS>.jsonl"),
            Target::File("/home/me/t/20260131_120509.jsonl".into())
        );
        assert_eq!(parse("~other/x"), Target::File("~other/x".into()));
        assert!(parse("http://h/api/ingest").takes_records() && !parse("http://h").takes_records());
    }

    #[test]
    fn precedence() {
        let now = Timestamp::default();
        let environment = |target: Option<&str>, url: Option<&str>| Environment {
            target: target.map(str::to_owned),
            server_url: url.map(str::to_owned),
            ..Environment::default()
        };
        let chosen = |target, url, environment| Target::choose(target, url, environment, now).target;
        let both = environment(Some("-"), Some("http://e"));
        assert_eq!(chosen(Some("memory"), Some("http://s"), &both), Target::Memory);
        assert_eq!(chosen(None, Some("http://s"), &both), Target::Http("http://s".into()));
        assert_eq!(chosen(None, None, &both), Target::Stdout);
        let url = environment(None, Some("http://e"));
        assert_eq!(chosen(None, None, &url), Target::Http("http://e".into()));
        let none = environment(None, None);
        assert_eq!(chosen(None, None, &none), Target::Http(DEFAULT_URL.into()));
    }

    #[test]
    fn endpoints_of_opentelemetry_come_last_and_are_used_by_its_rules() {
        let choose = |traces: Option<&str>, base: Option<&str>, url: Option<&str>| {
            let mut environment = Environment::default();
            environment.otlp.traces_endpoint = traces.map(str::to_owned);
            environment.otlp.endpoint = base.map(str::to_owned);
            let Chosen { target, traces_url, otlp } =
                Target::choose(None, url, &environment, Timestamp::default());
            let Target::Http(target) = target else { panic!("a URL") };
            (target, traces_url.unwrap_or_default(), otlp)
        };
        let chosen = |target: &str, traces: &str| (target.to_owned(), traces.to_owned(), true);
        assert_eq!(choose(None, Some("http://b/x/"), None), chosen("http://b/x", "http://b/x/v1/traces"));
        let both = choose(Some("http://t/v1/traces"), Some("http://b"), None);
        assert_eq!(both, chosen("http://t", "http://t/v1/traces"));
        assert_eq!(choose(Some("http://t/own/?k=1"), None, None), chosen("http://t", "http://t/own/?k=1"));
        assert!(!choose(Some("http://t"), Some("http://b"), Some("http://given")).2);
    }
}
