//! `aitrace export`: everything that fulfils a filter in a form that `aitrace import` reads back.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, IsTerminal as _, Read, Write as _};
use std::path::Path;
use std::process::ExitCode;

use aitrace_model::record;
use aitrace_store_embedded::export_rows;
use anyhow::{Context as _, Result};

use super::import::otlp;
use super::wanted;
use crate::asks;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::settings::{self, ServerUrl};

pub(super) fn run(args: &asks::Export) -> Result<ExitCode> {
    let compat = settings::compat(&args.compat)?;
    let client = Client::new(ServerUrl::resolve(&args.server)?);
    let mut query = wanted::pairs(&args.wanted)?;
    query.extend(args.q.clone().map(|q| ("q", q)));
    query.push(("format", args.format.clone()));
    let stdout = args.output.as_os_str() == "-";
    let table = args.format == "parquet";
    if table && stdout && std::io::stdout().is_terminal() {
        return Err(
            Failure::new("a Parquet file is nothing to read on a terminal", "name a file with -o").into()
        );
    }
    let body = BufReader::with_capacity(256 << 10, client.get("/api/export", &wanted::borrowed(&query))?);
    let mut sink = if stdout { Sink::Stdout(Output::stdout()) } else { Sink::create(&args.output)? };
    let counted = if table {
        copy(body, &client, &mut sink).map(|bytes| (bytes, "bytes"))
    } else {
        lines(body, &client, &mut sink, compat && args.format == "jsonl").map(|count| (count, "records"))
    };
    let (mut count, mut what) = counted?;
    sink.finish()?;
    if table && !stdout {
        (count, what) = (export_rows(&args.output)?, "records");
    }
    let key = if what == "bytes" { what } else { "exported" };
    let said = if args.json { format!("{{\"{key}\":{count}}}") } else { format!("{count} {what} exported") };
    if args.json && !stdout {
        output::answer(&said)?;
    } else {
        output::note(&said);
    }
    Ok(ExitCode::SUCCESS)
}

/// Copies lines; returns how many records are in them.
fn lines(body: impl BufRead, client: &Client, sink: &mut Sink, compat: bool) -> Result<u64> {
    let mut count = 0;
    for line in body.lines() {
        let line = line.map_err(|error| client.broken_off(&error))?;
        let line = if compat { again(&line).map_err(|error| client.strange(&error))? } else { line };
        let signals = otlp::signals(line.as_bytes());
        let items = signals.iter().map(|signal| otlp::items(line.as_bytes(), *signal)).sum::<u64>();
        count += if signals.is_empty() { 1 } else { items };
        sink.write(line.as_bytes())?;
        sink.write(b"\n")?;
    }
    Ok(count)
}

/// Copies bytes; returns how many.
fn copy(mut body: impl Read, client: &Client, sink: &mut Sink) -> Result<u64> {
    let (mut piece, mut count) = (vec![0; 256 << 10], 0);
    loop {
        let length = body.read(&mut piece).map_err(|error| client.broken_off(&error))?;
        if length == 0 {
            return Ok(count);
        }
        sink.write(&piece[..length])?;
        count += length as u64;
    }
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

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stdout(out) => out.bytes(bytes),
            Self::File(file, partial, _) => {
                file.write_all(bytes).with_context(|| format!("cannot write {}", partial.display()))
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
