//! The tracer: starts spans, speaks about the current one, flushes, ends.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aitrace_model::{EventType, RawSpan, Span as ModelSpan, SpanId, SpanKind};

use crate::code::Code;
use crate::context::{Baggage, Context, Ids, Place, SpanContext, SpanRef};
use crate::core::{Alive, Core, Destination};
use crate::data::{Cell, grow};
use crate::fields::Enrich;
use crate::finish::{self, FlushResult};
use crate::hub::{self, Stats};
use crate::identity::Identity;
use crate::local::{self, Local};
use crate::registry;
use crate::shard::Own;
use crate::span::{self, Parent, Span, SpanHandle, SpanOptions};
use crate::state::State;
use crate::target::Target;
use crate::text::Text;
use crate::worker;

/// Records spans of one project, source and session. Cheap to clone; clones are one tracer.
///
/// No method panics or blocks, but for [`Tracer::flush`], [`Tracer::shutdown`] and [`Tracer::spans`], which
/// wait as long as they are told.
#[derive(Debug, Clone)]
pub struct Tracer {
    pub(crate) core: Arc<Core>,
    alive: Arc<Alive>,
}

impl Tracer {
    pub(crate) fn from_alive(alive: Arc<Alive>) -> Self {
        Self { core: alive.0.clone(), alive }
    }

    /// The tracer that free functions use here: the context's, else the default one, else the oldest.
    pub fn discover() -> Option<Self> {
        Self::discover_in(&Context::current())
    }

    /// [`Tracer::discover`] in a context of your own.
    pub fn discover_in(context: &Context) -> Option<Self> {
        let inside = context.span.and_then(|span| registry::by_number(span.tracer()?));
        let named = || registry::by_id(context.baggage()?.tracer_id.as_deref()?);
        inside.or_else(named).or_else(registry::default).map(Self::from_alive)
    }

    /// Makes this the tracer of free functions where the context names none. It is not kept alive by that.
    pub fn set_default(&self) {
        registry::set_default(Some(&self.alive));
    }

    /// Forgets the default tracer.
    pub fn clear_default() {
        registry::set_default(None);
    }

