//! Lines on their way to the server: trace records gathered to batches, requests of OTLP each by itself.

use std::io::{self, Read};

use aitrace_model::record::{self, LineSplitter, RecordError};
use anyhow::{Context as _, Result};

use super::{Report, otlp};
use crate::client::Client;

/// A request is worth its round trip, and stays far below what the server takes.
const BATCH_BYTES: usize = 4 << 20;
const BATCH_LINES: usize = 4000;
/// Longest line: what the server takes of OTLP. A trace record is refused by it at less.
pub(super) const LINE_BYTES: usize = 64 << 20;

/// One file on its way to the server.
pub(super) struct Batches<'a> {
    pub(super) name: String,
    pub(super) client: &'a Client,
    pub(super) report: &'a mut Report,
    /// Lines that wait to be sent, each with a line end.
    lines: Vec<u8>,
    /// Their numbers in the file.
    numbers: Vec<u64>,
}

impl<'a> Batches<'a> {
    pub(super) fn new(name: String, client: &'a Client, report: &'a mut Report) -> Self {
        Self { name, client, report, lines: Vec::new(), numbers: Vec::new() }
    }

    pub(super) fn send_all(&mut self, mut input: impl Read) -> Result<()> {
        let mut splitter = LineSplitter::new(LINE_BYTES);
        let mut chunk = vec![0; 256 << 10];
        loop {
            let length = match input.read(&mut chunk) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).with_context(|| format!("cannot read {}", self.name)),
            };
            let mut failed = None;
            let mut take = |number, line: Result<&[u8], RecordError>| {
                if failed.is_none() {
                    failed = self.take(number, line).err();
                }
            };
            if length == 0 {
                splitter.finish(&mut take);
            } else {
                splitter.push(&chunk[..length], &mut take);
            }
            match failed {
                Some(error) => return Err(error),
                None if length == 0 => return self.send(),
                None => {}
            }
        }
    }

    fn take(&mut self, number: u64, line: Result<&[u8], RecordError>) -> Result<()> {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                self.report.reject(&self.name, number, &error.to_string());
                return Ok(());
            }
        };
        // What a recorder put aside carries checksums: they are the file's, not the records'.
        if let Some(sealed) = std::str::from_utf8(line).ok().filter(|text| record::is_sealed(text)) {
            match record::unseal(sealed) {
                Some(line) => self.push(number, line.as_bytes())?,
                None => {
                    self.report.reject(&self.name, number, "its checksum does not fit: it was damaged");
                }
            }
            return Ok(());
        }
        let signals = otlp::signals(line);
        if signals.is_empty() {
            return self.push(number, line);
        }
        // What stands before it comes before it.
        self.send()?;
        signals.into_iter().try_for_each(|signal| otlp::send(self, number, signal, line))
    }

    /// Adds a trace record; sends what waits once it is much.
    pub(super) fn push(&mut self, number: u64, line: &[u8]) -> Result<()> {
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
        self.numbers.push(number);
        if self.lines.len() >= BATCH_BYTES || self.numbers.len() >= BATCH_LINES {
            self.send()
        } else {
            Ok(())
        }
    }

    /// Sends what waits.
    pub(super) fn send(&mut self) -> Result<()> {
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
