//! Flags that several commands share.

use std::path::PathBuf;

use clap::Args as Arguments;

/// Where the server is.
#[derive(Debug, Arguments)]
pub(crate) struct Server {
    /// Address of the server [env: AITRACE_SERVER_URL] [default: http://localhost:8000]
    #[arg(long, value_name = "URL", global = false)]
    pub(crate) server: Option<String>,
}

/// Where data is kept.
#[derive(Debug, Arguments)]
#[expect(clippy::struct_field_names, reason = "a field is called as its flag")]
pub(crate) struct Data {
    /// Folder of the data [env: AITRACE_DATA_DIR] [default: the platform's data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Silence after which a span whose sender has no heartbeat counts as lost, like 90s, 15m, 2h
    /// [default: 15m]
    #[arg(long, value_name = "DURATION")]
    pub(crate) lost_after: Option<String>,
    /// Table of prices of model calls, of aitrace's form or LiteLLM's [env: AITRACE_PRICES] [default: the
    /// built-in one]
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
}

/// Whether records are written for old readers too.
#[derive(Debug, Arguments)]
pub(crate) struct Compat {
    /// Repeat the timestamp at the top level of written records, for readers of format 1
    /// [env: AITRACE_COMPAT_MODE]
    #[arg(long)]
    pub(crate) compat_mode: bool,
}

/// Where data is kept, and nothing else about it.
#[derive(Debug, Arguments)]
pub(crate) struct DataDir {
    /// Folder of the data [env: AITRACE_DATA_DIR] [default: the platform's data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}