    /// Who this tracer is.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.core.identity
    }

    /// Where its spans go, unless it has an exporter of its own.
    pub fn target(&self) -> &Target {
        &self.core.target
    }

    /// Starts a span under the current one and makes it current until the guard is dropped.
    #[track_caller]
    #[inline]
    pub fn start_span(&self, name: impl Into<Text>) -> Span {
        self.enter(name, Location::caller())
    }

    /// [`Tracer::start_span`] with more to say. The parent is that of the options.
    pub fn start_span_with(&self, options: impl Into<SpanOptions>) -> Span {
        let handle = self.start(options);
        let token = handle.context().and_then(|_| local::enter(handle.within(&Context::current())));
        Span::new(handle, token)
    }

    /// Starts a span without making it current: by its name, or with more to say.
    ///
    /// ```
    /// use aitrace::{EventType, InSpan, SpanOptions};
    ///
    /// let tracer = aitrace::Tracer::builder().target("memory").build();
    /// tracer.start("plan").end();
    /// let search = tracer.start(SpanOptions::new("search").event_type(EventType::Tool));
    /// let work = async { 3 }.in_span(search);
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(work);
    /// # assert_eq!(tracer.spans()[1].name, "search");
    /// # Ok::<_, std::io::Error>(())
    /// ```
    pub fn start(&self, options: impl Into<SpanOptions>) -> SpanHandle {
        if self.core.is_off() {
            return SpanHandle::none();
        }
        let core = &self.core;
        local::with(|local| (!local.suppressed).then(|| start(core, local, options.into())))
            .flatten()
            .map_or_else(SpanHandle::none, SpanHandle::new)
    }

    #[inline]
    fn enter(&self, name: impl Into<Text>, caller: &'static Location<'static>) -> Span {
        let core = &self.core;
        let mut name = name.into();
        // Single words on their way out: what is put together inside would be copied.
        let mut ids = Ids { trace: [0, 0], span: 0 };
        let mut place = None;
        let mut token = None;
        local::with(|local| {
            if core.is_off() || local.suppressed {
                return;
            }
            let (parent, baggage) = match local.context() {
                Some(context) => (context.span.as_ref(), context.baggage.clone()),
                None => (None, None),
            };
            let followed = parent.is_none_or(SpanRef::is_sampled);
            let parent = parent.map(|span| span.ids);
            let seed = begin(core, local, parent);
            if (core.samples || !followed) && !sampled(core, &seed, followed, (&name, None, None)) {
                let span = SpanRef::unsampled(seed.ids, Some(State::key(core.number())));
                token = span.place.as_ref().map(|kept| local.enter_span(&seed.ids, kept));
                (ids, place) = (seed.ids, span.place);
                return;
            }
            let kept = open(core, local, &seed, baggage, |cell| {
                cell.body.name = std::mem::take(&mut name);
                cell.body.code = Code::Caller(caller);
            });
            token = Some(local.enter_span(&seed.ids, &kept));
            ids = seed.ids;
            place = Some(kept);
        });
        let Some(place) = place else { return Span::new(SpanHandle::none(), None) };
        Span::new(SpanHandle::new(SpanRef { ids, place: Some(place) }), token)
    }

    /// The ids of this tracer's current span.
    pub fn current_span(&self) -> Option<SpanContext> {
        local::span_of(self.core.number()).map(|span| span.context())
    }

    /// Adds to the current span of this tracer, never to another's. False where it has none.
    pub fn enrich_span(&self, enrich: Enrich) -> bool {
        let span = local::span_of(self.core.number());
        self.enrich_at(span, enrich)
    }

    /// [`Tracer::enrich_span`] in a context of your own.
    pub fn enrich_span_in(&self, context: &Context, enrich: Enrich) -> bool {
        self.enrich_at(context.span_of(self.core.number()), enrich)
    }

    fn enrich_at(&self, span: Option<SpanRef>, mut enrich: Enrich) -> bool {
        // Something that was named is meant, not what is current: most often it has ended already.
        if let Some(id) = enrich.fields.as_mut().and_then(|fields| fields.event_id.take()) {
            return self.update_event(&id, enrich);
        }
        let Some(place) = span.as_ref().and_then(|span| span.place.as_ref()) else { return false };
        if self.core.is_off() {
            return false;
        }
        if span.as_ref().is_some_and(|span| !span.is_sampled()) {
            return false;
        }
        local::at(place, |_, inner| {
            inner.change(place, |body, attributes| span::apply(body, attributes, enrich))
        })
        .flatten()
        .is_some()
    }

    /// Sends everything that has ended, waiting up to `timeout`, and says truly what came of it.
    pub fn flush(&self, timeout: Duration) -> FlushResult {
        finish::flush(&self.core, hub::deadline(timeout))
    }

    /// Flushes, waiting up to `timeout`, then records nothing more. What could not be sent is put aside on disk
    /// if the target is a server that may take it later. A second call does nothing.
    ///
    /// Spans that are open stay unfinished: the viewer shows them as lost.
    pub fn shutdown(&self, timeout: Duration) -> FlushResult {
        finish::shutdown(&self.core, timeout)
    }

    /// Shuts tracers down at the same time, within `timeout` for all of them. What each came to, in their
    /// order; `None` for one that was shut down before.
    pub fn shutdown_all(tracers: &[Self], timeout: Duration) -> Vec<Option<FlushResult>> {
        let cores: Vec<_> = tracers.iter().map(|tracer| tracer.core.clone()).collect();
        finish::shutdown_all(&cores, timeout)
    }

    /// What became of everything, in a line for a person; `None` where all was sent and the tracer is not
    /// verbose.
    pub fn summary(&self) -> Option<String> {
        finish::summary(&self.core, &self.stats())
    }

    /// What this tracer's clock shows.
    pub fn now(&self) -> aitrace_model::Timestamp {
        self.core.plan.time.timestamp()
    }

    /// What was counted since the tracer was made.
    pub fn stats(&self) -> Stats {
        self.core.state().stats()
    }

    /// The finished spans of a tracer with the target `memory`, in the order they ended; else nothing.
    pub fn spans(&self) -> Vec<ModelSpan> {
        let Destination::Memory(memory) = &self.core.destination else { return Vec::new() };
        self.settle();
        memory.spans()
    }

    /// [`Tracer::spans`], where `read` may take from a span's form on the wire what is not interpreted here:
    /// the words of instrumentors. The form is there where it may say more than the span.
    pub fn spans_read(&self, read: impl Fn(ModelSpan, Option<RawSpan>) -> ModelSpan) -> Vec<ModelSpan> {
        let Destination::Memory(memory) = &self.core.destination else { return Vec::new() };
        self.settle();
        memory.spans_read(read)
    }

    /// The log records of a tracer with the target `memory`; else nothing.
    pub fn logs(&self) -> Vec<aitrace_model::LogRecord> {
        let Destination::Memory(memory) = &self.core.destination else { return Vec::new() };
        self.settle();
        memory.logs()
    }

    /// Forgets what the target `memory` holds.
    pub fn clear(&self) {
        if let Destination::Memory(memory) = &self.core.destination {
            self.settle();
            memory.clear();
        }
    }

    /// Has the worker take over what has ended, without telling of what was lost.
    fn settle(&self) {
        finish::drain(&self.core.state(), hub::deadline(Duration::from_secs(10)));
    }

    /// Has the worker look at open spans now and waits until it has sent them; for tests.
    pub(crate) fn tick(&self, timeout: Duration) -> bool {
        let state = self.core.state();
        if !state.worker.load(Ordering::Acquire) {
            return true;
        }
        let mut wishes = state.hub.wishes.lock();
        wishes.ticks += 1;
        let mine = wishes.ticks;
        drop(wishes);
        state.hub.bell.notify_one();
        state.hub.wait(hub::deadline(timeout), |wishes| wishes.ticks_done >= mine || wishes.ended)
    }

    /// Lets the time pass by which the worker measures its pauses; for tests.
    pub(crate) fn advance(&self, by: Duration) {
        self.core.state().hub.advance(by);
    }
}

