//! The tasks of this repository: `cargo xtask test | tidy | fmt | bench | soak | demo`.

mod bench;
mod demo;
mod env;
mod fmt;
mod http;
mod options;
mod process;
mod python;
mod say;
mod serve;
mod soak;
mod suite;
mod tidy;
mod web;
mod workspace;

use std::process::ExitCode;

use options::{Command, Options};

fn main() -> ExitCode {
    let options = match Options::parse(env::arguments()) {
        Ok(options) => options,
        Err(wrong) => {
            say::note(&format!("{wrong}\n\n{}", options::USAGE));
            return ExitCode::from(2);
        }
    };
    let done = match options.command {
        Command::Help => {
            say::data(options::USAGE);
            Ok(true)
        }
        Command::Test(options) => suite::run(&options),
        Command::Tidy => tidy::run(),
        Command::Fmt => fmt::run(),
        Command::Bench(options) => bench::run(&options),
        Command::Soak => Ok(soak::run()),
        Command::Demo(options) => demo::run(&options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say::note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
