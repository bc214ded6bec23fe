//! A server in this process: `serve`, and the one that other commands start where none answers.

use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use aitrace_model::{LostRules, SystemClock};
use aitrace_server::{Keys, Server, ServerError, ServerOptions, Stores, SystemRandom};
use aitrace_store::{ErrorKind, ProjectScope, StoreError, TelemetryStore as _};
use aitrace_store_embedded::{EmbeddedStore, HotLimits, Options, ParquetExport};
use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::args;
use crate::beacon::Beacon;
use crate::client::Client;
use crate::disk::DiskOf;
use crate::failure::Failure;
use crate::output;
use crate::secret;
use crate::serving::{self, Serving};
use crate::settings::ServerUrl;

/// Threads for blocking work (the store's reads and writes); idle ones end.
const BLOCKING_THREADS: usize = 16;
const IDLE_THREAD: Duration = Duration::from_secs(5);
/// How much longer than until it counts as lost an open span stays in memory.
const IDLE_AFTER_LOSS: Duration = Duration::from_mins(1);

/// A server that runs until it is stopped.
pub(crate) struct Local {
    runtime: Runtime,
    store: Arc<EmbeddedStore>,
    url: ServerUrl,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    _beacon: Beacon,
}

impl Local {
    /// Opens the store and listens. When it returns, requests are answered.
    pub(crate) fn start(serving: &Serving) -> Result<Self> {
        let runtime = runtime()?;
        let dir = &serving.data_dir;
        fs::create_dir_all(dir).with_context(|| format!("cannot make the data folder {}", dir.display()))?;
        let silent_ns = i64::try_from(serving.lost_after.as_nanos()).unwrap_or(i64::MAX);
        // Silence beyond which a span is lost must not drive it out of memory before that is told.
        let idle = serving.lost_after.saturating_add(IDLE_AFTER_LOSS);
        let hot = HotLimits { idle, ..HotLimits::default() };
        let lost = LostRules { silent_ns, ..LostRules::default() };
        let options = Options { lost, hot, ..Options::default() };
        let store = Arc::new(EmbeddedStore::open(dir, options).map_err(|error| not_opened(&error))?);
        let pepper = secret::pepper(dir, &SystemRandom)?;
        let keys = Keys::new(store.clone(), pepper.clone(), Arc::new(SystemClock), Arc::new(SystemRandom));
        if !runtime.block_on(keys.list(&ProjectScope::All)).context("cannot read the keys")?.is_empty() {
            secret::guard(dir)?;
        }
        let options = ServerOptions {
            prices: serving.prices.clone(),
            hosts: serving.hosts.clone(),
            retention: serving.retention,
            pepper,
            parquet: Some(Arc::new(ParquetExport)),
            compat_mode: serving.compat_mode,
            demand_keys: secret::is_guarded(dir),
            disk: Some(Arc::new(DiskOf(dir.clone()))),
            give_back: aitrace_allocator::GIVE_BACK,
            ..ServerOptions::default()
        };
        let mut server = Server::builder().stores(Stores::with_sql(store.clone())).options(options);
        for (address, demanded) in &serving.ingest {
            server = server.ingest(*address, *demanded);
        }
        let bound = runtime.block_on(server.bind(serving.address)).map_err(not_bound)?;
        let mut reached = bound.local_addr();
        if reached.ip().is_unspecified() {
            // All addresses are listened on; this machine uses its own.
            reached.set_ip(if reached.is_ipv4() {
                Ipv4Addr::LOCALHOST.into()
            } else {
                Ipv6Addr::LOCALHOST.into()
            });
        }
        let url = ServerUrl::parse(&format!("http://{reached}"))?;
        let beacon = Beacon::light(dir, &url)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let served = runtime.spawn(bound.serve(async {
            drop(stopped.await);
        }));
        Ok(Self { runtime, store, url, stop, served, _beacon: beacon })
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Runs a future beside the server; an error if the server ended meanwhile.
    pub(crate) fn run_until<T>(&mut self, future: impl Future<Output = T>) -> Result<T> {
        self.runtime.block_on(async {
            tokio::select! {
                done = future => Ok(done),
                _ = &mut self.served => Err(Failure::new("the server ended by itself", "its log above says why").into()),
            }
        })
    }

    /// Lets running requests end, seals and closes the store.
    pub(crate) fn stop(self) -> Result<()> {
        // The server takes a sender that is gone for the word to stop.
        drop(self.stop);
        let store = self.store;
        self.runtime.block_on(async {
            if !self.served.is_finished() {
                self.served.await.context("the server broke")?;
            }
            store
                .shutdown()
                .await
                .context("the data could not be sealed; nothing that was acknowledged is lost")
        })
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The runtime of the server: as many threads as there are cores, no more than it can use.
fn runtime() -> Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Builder::new_multi_thread()
        .worker_threads(cores.min(8))
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(IDLE_THREAD)
        .thread_name("aitrace")
        .enable_all()
        .build()
        .context("cannot start the threads of the server")
}

pub(crate) fn not_opened(error: &StoreError) -> anyhow::Error {
    let hint = match error.kind() {
        ErrorKind::Conflict => "stop the server that uses it, or name another folder with --data-dir",
        _ => "name another folder with --data-dir or AITRACE_DATA_DIR",
    };
    Failure::new(format!("cannot open the data: {error}"), hint).into()
}

fn not_bound(error: ServerError) -> anyhow::Error {
    match error {
        ServerError::Bind { addr, source } => Failure::new(
            format!("cannot listen on {addr}: {source}"),
            "choose another port with --port (--grpc-port, --otlp-http-port), or stop what uses this one",
        )
        .into(),
        other => Failure::new(other.to_string(), "").into(),
    }
}

/// A server to send to.
#[derive(Debug)]
pub(crate) enum Hub {
    /// One that answered.
    Other(ServerUrl),
    /// One that was started here.
    Own(Box<Local>),
}

impl Hub {
    /// The server that answers at the address asked for; where none does and the address is of this machine, one
    /// of our own at that address.
    pub(crate) fn find(server: &args::Server, data: &args::Data) -> Result<Self> {
        let url = ServerUrl::resolve(server)?;
        if Client::new(url.clone()).answers()? {
            return Ok(Self::Other(url));
        }
        let Some(address) = url.loopback() else {
            let hint = "start it there, or name another one with --server or AITRACE_SERVER_URL";
            return Err(Failure::new(format!("no server answers at {}", url.as_str()), hint).into());
        };
        let serving = serving::serving_at(address, data)?;
        let local = Local::start(&serving)?;
        output::note(&format!("serving at {} from {}", local.url().as_str(), serving.data_dir.display()));
        Ok(Self::Own(Box::new(local)))
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &ServerUrl {
        match self {
            Self::Other(url) => url,
            Self::Own(local) => local.url(),
        }
    }

    /// Stops a server of our own.
    pub(crate) fn close(self) -> Result<()> {
        match self {
            Self::Other(_) => Ok(()),
            Self::Own(local) => local.stop(),
        }
    }
}
