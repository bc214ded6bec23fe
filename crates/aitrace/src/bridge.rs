//! Our context inside of OpenTelemetry's, so that either side nests in the other.
//!
//! OpenTelemetry keeps a stack of contexts of its own in each thread and tells nobody what is pushed there. So
//! each context that becomes current with us is pushed there too, carrying ours as a value, and whoever asks
//! us what is current looks there first. Costs nothing until the first provider is made.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use aitrace_model::{SpanId, TraceId};
use opentelemetry::trace::{
    SpanContext as OtelSpanContext, SpanId as OtelSpanId, TraceContextExt as _, TraceFlags,
    TraceId as OtelTraceId, TraceState,
};
use opentelemetry::{Context as OtelContext, ContextGuard};

use crate::context::{Context, SpanContext, SpanRef};

/// What the bridge needs of the module that speaks OpenTelemetry.
#[derive(Debug)]
pub(crate) struct Bridge {
    /// OpenTelemetry's context inside of one of our spans.
    pub(crate) inside: fn(&OtelContext, SpanRef) -> OtelContext,
    /// The context inside of the open span of ours that a provider made with these ids.
    pub(crate) find: fn(SpanContext) -> Option<Context>,
}

static ON: AtomicBool = AtomicBool::new(false);
static BRIDGE: OnceLock<Bridge> = OnceLock::new();

/// From now on both contexts are one.
pub(crate) fn turn_on(bridge: Bridge) {
    BRIDGE.get_or_init(|| bridge);
    ON.store(true, Ordering::Release);
}

#[inline]
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Our context as a value of OpenTelemetry's.
struct Ours(Context);

/// Gone before OpenTelemetry's own thread-local is: that one panics when it is used too late.
struct Alive;

impl Alive {
    fn new() -> Self {
        OtelContext::map_current(|_| ());
        Self
    }
}

// It has to be dropped for the thread-local to notice its end.
impl Drop for Alive {
    fn drop(&mut self) {}
}

thread_local! {
    static ALIVE: Alive = Alive::new();
}

fn bridge() -> Option<&'static Bridge> {
    ALIVE.try_with(|_| ()).ok().and_then(|()| BRIDGE.get())
}

/// Makes `context` current with OpenTelemetry too.
pub(crate) fn enter(context: &Context) -> Option<ContextGuard> {
    let bridge = bridge()?;
    let theirs = OtelContext::map_current(|current| match context.span {
        Some(span) => (bridge.inside)(current, span),
        None => current.with_remote_span_context(OtelSpanContext::NONE),
    });
    let theirs = theirs.with_value(Ours(context.clone()));
    // Within a callback of OpenTelemetry its stack is borrowed, and pushing panics. Then ours alone counts.
    catch_unwind(AssertUnwindSafe(|| theirs.attach())).ok()
}

/// What is current where that is not `top`, the top of our own stack.
pub(crate) fn current(top: Option<&Context>) -> Option<Context> {
    let bridge = bridge()?;
    OtelContext::map_current(|theirs| {
        let span = theirs.span();
        let ids = span_context(span.span_context());
        let base = theirs.get::<Ours>().map(|ours| &ours.0).or(top);
        let same = |context: &Context| context.span() == ids;
        match (ids, base) {
            (None, Some(base)) => differs(base, top),
            (Some(_), Some(base)) if same(base) => differs(base, top),
            (Some(ids), base) => Some(found(bridge, ids, is_followed(span.span_context()), base)),
            (None, None) => None,
        }
    })
}

fn differs(base: &Context, top: Option<&Context>) -> Option<Context> {
    let same = top.is_some_and(|top| top.span == base.span && top.baggage == base.baggage);
    (!same).then(|| base.clone())
}

/// The context inside of a span that OpenTelemetry names; of one that is not ours, only its ids are known, and
/// whether it is `followed`.
fn found(bridge: &Bridge, ids: SpanContext, followed: bool, base: Option<&Context>) -> Context {
    (bridge.find)(ids).unwrap_or_else(|| {
        let base = base.cloned().unwrap_or_default();
        if followed { base.with_remote_span(ids) } else { base.with_unsampled_remote_span(ids) }
    })
}

/// Whether spans below are recorded. Another process has decided for its whole trace; another provider of this
/// process only for itself.
fn is_followed(theirs: &OtelSpanContext) -> bool {
    theirs.is_sampled() || !theirs.is_remote()
}

/// The context that a span begins in when OpenTelemetry gives it this one.
pub(crate) fn context_of(theirs: &OtelContext) -> Context {
    let ids = span_context(theirs.span().span_context());
    let base = match theirs.get::<Ours>() {
        Some(ours) => ours.0.clone(),
        // A context that was made from nothing, while ours is known over there: its maker wants no parent.
        None if OtelContext::map_current(|current| current.get::<Ours>().is_some()) => Context::default(),
        None => Context::current_of_stack(),
    };
    match (ids, bridge()) {
        (Some(ids), Some(bridge)) if base.span() != Some(ids) => {
            found(bridge, ids, is_followed(theirs.span().span_context()), Some(&base))
        }
        _ => base,
    }
}

/// Ids of OpenTelemetry's; `None` where they are zero.
pub(crate) fn span_context(theirs: &OtelSpanContext) -> Option<SpanContext> {
    Some(SpanContext {
        trace_id: TraceId::from_bytes(theirs.trace_id().to_bytes())?,
        span_id: SpanId::from_bytes(theirs.span_id().to_bytes())?,
    })
}

/// Our ids as OpenTelemetry's, with whether the trace is recorded.
pub(crate) fn otel_span_context(ours: SpanContext, remote: bool, sampled: bool) -> OtelSpanContext {
    OtelSpanContext::new(
        OtelTraceId::from_bytes(ours.trace_id.to_bytes()),
        OtelSpanId::from_bytes(ours.span_id.to_bytes()),
        if sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED },
        remote,
        TraceState::NONE,
    )
}
