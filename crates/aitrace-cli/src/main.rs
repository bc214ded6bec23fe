//! The command `aitrace`: serves, and reads, writes and shows what was traced.
//!
//! `args` is what was typed, `settings` what it means together with the environment. A command writes its
//! answer to stdout and everything else to stderr. Exit codes: 0; 1, the answer is no; 2, wrong usage or
//! surroundings; `run` ends as its program does.

mod api;
mod args;
mod asks;
mod beacon;
mod client;
mod commands;
mod configuration;
mod disk;
mod env;
mod failure;
mod flags;
mod local;
mod logging;
mod output;
mod secret;
mod serving;
mod settings;
mod sources;
mod sse;
mod text;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = match args::Args::try_parse_from(env::arguments()) {
        Ok(args) => args,
        Err(wrong) => return help_or_usage(&wrong),
    };
    match commands::dispatch(args) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}

/// `--help` and `--version` are answers and go to stdout; what clap calls wrong is usage.
fn help_or_usage(message: &clap::Error) -> ExitCode {
    let wrong = message.use_stderr();
    // A closed pipe is no reason to complain about a text that nobody reads.
    drop(message.print());
    if wrong { ExitCode::from(2) } else { ExitCode::SUCCESS }
}