/// The calling thread's shard of a tracer.
#[inline]
pub(crate) fn shard_of<'l>(core: &Arc<Core>, local: &'l mut Local) -> &'l mut Own {
    local.shard(State::key(core.number()), || {
        let state = core.state();
        worker::ensure(core, &state);
        state.adopt_shard(&core.plan)
    })
}

/// What a new span takes from the context.
struct Inherited {
    span: Option<Ids>,
    /// Whether the trace is recorded, as far as the parent says.
    followed: bool,
    baggage: Option<Arc<Baggage>>,
}

impl From<&Context> for Inherited {
    #[inline]
    fn from(context: &Context) -> Self {
        let span = context.span.as_ref();
        let followed = span.is_none_or(SpanRef::is_sampled);
        Self { span: span.map(|span| span.ids), followed, baggage: context.baggage.clone() }
    }
}

/// Ids of a new span, and its parent's.
struct Seed {
    ids: Ids,
    parent: Option<u64>,
}

#[inline]
fn begin(core: &Core, local: &mut Local, parent: Option<Ids>) -> Seed {
    if core.ids.is_some() {
        return begin_with(core, parent);
    }
    let random = local.random();
    let (trace, parent) = match parent {
        Some(outer) => (outer.trace, Some(outer.span)),
        None => (random.trace(), None),
    };
    Seed { ids: Ids { trace, span: random.span() }, parent }
}

/// Whether a span is recorded: as its parent is (`followed`); where it has none, as the rules say.
#[cold]
fn sampled(
    core: &Core,
    seed: &Seed,
    followed: bool,
    (name, kind, event_type): (&str, Option<SpanKind>, Option<EventType>),
) -> bool {
    let root = || core.process.records(seed.ids.context().trace_id, name, kind, event_type);
    let sampled = followed && (seed.parent.is_some() || root());
    if !sampled {
        core.state().hub.count_not_sampled();
    }
    sampled
}

