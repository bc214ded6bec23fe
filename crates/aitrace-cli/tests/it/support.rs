//! A folder, the binary, a server on a free port.

/// Path of the binary under test.
pub(crate) const AITRACE: &str = env!("CARGO_BIN_EXE_aitrace");
