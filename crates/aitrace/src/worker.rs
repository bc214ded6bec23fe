//! The thread that sends: looks at open spans, makes batches, exports them, tries again.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::collect;
use crate::core::{Core, Destination};
use crate::desk::Desk;
use crate::export::http::Http;
use crate::export::records::Records;
use crate::export::verbose::Verbose;
use crate::export::{Exported, Exporter};
use crate::fork;
use crate::hub::{Hub, Wishes};
use crate::local;
use crate::outbox::Outbox;
use crate::pause::Pause;
use crate::replay::{Replay, Step};
use crate::state::{Rescue as _, State};
use crate::target::Target;

mod tell;

/// How long a tracer that nobody holds any more may try to reach its target.
const LAST_TRIES: Duration = Duration::from_secs(30);
/// How long a worker that ends may write to the spool.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Tries that nobody answered, after which what waits is put aside on disk.
const SPOOL_AFTER: u32 = 3;

/// Starts the worker of a tracer in this process, if it was not started.
pub(crate) fn ensure(core: &Arc<Core>, state: &Arc<State>) {
    if state.worker.swap(true, Ordering::AcqRel) {
        return;
    }
    let desk = Arc::new(Desk::new(Arc::downgrade(core), Outbox::new(core, state.hub.clone())));
    // Set again only where a thread could not be had before; that desk is empty as well.
    state.rescue.get_or_init(|| desk.clone());
    let (core, own) = (core.clone(), state.clone());
    let spawned = fork::thread(c"aitrace-worker", move || {
        local::suppress();
        let mut worker = Worker::new(&core, own.clone(), desk);
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

/// What the worker was woken for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Task {
    collect: bool,
    look: bool,
    flush: u64,
    ticks: u64,
    advanced: bool,
    stop: bool,
    closing: bool,
}

struct Worker {
    state: Arc<State>,
    hub: Arc<Hub>,
    exporter: Arc<dyn Exporter>,
    desk: Arc<Desk>,
    replay: Option<Replay>,
    /// Flushes and ticks that are done when the batch of this number is out.
    promises: VecDeque<(u64, u64, u64)>,
    next_look: Option<Instant>,
    patience: Duration,
    pause: Pause,
    /// Tries in a row that nobody answered.
    unanswered: u32,
    /// The target has accepted something since nobody answered.
    answered: bool,
    /// Open spans that were told of may not have arrived.
    retell: bool,
    closing_since: Option<Instant>,
    failures: u32,
    /// Whether open spans are told of.
    live: bool,
}

impl Worker {
    fn new(core: &Core, state: Arc<State>, desk: Arc<Desk>) -> Self {
        let (exporter, http) = exporter_of(core);
        let options = &core.options;
        Self {
            live: exporter.wants_open_spans() && !options.tick.is_zero(),
            hub: state.hub.clone(),
            state,
            exporter,
            desk,
            replay: http.filter(|_| options.spool.is_some()).map(Replay::new),
            promises: VecDeque::new(),
            next_look: None,
            patience: Outbox::patience(core),
            pause: Pause::new(options.backoff, options.max_backoff),
            unanswered: 0,
            answered: false,
            retell: false,
            closing_since: None,
            failures: 0,
        }
    }

    fn run(&mut self, core: &Core) {
        loop {
            let task = self.wait();
            if task.stop {
                return self.stop();
            }
            core.plan.time.renew();
            let looked = self.work(core, &task);
            self.export(core);
            self.replay(core);
            self.keep_promises();
            let idle = (looked || self.closing_since.is_some()) && self.rest();
            if let Some(since) = self.closing_since {
                let empty = self.desk.outbox().is_empty();
                let tried_enough = self.hub.now().saturating_duration_since(since) > LAST_TRIES;
                if (!empty && tried_enough) || (idle && empty) {
                    return self.stop();
                }
            }
        }
    }

    /// How long to sleep: until the next look, or the next attempt; `None` for as long as it takes.
    fn wake_at(&self) -> Option<Instant> {
        let wants = |replay: &Replay| replay.wants(&self.desk, self.answered);
        let work = !self.desk.outbox().is_empty() || self.replay.as_ref().is_some_and(wants);
        let attempt = work.then(|| self.pause.until().unwrap_or_else(|| self.hub.now()));
        self.next_look.into_iter().chain(attempt).min()
    }

    fn wait(&mut self) -> Task {
        let mut wake_at = self.wake_at();
        let busy = !self.desk.outbox().is_empty();
        let hub = self.hub.clone();
        let mut wishes = hub.wishes.lock();
        loop {
            let mut task = self.task(&mut wishes, &mut wake_at, busy);
            if task != Task::default() {
                let now = hub.now();
                task.look |= self.next_look.is_some_and(|look| look <= now);
                return task;
            }
            let timed_out;
            (wishes, timed_out) = match wake_at {
                Some(at) => hub.bell.wait_until(wishes, hub.real(at)),
                None => (hub.bell.wait(wishes), false),
            };
            if timed_out {
                let look = self.next_look.is_some_and(|look| look <= hub.now());
                return Task { look, ..Task::default() };
            }
        }
    }

    /// What the wishes amount to; a bare ring only sets the time of the next look.
    fn task(&mut self, wishes: &mut Wishes, wake_at: &mut Option<Instant>, busy: bool) -> Task {
        let promised = self.promises.back().map_or((0, 0), |(_, flush, tick)| (*flush, *tick));
        if std::mem::take(&mut wishes.rung) && self.next_look.is_none() {
            let look = self.hub.now() + self.patience;
            self.next_look = Some(look);
            *wake_at = Some(wake_at.map_or(look, |at| at.min(look)));
        }
        Task {
            // While the target is away, finished spans stay in their chunks, which are smaller.
            collect: std::mem::take(&mut wishes.now) && !busy,
            look: false,
            flush: if wishes.flushes > promised.0.max(wishes.flushes_done) { wishes.flushes } else { 0 },
            ticks: if wishes.ticks > promised.1.max(wishes.ticks_done) { wishes.ticks } else { 0 },
            advanced: std::mem::take(&mut wishes.advanced),
            stop: wishes.stop,
            closing: wishes.closing && self.closing_since.is_none(),
        }
    }

    /// Collects; says whether it went through the threads' own parts, too.
    fn work(&mut self, core: &Core, task: &Task) -> bool {
        let asked = task.flush > 0 || task.ticks > 0;
        let look = task.look || task.ticks > 0;
        if task.look {
            self.next_look = Some(self.hub.now() + self.patience);
        }
        if task.closing {
            self.closing_since.get_or_insert(self.hub.now());
        }
        let away = !self.desk.outbox().is_empty();
        if asked || task.closing || ((task.collect || look) && !away) {
            self.collect(core, look, asked || task.closing);
        }
        if asked {
            let last = self.desk.outbox().last_number();
            self.promises.push_back((last, task.flush, task.ticks));
            self.pause.hurry();
        }
        asked || task.closing || look
    }

    /// Takes over what has finished and, with `look`, what is open. Between looks and unless it is the `last`
    /// time for now, what threads still have is left with them: to go through it disturbs them.
    fn collect(&mut self, core: &Core, look: bool, last: bool) {
        let (state, live) = (&self.state, look && self.live);
        let everything = live && std::mem::take(&mut self.retell);
        self.desk.outbox().collect(core, state, (look || last, last), |pieces| {
            if live {
                collect::open(core, state, core.options.heartbeat, everything, pieces);
            }
        });
    }

    fn export(&mut self, core: &Core) {
        loop {
            let front = self.desk.outbox().front();
            let Some((number, batch)) = front.filter(|_| !self.pause.holds(self.hub.now())) else { return };
            let (exporter, begun) = (&self.exporter, self.hub.now());
            let exported = catch_unwind(AssertUnwindSafe(|| exporter.export(&batch)));
            self.hub.count_export(self.hub.now().saturating_duration_since(begun));
            let countable = batch.countable();
            drop(batch);
            let exported =
                exported.unwrap_or_else(|_| Exported::Failed { reason: "exporter_panicked".to_owned() });
            if self.desk.outbox().first_number() != number {
                // Somebody who shuts us down has put it aside meanwhile.
                return;
            }
            self.settle(core, &exported, countable);
        }
    }

    /// Does with the first batch what its export came to.
    fn settle(&mut self, core: &Core, exported: &Exported, countable: u64) {
        match exported {
            Exported::Sent { rejected } => {
                self.desk.outbox().delivered(*rejected);
                self.good();
            }
            Exported::Failed { reason } => {
                self.hub.note_problem(reason);
                self.desk.outbox().lose(reason);
                self.pause.clear();
                self.unanswered = 0;
                self.tell_of_refusal(core, reason, countable);
            }
            Exported::TooLarge { reason } => {
                self.hub.note_problem(reason);
                self.desk.outbox().split(reason);
            }
            Exported::Retry { after, reason } => {
                self.hub.note_problem(reason);
                self.unanswered = 0;
                let barred = matches!(reason.as_str(), "http_401" | "http_403");
                let mut outbox = self.desk.outbox();
                outbox.barred = barred.then(|| reason.clone());
                self.retell |= outbox.hold();
                drop(outbox);
                self.pause.begin(self.hub.now(), *after);
                if barred {
                    self.tell_of_key(core, reason);
                }
            }
            Exported::Unreachable { reason } => {
                self.retell |= self.desk.outbox().hold();
                self.nobody(core, reason);
            }
        }
    }

    /// The target has accepted something.
    fn good(&mut self) {
        self.pause.clear();
        self.unanswered = 0;
        self.answered = true;
        self.desk.outbox().barred = None;
        self.hub.problems.recovered(self.hub.now());
    }

    /// Nobody answered.
    fn nobody(&mut self, core: &Core, reason: &str) {
        self.hub.note_problem(reason);
        self.answered = false;
        self.desk.outbox().barred = None;
        self.pause.begin(self.hub.now(), None);
        self.unanswered = self.unanswered.saturating_add(1);
        if self.unanswered < SPOOL_AFTER {
            return;
        }
        self.tell_of_silence(core, reason);
        loop {
            // Let go of between two batches: others wait for it.
            let put = self.desk.outbox().put_aside(None);
            match put {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.tell_of_spool(core, &error),
            }
        }
    }

    /// Sends what was spooled: our own at once when somebody waits, else a request at a time.
    fn replay(&mut self, core: &Core) {
        loop {
            let Some(replay) = &mut self.replay else { return };
            let waits = !self.desk.outbox().is_empty() || self.pause.holds(self.hub.now());
            if waits || !replay.wants(&self.desk, self.answered) {
                return;
            }
            let step = replay.step(&self.desk, &self.hub);
            let own = replay.wants_own(&self.desk);
            match step {
                Step::Done => self.good(),
                Step::Idle => return,
                Step::Failed(fault) => return self.not_replayed(core, fault.into_exported()),
                Step::Refused(fault) => return self.tell_of_replay(core, &fault.into_exported()),
            }
            if self.promises.is_empty() || !own {
                return;
            }
        }
    }

    fn not_replayed(&mut self, core: &Core, exported: Exported) {
        match exported {
            Exported::Retry { after, .. } => self.pause.begin(self.hub.now(), after),
            Exported::Unreachable { reason } => self.nobody(core, &reason),
            _ => {}
        }
    }

    /// Tells those who wait for what is out.
    fn keep_promises(&mut self) {
        let first = self.desk.outbox().first_number();
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
        let quiet = busy == 0 && !self.desk.outbox().holds();
        if quiet && !self.retell {
            self.next_look = None;
        } else if self.next_look.is_none() {
            self.next_look = Some(self.hub.now() + self.patience);
        }
        quiet
    }

    fn stop(&mut self) {
        self.desk.rescue(&self.state, crate::hub::deadline(LAST_WORDS));
        let exporter = &self.exporter;
        // Whatever it does, this was the last that was asked of it.
        catch_unwind(AssertUnwindSafe(|| exporter.shutdown())).unwrap_or_default();
    }

    /// After a panic: lets go of the batch that was being sent.
    fn recover(&mut self) {
        self.failures += 1;
        self.desk.outbox().lose("worker_panicked");
        if self.failures > 100 {
            self.hub.wishes.lock().stop = true;
        }
    }
}

/// The exporter of a tracer, and as what it is where spooled records can be sent by it.
fn exporter_of(core: &Core) -> (Arc<dyn Exporter>, Option<Arc<Http>>) {
    let (exporter, http) = plain_exporter_of(core);
    if !core.options.verbose {
        return (exporter, http);
    }
    let whose = format!("{}: {}", core.identity.project, core.whereto());
    (Arc::new(Verbose::new(exporter, whose)), http)
}

fn plain_exporter_of(core: &Core) -> (Arc<dyn Exporter>, Option<Arc<Http>>) {
    match &core.destination {
        Destination::Custom(exporter) => (exporter.clone(), None),
        Destination::Memory(memory) => (memory.clone(), None),
        Destination::Target(target, options) => match target {
            Target::Http(url) => {
                let http = Arc::new(Http::new(url, options.as_ref().clone()));
                (http.clone(), Some(http))
            }
            Target::File(path) => (Arc::new(Records::file(path.clone(), options.compat_mode)), None),
            Target::Stdout | Target::Memory => (Arc::new(Records::stdout(options.compat_mode)), None),
        },
    }
}
