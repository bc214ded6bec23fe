//! `aitrace convert`: trace records of format 1 to format 2. No server is needed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aitrace_model::record::{self, Limits, LineSplitter, RecordError};
use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::args;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::settings;
use crate::text;

/// What was done.
#[derive(Debug, Default, Serialize)]
struct Report {
    converted: u64,
    rejected: u64,
}

pub(super) fn run(args: &args::Convert) -> Result<ExitCode> {
    let compat = settings::compat(&args.compat)?;
    let name = args.file.display().to_string();
    let input: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&args.file).with_context(|| format!("cannot open {name}"))?)
    };
    let mut sink = Sink::open(&args.output)?;
    let mut report = Report::default();
    convert(input, &name, &mut sink, &mut report, compat)?;
    let to_file = sink.finish()?;
    let summary = if args.json {
        serde_json::to_string(&report)?
    } else {
        format!("{} converted, {} rejected", report.converted, report.rejected)
    };
    // Where the records take stdout, what is said about them cannot.
    if to_file && args.json {
        output::answer(&summary)?;
    } else {
        output::note(&summary);
    }
    Ok(if report.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn convert(
    mut input: impl Read,
    name: &str,
    sink: &mut Sink,
    report: &mut Report,
    compat: bool,
) -> Result<()> {
    let limits = Limits::default();
    let mut splitter = LineSplitter::new(limits.bytes);
    let mut chunk = vec![0; 256 << 10];
    let mut lines = String::new();
    loop {
        let mut each = |number: u64, line: Result<&[u8], RecordError>| match line
            .and_then(|line| record::convert(line, &limits))
        {
            Ok(record) => {
                record.write_line(&mut lines, compat);
                lines.push('\n');
                report.converted += 1;
            }
            Err(error) => {
                report.rejected += 1;
                output::note(&text::clean(&format!("{name}:{number}: {error}")));
            }
        };
        let length = match input.read(&mut chunk) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read {name}")),
        };
        if length == 0 {
            splitter.finish(&mut each);
        } else {
            splitter.push(&chunk[..length], &mut each);
        }
        sink.write(&lines)?;
        lines.clear();
        if length == 0 {
            return Ok(());
        }
    }
}

/// Where the records go.
#[derive(Debug)]
pub(super) enum Sink {
    Stdout(Output),
    /// A file beside the wanted one, which it replaces when all is written: a run that breaks off leaves
    /// neither half a file nor, where input and output are the same, none.
    File {
        file: BufWriter<File>,
        temporary: PathBuf,
        wanted: PathBuf,
    },
}

impl Sink {
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout(Output::stdout()));
        }
        let Some(file_name) = path.file_name() else {
            return Err(Failure::new(format!("{} is no name of a file", path.display()), "").into());
        };
        let mut temporary = file_name.to_owned();
        temporary.push(format!(".{}.part", std::process::id()));
        let temporary = path.with_file_name(temporary);
        let file =
            File::create(&temporary).with_context(|| format!("cannot write {}", temporary.display()))?;
        Ok(Self::File { file: BufWriter::new(file), temporary, wanted: path.to_owned() })
    }

    pub(super) fn write(&mut self, lines: &str) -> Result<()> {
        match self {
            Self::Stdout(out) => {
                out.text(lines)?;
                out.flush()
            }
            Self::File { file, temporary, .. } => file
                .write_all(lines.as_bytes())
                .with_context(|| format!("cannot write {}", temporary.display())),
        }
    }

    /// Puts a file in its place; whether there is one.
    pub(super) fn finish(&mut self) -> Result<bool> {
        let Self::File { file, temporary, wanted } = self else { return Ok(false) };
        file.flush()
            .and_then(|()| file.get_ref().sync_all())
            .and_then(|()| fs::rename(&*temporary, &*wanted))
            .with_context(|| format!("cannot write {}", wanted.display()))?;
        Ok(true)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Self::File { temporary, .. } = self {
            // It is gone when all went well.
            drop(fs::remove_file(temporary));
        }
    }
}
