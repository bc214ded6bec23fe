//! Stage: store. The embedded store.
