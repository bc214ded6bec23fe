//! The attribute macro of the aitrace SDK.
