//! What the suite consists of.

use anyhow::{Result, bail};

use super::browser;
use super::docs;
use super::packaging;
use super::{Outcome, Step};
use crate::demo;
use crate::options::{Build, DemoOptions};
use crate::process::{self, Program};
use crate::python;
use crate::say;
use crate::serve;
use crate::tidy;
use crate::web;
use crate::workspace;

/// All steps, cheap first; the viewer comes before everything that embeds it.
pub(super) const ALL: &[Step] = &[
    Step { name: "tidy", about: "house rules", run: house_rules },
    Step { name: "fmt", about: "Rust is formatted", run: formatted },
    Step { name: "web", about: "viewer: types, lint, unit tests, build", run: viewer },
    Step { name: "clippy", about: "Rust lints, no warning", run: clippy },
    Step { name: "doc", about: "Rust documentation, no warning", run: documentation },
    Step {
        name: "deny",
        about: "licences, sources and, within reach, advisories of dependencies",
        run: deny,
    },
    Step { name: "rust", about: "Rust tests, doc tests included", run: rust_tests },
    Step { name: "python", about: "Python: format, lint, types, stubs, tests", run: python_tests },
    Step { name: "packaging", about: "the Dockerfile, no warning of its linter", run: packaging::run },
    Step { name: "docs", about: "the documentation site of the Python package, no warning", run: docs::run },
    Step { name: "browser", about: "the viewer in Chromium against the real server", run: browser::run },
    Step { name: "demo", about: "one traced agent, complete in the server", run: demo_once },
    Step {
        name: "wheel",
        about: "the Python package as it ships, in hosts that fork, crash and end",
        run: python_as_shipped,
    },
];

fn cargo(words: &[&str]) -> Program {
    Program::new("cargo", &workspace::root()).args(words)
}

fn house_rules() -> Result<Outcome> {
    if tidy::run()? { Ok(Outcome::Passed) } else { bail!("house rules are broken") }
}

fn formatted() -> Result<Outcome> {
    cargo(&["fmt", "--all", "--check"]).run()?;
    Ok(Outcome::Passed)
}

fn viewer() -> Result<Outcome> {
    if let Some(why) = web::missing() {
        return Ok(Outcome::Skipped(why));
    }
    web::install()?;
    web::script("check").run()?;
    web::script("test").run()?;
    web::build()?;
    Ok(Outcome::Passed)
}

fn clippy() -> Result<Outcome> {
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"])
        .run()?;
    Ok(Outcome::Passed)
}

fn documentation() -> Result<Outcome> {
    let doc = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--locked", "--quiet"]);
    doc.env("RUSTDOCFLAGS", "-D warnings").run()?;
    Ok(Outcome::Passed)
}

fn deny() -> Result<Outcome> {
    if process::find("cargo-deny").is_none() {
        let why = "cargo-deny is not installed; `cargo install --locked cargo-deny` brings it";
        return Ok(Outcome::Skipped(why.to_owned()));
    }
    let check = |what: &[&str]| {
        let common = ["deny", "--all-features", "check", "--hide-inclusion-graph"];
        cargo(&[&common[..], what].concat()).run()
    };
    check(&["bans", "licenses", "sources"])?;
    if cargo(&["deny", "fetch", "db"]).run().is_err() {
        say::note("advisories: not run, their database cannot be reached");
        return Ok(Outcome::Passed);
    }
    check(&["advisories"])?;
    Ok(Outcome::Passed)
}

fn rust_tests() -> Result<Outcome> {
    cargo(&["test", "--workspace", "--locked", "--quiet", "--no-fail-fast"]).run()?;
    Ok(Outcome::Passed)
}

fn python_tests() -> Result<Outcome> {
    if let Err(error) = python::System::find() {
        return Ok(Outcome::Skipped(format!("{error:#}")));
    }
    let environment = python::Environment::for_tests()?;
    environment.module("ruff", &["format", "--check", "."])?;
    environment.module("ruff", &["check", "."])?;
    environment.module("mypy", &[])?;
    let stubs = ["aitrace", "--mypy-config-file", "pyproject.toml", "--allowlist", "stubtest-allow.txt"];
    environment.module("mypy.stubtest", &stubs)?;
    // Named, so that no test against the real server is skipped.
    environment.pytest(&serve::build(Build::WithTests)?, &[])?;
    Ok(Outcome::Passed)
}

/// What ships is optimised as one, which has turned calls that may be unwound into ones that may not: seen here only.
fn python_as_shipped() -> Result<Outcome> {
    if let Err(error) = python::System::find() {
        return Ok(Outcome::Skipped(format!("{error:#}")));
    }
    let binary = serve::build(Build::WithTests)?;
    python::Environment::as_shipped()?.pytest(&binary, &["tests/faults"])?;
    Ok(Outcome::Passed)
}

fn demo_once() -> Result<Outcome> {
    if let Some(why) = demo::missing() {
        return Ok(Outcome::Skipped(why));
    }
    let options = DemoOptions { once: true, build: Build::WithTests, ..DemoOptions::default() };
    if demo::run(&options)? { Ok(Outcome::Passed) } else { bail!("the trace is not what it should be") }
}
