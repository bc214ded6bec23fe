//! Speed and memory, beside their anchors, in release builds on this machine.
//!
//! Each program in `crates/aitrace-bench/src/bin` and `python/benches` measures ours and the anchors in the same
//! run and prints figures and ratios; what concerns the whole server is measured here.

mod server;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::env;
use crate::options::BenchOptions;
use crate::options::Build;
use crate::process::Program;
use crate::python;
use crate::say;
use crate::serve;
use crate::web;
use crate::workspace;

const INGEST: &str = "ingest";
const SERVER: &str = "serve";
const STORE: &str = "store";
/// Spans of the store's bench, and with `--large`.
const SPANS: &str = "300000";
const LARGE: &str = "10000000";

/// Something that measures.
#[derive(Debug, PartialEq, Eq)]
enum Bench {
    /// A binary of aitrace-bench.
    Rust(String),
    /// A file in python/benches.
    Python(String),
    /// Durable ingest over loopback, client included.
    Ingest,
    /// The embedded store by itself: rates, sizes, answers.
    Store,
    /// Start, memory and idleness of the server.
    Server,
}

impl Bench {
    fn name(&self) -> &str {
        match self {
            Self::Rust(name) => name,
            Self::Python(file) => file.trim_end_matches(".py"),
            Self::Ingest => INGEST,
            Self::Store => STORE,
            Self::Server => SERVER,
        }
    }
}

/// Runs all benches, or those named; true unless one could not run.
pub(crate) fn run(options: &BenchOptions) -> Result<bool> {
    let all = all(&workspace::files(&workspace::root())?);
    for name in &options.only {
        if !all.iter().any(|bench| bench.name() == name) {
            let names: Vec<_> = all.iter().map(Bench::name).collect();
            bail!("no bench is called {name:?}; there are {}", names.join(", "));
        }
    }
    let mut fine = true;
    for bench in
        all.iter().filter(|bench| options.only.is_empty() || options.only.iter().any(|n| n == bench.name()))
    {
        say::data(&format!("\n== {}", bench.name()));
        if let Err(error) = measure(bench, options.large) {
            say::note(&format!("{} failed: {error:#}", bench.name()));
            fine = false;
        }
    }
    Ok(fine)
}

fn measure(bench: &Bench, large: bool) -> Result<()> {
    let root = workspace::root();
    match bench {
        Bench::Rust(name) => {
            let cargo = Program::new("cargo", &root);
            cargo
                .args([
                    "run",
                    "--release",
                    "--quiet",
                    "--locked",
                    "--package",
                    "aitrace-bench",
                    "--bin",
                    name,
                ])
                .run()
        }
        Bench::Python(file) => {
            let environment = python::Environment::as_shipped()?;
            environment.program(&python::folder()).args([Path::new("benches").join(file)]).run()
        }
        Bench::Ingest => ingest(&binary()?),
        Bench::Store => store(large),
        Bench::Server => {
            let data = env::temporary().join(format!("aitrace-bench-{}", std::process::id()));
            let figures = server::measure(&binary()?, &data);
            // What is left in the folder of temporary files harms nobody.
            drop(std::fs::remove_dir_all(&data));
            say::data(&figures?);
            Ok(())
        }
    }
}

/// The optimised binary with the viewer inside.
fn binary() -> Result<PathBuf> {
    if web::missing().is_none() {
        web::build()?;
    }
    serve::build(Build::Release)
}

/// An optimised example beside the binary.
fn example(binary: &Path, name: &str) -> PathBuf {
    binary.with_file_name("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Both wires, one after the other: spans of 2 KB over OTLP, trace records of 1 KB.
fn ingest(binary: &Path) -> Result<()> {
    for wire in ["otlp", "records"] {
        Program::new(example(binary, "ingest_bench"), &workspace::root())
            .args([binary.as_os_str(), wire.as_ref(), "200000".as_ref()])
            .run()?;
    }
    Ok(())
}

/// What agents send, and (unless it is large) the hard case of words that never repeat.
fn store(large: bool) -> Result<()> {
    let binary = binary()?;
    let texts = if large { &["agent"][..] } else { &["agent", "words"] };
    for text in texts {
        let data = env::temporary().join(format!("aitrace-bench-{}", std::process::id()));
        say::data(&format!("-- {text}"));
        let done = Program::new(example(&binary, "store_bench"), &workspace::root())
            .args([OsStr::new(if large { LARGE } else { SPANS }), data.as_os_str(), (*text).as_ref()])
            .run();
        // The bench removes it, unless it broke off.
        drop(std::fs::remove_dir_all(&data));
        done?;
    }
    Ok(())
}

/// All benches of a list of files, the server last: it takes the longest build.
fn all(files: &[String]) -> Vec<Bench> {
    let stem = |file: &String, folder: &str, extension: &str| {
        let name = file.strip_prefix(folder)?.strip_suffix(extension)?;
        (!name.contains('/')).then(|| name.to_owned())
    };
    let rust =
        files.iter().filter_map(|file| stem(file, "crates/aitrace-bench/src/bin/", ".rs")).map(Bench::Rust);
    let python = files.iter().filter_map(|file| stem(file, "python/benches/", ".py"));
    let python =
        python.filter(|name| name.starts_with("bench_")).map(|name| Bench::Python(format!("{name}.py")));
    rust.chain(python).chain([Bench::Ingest, Bench::Store, Bench::Server]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benches_are_found_by_where_they_are() {
        let files = [
            "crates/aitrace-bench/src/bin/span.rs",
            "crates/aitrace-bench/src/bin/ingest/main.rs",
            "crates/aitrace-bench/src/lib.rs",
            "python/benches/bench_span.py",
            "python/benches/_anchors.py",
        ];
        let found = all(&files.map(str::to_owned));
        let names: Vec<_> = found.iter().map(Bench::name).collect();
        assert_eq!(names, ["span", "bench_span", "ingest", "store", "serve"]);
    }
}
