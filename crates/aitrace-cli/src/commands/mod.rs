//! One module for each command.

mod config;
mod convert;
mod demo;
mod doctor;
mod export;
mod html;
mod import;
mod keys;
mod reprice;
mod run;
mod search;
mod serve;
mod sessions;
mod sql;
mod stats;
mod tail;
mod trace;
mod traces;
mod wanted;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::{Args, Command};
use crate::configuration;

/// Runs the command that was typed.
pub(crate) fn dispatch(args: Args) -> Result<ExitCode> {
    configuration::check()?;
    match args.command {
        Command::Serve(args) => serve::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Html(args) => html::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Traces(args) => traces::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Tail(args) => tail::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Sessions(args) => sessions::run(&args),
        Command::Sql(args) => sql::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Reprice(args) => reprice::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    }
}
