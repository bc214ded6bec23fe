//! What all handlers share.

use std::sync::Arc;

use aitrace_store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::{Browsers, Ring, Tries};
use crate::closing::Closing;
use crate::error::{ApiError, Kind, Result};
use crate::guard::Hosts;
use crate::live::Hub;
use crate::memory::Memory;
use crate::memory::reads::Reads;
use crate::metrics::Metrics;
use crate::options::ServerOptions;
use crate::stores::Stores;

/// The state behind the routes. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) stores: Stores,
    /// Who may do what.
    pub(crate) ring: Ring,
    /// Cookies that were given out.
    pub(crate) browsers: Browsers,
    /// Wrong keys, by address.
    pub(crate) tries: Tries,
    /// Other machines can reach the server: a key is demanded in any case.
    pub(crate) wide: bool,
    pub(crate) options: ServerOptions,
    pub(crate) hosts: Hosts,
    pub(crate) memory: Memory,
    /// Memory of statements and of traces that are read.
    pub(crate) reads: Reads,
    pub(crate) metrics: Metrics,
    /// The live stream.
    pub(crate) hub: Arc<Hub>,
    /// Places for readers of the live stream.
    pub(crate) live: Arc<Semaphore>,
    /// Places for questions that look at everything: searches, statistics, exports.
    pub(crate) heavy: Arc<Semaphore>,
    /// Becomes true when the server is to stop.
    pub(crate) closing: Closing,
    /// One place for each core: decoding more at once only makes all of it slower.
    workers: Semaphore,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    pub(crate) fn new(
        stores: Stores,
        ring: Ring,
        options: ServerOptions,
        hosts: Hosts,
        closing: Closing,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let memory = Memory::new(options.limits.memory_bytes);
        let memory = memory.beside(stores.telemetry.clone(), options.limits.total_bytes);
        let reads = Reads::new(memory.clone(), &options.limits);
        Self(Arc::new(Inner {
            hub: Arc::new(Hub::new(stores.clone(), options.clone(), closing.clone())),
            stores,
            ring,
            browsers: Browsers::new(options.pepper.clone(), options.clock.clone(), options.random.clone()),
            tries: Tries::new(options.limits.wrong_keys),
            wide: hosts.wide(),
            hosts,
            metrics: Metrics::new(),
            memory,
            reads,
            live: Arc::new(Semaphore::new(options.limits.live_readers)),
            heavy: Arc::new(Semaphore::new(options.limits.heavy_queries)),
            closing,
            workers: Semaphore::new(cores),
            options,
        }))
    }

    /// Whether work on so many bytes runs beside the threads that serve connections, where it may wait.
    pub(crate) const fn waits(bytes: usize) -> bool {
        /// About 0.1 ms of decoding; handing it to another thread costs a tenth of that.
        const SHORT: usize = 32 << 10;
        bytes > SHORT
    }

    /// Waits for an answer of a store, as long as a question may take; then, and when the caller goes, it is dropped,
    /// and the store stops working on it.
    pub(crate) async fn answer<T>(
        &self,
        asked: impl Future<Output = std::result::Result<T, StoreError>>,
    ) -> Result<T> {
        let most = self.options.limits.query_time;
        let Ok(answer) = tokio::time::timeout(most, asked).await else {
            let message = format!("the answer took longer than {most:?}");
            return Err(ApiError::new(
                Kind::Overloaded,
                message,
                "Narrow it by project or time, or ask again later.",
            ));
        };
        answer.map_err(|error| ApiError::reading(&error))
    }

    /// A place for a question that looks at everything.
    pub(crate) fn heavy(&self) -> Result<OwnedSemaphorePermit> {
        self.heavy.clone().try_acquire_owned().map_err(|_| {
            ApiError::new(Kind::Overloaded, "too many large questions at once", "Ask again in a moment.")
        })
    }

    /// Runs work that takes about `bytes` of input: in place where it is short, else beside the threads that
    /// serve connections, so that they stay responsive.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        if !Self::waits(bytes) {
            return Ok(work());
        }
        let _place = self.workers.acquire().await.expect("the semaphore is never closed");
        tokio::task::spawn_blocking(work).await.map_err(|error| {
            tracing::error!(%error, "decoding broke off");
            ApiError::new(Kind::Internal, "decoding broke off", "This is a defect of aitrace.")
        })
    }
}
