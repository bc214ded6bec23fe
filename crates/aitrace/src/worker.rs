//! The thread that sends: looks at open spans, makes batches, exports them, tries again.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::collect;
use crate::core::{Core, Destination, WorkerOptions};
use crate::export::http::Http;
use crate::export::records::Records;
use crate::export::verbose::Verbose;
use crate::export::{Batch, Exported, Exporter};
use crate::hub::{Hub, Wishes};
use crate::ids::Random;
use crate::instant::instant as now;
use crate::local;
use crate::prepare::Prepare;
use crate::state::State;
use crate::target::Target;

/// How long a tracer that nobody holds any more may try to reach its target.
const LAST_TRIES: Duration = Duration::from_secs(30);

/// Starts the worker of a tracer in this process, if it was not started.
pub(crate) fn ensure(core: &Arc<Core>, state: &Arc<State>) {
    if state.worker.swap(true, Ordering::AcqRel) {
        return;
    }
    let (core, own) = (core.clone(), state.clone());
    let spawned = std::thread::Builder::new().name("aitrace-worker".to_owned()).spawn(move || {
        local::suppress();
        let mut worker = Worker::new(&core, own.clone());
        while catch_unwind(AssertUnwindSafe(|| worker.run(&core))).is_err() {
            // A defect of ours: what was being looked at is lost, the rest goes on.
            worker.recover();
        }
        let mut wishes = own.hub.wishes.lock();
        wishes.ended = true;
        own.hub.done.notify_all();
    });
    if spawned.is_err() {
        // No thread to be had now; the next thread that begins a span tries again.
        state.worker.store(false, Ordering::Release);
    }
}

/// A batch on its way, with the room it holds.
struct Pending {
    number: u64,
    batch: Batch,
    items: usize,
    bytes: usize,
}

/// What the worker was woken for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Task {
    collect: bool,
    look: bool,
    flush: u64,
    ticks: u64,
    stop: bool,
    closing: bool,
}

struct Worker {
    state: Arc<State>,
    hub: Arc<Hub>,
    exporter: Arc<dyn Exporter>,
    prepare: Prepare,
    options: WorkerOptions,
    pending: VecDeque<Pending>,
    next_number: u64,
    /// Flushes and ticks that are done when the batch of this number is out.
    promises: VecDeque<(u64, u64, u64)>,
    next_look: Option<Instant>,
    pause: Pause,
    /// Open spans that were told of may not have arrived.
    retell: bool,
    closing_since: Option<Instant>,
    failures: u32,
    /// Whether open spans are told of.
    live: bool,
}

/// When to try again.
struct Pause {
    until: Option<Instant>,
    /// The server asked for it, so a flush does not shorten it.
    asked: bool,
    attempts: u32,
    random: Random,
}

impl Worker {
    fn new(core: &Core, state: Arc<State>) -> Self {
        let exporter = exporter_of(core);
        Self {
            live: exporter.wants_open_spans() && !core.options.tick.is_zero(),
            hub: state.hub.clone(),
            prepare: Prepare::new(core, state.hub.clone()),
            state,
            exporter,
            options: core.options.clone(),
            pending: VecDeque::new(),
            next_number: 1,
            promises: VecDeque::new(),
            next_look: None,
            pause: Pause { until: None, asked: false, attempts: 0, random: Random::seeded() },
            retell: false,
            closing_since: None,
            failures: 0,
        }
    }

    fn run(&mut self, core: &Core) {
        loop {
            let task = self.wait();
            if task.stop {
                return self.stop(core);
            }
            core.plan.time.renew();
            let looked = self.work(core, &task);
            self.export();
            self.keep_promises();
            let idle = (looked || self.closing_since.is_some()) && self.rest();
            if let Some(since) = self.closing_since {
                let tried_enough = !self.pending.is_empty() && since.elapsed() > LAST_TRIES;
                if tried_enough || (idle && self.pending.is_empty()) {
                    return self.stop(core);
                }
            }
        }
    }

    /// How long to sleep: until the next look, or the next attempt; `None` for as long as it takes.
    fn wake_at(&self) -> Option<Instant> {
        let attempt = if self.pending.is_empty() { None } else { Some(self.pause.until.unwrap_or_else(now)) };
        self.next_look.into_iter().chain(attempt).min()
    }

