//! Benches with the anchors in the same run.
