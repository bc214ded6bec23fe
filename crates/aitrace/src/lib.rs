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
//! # Guide
//!
//! **A tracer** records spans of one project, source and session. Programs may have several: each span carries
//! its own tracer's identity, also inside of another's span, and shutting one down changes no other. What is
//! not set comes from `AITRACE_*`. Call [`Tracer::shutdown`] at the end: it says truly what was sent.
//!
//! **Functions** are traced by [`#[trace]`](macro@trace): sync, async, methods, those that return futures
//! or streams. Arguments, result and `Err` are recorded.
//!
//! ```
//! #[aitrace::trace(event_type = "tool", skip(secret))]
//! async fn look_up(order: u64, secret: &str) -> Result<String, std::num::ParseIntError> {
//!     aitrace::enrich_span(aitrace::Enrich::new().metadata("table", "orders"));
//!     Ok(format!("order {order}"))
//! }
//! ```
//!
//! **Spans** by hand are guards: [`Tracer::start_span`] makes one current, dropping it ends it. One that is
//! to be sent to other threads, or is not to be current, is a [`SpanHandle`] ([`Tracer::start`]).
//!
//! **Futures** run inside of a span with [`InSpan::in_span`], streams with `StreamInSpan` (feature `stream`).
//! The span is current while they are polled and never between. A future that is dropped before its end is
//! marked `aitrace.cancelled`.
//!
//! **Threads, tasks, pools** begin without a context. Hand it over:
//!
//! ```
//! # let tracer = aitrace::Tracer::builder().target("memory").build();
//! let _span = tracer.start_span("fan out");
//! let context = aitrace::Context::current();
//! std::thread::scope(|scope| {
//!     scope.spawn(move || {
//!         let _context = context.attach();
//!         tracer.start_span("part").end();
//!     });
//! });
//! ```
//!
//! For a spawned task it is `tokio::spawn(work.in_context(Context::current()))`.
//!
//! **Other processes** get [`Tracer::inject_context`] and use [`Tracer::extract_context`]: W3C headers with
//! the parent span and four keys of [`Baggage`], nothing else.
//!
//! **Which tracer** a free function means: the one of the innermost span of this process, else the baggage's
//! `tracer_id`, else the default one ([`Tracer::set_default`]), else the oldest. With none, nothing is recorded
//! and nothing fails. [`Tracer::enrich_span`] never reaches another tracer's span.
//!
//! **Sessions, events, late words**: [`Tracer::create_session`], [`Tracer::enrich_session`],
//! [`Tracer::create_event`], [`Enrich::event_id`].
//!
//! **Other instrumentation** nests in ours and ours in it: the `tracing` crate by `layer` (feature `tracing`),
//! OpenTelemetry by `Tracer::provider` (feature `opentelemetry`).
//!
//! **Evaluation**: `evaluate` (feature `evaluate`, on by default) runs a function over a dataset and judges it.
//!
//! **Tests** of a traced program use [`testing`]: a clock that stands still, ids that count, spans as text.
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
mod aside;
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
mod line;
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
pub use aside::{PutAside, put_aside};
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
pub use line::masked_line;
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
