//! Starting and stopping.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use aitrace_store::StoreError;
use tokio::net::TcpListener;

use crate::app::App;
use crate::auth::{Keys, Ring};
use crate::closing::{self, Close};
use crate::guard::Hosts;
use crate::listen;
use crate::options::ServerOptions;
use crate::retention;
use crate::route::{ingest_router, router};
use crate::stores::Stores;
use crate::trim;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The builder was given no stores.
    #[error("no stores were given to the server")]
    NoStores,
    /// Everyone in the network could read and write, because no keys protect the data.
    #[error(
        "{0} can be reached from other machines, and there are no keys that protect the data; \
         make one with `aitrace keys create --project P`, or listen on 127.0.0.1 and use a tunnel"
    )]
    NoKeys(SocketAddr),
    /// The keys cannot be read.
    #[error("the keys cannot be read: {0}")]
    Keys(#[source] StoreError),
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}; choose another port, or stop what uses this one")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

/// An HTTP server over stores.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Begins to describe a server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }
}

/// The description of a server.
#[derive(Debug, Default)]
pub struct ServerBuilder {
    stores: Option<Stores>,
    options: ServerOptions,
    ingest: Vec<(SocketAddr, bool)>,
}

impl ServerBuilder {
    /// Where everything is kept. Required.
    pub fn stores(mut self, stores: Stores) -> Self {
        self.stores = Some(stores);
        self
    }

    /// Options; default [`ServerOptions::default`].
    pub fn options(mut self, options: ServerOptions) -> Self {
        self.options = options;
        self
    }

    /// A further address that only takes data (OTLP over gRPC and HTTP, trace records), for example port 4317 or
    /// 4318, which OTLP's clients send to by default. Where it is in use, [`ServerBuilder::bind`] fails if it is
    /// `demanded`, and else goes on with a warning in the log.
    pub fn ingest(mut self, addr: SocketAddr, demanded: bool) -> Self {
        self.ingest.push((addr, demanded));
        self
    }

    /// Takes the addresses. One that other machines can reach is refused unless there is a key; port 0 takes any
    /// free port. Connections are taken from
    /// now on, and answered once [`Bound::serve`] runs.
    pub async fn bind(self, addr: SocketAddr) -> Result<Bound, ServerError> {
        let stores = self.stores.ok_or(ServerError::NoStores)?;
        let keys = Keys::new(
            stores.documents.clone(),
            self.options.pepper.clone(),
            self.options.clock.clone(),
            self.options.random.clone(),
        );
        let ring = Ring::new(keys, self.options.demand_keys);
        let wide = |addr: &&SocketAddr| !addr.ip().to_canonical().is_loopback();
        let all = std::iter::once(&addr).chain(self.ingest.iter().map(|(addr, _)| addr));
        if let Some(addr) = all.clone().find(wide)
            && !ring.has_live().await.map_err(ServerError::Keys)?
        {
            return Err(ServerError::NoKeys(*addr));
        }
        let wide = all.clone().any(|addr| wide(&addr));
        let (listener, local) = listen_on(addr).await?;
        let mut hosts = Hosts::new(local, &self.options.hosts, wide);
        let mut further = Vec::new();
        for (addr, demanded) in self.ingest {
            match listen_on(addr).await {
                Ok((listener, local)) => {
                    hosts.also_on(local.port());
                    further.push((listener, local));
                }
                Err(ServerError::Bind { addr, source }) if !demanded => {
                    tracing::warn!(%addr, error = %source, "no data is taken on this address");
                }
                Err(error) => return Err(error),
            }
        }
        let (close, closing) = closing::channel();
        let app = App::new(stores, ring, self.options, hosts, closing);
        Ok(Bound { listener, local, further, app, close })
    }
}

async fn listen_on(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let failed = |source| ServerError::Bind { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

/// A server that has its address.
pub struct Bound {
    listener: TcpListener,
    local: SocketAddr,
    further: Vec<(TcpListener, SocketAddr)>,
    app: App,
    close: Close,
}

impl Bound {
    /// The address with its real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The further addresses that take data, those that were free.
    pub fn ingest_addrs(&self) -> Vec<SocketAddr> {
        self.further.iter().map(|(_, local)| *local).collect()
    }

    /// Answers requests until `shutdown` is ready; then running requests may end, live streams are closed. The
    /// stores stay open: they are the caller's to shut down.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) {
        let closing = self.app.closing.clone();
        let limits = self.app.options.limits.clone();
        let main = listen::accept(self.listener, router(&self.app), &limits, closing.clone());
        let further = self.further.into_iter().map(|(listener, _)| {
            listen::accept(listener, ingest_router(&self.app), &limits, closing.clone())
        });
        let retention = retention::keep(self.app.clone());
        let memory = trim::tend(self.app.clone());
        let further = futures_util::future::join_all(further);
        let accept = futures_util::future::join4(main, further, retention, memory);
        let close = async {
            shutdown.await;
            self.close.close();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = accept => {}
            () = close => {}
        }
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("local_addr", &self.local).finish_non_exhaustive()
    }
}