/// With ids from the tracer's own source.
#[cold]
fn begin_with(core: &Core, parent: Option<Ids>) -> Seed {
    let given = core.ids.as_ref();
    let span_id = given.map_or_else(|| SpanContext::invalid().span_id, |ids| ids.span_id());
    let trace_id = match (&parent, given) {
        (None, Some(ids)) => ids.trace_id(),
        _ => SpanContext::invalid().trace_id,
    };
    let own = Ids::from(SpanContext { trace_id, span_id });
    let trace = parent.map_or(own.trace, |outer| outer.trace);
    Seed { ids: Ids { trace, span: own.span }, parent: parent.map(|outer| outer.span) }
}

/// Keeps a new span; `fill` writes what its owner says of it into an empty cell.
#[inline]
fn open(
    core: &Arc<Core>,
    local: &mut Local,
    seed: &Seed,
    baggage: Option<Arc<Baggage>>,
    fill: impl FnOnce(&mut Cell),
) -> Place {
    let begun = core.plan.time.tick();
    let mut guard = shard_of(core, local).lock();
    let (head, inner) = guard.parts();
    let (place, cell) = inner.open(head);
    // Field by field into its place: a body that is put together elsewhere would be copied.
    cell.body.context = seed.ids.context();
    cell.body.parent = seed.parent.and_then(|span| SpanId::from_bytes(span.to_ne_bytes()));
    cell.body.begun = begun;
    if baggage.is_some() {
        cell.body.baggage = baggage;
    }
    fill(cell);
    inner.opened(head, &place);
    place
}

fn start(core: &Arc<Core>, local: &mut Local, options: SpanOptions) -> SpanRef {
    let SpanOptions { name, parent, event_type, kind, start, code, attributes: given, links, .. } = options;
    let current = |local: &Local| Inherited::from(local.context().unwrap_or(&Context::default()));
    let parent = match parent {
        Parent::Context(context) => Inherited::from(&context),
        Parent::Current => current(local),
        Parent::Root => Inherited { span: None, followed: true, ..current(local) },
        Parent::Span(span) => Inherited { span: Some(span.into()), followed: true, ..current(local) },
    };
    let mut extra = None;
    if options.scope.is_some() || options.otel_kind.is_some() {
        let extra = grow(&mut extra);
        (extra.scope, extra.otel_kind) = (options.scope, options.otel_kind);
    }
    let mut attributes = Vec::new();
    for (mut key, mut value) in given {
        span::set(&mut extra, &mut attributes, &mut key, &mut value);
    }
    for link in links {
        span::push_link(&mut extra, link, Vec::new());
    }
    let seed = match options.ids {
        Some(ids) => Seed { ids: ids.into(), parent: parent.span.map(|parent| parent.span) },
        None => begin(core, local, parent.span),
    };
    if (core.samples || !parent.followed) && !sampled(core, &seed, parent.followed, (&name, kind, event_type))
    {
        return SpanRef::unsampled(seed.ids, Some(State::key(core.number())));
    }
    let place = open(core, local, &seed, parent.baggage, |cell| {
        cell.body.name = name;
        cell.body.code = code;
        cell.body.event_type = event_type;
        cell.body.kind = kind;
        if let Some(start) = start {
            cell.body.start = start.nanos();
        }
        if extra.is_some() {
            cell.body.extra = extra;
        }
        if !attributes.is_empty() {
            cell.attributes.append(&mut attributes);
        }
    });
    SpanRef { ids: seed.ids, place: Some(place) }
}

/// Adds to the current span of the tracer that is found here: [`Tracer::discover`].
/// False where there is none; nothing happens then.
pub fn enrich_span(enrich: Enrich) -> bool {
    Tracer::discover().is_some_and(|tracer| tracer.enrich_span(enrich))
}
