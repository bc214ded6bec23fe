//! Stage: store, on one machine. In: batches of spans and log records. Out: pages, traces, changes.
//!
//! ```text
//! append → codec → log (SQLite, durable) → hot (memory) → seal → segment (Parquet) + catalog (SQLite)
//!                                            └──────── read, query (DataFusion) ────────┘
//! ```
//!
//! What was acknowledged is in the log or in a registered segment, never only in memory. One
//! thread writes (`writer`); readers take the hot state first and the catalog second, so that
//! what moves between them in the meantime is seen twice and told apart by its ids, never missed.

mod bodies;
mod bones;
mod cache;
mod catalog;
mod codec;
mod columns;
mod compact;
mod corrections;
pub mod doctor;
mod document;
mod echo;
mod export;
mod extent;
mod faults;
mod figures;
mod filtering;
mod hot;
mod keeper;
mod lists;
mod lock;
mod loose;
mod options;
mod overlay;
mod packing;
mod pages;
mod parts;
mod query;
mod read;
mod rescue;
mod retire;
mod rows;
mod seal;
mod sealed;
mod search;
mod segment;
mod sessions;
mod shared;
mod snapshot;
mod stamp;
mod steps;
mod stop;
mod store;
mod sums;
mod told;
mod views;
mod wal;
mod words;
mod writer;

pub use export::{ExportRow, ParquetExport, ReadExport, export_rows, is_parquet};
pub use options::{HotLimits, Options};
pub use steps::{Step, Watch};
pub use store::EmbeddedStore;
