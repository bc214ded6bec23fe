//! The server's own log, on stderr.

use anyhow::Result;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::sources::Sources;

/// What is logged unless the setting `log` says otherwise: warnings, and who did what to keys and data.
const USUAL: &str = "warn,aitrace_audit=info";

/// Begins to log: what is usual, or what the setting `log` says in the syntax of `RUST_LOG`; as text, or as one JSON
/// object a line.
pub(crate) fn start(sources: &Sources) -> Result<()> {
    let filter = |text: &str| EnvFilter::try_new(text).ok();
    let filter =
        sources.parse("log", "filter of logs", "write it like info or aitrace_server=debug", filter)?;
    let filter = filter.unwrap_or_else(|| EnvFilter::new(USUAL));
    let json = |text: &str| match text {
        "text" => Some(false),
        "json" => Some(true),
        _ => None,
    };
    let json = sources.parse("log-format", "format of logs", "use text or json", json)?.unwrap_or(false);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = if json { log.json().flatten_event(true).try_init() } else { log.try_init() };
    begun.map_err(|error| Failure::new(format!("cannot begin to log: {error}"), "").into())
}
