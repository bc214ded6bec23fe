//! Where the traced code is.

use std::panic::Location;
use std::sync::Arc;

use aitrace_model::CodeLocation;

/// A place in the traced program that costs nothing to note.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Code {
    /// Not known.
    #[default]
    Unknown,
    /// The caller, as the compiler tells it.
    Caller(&'static Location<'static>),
    /// A function that carries `#[trace]`.
    Function(&'static Function),
    /// Made at run time.
    Shared(Arc<CodeLocation>),
}

/// A function of the traced program, written by the attribute macro.
#[derive(Debug)]
pub struct Function {
    /// Source file as the compiler was given it.
    pub file: &'static str,
    /// Line of the attribute, from 1.
    pub line: u32,
    /// Path of the module.
    pub module: &'static str,
    /// Name of the function.
    pub name: &'static str,
}

impl Code {
    /// The place, `None` where it is not known.
    pub(crate) fn locate(&self) -> Option<CodeLocation> {
        match self {
            Self::Unknown => None,
            Self::Caller(place) => Some(CodeLocation {
                file: place.file().to_owned(),
                line: place.line(),
                function: String::new(),
            }),
            Self::Function(function) => Some(CodeLocation {
                file: function.file.to_owned(),
                line: function.line,
                function: format!("{}::{}", function.module, function.name),
            }),
            Self::Shared(place) => Some(place.as_ref().clone()),
        }
    }
}
