//! The server over real HTTP, with the model of a store behind it.

mod delete;
mod faults;
mod flood;
mod grpc;
mod hostile;
mod http;
mod ingest;
mod keys;
mod lifecycle;
mod limits;
mod live;
mod login;
mod logs;
mod matrix;
mod operate;
mod otlp;
mod pb;
mod query;
mod read;
mod real_client;
mod rig;
mod samples;
mod scores;
mod security;
mod stream;
mod viewer;
