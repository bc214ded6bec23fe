//! Formats of an export that need nothing but the model. Others are given to the server; see
//! [`crate::ServerOptions::parquet`].

mod jsonl;
mod otlp;

pub(crate) use jsonl::Jsonl;
pub(crate) use otlp::Otlp;
