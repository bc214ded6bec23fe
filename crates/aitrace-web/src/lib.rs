//! The viewer's files inside the binary.
