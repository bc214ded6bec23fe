//! Who may have the directory.

use aitrace_store::conformance::end;
use aitrace_store::{Batch, ErrorKind, TelemetryStore};
use aitrace_store_embedded::{EmbeddedStore, Options};

#[tokio::test]
async fn a_second_open_is_refused_until_the_first_is_gone() {
    let dir = crate::place();
    let store = EmbeddedStore::open(dir.path(), Options::default()).expect("opens");
    let refused = EmbeddedStore::open(dir.path(), Options::default()).expect_err("in use");
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.to_string().contains("in use"), "{refused}");
    store.shutdown().await.expect("shuts down");
    drop(EmbeddedStore::open(dir.path(), Options::default()).expect("opens after a shutdown"));
    drop(store);
}

#[tokio::test]
async fn a_newer_directory_is_refused_and_not_touched() {
    let dir = crate::place();
    drop(EmbeddedStore::open(dir.path(), Options::default()).expect("opens"));
    let database = crate::database(dir.path());
    database.execute_batch("PRAGMA user_version = 999").expect("sets");
    drop(database);
    let refused = EmbeddedStore::open(dir.path(), Options::default()).expect_err("newer");
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.to_string().contains("upgrade"), "{refused}");
}

#[tokio::test]
async fn a_shutdown_seals_and_clears_the_log() {
    let dir = crate::place();
    let store = EmbeddedStore::open(dir.path(), Options::default()).expect("opens");
    store.append(Batch { spans: vec![end("p", 1, 0)], logs: Vec::new() }).await.expect("appends");
    store.shutdown().await.expect("shuts down");
    assert_eq!(store.stats().await.expect_err("closed").kind(), ErrorKind::Closed);
    let database = crate::database(dir.path());
    let rows: i64 = database.query_row("SELECT count(*) FROM log", [], |row| row.get(0)).expect("counts");
    assert_eq!(rows, 0);
}
