//! The command `aitrace`.

fn main() {}