    fn wait(&mut self) -> Task {
        let mut wake_at = self.wake_at();
        let hub = self.hub.clone();
        let mut wishes = hub.wishes.lock();
        loop {
            let mut task = self.task(&mut wishes, &mut wake_at);
            if task != Task::default() {
                let now = now();
                task.look |= self.next_look.is_some_and(|look| look <= now);
                return task;
            }
            let timed_out;
            (wishes, timed_out) = match wake_at {
                Some(at) => hub.bell.wait_until(wishes, at),
                None => (hub.bell.wait(wishes), false),
            };
            if timed_out {
                let look = self.next_look.is_some_and(|look| look <= now());
                return Task { look, ..Task::default() };
            }
        }
    }

    /// What the wishes amount to; a bare ring only sets the time of the next look.
    fn task(&mut self, wishes: &mut Wishes, wake_at: &mut Option<Instant>) -> Task {
        let promised = self.promises.back().map_or((0, 0), |(_, flush, tick)| (*flush, *tick));
        let busy = !self.pending.is_empty();
        if std::mem::take(&mut wishes.rung) && self.next_look.is_none() {
            let look = now() + self.between_looks();
            self.next_look = Some(look);
            *wake_at = Some(wake_at.map_or(look, |at| at.min(look)));
        }
        Task {
            // While the target is away, finished spans stay in their chunks, which are smaller.
            collect: std::mem::take(&mut wishes.now) && !busy,
            look: false,
            flush: if wishes.flushes > promised.0.max(wishes.flushes_done) { wishes.flushes } else { 0 },
            ticks: if wishes.ticks > promised.1.max(wishes.ticks_done) { wishes.ticks } else { 0 },
            stop: wishes.stop,
            closing: wishes.closing && self.closing_since.is_none(),
        }
    }

    fn between_looks(&self) -> Duration {
        if self.options.tick.is_zero() { self.options.batch_delay } else { self.options.tick }
    }

    /// Collects; says whether it went through the threads' own parts, too.
    fn work(&mut self, core: &Core, task: &Task) -> bool {
        let asked = task.flush > 0 || task.ticks > 0;
        let look = task.look || task.ticks > 0;
        if task.look {
            self.next_look = Some(now() + self.between_looks());
        }
        if task.closing {
            self.closing_since.get_or_insert_with(now);
        }
        let away = !self.pending.is_empty();
        if asked || task.closing || ((task.collect || look) && !away) {
            self.collect(core, look, asked || task.closing);
        }
        if asked {
            self.promises.push_back((self.next_number - 1, task.flush, task.ticks));
            if !self.pause.asked {
                self.pause.until = None;
            }
        }
        asked || task.closing || look
    }

    /// Takes over what has finished and, with `look`, what is open. Between looks and unless it is the `last`
    /// time for now, what threads still have is left with them: to go through it disturbs them.
    fn collect(&mut self, core: &Core, look: bool, last: bool) {
        let mut items = collect::finished(core, &self.state, look || last);
        if look && self.live {
            let everything = std::mem::take(&mut self.retell);
            collect::open(core, &self.state, self.options.heartbeat, everything, &mut items);
        }
        let items = self.prepare.pass(items, last);
        let batches = collect::batches(items, self.options.batch_items, !core.plan.records);
        for (batch, items, bytes) in batches {
            self.pending.push_back(Pending { number: self.next_number, batch, items, bytes });
            self.next_number += 1;
        }
    }

    fn export(&mut self) {
        while let Some(front) = self.pending.front_mut() {
            if self.pause.until.is_some_and(|until| until > now()) {
                return;
            }
            let exporter = &self.exporter;
            let exported = catch_unwind(AssertUnwindSafe(|| exporter.export(&front.batch)));
            let countable = front.batch.countable();
            match exported {
                Ok(Exported::Sent { rejected }) => {
                    let rejected = rejected.min(countable);
                    self.hub.count_sent(countable - rejected);
                    self.hub.count_dropped("rejected", rejected);
                }
                Ok(Exported::Failed { reason }) => self.hub.lose(&reason, countable),
                Err(_) => self.hub.lose("exporter_panicked", countable),
                Ok(Exported::Retry { after, reason }) => {
                    self.hub.note_problem(&reason);
                    // What is still open is told of anew, as it is then.
                    let told = front.batch.spans.len();
                    front.batch.spans.retain(|span| span.end.is_some());
                    self.retell |= front.batch.spans.len() < told;
                    self.pause.begin(&self.options, after);
                    if front.batch.is_empty() {
                        self.pending.pop_front();
                    }
                    return;
                }
            }
            self.pause.clear();
            if let Some(done) = self.pending.pop_front() {
                self.hub.release(done.items, done.bytes);
            }
        }
    }

