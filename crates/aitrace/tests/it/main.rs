//! Integration tests of the recorder.
