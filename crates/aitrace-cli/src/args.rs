//! What may be typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as Arguments, Parser, Subcommand};

use crate::asks;
pub(crate) use crate::flags::{Compat, Data, DataDir, Server};

/// Tracing and evaluation of AI applications.
#[derive(Debug, Parser)]
#[command(name = "aitrace", version, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the viewer, the API and OTLP on one port
    Serve(Serve),
    /// Run a program with its environment set to send traces here
    Run(Run),
    /// Show a small traced agent
    Demo(Demo),
    /// Send files of trace records (JSON Lines) to a server
    Import(Import),
    /// Turn trace records of format 1 into format 2
    Convert(Convert),
    /// Write a page that shows trace records and needs nothing else
    Html(Html),
    /// List traces, newest first
    Traces(Traces),
    /// Show one trace as a tree
    Trace(Trace),
    /// Show spans and log records as they come
    Tail(Tail),
    /// Say who may use a server
    Keys(Keys),
    /// Write or show the configuration
    Config(Config),
    /// Search names, contents and log records
    Search(asks::Search),
    /// List sessions, newest first
    Sessions(asks::Sessions),
    /// Ask in SQL
    Sql(asks::Sql),
    /// Show figures: counts, errors, latency, tokens, cost, over time and by dimension
    Stats(asks::Stats),
    /// Write traces as trace records, OTLP/JSON or Parquet, which import reads back
    Export(asks::Export),
    /// Price stored calls of models anew
    Reprice(asks::Reprice),
    /// Look at the stored data, say what is wrong with it, mend or copy it
    Doctor(asks::Doctor),
}

#[derive(Debug, Arguments)]
pub(crate) struct Serve {
    /// Address to listen on; one that other machines reach needs a key, see `aitrace keys` [default: 127.0.0.1]
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Port to listen on; 0 takes any free one [default: 8000]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Further port that takes data, OTLP over gRPC above all; 0 is none [default: 4317, none with --port 0]
    #[arg(long, value_name = "PORT")]
    pub(crate) grpc_port: Option<u16>,
    /// Further port that takes data, OTLP over HTTP above all; 0 is none [default: 4318, none with --port 0]
    #[arg(long, value_name = "PORT")]
    pub(crate) otlp_http_port: Option<u16>,
    /// Further name under which browsers reach the server, with its port, like box.example:8000
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) allow_host: Vec<String>,
    #[command(flatten)]
    pub(crate) data: Data,
    /// Keep data for this long, cut by days, like 30d [default: for ever]
    #[arg(long, value_name = "DURATION")]
    pub(crate) max_age: Option<String>,
    /// Keep this much data, like 50GB; what came first goes first [default: without bound]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<String>,
    /// How the log is written to stderr: text or json; what is logged says AITRACE_LOG [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Configuration file, TOML or YAML [default: ~/.config/aitrace/config.toml or .yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) compat: Compat,
    /// Print the address as a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) data: Data,
    #[command(flatten)]
    pub(crate) compat: Compat,
    /// Print the address of the traces as a JSON object, on stderr
    #[arg(long)]
    pub(crate) json: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Arguments)]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) data: Data,
    /// Print the address of the trace as a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not pause between the steps
    #[arg(long)]
    pub(crate) fast: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Import {
    /// Files of trace records, of OTLP/JSON or of an exported Parquet table, known by their contents; - is stdin
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) server: Server,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Convert {
    /// File of trace records; - is stdin
    #[arg(default_value = "-", value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// File to write; - is stdout
    #[arg(short, long, default_value = "-", value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// Say what was done as JSON: on stdout with -o, else on stderr
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) compat: Compat,
}

#[derive(Debug, Arguments)]
pub(crate) struct Html {
    /// File of trace records (- is stdin), or the id of a trace on the server, or the beginning of it
    #[arg(value_name = "FILE|TRACE_ID")]
    pub(crate) what: PathBuf,
    /// File to write; - is stdout
    #[arg(short, long, default_value = "-", value_name = "OUT")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) server: Server,
    /// Say what was shown as JSON: on stdout with -o, else on stderr
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Traces {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Only this project
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// Only traces that are running, ok, error or lost
    #[arg(long, value_parser = ["running", "ok", "error", "lost"])]
    pub(crate) status: Option<String>,
    /// Only traces that fulfil this filter, like: agent status:error model:gpt-4* duration>2s
    #[arg(short, long, value_name = "FILTER")]
    pub(crate) q: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// Started at or after: a time, or a duration before now, like 2h
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Started before: a time, or a duration before now
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
    /// Print the API's JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Trace {
    /// Its id, or the beginning of it
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) server: Server,
    /// This project's part of it, where several projects have one; else the newest
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// Print the API's JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Tail {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Only this project
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// Only what fulfils this filter, like: status:error kind:llm
    #[arg(short, long, value_name = "FILTER")]
    pub(crate) q: Option<String>,
    /// Print trace records, one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// For how long to come back after the connection broke; what happened meanwhile is shown then
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) reconnect: u32,
    #[command(flatten)]
    pub(crate) compat: Compat,
}

#[derive(Debug, Arguments)]
pub(crate) struct Keys {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key of a project; from the first one on a server demands one
    Create(CreateKey),
    /// List keys, newest first
    List(ListKeys),
    /// Make a key void, within a second
    Revoke(RevokeKey),
    /// Print a link, good once, that opens the viewer of the running server
    Login(LoginLink),
}

#[derive(Debug, Arguments)]
pub(crate) struct CreateKey {
    /// Project that the key opens; what it brings goes there
    #[arg(long)]
    pub(crate) project: String,
    /// What it allows, can be given several times [default: ingest and read]
    #[arg(long, value_parser = ["ingest", "read", "admin"])]
    pub(crate) scope: Vec<String>,
    /// A name for people
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// When it becomes void of itself: in so long, like 12h or 90d, or at a time, like 2027-01-31 [default: never]
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// Print {id, key, project, scopes}, and expires where it is set
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct ListKeys {
    /// Only this project
    #[arg(long)]
    pub(crate) project: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// Print the API's JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct RevokeKey {
    /// Its id
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// Print the key's line as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct LoginLink {
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// Print {url}
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write a configuration file that says nothing yet; one that exists stays as it is
    Init(InitConfig),
    /// Show each setting and where it comes from
    Show(ShowConfig),
}

#[derive(Debug, Arguments)]
pub(crate) struct InitConfig {
    /// Write YAML instead of TOML
    #[arg(long)]
    pub(crate) yaml: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct ShowConfig {
    /// Configuration file, TOML or YAML [default: ~/.config/aitrace/config.toml or .yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print {settings: [{key, value, origin}]}
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn words_after_two_dashes_are_the_programs() {
        let args = Args::try_parse_from(["aitrace", "run", "--", "python", "--server", "x"]).expect("valid");
        let Command::Run(run) = args.command else { panic!("run") };
        assert_eq!(run.command, ["python", "--server", "x"]);
        assert_eq!(run.server.server, None);
        assert!(Args::try_parse_from(["aitrace", "run"]).is_err());
    }
}
