//! The Rust SDK of aitrace and the recorder under both SDKs.
