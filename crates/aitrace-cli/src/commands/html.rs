//! `aitrace html FILE|TRACE_ID`: a page that shows trace records and needs nothing else.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use aitrace_model::record::{self, Limits, LineSplitter, Record};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::convert::Sink;
use super::trace;
use crate::api::{FullSpan, LogLine};
use crate::args;
use crate::client::Client;
use crate::failure::Failure;
use crate::output;
use crate::settings::ServerUrl;
use crate::text;

/// What was shown.
#[derive(Debug, Default, Serialize)]
struct Report {
    records: usize,
    rejected: u64,
}

pub(super) fn run(args: &args::Html) -> Result<ExitCode> {
    let mut report = Report::default();
    let (title, records) = if is_file(&args.what)? {
        read_file(&args.what, &mut report)?
    } else {
        fetch(&args.what.to_string_lossy(), &args.server)?
    };
    report.records = records.len();
    if records.is_empty() {
        let hint = "a file of trace records has one JSON object with __tracer_meta__ a line";
        return Err(Failure::no(format!("there is nothing to show in {title}"), hint).into());
    }
    let mut sink = Sink::open(&args.output)?;
    sink.write(&aitrace_html::render(&title, &records))?;
    let to_file = sink.finish()?;
    if args.json {
        let summary = serde_json::to_string(&report)?;
        if to_file { output::answer(&summary)? } else { output::note(&summary) }
    }
    Ok(if report.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is no file may be an id.
fn is_file(path: &Path) -> Result<bool> {
    let there = path.as_os_str() == "-" || path.try_exists().context("cannot look for the file")?;
    let words = path.to_string_lossy();
    if !there && !words.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let hint = "name a file of trace records, or the id of a trace; `aitrace traces` lists them";
        return Err(Failure::new(format!("{words:?} is neither a file nor the id of a trace"), hint).into());
    }
    Ok(there)
}

fn read_file(path: &Path, report: &mut Report) -> Result<(String, Vec<Record>)> {
    let name = path.display().to_string();
    let mut input: Box<dyn Read> = if name == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(|| format!("cannot open {name}"))?)
    };
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    let limits = Limits::default();
    let mut records = Vec::new();
    let mut splitter = LineSplitter::new(limits.bytes);
    let mut each = |number: u64, line: Result<&[u8], record::RecordError>| match line
        .and_then(|line| record::read(line, &limits))
    {
        Ok(record) => records.push(record),
        Err(error) => {
            report.rejected += 1;
            output::note(&text::clean(&format!("{name}:{number}: {error}")));
        }
    };
    splitter.push(&bytes, &mut each);
    splitter.finish(&mut each);
    Ok((if name == "-" { "stdin".to_owned() } else { name }, records))
}

fn fetch(typed: &str, server: &args::Server) -> Result<(String, Vec<Record>)> {
    #[derive(Deserialize)]
    struct Whole {
        spans: Vec<FullSpan>,
        logs: Vec<LogLine>,
    }
    let client = Client::new(ServerUrl::resolve(server)?);
    let id = trace::find(&client, typed)?;
    let whole: Whole = client.get_json(&format!("/api/trace/{id}"), &[])?;
    let spans = whole.spans.into_iter().map(FullSpan::into_span);
    // The end says all that the start does; of a span that runs there is the start only.
    let mut records: Vec<Record> =
        spans.map(|span| record::end_record(&span).unwrap_or_else(|| record::start_record(&span))).collect();
    records.extend(whole.logs.into_iter().map(|log| record::log_record(&log.into_record(None))));
    Ok((format!("Trace {id}"), records))
}
