//! Randomness as a dependency: production asks the system, tests count.

use std::fmt::{Debug, Write as _};
use std::io;

/// A source of random bytes.
pub trait Random: Send + Sync + Debug + 'static {
    /// Fills `bytes`; an error where there is no randomness to be had.
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()>;
}

/// The system's source, fit for secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string()))
    }
}

/// `bytes` random bytes as lower-case hex.
pub(crate) fn hex(random: &dyn Random, bytes: usize) -> io::Result<String> {
    let mut buffer = vec![0; bytes];
    random.fill(&mut buffer)?;
    Ok(to_hex(&buffer))
}

/// Bytes as lower-case hex.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}
