//! What may be typed behind the commands that ask a server for more than a list.

use std::path::PathBuf;

use clap::Args as Arguments;

use crate::flags::{Compat, DataDir, Server};

/// Which traces, spans and log records.
#[derive(Debug, Arguments)]
pub(crate) struct Wanted {
    /// Only this project
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// Started at or after: a time, or a duration before now, like 2h
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Started before: a time, or a duration before now
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
}

#[derive(Debug, Arguments)]
pub(crate) struct Search {
    /// A filter, like: timeout status:error model:gpt-4* duration>2s metadata.tid=7 "free text"
    #[arg(required = true, value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// At most this many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// Print what is found as JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Sql {
    /// One SELECT over spans, logs, traces, sessions, scores, runs; - reads it from stdin; without it the views are shown
    #[arg(value_name = "SELECT")]
    pub(crate) select: Option<String>,
    #[command(flatten)]
    pub(crate) server: Server,
    /// Only this project
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// Print the API's JSON
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// Print comma-separated values
    #[arg(long)]
    pub(crate) csv: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Sessions {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// Only sessions whose name or id contains this text
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) q: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) limit: u64,
    /// Print the API's JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Stats {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// Group by this
    #[arg(long, value_parser = ["model", "provider", "name", "kind", "project", "session", "user", "status", "source", "service"])]
    pub(crate) by: Option<String>,
    /// Length of time of a row, like 15m; auto chooses one; none sums all of it up
    #[arg(long, default_value = "none", value_name = "DURATION")]
    pub(crate) bucket: String,
    /// Count ended spans, or traces by their roots
    #[arg(long, default_value = "spans", value_parser = ["spans", "traces"])]
    pub(crate) of: String,
    /// Only what fulfils this filter, like kind:llm -status:error
    #[arg(short, long, value_name = "FILTER")]
    pub(crate) q: Option<String>,
    /// At most this many groups, those with most spans
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) groups: u64,
    /// Print the API's JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Reprice {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// Only calls of this model, or of those that a pattern like gpt-4* means
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Table of prices instead of the server's, like LiteLLM's model_prices_and_context_window.json
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    /// Change nothing, say what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the figures as a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// Only traces that fulfil this filter, like status:error model:gpt-4*
    #[arg(short, long, value_name = "FILTER")]
    pub(crate) q: Option<String>,
    /// Form of what is written: trace records, OTLP/JSON requests (one a line) or a Parquet table; `aitrace import` reads
    /// each of them back
    #[arg(long, default_value = "jsonl", value_parser = ["jsonl", "otlp", "parquet"])]
    pub(crate) format: String,
    /// File to write; - is stdout
    #[arg(short, long, default_value = "-", value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// Say how much was exported as JSON: on stdout with -o, else on stderr
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) compat: Compat,
}

#[derive(Debug, Arguments)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// Mend what can be mended; no server may use the data meanwhile
    #[arg(long)]
    pub(crate) repair: bool,
    /// Copy the data to a new folder, also while a server uses it
    #[arg(long, value_name = "DIR", conflicts_with = "repair")]
    pub(crate) backup: Option<PathBuf>,
    /// Print the findings as a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
