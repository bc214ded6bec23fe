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
    /// `AITRACE_TARGET` or `LOG_TRG`, `AITRACE_SERVER_URL`, `http://localhost:8000`.
    pub(crate) fn choose(
        target: Option<&str>,
        server_url: Option<&str>,
        environment: &Environment,
        now: Timestamp,
    ) -> Self {
        let text = target
            .or(server_url)
            .or(environment.target.as_deref())
            .or(environment.server_url.as_deref())
            .unwrap_or(DEFAULT_URL);
        Self::parse(text, environment.home.as_deref(), now)
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
        let both = environment(Some("-"), Some("http://e"));
        assert_eq!(Target::choose(Some("memory"), Some("http://s"), &both, now), Target::Memory);
        assert_eq!(Target::choose(None, Some("http://s"), &both, now), Target::Http("http://s".into()));
        assert_eq!(Target::choose(None, None, &both, now), Target::Stdout);
        let url = environment(None, Some("http://e"));
        assert_eq!(Target::choose(None, None, &url, now), Target::Http("http://e".into()));
        let none = environment(None, None);
        assert_eq!(Target::choose(None, None, &none, now), Target::Http(DEFAULT_URL.into()));
    }
}