    /// Tells those who wait for what is out.
    fn keep_promises(&mut self) {
        let first = self.pending.front().map_or(u64::MAX, |pending| pending.number);
        let mut kept = false;
        let mut wishes = self.hub.wishes.lock();
        while self.promises.front().is_some_and(|(number, ..)| *number < first) {
            let Some((_, flush, tick)) = self.promises.pop_front() else { break };
            wishes.flushes_done = wishes.flushes_done.max(flush);
            wishes.ticks_done = wishes.ticks_done.max(tick);
            kept = true;
        }
        drop(wishes);
        if kept {
            self.hub.done.notify_all();
        }
    }

    /// Goes without the next look if there is nothing to look at; says whether all is quiet.
    fn rest(&mut self) -> bool {
        let shards = self.state.shards();
        // A tracer that nobody holds lives on for its open spans.
        let open_count = self.live || self.closing_since.is_some();
        // Each has to be asked, so no short cut at the first that is busy.
        let busy = shards.iter().filter(|shard| !shard.settle(open_count)).count();
        let quiet = busy == 0 && !self.prepare.holds();
        if quiet && !self.retell {
            self.next_look = None;
        } else if self.next_look.is_none() {
            self.next_look = Some(now() + self.between_looks());
        }
        quiet
    }

    fn stop(&mut self, core: &Core) {
        self.collect(core, false, true);
        for left in std::mem::take(&mut self.pending) {
            self.hub.count_dropped("shutdown", left.batch.countable());
            self.hub.release(left.items, left.bytes);
        }
        let exporter = &self.exporter;
        // Whatever it does, this was the last that was asked of it.
        catch_unwind(AssertUnwindSafe(|| exporter.shutdown())).unwrap_or_default();
    }

    /// After a panic: lets go of the batch that was being sent.
    fn recover(&mut self) {
        self.failures += 1;
        if let Some(lost) = self.pending.pop_front() {
            self.hub.count_dropped("worker_panicked", lost.batch.countable());
            self.hub.release(lost.items, lost.bytes);
        }
        if self.failures > 100 {
            self.hub.wishes.lock().stop = true;
        }
    }
}

impl Pause {
    /// Exponential with full jitter, or what the server asked for.
    fn begin(&mut self, options: &WorkerOptions, after: Option<Duration>) {
        self.attempts = self.attempts.saturating_add(1);
        let most = options.backoff.saturating_mul(1 << self.attempts.min(16)).min(options.max_backoff);
        let part = self.random.next() as f64 / u64::MAX as f64;
        self.asked = after.is_some();
        self.until = Some(now() + after.unwrap_or_else(|| most.mul_f64(part)));
    }

    fn clear(&mut self) {
        (self.until, self.asked, self.attempts) = (None, false, 0);
    }
}

fn exporter_of(core: &Core) -> Arc<dyn Exporter> {
    let exporter = plain_exporter_of(core);
    if !core.options.verbose {
        return exporter;
    }
    Arc::new(Verbose::new(exporter, format!("{}: {}", core.identity.project, core.whereto())))
}

fn plain_exporter_of(core: &Core) -> Arc<dyn Exporter> {
    match &core.destination {
        Destination::Custom(exporter) => exporter.clone(),
        Destination::Memory(memory) => memory.clone(),
        Destination::Target(target, options) => match target {
            Target::Http(url) => Arc::new(Http::new(url, options.clone())),
            Target::File(path) => Arc::new(Records::file(path.clone(), options.compat_mode)),
            Target::Stdout | Target::Memory => Arc::new(Records::stdout(options.compat_mode)),
        },
    }
}
