//! The Rust SDK of aitrace and the recorder under both SDKs.
//!
//! ```text
//! start → context → enrich → end → batch → export ⇒ ingest → decode → normalise → store → query → view
//! ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
//! ```
//!
//! Stage: start to export.
//! In: a program that says what it does ([`Tracer`], [`trace`], [`enrich_span`]).
//! Out: OTLP requests, trace records, or [`aitrace_model::Span`]s in memory ([`Target`]).
//!
//! ```
//! let tracer = aitrace::Tracer::builder().project("support").target("memory").build();
//! {
//!     let span = tracer.start_span("plan");
//!     span.set_attribute("k", 1);
//!     tracer.enrich_span(aitrace::Enrich::new().metadata("order", 7).metric("hits", 3.0));
//! }
//! assert_eq!(tracer.spans()[0].name, "plan");
//! ```
//!
//! # How it works
//!
//! A span that begins is put into a slot of its thread's shard (`shard`); there it can be changed, and the
//! tracer's worker can see it while it is open. One that ends moves from its slot to a chunk, which the worker
//! takes when it is full or at its next look. Memory is bounded: what does not fit is dropped and counted.
//! Nothing here blocks the traced program, panics into it, or fails: what goes wrong is counted, and
//! [`Tracer::flush`] tells.

#[doc(hidden)]
pub mod __private;
mod attach;
mod bounded;
#[cfg(feature = "opentelemetry")]
mod bridge;
mod builder;
mod code;
mod collect;
pub mod config;
mod context;
mod convert;
mod core;
mod correct;
mod data;
mod desk;
mod env;
#[cfg(feature = "evaluate")]
pub mod evaluate;
mod exit;
mod export;
mod fields;
mod finish;
mod fork;
mod hub;
mod identity;
mod ids;
mod instant;
#[cfg(feature = "tracing")]
mod layer;
mod local;
mod lock;
mod log;
mod lost;
#[cfg(feature = "opentelemetry")]
pub mod otel;
mod outbox;
mod page;
mod pause;
mod peek;
mod prepare;
mod problem;
mod process;
mod propagate;
mod read;
mod registry;
mod replay;
mod shard;
mod span;
mod spool;
mod state;
#[cfg(feature = "stream")]
mod stream;
mod target;
pub mod testing;
mod text;
mod ticks;
mod tracer;
mod value;
mod worker;

pub use aitrace_macros::trace;
pub use aitrace_model::{
    AnyValue, Clock, CodeLocation, ErrorInfo, EventType, Json, Level, LogRecord, Phase, SpanId, SpanKind,
    Status, SystemClock, Timestamp, TraceId,
};
pub use attach::{ContextGuard, InContext, InSpan};
pub use bounded::{capture, capture_debug};
pub use builder::TracerBuilder;
pub use code::{Code, Function};
pub use context::{Baggage, Context, SpanContext};
pub use data::{LogData, SpanData, SpanStatus};
#[cfg(feature = "evaluate")]
pub use evaluate::{evaluate, evaluate_async};
pub use export::{Batch, Exported, Exporter};
pub use fields::{Enrich, Group};
pub use finish::FlushResult;
pub use hub::Stats;
pub use identity::{Identity, Session};
pub use ids::IdGenerator;
#[cfg(feature = "tracing")]
pub use layer::{Events, Layer, layer};
pub use log::{Log, LogSpan, NewEvent};
pub use problem::Problem;
pub use process::{Rules, RulesError, RulesFormat};
pub use span::{Parent, Span, SpanHandle, SpanOptions};
#[cfg(feature = "stream")]
pub use stream::{InStream, StreamInSpan};
pub use target::Target;
pub use text::Text;
pub use tracer::{Tracer, enrich_span};
pub use value::{Short, Value};
