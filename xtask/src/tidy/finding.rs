//! One thing that is wrong: where, what, why, how to mend it.

use std::fmt;

/// A breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    /// Path from the root.
    pub(super) file: String,
    /// Line, from 1; 1 when the whole file is meant.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) what: String,
    /// Why that is a rule.
    pub(super) why: &'static str,
    /// How to mend it.
    pub(super) mend: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}; {}", self.file, self.line, self.what, self.why, self.mend)
    }
}
