//! What belongs to the calling thread: its shards, the stack of contexts, its random numbers.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU64;
use std::sync::Arc;

#[cfg(feature = "opentelemetry")]
use crate::bridge;
use crate::context::{Context, Ids, Place, SpanRef};
use crate::fork;
use crate::ids::Random;
use crate::registry;
use crate::shard::{Head, Inner, Own};

/// Shards of dead tracers are looked for when a thread has this many.
const MANY_SHARDS: usize = 16;

pub(crate) struct Local {
    /// The fork epoch of `random` and `shards`, `u32::MAX` before the first use.
    epoch: u32,
    pub(crate) random: Option<Random>,
    /// Nothing is recorded in this thread, see [`suppress`].
    pub(crate) suppressed: bool,
    shards: Vec<Own>,
    /// Those below `depth` are the stack of contexts. The others are kept for use again: a frame is filled
    /// field by field where it stands.
    frames: Vec<Frame>,
    depth: usize,
    serial: u64,
    /// What is current with OpenTelemetry, where that is not the top of the stack.
    #[cfg(feature = "opentelemetry")]
    theirs: Option<Context>,
}

/// A context on the stack. Guards may be dropped in any order: a frame below the top is only marked.
#[derive(Default)]
struct Frame {
    serial: u64,
    left: bool,
    context: Context,
    /// Keeps it current with OpenTelemetry too.
    #[cfg(feature = "opentelemetry")]
    theirs: Option<opentelemetry::ContextGuard>,
}

impl Frame {
    /// Lets go of what it keeps alive; ids may stay.
    #[inline]
    fn clear(&mut self) {
        #[cfg(feature = "opentelemetry")]
        if self.theirs.is_some() {
            self.theirs = None;
        }
        if self.context.others.is_some() {
            self.context.others = None;
        }
        if self.context.baggage.is_some() {
            self.context.baggage = None;
        }
    }
}

/// What leaves a frame again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    index: usize,
    serial: NonZeroU64,
}

/// Frames that are kept for use again.
const KEPT_FRAMES: usize = 64;

thread_local! {
    static LOCAL: RefCell<Local> = const { RefCell::new(Local::new()) };
}

/// Works with the thread's own things. `None` while the thread is being torn down or from within.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "a call would pass what it works with through memory, which costs more"
)]
pub(crate) fn with<R>(work: impl FnOnce(&mut Local) -> R) -> Option<R> {
    LOCAL
        .try_with(|local| {
            let mut local = local.try_borrow_mut().ok()?;
            if local.epoch != fork::epoch() {
                local.renew();
            }
            #[cfg(feature = "opentelemetry")]
            if bridge::is_on() {
                local.theirs = bridge::current(local.top());
            }
            Some(work(&mut local))
        })
        .ok()
        .flatten()
}

/// Works with the shard that holds a span, from whatever thread.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "a call would pass what it works with through memory, which costs more"
)]
pub(crate) fn at<R>(place: &Place, work: impl FnOnce(&Head, &mut Inner) -> R) -> Option<R> {
    let mut work = Some(work);
    let near = with(|local| {
        let mut guard = local.own(place)?.lock();
        let (head, inner) = guard.parts();
        Some((work.take()?)(head, inner))
    });
    near.flatten().or_else(|| far(place, work?))
}

#[cold]
fn far<R>(place: &Place, work: impl FnOnce(&Head, &mut Inner) -> R) -> Option<R> {
    let shard = registry::shard(place)?;
    let mut guard = shard.lock();
    let (head, inner) = guard.parts();
    Some(work(head, inner))
}

impl Local {
    const fn new() -> Self {
        Self {
            epoch: u32::MAX,
            random: None,
            suppressed: false,
            shards: Vec::new(),
            frames: Vec::new(),
            depth: 0,
            serial: 0,
            #[cfg(feature = "opentelemetry")]
            theirs: None,
        }
    }

    /// After a fork the parent's shards are not ours and its random numbers must not come again.
    #[cold]
    fn renew(&mut self) {
        self.epoch = fork::epoch();
        self.random = Some(Random::seeded());
        self.shards.clear();
    }

    /// The thread's random numbers.
    #[inline]
    pub(crate) fn random(&mut self) -> &mut Random {
        self.random.get_or_insert_with(Random::seeded)
    }

    /// The thread's shard of the tracer with this key.
    #[inline]
    pub(crate) fn shard(&mut self, key: u64, make: impl FnOnce() -> Own) -> &mut Own {
        match self.shards.iter().position(|own| own.shared().key == key) {
            Some(index) => &mut self.shards[index],
            None => self.add_shard(make()),
        }
    }

    #[cold]
    fn add_shard(&mut self, own: Own) -> &mut Own {
        if self.shards.len() >= MANY_SHARDS {
            // Only this list holds the shard of a tracer that is gone.
            self.shards.retain(|own| Arc::strong_count(own.shared()) > 1);
        }
        // The newest tracer is looked for first.
        self.shards.insert(0, own);
        &mut self.shards[0]
    }

    /// The shard that holds a span, if it is this thread's.
    #[inline]
    pub(crate) fn own(&mut self, place: &Place) -> Option<&mut Own> {
        let is_it = |own: &&mut Own| own.shared().key == place.key && own.shared().number == place.shard;
        self.shards.iter_mut().find(is_it)
    }

