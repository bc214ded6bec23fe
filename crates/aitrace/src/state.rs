//! A tracer's working parts in this process; a forked child gets its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::lock::Mutex;

use crate::fork;
use crate::hub::{Hub, Stats};
use crate::problem::ErrorHandler;
use crate::shard::{Head, Own, Shard};
use crate::ticks::TimeSource;

/// What every state of a tracer is made from.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The tracer's number in this process and its children.
    pub(crate) tracer: u32,
    pub(crate) time: TimeSource,
    /// Whether starts are written at once.
    pub(crate) records: bool,
    pub(crate) limit_items: usize,
    pub(crate) limit_bytes: usize,
    pub(crate) on_error: ErrorHandler,
}

/// Takes over from the worker at a shutdown: it may be waiting for an answer that does not come.
pub(crate) trait Rescue: Send + Sync + std::fmt::Debug {
    /// Puts aside by the deadline what was not sent, and counts what cannot be. Nothing is sent any more.
    fn rescue(&self, state: &State, deadline: Instant);
}

/// The working parts of one tracer in one process.
#[derive(Debug)]
pub(crate) struct State {
    epoch: u32,
    pub(crate) hub: Arc<Hub>,
    shards: Mutex<BTreeMap<u32, Arc<Shard>>>,
    next_shard: AtomicU32,
    /// The worker was started, or could not be.
    pub(crate) worker: AtomicBool,
    /// Set when the worker is started.
    pub(crate) rescue: OnceLock<Arc<dyn Rescue>>,
    /// What flush has told of before.
    pub(crate) told: Mutex<Stats>,
    child: OnceLock<Arc<State>>,
}

impl State {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            epoch: fork::epoch(),
            hub: Arc::new(Hub::new(plan.limit_items, plan.limit_bytes, plan.on_error.clone())),
            shards: Mutex::default(),
            next_shard: AtomicU32::new(0),
            worker: AtomicBool::new(false),
            rescue: OnceLock::new(),
            told: Mutex::default(),
            child: OnceLock::new(),
        }
    }

    /// The state that belongs to this process: this one, or the one made since the fork.
    pub(crate) fn current(self: &Arc<Self>, plan: &Plan) -> Arc<Self> {
        let mut state = self;
        while state.epoch != fork::epoch() {
            state = state.child.get_or_init(|| Arc::new(Self::new(plan)));
        }
        state.clone()
    }

    /// The key of a tracer's state in this process.
    #[inline]
    pub(crate) fn key(tracer: u32) -> u64 {
        u64::from(tracer) << 32 | u64::from(fork::epoch())
    }

    /// A shard for the calling thread: one whose thread has ended, else a new one.
    pub(crate) fn adopt_shard(&self, plan: &Plan) -> Own {
        let mut shards = self.shards.lock();
        if let Some(own) = shards.values().find_map(Shard::owner) {
            return own;
        }
        let number = self.next_shard.fetch_add(1, Ordering::Relaxed);
        let shard = Arc::new(Shard::of(Head {
            hub: self.hub.clone(),
            time: plan.time.clone(),
            key: Self::key(plan.tracer),
            number,
            records: plan.records,
        }));
        shards.insert(number, shard.clone());
        shard.owner().expect("nobody else knows it, for the table is locked")
    }

    /// A shard by its number.
    pub(crate) fn shard(&self, number: u32) -> Option<Arc<Shard>> {
        self.shards.lock().get(&number).cloned()
    }

    /// All shards, without those that nobody needs any more.
    pub(crate) fn shards(&self) -> Vec<Arc<Shard>> {
        let mut shards = self.shards.lock();
        shards.retain(|_, shard| !shard.is_done());
        shards.values().cloned().collect()
    }

    /// What was counted, with what remains.
    pub(crate) fn stats(&self) -> Stats {
        let _moving = self.hub.moving();
        let mut stats = self.hub.stats();
        let unused: usize = self.shards().iter().map(|shard| shard.unused()).sum();
        stats.remaining = self.hub.used_items().saturating_sub(unused) as u64;
        stats
    }
}
