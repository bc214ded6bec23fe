//! HTTP of aitrace: the only crate that knows it.
//!
//! ```text
//! start → context → enrich → end → batch → export ⇒ ingest → decode → normalise → store → query → view
//!                                                  ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
//! ```
//!
//! Stages: ingest to view, each in the module of its verb; decoding, normalising and storing themselves are
//! other crates' work. In: HTTP requests. Out: answers, live streams, batches and questions for the [`Stores`].
//!
//! What holds for every request:
//! - It names a host of ours and comes from no other web site; loopback is not a trust boundary.
//! - Its route stands in one table with its policy. `GET` changes nothing.
//! - Its caller decides which projects it touches; handlers know no other way to a scope.
//! - Memory is reserved before it is used, before and after decompression; what does not fit is answered 429.
//! - What was acknowledged is durable. Bad input is answered 4xx and never costs the good input beside it;
//!   a passing fault is answered 429 or 503 with `Retry-After`, so that no sender drops data for it.
//! - Nothing that users sent is written to the server's own log, names of projects in the lines of `audit` excepted.

mod admission;
mod app;
mod append;
mod audit;
mod auth;
mod caller;
mod closing;
mod decode;
mod disk;
mod documents;
mod error;
mod formats;
mod greeting;
mod guard;
mod handle;
mod inflow;
mod ingest;
mod intake;
mod limits;
mod listen;
mod live;
mod media;
mod memory;
mod metrics;
mod normalise;
mod options;
mod pieces;
mod policy;
mod process;
mod query;
mod question;
mod retention;
mod route;
mod server;
mod stall;
mod stores;
mod trim;
mod unpack;
mod view;

pub use auth::{Keys, ListedKey, NewKey, Pepper, Random, Scope, SystemRandom, WantedKey};
pub use disk::Disk;
pub use limits::Limits;
pub use options::ServerOptions;
pub use route::{RouteInfo, routes};
pub use server::{Bound, Server, ServerBuilder, ServerError};
pub use stores::Stores;
