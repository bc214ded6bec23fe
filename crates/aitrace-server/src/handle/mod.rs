//! HTTP in, HTTP out: one module for each group of routes.

mod answer;
pub(crate) mod delete;
pub(crate) mod export;
pub(crate) mod figures;
pub(crate) mod grpc;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod live;
pub(crate) mod login;
pub(crate) mod metrics;
pub(crate) mod otlp;
mod outflow;
pub(crate) mod records;
pub(crate) mod reprice;
pub(crate) mod scores;
pub(crate) mod search;
pub(crate) mod sessions;
pub(crate) mod traces;
pub(crate) mod trees;
pub(crate) mod viewer;
mod within;
