//! The command `aitrace` as its users run it: the real binary, in a folder of its own.

mod support;
