//! Errors as a person reads them: what went wrong, why, and what to do.

use std::fmt;
use std::process::ExitCode;

use crate::output;

/// An error that knows what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: String,
    code: u8,
}

impl Failure {
    /// Wrong usage or surroundings: exit code 2.
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), code: 2 }
    }

    /// The answer is no: exit code 1.
    pub(crate) fn no(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: 1, ..Self::new(message, hint) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Writes an error to stderr; the code to exit with.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<output::Closed>().is_some() {
        // Whoever read our answer has read enough.
        return ExitCode::SUCCESS;
    }
    let failure = error.downcast_ref::<Failure>();
    output::note(&format!("error: {}", crate::text::clean(&format!("{error:#}"))));
    if let Some(hint) = failure.map(|failure| &failure.hint).filter(|hint| !hint.is_empty()) {
        output::note(&format!("hint: {}", crate::text::clean(hint)));
    }
    ExitCode::from(failure.map_or(2, |failure| failure.code))
}
