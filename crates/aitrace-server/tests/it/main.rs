//! The server over real HTTP, with the model of a store behind it.

mod faults;
mod grpc;
mod hostile;
mod http;
mod ingest;
mod keys;
mod lifecycle;
mod limits;
mod live;
mod logs;
mod matrix;
mod otlp;
mod pb;
mod read;
mod real_client;
mod rig;
mod samples;
mod security;
mod viewer;
