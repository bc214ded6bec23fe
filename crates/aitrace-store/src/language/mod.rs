//! The filter language: one form for API, command line and viewer.
//!
//! ```text
//! status:error model:gpt-4* duration>2s metadata.tid=7 "free text" (kind:llm OR kind:tool) -user:*
//! ```
//!
//! [`Filter`] is the tree, [`std::str::FromStr`] its parser, `Display` its canonical text. What has a line, a span
//! or a log record to say of a condition is in `judge`.

mod field;
mod judge;
mod needle;
mod parse;
mod pattern;
mod tree;

pub use field::{Field, FieldKind, Has};
pub use judge::Plain;
pub use needle::Needle;
pub(crate) use needle::excerpt;
pub use parse::{FilterError, duration};
pub use pattern::Pattern;
pub use tree::{Filter, Op, Operand, Term};

#[cfg(test)]
mod tests;
