//! The two channels: stdout is data, stderr everything else.

use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};

/// Whoever read stdout has gone: not an error, but there is nothing more to do.
#[derive(Debug)]
pub(crate) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stdout was closed")
    }
}

impl std::error::Error for Closed {}

/// Stdout, written in large pieces and flushed where a reader may wait.
#[derive(Debug)]
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    /// Takes stdout for this thread.
    pub(crate) fn stdout() -> Self {
        Self(BufWriter::with_capacity(64 << 10, io::stdout().lock()))
    }

    /// A line.
    pub(crate) fn line(&mut self, text: &str) -> anyhow::Result<()> {
        self.text(text)?;
        self.text("\n")
    }

    /// Text as it is.
    pub(crate) fn text(&mut self, text: &str) -> anyhow::Result<()> {
        self.0.write_all(text.as_bytes()).map_err(closed)
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.0.write_all(bytes).map_err(closed)
    }

    /// Hands over what was written.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        self.0.flush().map_err(closed)
    }
}

fn closed(error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        anyhow::Error::new(Closed)
    } else {
        anyhow::Error::new(error).context("cannot write to stdout")
    }
}

/// Writes one line to stdout at once.
pub(crate) fn answer(line: &str) -> anyhow::Result<()> {
    let mut out = Output::stdout();
    out.line(line)?;
    out.flush()
}

/// A line to stderr.
#[expect(clippy::print_stderr, reason = "the one place that writes messages")]
pub(crate) fn note(line: &str) {
    eprintln!("{line}");
}
