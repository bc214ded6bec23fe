//! The accept loop: bounded connections, bounded waiting, an orderly end.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::caller::Peer;
use crate::closing::Closing;
use crate::greeting::{Protocol, greet};
use crate::limits::Limits;
use crate::stall::StallGuard;

/// Largest piece of a body that is read at once: each connection may hold that much beside the budget.
const READ_BYTES: usize = 128 << 10;
/// What a peer of HTTP/2 may send before somebody has read it.
const WINDOW: u32 = 512 << 10;
/// Longest head of a request.
const HEAD_BYTES: usize = 64 << 10;

/// Requests that a connection of HTTP/2 may have open at once.
const STREAMS: u32 = 100;
/// Largest list of headers of HTTP/2.
const HEADER_LIST_BYTES: u32 = 32 << 10;
/// A connection of HTTP/2 may stay idle, but its peer must be there: it is asked this often.
const PING: Duration = Duration::from_secs(30);

/// Accepts until `closing` becomes true, then lets running requests end for a while.
pub(crate) async fn accept(listener: TcpListener, router: Router, limits: &Limits, closing: Closing) {
    let places = std::sync::Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut close = closing.clone();
    let mut closed = pin!(close.wait());
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = &mut closed => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                log_panic(&ended);
                continue;
            }
            accepted = next => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let connection = serve(socket, peer, router.clone(), limits.clone(), closing.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: others will be closed soon.
                tracing::warn!(%error, "accept failed");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let drained = timeout(limits.drain_timeout, async {
        while let Some(ended) = connections.join_next().await {
            log_panic(&ended);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(connections = connections.len(), "closing connections that did not end in time");
    }
}

fn log_panic(ended: &Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection broke");
    }
}

/// A router that is told where its requests come from.
struct From {
    router: TowerToHyperService<Router>,
    peer: SocketAddr,
}

impl Service<Request<Incoming>> for From {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Peer(self.peer.ip()));
        self.router.call(request)
    }
}

async fn serve(socket: TcpStream, peer: SocketAddr, router: Router, limits: Limits, mut closing: Closing) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let socket = StallGuard::new(socket, limits.write_idle_timeout);
    let greeted = tokio::select! {
        greeted = greet(socket, limits.head_timeout) => greeted,
        () = closing.wait() => return,
    };
    let (protocol, socket) = match greeted {
        Ok(greeted) => greeted,
        Err(error) => return tracing::debug!(%peer, %error, "no request came"),
    };
    let (io, service) = (TokioIo::new(socket), From { router: TowerToHyperService::new(router), peer });
    // The two connections have nothing in common but the names of their methods.
    macro_rules! drive {
        ($connection:expr) => {{
            let mut connection = pin!($connection);
            tokio::select! {
                result = connection.as_mut() => result,
                () = closing.wait() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }};
    }
    let result = match protocol {
        Protocol::Http1 => drive!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head_timeout)
                .max_header_size(HEAD_BYTES)
                .max_buf_size(READ_BYTES)
                .serve_connection(io, service)
        ),
        Protocol::Http2 => drive!(
            http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS)
                .max_header_list_size(HEADER_LIST_BYTES)
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .keep_alive_interval(PING)
                .keep_alive_timeout(limits.head_timeout)
                .serve_connection(io, service)
        ),
    };
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "connection ended badly");
    }
}
