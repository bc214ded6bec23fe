//! A server on a free port, in this process.

use std::net::SocketAddr;
use std::sync::Arc;

use aitrace_model::{LostRules, ManualClock, Timestamp};
use aitrace_server::{
    Keys, Limits, NewKey, Pepper, Scope, Server, ServerOptions, Stores, SystemRandom, WantedKey,
};
use aitrace_store::TelemetryStore;
use aitrace_store::memory::MemoryStore;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::http::{Answer, Call};

/// 2026-01-31T12:00:00Z, the time at which everything happens.
pub(crate) const NOW: Timestamp = Timestamp::from_nanos(1_769_860_800_000_000_000);

pub(crate) struct Rig {
    pub(crate) addr: SocketAddr,
    /// A port that only takes data.
    pub(crate) ingest: SocketAddr,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

impl Rig {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut ServerOptions)) -> Self {
        Self::over(change, |store| store)
    }

    /// A server over a store that stands before the model.
    pub(crate) fn over(
        change: impl FnOnce(&mut ServerOptions),
        wrap: impl FnOnce(Arc<dyn TelemetryStore>) -> Arc<dyn TelemetryStore>,
    ) -> Self {
        Self::of(change, |stores| stores.telemetry = wrap(stores.telemetry.clone()))
    }

    /// A server over stores that stand before the model.
    pub(crate) fn of(change: impl FnOnce(&mut ServerOptions), wrap: impl FnOnce(&mut Stores)) -> Self {
        let clock = Arc::new(ManualClock::new(NOW));
        let store = Arc::new(MemoryStore::new(clock.clone(), LostRules::default()));
        let mut options = ServerOptions { clock: clock.clone(), ..ServerOptions::default() };
        change(&mut options);
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let mut stores = Stores::of(store.clone());
        wrap(&mut stores);
        let server = Server::builder().stores(stores).options(options);
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let bound = runtime.block_on(server.ingest(any, true).bind(any)).expect("binds");
        let (addr, ingest) = (bound.local_addr(), bound.ingest_addrs()[0]);
        let (stop, stopped) = oneshot::channel();
        let served = runtime.spawn(bound.serve(async {
            drop(stopped.await);
        }));
        Self { addr, ingest, store, clock, runtime, stop: Some(stop), served: Some(served) }
    }

    /// The keys of the server's store, past the server.
    pub(crate) fn keys(&self) -> Keys {
        Keys::new(self.store.clone(), Pepper::new([0; 32]), self.clock.clone(), Arc::new(SystemRandom))
    }

    /// A new key, known to the server at once.
    pub(crate) fn key(&self, project: &str, scopes: &[Scope]) -> NewKey {
        let wanted =
            WantedKey { project: project.to_owned(), scopes: scopes.to_vec(), ..WantedKey::default() };
        self.key_like(wanted)
    }

    pub(crate) fn key_like(&self, wanted: WantedKey) -> NewKey {
        let made = self.runtime.block_on(self.keys().create(wanted)).expect("makes a key");
        // The server may hold what it read for half a second.
        self.clock.advance(500_000_000);
        made
    }

    pub(crate) fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        Self::with(|options| change(&mut options.limits))
    }

    pub(crate) fn call(&self, method: &str, target: &str) -> Call {
        Call::new(self.addr, method, target)
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.call("GET", target).send()
    }

    pub(crate) fn post(&self, target: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.call("POST", target).body(content_type, body).send()
    }

    pub(crate) fn post_json(&self, target: &str, body: &str) -> Answer {
        self.post(target, "application/json", body)
    }

    /// Gives the signal to stop.
    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).expect("the server waits for it");
        }
    }

    /// Waits until the server has ended.
    pub(crate) fn join(&mut self) {
        if let Some(served) = self.served.take() {
            self.runtime.block_on(served).expect("the server ends in order");
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop();
        if !std::thread::panicking() {
            self.join();
        }
    }
}
