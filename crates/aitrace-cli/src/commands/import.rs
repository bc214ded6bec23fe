//! `aitrace import`: files of trace records to a server, in batches, in their order.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use aitrace_model::record::{self, Limits, LineSplitter};
use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::args;
use crate::client::Client;
use crate::output;
use crate::settings::ServerUrl;
use crate::text;

/// A request is worth its round trip, and stays far below what the server takes.
const BATCH_BYTES: usize = 4 << 20;
const BATCH_LINES: usize = 4000;
/// Rejected records that are named; a file of the wrong format would name all its lines.
const NAMED: usize = 100;

/// What became of the files.
#[derive(Debug, Default, Serialize)]
struct Report {
    ingested: u64,
    rejected: Vec<Rejected>,
    rejected_total: u64,
}

#[derive(Debug, Serialize)]
struct Rejected {
    file: String,
    line: u64,
    error: String,
}

impl Report {
    fn reject(&mut self, file: &str, line: u64, error: &str) {
        self.rejected_total += 1;
        if self.rejected.len() < NAMED {
            output::note(&text::clean(&format!("{file}:{line}: {error}")));
            self.rejected.push(Rejected { file: file.to_owned(), line, error: error.to_owned() });
        }
    }
}

pub(super) fn run(args: &args::Import) -> Result<ExitCode> {
    let client = Client::new(ServerUrl::resolve(&args.server)?);
    let mut report = Report::default();
    for path in &args.files {
        let (name, input) = open(path)?;
        let mut file =
            Batches { name, client: &client, report: &mut report, lines: Vec::new(), numbers: Vec::new() };
        let sent = file.send_all(input);
        if let Err(error) = sent {
            output::note(&format!("{} records were imported before", report.ingested));
            return Err(error);
        }
    }
    let unnamed = report.rejected_total - report.rejected.len() as u64;
    if unnamed > 0 {
        output::note(&format!("and {unnamed} more were rejected"));
    }
    if args.json {
        output::answer(&serde_json::to_string(&report)?)?;
    } else {
        output::answer(&format!("{} imported, {} rejected", report.ingested, report.rejected_total))?;
    }
    Ok(if report.rejected_total == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn open(path: &Path) -> Result<(String, Box<dyn Read>)> {
    if path.as_os_str() == "-" {
        return Ok(("-".to_owned(), Box::new(io::stdin().lock())));
    }
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
    Ok((name, Box::new(file)))
}

/// One file on its way to the server.
struct Batches<'a> {
    name: String,
    client: &'a Client,
    report: &'a mut Report,
    /// Lines that wait to be sent, each with a line end.
    lines: Vec<u8>,
    /// Their numbers in the file.
    numbers: Vec<u64>,
}

impl Batches<'_> {
    fn send_all(&mut self, mut input: impl Read) -> Result<()> {
        let mut splitter = LineSplitter::new(Limits::default().bytes);
        let mut chunk = vec![0; 256 << 10];
        loop {
            let length = match input.read(&mut chunk) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).with_context(|| format!("cannot read {}", self.name)),
            };
            if length == 0 {
                splitter.finish(|number, line| self.take(number, line));
                return self.send();
            }
            splitter.push(&chunk[..length], |number, line| self.take(number, line));
            if self.lines.len() >= BATCH_BYTES || self.numbers.len() >= BATCH_LINES {
                self.send()?;
            }
        }
    }

    fn take(&mut self, number: u64, line: Result<&[u8], record::RecordError>) {
        // What a recorder put aside carries checksums: they are the file's, not the records'.
        let text = line.as_ref().ok().and_then(|line| std::str::from_utf8(line).ok());
        if let Some(sealed) = text.filter(|text| record::is_sealed(text)) {
            match record::unseal(sealed) {
                Some(line) => self.take_line(number, line.as_bytes()),
                None => self.report.reject(&self.name, number, "its checksum does not fit: it was damaged"),
            }
            return;
        }
        match line {
            Ok(line) => self.take_line(number, line),
            Err(error) => self.report.reject(&self.name, number, &error.to_string()),
        }
    }

    fn take_line(&mut self, number: u64, line: &[u8]) {
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
        self.numbers.push(number);
    }

    fn send(&mut self) -> Result<()> {
        if self.numbers.is_empty() {
            return Ok(());
        }
        let first = self.numbers.first().copied().unwrap_or_default();
        let answer = self.client.ingest(&self.lines);
        let answer = answer.with_context(|| format!("cannot import {} from line {first} on", self.name))?;
        self.report.ingested += answer.count;
        for rejected in &answer.rejected {
            let number =
                usize::try_from(rejected.index).ok().and_then(|index| self.numbers.get(index).copied());
            // The server counts the lines of its request; the file's are what a person looks for.
            let prefix = format!("line {}: ", rejected.index + 1);
            let reason = rejected.error.strip_prefix(&prefix).unwrap_or(&rejected.error);
            self.report.reject(&self.name, number.unwrap_or(first), reason);
        }
        self.report.rejected_total += answer.rejected_total() - answer.rejected.len() as u64;
        self.lines.clear();
        self.numbers.clear();
        Ok(())
    }
}
