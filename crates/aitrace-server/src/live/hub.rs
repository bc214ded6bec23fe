//! The task behind all live readers, and how they find it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aitrace_store::{Change, StoreError};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::event::Event;
use super::losses::{self, Losses};
use super::ring::{Read, Ring};
use crate::auth::hex;
use crate::closing::Closing;
use crate::error::{ApiError, Kind, Result};
use crate::options::ServerOptions;
use crate::stores::Stores;

/// Changes that are taken at once.
const GROUP: usize = 1024;

/// The events of the live stream, and who reads them.
#[derive(Debug)]
pub(crate) struct Hub {
    stores: Stores,
    options: ServerOptions,
    closing: Closing,
    state: Mutex<State>,
    moved: watch::Sender<()>,
    /// Whether the task runs. Held while that changes.
    running: tokio::sync::Mutex<bool>,
    /// Each reader has one more.
    readers: Arc<()>,
}

#[derive(Debug)]
struct State {
    /// Tells the numbers of one run of the task from those of any other.
    epoch: String,
    ring: Ring,
    /// Whether nothing will come any more.
    over: bool,
}

/// A reader's place in the stream.
#[derive(Debug)]
pub(crate) struct Presence {
    hub: Arc<Hub>,
    moved: watch::Receiver<()>,
    epoch: String,
    place: u64,
    _reader: Arc<()>,
}

impl Hub {
    /// The live stream of a store. Nothing is done until somebody reads.
    pub(crate) fn new(stores: Stores, options: ServerOptions, closing: Closing) -> Self {
        let state = State { epoch: String::new(), ring: Ring::new(1, 0), over: false };
        Self {
            stores,
            options,
            closing,
            state: Mutex::new(state),
            moved: watch::Sender::new(()),
            running: tokio::sync::Mutex::new(false),
            readers: Arc::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, events: impl IntoIterator<Item = Event>) {
        let mut state = self.state();
        events.into_iter().for_each(|event| state.ring.push(event));
        drop(state);
        self.moved.send_replace(());
    }

    fn tear(&self, missing: u64) {
        self.state().ring.tear(missing);
        self.moved.send_replace(());
    }

    fn end(&self) {
        self.state().over = true;
        self.moved.send_replace(());
    }
}

/// A reader's place: where it says that it was, as far as that is known, else the end. The word says why it must
/// read everything again, if it must.
pub(crate) async fn open(hub: &Arc<Hub>, last: Option<&str>) -> Result<(Presence, Option<&'static str>)> {
    let mut running = hub.running.lock().await;
    if !*running {
        start(hub)?;
        *running = true;
    }
    let state = hub.state();
    let end = state.ring.end();
    let (place, reset) = match last.map(|last| last.rsplit_once('-')) {
        None => (end, None),
        Some(Some((epoch, place))) if epoch == state.epoch => {
            let place = place.parse().ok().filter(|place| state.ring.has(*place));
            place.map_or((end, Some("behind")), |place| (place, None))
        }
        Some(_) => (end, Some("restarted")),
    };
    let presence = Presence {
        hub: Arc::clone(hub),
        moved: hub.moved.subscribe(),
        epoch: state.epoch.clone(),
        place,
        _reader: Arc::clone(&hub.readers),
    };
    Ok((presence, reset))
}

impl Presence {
    /// Its place as a reader remembers it.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", self.epoch, self.place)
    }

    /// Goes on by one event, or to a place.
    pub(crate) fn advance(&mut self) {
        self.place += 1;
    }

    pub(crate) fn go_to(&mut self, place: u64) {
        self.place = place;
    }

    /// What comes next, of about so many bytes; `None` where nothing will come any more.
    pub(crate) fn read(&mut self, bytes: usize) -> Option<Read> {
        self.moved.mark_unchanged();
        let state = self.hub.state();
        match state.ring.read(self.place, bytes) {
            Read::Events(events) if events.is_empty() && state.over => None,
            read => Some(read),
        }
    }

    /// Ready once something may have come since the last reading.
    pub(crate) async fn moved(&mut self) {
        // The hub lives as long as the application.
        drop(self.moved.changed().await);
    }
}

fn start(hub: &Arc<Hub>) -> Result<()> {
    let limits = &hub.options.limits;
    let epoch = hex(&*hub.options.random, 8)
        .map_err(|_| ApiError::new(Kind::Unavailable, "there is no randomness to be had", "Try again."))?;
    let changes = hub.stores.telemetry.subscribe();
    let losses = Losses::since(hub.options.clock.now());
    *hub.state() = State { epoch, ring: Ring::new(limits.live_events, limits.live_bytes), over: false };
    let task = Task { hub: Arc::clone(hub), losses, looking: None, unread_since: None };
    tokio::spawn(task.run(changes));
    Ok(())
}

struct Task {
    hub: Arc<Hub>,
    losses: Losses,
    /// The store is being asked for losses.
    looking: Option<JoinHandle<Result<losses::Answer, StoreError>>>,
    unread_since: Option<Instant>,
}

impl Task {
    async fn run(mut self, mut changes: broadcast::Receiver<Change>) {
        let mut closing = self.hub.closing.clone();
        let mut ticks = interval(self.hub.options.limits.lost_every.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = closing.wait() => break,
                answer = async { self.looking.as_mut().expect("is asked").await }, if self.looking.is_some() => {
                    self.looking = None;
                    match answer {
                        Ok(Ok(answer)) => {
                            let found = self.losses.answered(answer);
                            self.put(found);
                        }
                        Ok(Err(error)) => tracing::warn!(%error, "lost spans could not be looked for"),
                        Err(error) => tracing::error!(%error, "looking for lost spans broke off"),
                    }
                }
                _ = ticks.tick() => {
                    if self.rests().await {
                        return;
                    }
                    self.look();
                }
                received = changes.recv() => match received {
                    Ok(first) => self.take(first, &mut changes),
                    Err(RecvError::Lagged(missing)) => self.tear(missing),
                    Err(RecvError::Closed) => break,
                },
            }
        }
        self.hub.end();
    }

    /// Takes a change and those that wait behind it.
    fn take(&mut self, first: Change, changes: &mut broadcast::Receiver<Change>) {
        let mut events = vec![Event::from(first)];
        while events.len() < GROUP {
            match changes.try_recv() {
                Ok(change) => events.push(change.into()),
                Err(TryRecvError::Lagged(missing)) => {
                    self.put(std::mem::take(&mut events));
                    return self.tear(missing);
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        self.put(events);
    }

    fn put(&mut self, events: Vec<Event>) {
        for event in &events {
            self.losses.note(event);
        }
        self.hub.put(events);
    }

    fn tear(&mut self, missing: u64) {
        tracing::warn!(missing, "the live stream fell behind; its readers are told to read again");
        self.hub.tear(missing);
    }

    fn look(&mut self) {
        if self.looking.is_none() {
            let question = self.losses.question(self.hub.options.clock.now());
            self.looking = Some(tokio::spawn(losses::ask(self.hub.stores.query.clone(), question)));
        }
    }

    /// Whether nobody has read for so long that the task is over.
    async fn rests(&mut self) -> bool {
        let hub = &self.hub;
        if Arc::strong_count(&hub.readers) > 1 {
            self.unread_since = None;
            return false;
        }
        let since = *self.unread_since.get_or_insert_with(Instant::now);
        if since.elapsed() < self.hub.options.limits.live_linger {
            return false;
        }
        let mut running = hub.running.lock().await;
        // One may have come meanwhile.
        if Arc::strong_count(&hub.readers) > 1 {
            return false;
        }
        *running = false;
        hub.state().ring.clear();
        true
    }
}