    /// The current context.
    #[inline]
    pub(crate) fn context(&self) -> Option<&Context> {
        #[cfg(feature = "opentelemetry")]
        if self.theirs.is_some() {
            return self.theirs.as_ref();
        }
        self.top()
    }

    /// The top of our own stack.
    #[inline]
    fn top(&self) -> Option<&Context> {
        self.frames.get(self.depth.checked_sub(1)?).map(|frame| &frame.context)
    }

    /// Makes `context` current.
    pub(crate) fn enter(&mut self, context: Context) -> Token {
        let token = self.push();
        #[cfg(feature = "opentelemetry")]
        {
            self.theirs = None;
            self.frames[token.index].theirs = if bridge::is_on() { bridge::enter(&context) } else { None };
        }
        self.frames[token.index].context = context;
        token
    }

    /// Makes the current context with a span inside current.
    #[inline]
    pub(crate) fn enter_span(&mut self, ids: &Ids, place: &Place) -> Token {
        let span = SpanRef { ids: *ids, place: Some(*place) };
        #[cfg(feature = "opentelemetry")]
        if bridge::is_on() || self.theirs.is_some() {
            let inside =
                self.context().map_or_else(|| Context::default().inside(span), |outer| outer.inside(span));
            return self.enter(inside);
        }
        let token = self.push();
        let (below, above) = self.frames.split_at_mut(token.index);
        let context = &mut above[0].context;
        context.span = Some(span);
        let Some(outer) = below.last().map(|frame| &frame.context) else { return token };
        if outer.baggage.is_some() {
            context.baggage.clone_from(&outer.baggage);
        }
        let inner = (place.key >> 32) as u32;
        match &outer.span {
            Some(span) if span.tracer() != Some(inner) => {
                context.others = Some(outer.others_with(*span, Some(inner)));
            }
            _ if outer.others.is_some() => context.others.clone_from(&outer.others),
            _ => {}
        }
        token
    }

    /// Puts an empty frame on the stack.
    #[inline]
    fn push(&mut self) -> Token {
        self.serial += 1;
        let index = self.depth;
        if index >= self.frames.len() {
            self.frames.push(Frame::default());
        }
        let frame = &mut self.frames[index];
        (frame.serial, frame.left) = (self.serial, false);
        self.depth += 1;
        Token { index, serial: NonZeroU64::new(self.serial).unwrap_or(NonZeroU64::MIN) }
    }

    /// Makes current what was so before; a frame that others stand upon goes with them.
    #[inline]
    pub(crate) fn leave(&mut self, token: Token) {
        let Some(frame) = self.frames[..self.depth].get_mut(token.index) else { return };
        if frame.serial != token.serial.get() {
            return;
        }
        if token.index + 1 < self.depth {
            frame.left = true;
            return;
        }
        frame.clear();
        self.depth = token.index;
        self.settle();
    }

    /// Takes away frames that were left while others stood upon them, and more than are worth keeping.
    #[inline]
    fn settle(&mut self) {
        while let Some(frame) = self.frames[..self.depth].last_mut().filter(|frame| frame.left) {
            frame.clear();
            self.depth -= 1;
        }
        if self.frames.len() > KEPT_FRAMES {
            self.frames.truncate(self.depth.max(KEPT_FRAMES));
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        #[cfg(feature = "opentelemetry")]
        for frame in &mut self.frames {
            // OpenTelemetry's stack may be gone before ours: its guards would panic.
            std::mem::forget(frame.theirs.take());
        }
        if self.epoch != fork::epoch() {
            return;
        }
        for own in &mut self.shards {
            let mut guard = own.lock();
            let (head, inner) = guard.parts();
            if inner.is_waiting() {
                head.hub.ring(false);
            }
        }
    }
}

thread_local! {
    static SUPPRESSED: Cell<bool> = const { Cell::new(false) };
}

/// Has nothing recorded in this thread, by whichever tracer: a span of an exporter that is itself traced, or what a
/// worker's HTTP client logs about sending log records, would be sent too, for ever.
pub(crate) fn suppress() {
    SUPPRESSED.set(true);
    with(|local| local.suppressed = true);
}

/// Whether this thread is one of ours.
pub(crate) fn is_suppressed() -> bool {
    SUPPRESSED.get()
}

/// The current context of the calling thread.
pub(crate) fn current() -> Context {
    with(|local| local.context().cloned()).flatten().unwrap_or_default()
}

/// The top of our own stack, whatever OpenTelemetry says.
#[cfg(feature = "opentelemetry")]
pub(crate) fn top() -> Context {
    with(|local| local.top().cloned()).flatten().unwrap_or_default()
}

/// The current span of a tracer, by the tracer's number.
#[inline]
pub(crate) fn span_of(tracer: u32) -> Option<SpanRef> {
    with(|local| local.context()?.span_of(tracer)).flatten()
}

/// Makes `context` current; `None` while the thread is being torn down.
#[inline]
pub(crate) fn enter(context: Context) -> Option<Token> {
    with(|local| local.enter(context))
}

/// Undoes [`enter`].
#[inline]
pub(crate) fn leave(token: Option<Token>) {
    if let Some(token) = token {
        with(|local| local.leave(token));
    }
}
