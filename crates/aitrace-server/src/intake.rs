//! Trace records on their way to the store, one at a time, and a stream of them as it comes.

use std::io::{self, Write};
use std::sync::Arc;

use aitrace_model::record::JsonlParser;
use aitrace_normalise::{Context, Message};
use aitrace_price::Table;
use aitrace_store::{Batch, log_bytes, span_bytes};

use crate::app::App;
use crate::caller::Caller;
use crate::decode::{self, Read, Rejected};
use crate::error::{ApiError, Result};
use crate::normalise;
use crate::pieces::{PIECE, Pieces, Rest};

/// Collects records into pieces.
#[derive(Debug)]
pub(crate) struct Intake {
    context: Context,
    prices: Arc<Table>,
    pieces: Pieces,
    batch: Batch,
    /// Bytes of the batch.
    memory: usize,
    rejected: Rejected,
}

impl Intake {
    pub(crate) fn new(app: &App, caller: &Caller, pieces: Pieces) -> Self {
        Self {
            context: normalise::context(app, caller),
            prices: app.options.prices.clone(),
            pieces,
            batch: Batch::default(),
            memory: 0,
            rejected: Rejected::default(),
        }
    }

    /// Takes a record, or the reason why there is none. False: the work must end.
    pub(crate) fn take(&mut self, index: u64, read: Read) -> bool {
        match read {
            Ok(record) => match normalise::record(record, &self.context, &self.prices) {
                Message::Span(span) => {
                    self.memory += span_bytes(&span);
                    self.batch.spans.push(*span);
                }
                Message::Log(log) => {
                    self.memory += log_bytes(&log);
                    self.batch.logs.push(*log);
                }
            },
            Err(reason) => self.rejected.push(index, || reason),
        }
        self.memory < PIECE || self.hand_on(false)
    }

    fn hand_on(&mut self, last: bool) -> bool {
        let memory = std::mem::take(&mut self.memory);
        self.pieces.admit(memory, 0) && self.pieces.put(std::mem::take(&mut self.batch), last)
    }

    /// Records that are stored already.
    pub(crate) fn stored(&self) -> usize {
        self.pieces.stored()
    }

    /// Why the work has to end.
    pub(crate) fn fault(&self) -> Option<ApiError> {
        self.pieces.fault()
    }

    /// What is left to be stored, and what was refused.
    pub(crate) fn finish(mut self) -> Result<(Rest, Rejected)> {
        self.hand_on(true);
        Ok((self.pieces.finish()?, self.rejected))
    }
}

/// Takes the bytes of JSON lines as they come, cut anywhere.
#[derive(Debug)]
pub(crate) struct Lines {
    parser: JsonlParser,
    pub(crate) intake: Intake,
    /// Bytes that may still come; 0 once they were too many.
    pub(crate) allowed: u64,
    taken: u64,
    ended: bool,
}

impl Lines {
    pub(crate) fn new(parser: JsonlParser, intake: Intake) -> Self {
        Self { parser, intake, allowed: u64::MAX, taken: 0, ended: false }
    }

    /// Says that nothing follows.
    pub(crate) fn finish(mut self) -> Intake {
        let Self { parser, intake, ended, .. } = &mut self;
        parser.finish(|line, read| {
            *ended = *ended || !intake.take(line - 1, read.map_err(|error| decode::of_line(line, &error)));
        });
        self.intake
    }
}

impl Write for Lines {
    /// Fails once too much has come, or the store takes no more; the intake knows why.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        /// What reading a line takes in memory, as a multiple of it.
        const READ: usize = 4;
        let Self { parser, intake, allowed, taken, ended } = self;
        *taken += bytes.len() as u64;
        if *taken > *allowed {
            *allowed = 0;
            return Err(io::Error::other("it holds too much"));
        }
        parser.push(bytes, |line, read| {
            *ended = *ended || !intake.take(line - 1, read.map_err(|error| decode::of_line(line, &error)));
        });
        *ended = *ended || !intake.pieces.hold(parser.held().saturating_mul(READ));
        if *ended { Err(io::Error::other("the store takes no more")) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
