//! Decompression of a stream as it comes: what comes out is dealt with at once, so that it costs no memory.

use std::fmt;
use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{DParameter, Decoder};
use zstd::stream::zio;

use crate::error::{ApiError, Kind, Result};
use crate::intake::{Intake, Lines};
use crate::media::Packing;
use crate::unpack::WINDOW_LOG;

/// Bytes that a byte as sent may become once the stream is long: ten times what trace data is packed to.
const RATIO: u64 = 200;

/// A stream of trace records being unpacked.
pub(crate) struct Inflow {
    unpacker: Unpacker,
    /// Bytes as sent, so far.
    sent: u64,
    /// Bytes that may come out however few were sent.
    free: u64,
}

enum Unpacker {
    Plain(Box<Lines>),
    Gzip(Box<MultiGzDecoder<Lines>>),
    Zstd(Box<zio::Writer<Lines, Decoder<'static>>>),
}

impl Inflow {
    /// Bytes of memory that unpacking takes.
    pub(crate) const fn memory(packing: Packing) -> usize {
        match packing {
            Packing::None => 0,
            Packing::Gzip => 128 << 10,
            Packing::Zstd => (1 << WINDOW_LOG) + (256 << 10),
        }
    }

    pub(crate) fn new(packing: Packing, free: usize, lines: Lines) -> Result<Self> {
        let unpacker = match packing {
            Packing::None => Unpacker::Plain(Box::new(lines)),
            Packing::Gzip => Unpacker::Gzip(Box::new(MultiGzDecoder::new(lines))),
            Packing::Zstd => {
                let decoder = Decoder::new().and_then(|mut decoder| {
                    decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
                    Ok(decoder)
                });
                let decoder = decoder.map_err(|error| broken("zstd", &error))?;
                Unpacker::Zstd(Box::new(zio::Writer::new(lines, decoder)))
            }
        };
        Ok(Self { unpacker, sent: 0, free: free as u64 })
    }

    fn lines(&mut self) -> &mut Lines {
        match &mut self.unpacker {
            Unpacker::Plain(lines) => lines,
            Unpacker::Gzip(decoder) => decoder.get_mut(),
            Unpacker::Zstd(decoder) => decoder.writer_mut(),
        }
    }

    /// Records that are stored already.
    pub(crate) fn stored(&mut self) -> usize {
        self.lines().intake.stored()
    }

    /// Takes the next bytes. An error ends the stream; where the store has caused it, [`Inflow::finish`] says so.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.sent += bytes.len() as u64;
        let (sent, free) = (self.sent, self.free);
        let packed = !matches!(self.unpacker, Unpacker::Plain(_));
        self.lines().allowed = if packed { free.max(sent.saturating_mul(RATIO)) } else { u64::MAX };
        let done = match &mut self.unpacker {
            Unpacker::Plain(lines) => lines.write_all(bytes),
            Unpacker::Gzip(decoder) => decoder.write_all(bytes),
            Unpacker::Zstd(decoder) => decoder.write_all(bytes),
        };
        done.map_err(|error| self.why(&error))
    }

    /// Says that nothing follows.
    pub(crate) fn finish(mut self) -> Result<Intake> {
        let done = match &mut self.unpacker {
            Unpacker::Plain(_) => Ok(()),
            Unpacker::Gzip(decoder) => decoder.try_finish(),
            Unpacker::Zstd(decoder) => decoder.finish(),
        };
        done.map_err(|error| self.why(&error))?;
        match self.unpacker {
            Unpacker::Plain(lines) => Ok(lines.finish()),
            Unpacker::Gzip(decoder) => {
                decoder.finish().map(Lines::finish).map_err(|error| broken("gzip", &error))
            }
            Unpacker::Zstd(decoder) => Ok(decoder.into_inner().0.finish()),
        }
    }

    fn why(&mut self, error: &io::Error) -> ApiError {
        let name = if matches!(self.unpacker, Unpacker::Gzip(_)) { "gzip" } else { "zstd" };
        let lines = self.lines();
        if lines.allowed == 0 {
            let text = format!("the body holds more than {RATIO} times its bytes once decompressed");
            return ApiError::new(Kind::TooLarge, text, "Send it less compressed.");
        }
        lines.intake.fault().unwrap_or_else(|| broken(name, error))
    }
}

impl fmt::Debug for Inflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflow").field("sent", &self.sent).finish_non_exhaustive()
    }
}

fn broken(name: &str, error: &io::Error) -> ApiError {
    ApiError::new(
        Kind::BadRequest,
        format!("the body is not {name}: {error}"),
        format!("Send complete {name}, or no Content-Encoding for a plain body."),
    )
}
