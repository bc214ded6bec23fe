//! `aitrace export`: everything that fulfils a filter as trace records, which `aitrace import` reads back.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

use aitrace_model::record;
use anyhow::{Context as _, Result};

use super::wanted;
use crate::asks;
use crate::client::Client;
use crate::output::{self, Output};
use crate::settings::{self, ServerUrl};

pub(super) fn run(args: &asks::Export) -> Result<ExitCode> {
    let compat = settings::compat(&args.compat)?;
    let client = Client::new(ServerUrl::resolve(&args.server)?);
    let mut query = wanted::pairs(&args.wanted)?;
    query.extend(args.q.clone().map(|q| ("q", q)));
    let lines = BufReader::with_capacity(256 << 10, client.get("/api/export", &wanted::borrowed(&query))?);
    let stdout = args.output.as_os_str() == "-";
    let mut sink = if stdout { Sink::Stdout(Output::stdout()) } else { Sink::create(&args.output)? };
    let mut count = 0_u64;
    for line in lines.lines() {
        let line = line.map_err(|error| client.broken_off(&error))?;
        let line = if compat { again(&line).map_err(|error| client.strange(&error))? } else { line };
        sink.line(&line)?;
        count += 1;
    }
    sink.finish()?;
    let said =
        if args.json { format!("{{\"exported\":{count}}}") } else { format!("{count} records exported") };
    if args.json && !stdout {
        output::answer(&said)?;
    } else {
        output::note(&said);
    }
    Ok(ExitCode::SUCCESS)
}

/// The record with its timestamp at the top level too.
fn again(line: &str) -> Result<String, record::RecordError> {
    let record = record::read(line.as_bytes(), &record::Limits::default())?;
    Ok(record.to_line(true).trim_end().to_owned())
}

/// Where the records go.
enum Sink {
    Stdout(Output),
    /// The file under a name of its own until it is whole.
    File(BufWriter<File>, std::path::PathBuf, std::path::PathBuf),
}

impl Sink {
    fn create(path: &Path) -> Result<Self> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = std::path::PathBuf::from(partial);
        let file = File::create(&partial).with_context(|| format!("cannot write {}", partial.display()))?;
        Ok(Self::File(BufWriter::new(file), partial, path.to_owned()))
    }

    fn line(&mut self, line: &str) -> Result<()> {
        match self {
            Self::Stdout(out) => out.line(line),
            Self::File(file, partial, _) => {
                writeln!(file, "{line}").with_context(|| format!("cannot write {}", partial.display()))
            }
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Stdout(mut out) => out.flush(),
            Self::File(mut file, partial, path) => {
                file.flush().with_context(|| format!("cannot write {}", partial.display()))?;
                std::fs::rename(&partial, &path).with_context(|| format!("cannot write {}", path.display()))
            }
        }
    }
}
