//! `aitrace import`: files to a server, in their order. What a file holds is known by its contents: trace records, requests
//! of OTLP/JSON or a Parquet table, whatever its name.

mod batches;
pub(super) mod otlp;
mod table;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use aitrace_store_embedded::is_parquet;
use anyhow::{Context as _, Result};
use serde::Serialize;

use self::batches::Batches;
use crate::args;
use crate::client::Client;
use crate::failure::Failure;
use crate::output;
use crate::settings::ServerUrl;
use crate::text;

/// Bytes by which a file is known.
const HEAD: u64 = 64 << 10;
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
        let sent = import(path, &client, &mut report);
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

/// Imports one file.
fn import(path: &Path, client: &Client, report: &mut Report) -> Result<()> {
    let stdin = path.as_os_str() == "-";
    let name = if stdin { "-".to_owned() } else { path.display().to_string() };
    let mut input: Box<dyn Read> = if stdin {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(|| format!("cannot open {name}"))?)
    };
    let mut head = Vec::new();
    input.by_ref().take(HEAD).read_to_end(&mut head).with_context(|| format!("cannot read {name}"))?;
    let mut batches = Batches::new(name, client, report);
    if is_parquet(&head) {
        if stdin {
            return Err(
                Failure::new("a Parquet file is read from its end, not from stdin", "name the file").into()
            );
        }
        return table::send_all(path, &mut batches);
    }
    let spread = otlp::is_spread(&head);
    let input = io::Cursor::new(head).chain(input);
    if spread { otlp::send_spread(input, &mut batches) } else { batches.send_all(input) }
}
