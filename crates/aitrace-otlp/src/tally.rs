//! The running count of a request against its limits.
