//! Flush and shutdown, and what they say.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::core::{Core, Destination};
use crate::hub::{self, Stats};
use crate::state::State;

/// Most of a shutdown's time that is kept for putting aside what was not sent.
const RESERVE: Duration = Duration::from_secs(1);
/// Least time for that; by so much a shutdown may take longer than it was given.
const LEAST: Duration = Duration::from_millis(60);

/// What a flush came to.
///
/// `sent` and `dropped` count since the tracer was made or last flushed; `remaining` and `spooled` say how it
/// stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlushResult {
    /// Everything that had ended before the call was accepted by the target, and nothing was lost.
    pub ok: bool,
    /// Finished spans and log records that the target has accepted.
    pub sent: u64,
    /// Finished spans and log records that still wait.
    pub remaining: u64,
    /// Finished spans and log records of this tracer that are on disk and not sent yet.
    pub spooled: u64,
    /// Finished spans and log records that are lost, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// Has the worker export what has ended and waits for it until the deadline.
pub(crate) fn flush(core: &Core, deadline: Instant) -> FlushResult {
    let state = core.state();
    let out = drain(&state, deadline);
    result(&state, out)
}

/// Has the worker export what has ended; says whether it is out by the deadline.
pub(crate) fn drain(state: &State, deadline: Instant) -> bool {
    match ask(state) {
        Some(ticket) => wait(state, ticket, deadline),
        None => state.stats().remaining == 0,
    }
}

/// Asks the worker for a flush; `None` where there is no worker.
fn ask(state: &State) -> Option<u64> {
    if !state.worker.load(Ordering::Acquire) {
        return None;
    }
    let mut wishes = state.hub.wishes.lock();
    wishes.flushes += 1;
    let ticket = wishes.flushes;
    drop(wishes);
    state.hub.bell.notify_one();
    Some(ticket)
}

fn wait(state: &State, ticket: u64, deadline: Instant) -> bool {
    state.hub.wait(deadline, |wishes| wishes.flushes_done >= ticket || wishes.ended);
    state.hub.wishes.lock().flushes_done >= ticket
}

/// What is new since the last flush told of it.
fn result(state: &State, out: bool) -> FlushResult {
    // The lock comes first: of two flushes at once, the later must not have read the older figures.
    let mut told = state.told.lock();
    let now = state.stats();
    let dropped = now.dropped.iter().filter_map(|(reason, count)| {
        let new = count - told.dropped.get(reason).copied().unwrap_or(0);
        (new > 0).then(|| (reason.clone(), new))
    });
    let dropped: BTreeMap<String, u64> = dropped.collect();
    let (sent, remaining, spooled) = (now.sent - told.sent, now.remaining, now.spooled);
    *told = now;
    FlushResult { ok: out && spooled == 0 && dropped.is_empty(), sent, remaining, spooled, dropped }
}

/// Flushes, puts aside what could not be sent, and ends.
pub(crate) fn shutdown(core: &Arc<Core>, timeout: Duration) -> FlushResult {
    let mut results = shutdown_all(std::slice::from_ref(core), timeout);
    results.pop().flatten().unwrap_or_else(|| FlushResult { ok: true, ..FlushResult::default() })
}

/// Shuts tracers down at the same time, within `timeout` for all of them; `None` for those that were off.
pub(crate) fn shutdown_all(cores: &[Arc<Core>], timeout: Duration) -> Vec<Option<FlushResult>> {
    let deadline = hub::deadline(timeout);
    let flushed = hub::deadline(timeout.saturating_sub((timeout / 4).min(RESERVE)));
    let asked: Vec<_> = cores
        .iter()
        .map(|core| {
            let was_off = core.off.swap(true, Ordering::AcqRel);
            (!was_off).then(|| {
                let state = core.state();
                let ticket = ask(&state);
                (state, ticket)
            })
        })
        .collect();
    let end = |core: &Core, (state, ticket): (Arc<State>, Option<u64>)| {
        let out = match ticket {
            Some(ticket) => wait(&state, ticket, flushed),
            None => state.stats().remaining == 0,
        };
        // Before the worker hears of it: it would do the same, but nobody would wait for it.
        if let Some(rescue) = state.rescue.get() {
            rescue.rescue(&state, deadline.max(hub::deadline(LEAST)));
        }
        state.hub.wishes.lock().stop = true;
        state.hub.bell.notify_one();
        // An exporter of the program's own has something to close as well; ours have not.
        if ticket.is_some() && matches!(core.destination, Destination::Custom(_)) {
            state.hub.wait(deadline, |wishes| wishes.ended);
        }
        result(&state, out)
    };
    cores.iter().zip(asked).map(|(core, asked)| asked.map(|asked| end(core, asked))).collect()
}

/// What became of everything, in a line; `None` where all was sent.
pub(crate) fn summary(core: &Core, stats: &Stats) -> Option<String> {
    let lost: u64 = stats.dropped.values().sum();
    if lost + stats.spooled + stats.remaining == 0 && !core.options.verbose {
        return None;
    }
    let mut line = format!("{}: {} sent", core.identity.project, stats.sent);
    let mut add = |text: std::fmt::Arguments<'_>| line.write_fmt(text).expect("a String takes everything");
    if stats.spooled > 0 {
        let folder = core.options.spool.as_ref().map(|spool| spool.folder.display().to_string());
        add(format_args!(", {} put aside in {}", stats.spooled, folder.unwrap_or_default()));
    }
    if stats.remaining > 0 {
        add(format_args!(", {} not sent in time", stats.remaining));
    }
    if lost > 0 {
        let reasons: Vec<_> =
            stats.dropped.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        add(format_args!(", {lost} lost ({})", reasons.join(", ")));
    }
    if let Some(problem) = stats.problem.as_ref().filter(|_| lost + stats.spooled + stats.remaining > 0) {
        add(format_args!("; last problem: {problem}"));
    }
    Some(line)
}
