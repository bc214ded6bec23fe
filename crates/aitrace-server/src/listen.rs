//! The accept loop: bounded connections, bounded waiting, an orderly end.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::closing::Closing;
use crate::limits::Limits;
use crate::stall::StallGuard;

/// Largest piece of a body that is read at once.
const READ_BYTES: usize = 512 << 10;
/// Longest head of a request.
const HEAD_BYTES: usize = 64 << 10;

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

async fn serve(socket: TcpStream, peer: SocketAddr, router: Router, limits: Limits, mut closing: Closing) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let io = TokioIo::new(StallGuard::new(socket, limits.write_idle_timeout));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_header_size(HEAD_BYTES)
            .max_buf_size(READ_BYTES)
            .serve_connection(io, TowerToHyperService::new(router))
    );
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = closing.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "connection ended badly");
    }
}
