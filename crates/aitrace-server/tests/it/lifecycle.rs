//! Starting and stopping.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use aitrace_model::{LostRules, SystemClock};
use aitrace_server::{Server, ServerError, Stores};
use aitrace_store::memory::MemoryStore;

use crate::http::{connect, read};
use crate::rig::Rig;
use crate::samples::log;

async fn bind(addr: &str) -> Result<aitrace_server::Bound, ServerError> {
    let store = Arc::new(MemoryStore::new(Arc::new(SystemClock), LostRules::default()));
    Server::builder().stores(Stores::of(store)).bind(addr.parse().expect("an address")).await
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    for addr in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
        let error = bind(addr).await.expect_err(addr);
        assert!(matches!(error, ServerError::NoKeys(_)), "{error}");
        assert!(error.to_string().contains("aitrace keys create"), "{error}");
    }
    bind("127.0.0.1:0").await.expect("loopback");
}

#[tokio::test]
async fn what_is_missing_or_taken_is_said() {
    let error = Server::builder().bind("127.0.0.1:0".parse().expect("an address")).await;
    assert!(matches!(error, Err(ServerError::NoStores)));
    let first = bind("127.0.0.1:0").await.expect("binds");
    let error = bind(&first.local_addr().to_string()).await.expect_err("taken");
    assert!(matches!(error, ServerError::Bind { .. }), "{error}");
}

#[test]
fn a_running_request_ends_and_idle_connections_are_closed() {
    let mut rig = Rig::start();
    let mut idle = connect(rig.addr);
    let mut running = connect(rig.addr);
    let body = log("a");
    let call = rig.call("POST", "/api/ingest").body("application/json", body.clone());
    let head = call.header("expect", "100-continue").bytes();
    running.write_all(&head[..head.len() - body.len()]).unwrap();
    // The server says that it wants the body: the request is running.
    let mut go_on = [0; 25];
    running.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    rig.stop();
    assert!(read(&mut idle).is_none());
    running.write_all(body.as_bytes()).unwrap();
    assert_eq!(read(&mut running).expect("an answer").json()["ingested"], 1);
    rig.join();
}

#[test]
fn a_request_that_does_not_end_does_not_hold_the_server() {
    let mut rig = Rig::limited(|limits| limits.drain_timeout = Duration::from_millis(50));
    let mut hanging = connect(rig.addr);
    hanging
        .write_all(&rig.call("POST", "/api/ingest").body("application/json", log("a")).bytes()[..80])
        .unwrap();
    assert_eq!(rig.get("/healthz").status, 200);
    rig.stop();
    rig.join();
}

#[test]
fn a_connection_serves_many_requests() {
    let rig = Rig::start();
    let mut socket = connect(rig.addr);
    let call = rig.call("POST", "/api/ingest").body("application/json", log("a")).without("connection");
    for _ in 0..3 {
        socket.write_all(&call.bytes()).unwrap();
        assert_eq!(read(&mut socket).expect("an answer").status, 200);
    }
}
