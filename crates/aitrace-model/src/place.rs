//! Places in source code.

use serde::{Deserialize, Serialize};

/// A place in the user's source code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CodeLocation {
    /// Path relative to the workspace root.
    pub file: String,
    /// Line from 1, 0 where unknown.
    pub line: u32,
    /// Name of the function, empty where unknown.
    pub function: String,
}
