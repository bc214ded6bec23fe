//! Files that were damaged between two openings, or while the store is open.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use aitrace_store::conformance::{end, trace_id};
use aitrace_store::{Batch, ProjectScope, TelemetryStore};
use aitrace_store_embedded::{EmbeddedStore, Options};

fn open(dir: &Path) -> EmbeddedStore {
    EmbeddedStore::open(dir, Options::default()).expect("opens")
}

fn batch(trace: u64) -> Batch {
    Batch { spans: vec![end("p", trace, 0), end("p", trace, 1)], logs: Vec::new() }
}

fn segments(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("segments")).expect("reads");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("reads").path()).collect();
    paths.retain(|path| {
        let name = path.to_str().expect("text");
        name.ends_with(suffix) || (suffix.starts_with(".corrupt") && name.contains(suffix))
    });
    paths.sort();
    paths
}

async fn spans(store: &EmbeddedStore, trace: u64) -> Option<usize> {
    let trace = store.trace(&ProjectScope::All, trace_id(trace)).await.expect("reads");
    trace.map(|trace| trace.spans.len())
}

async fn two_segments(dir: &Path) {
    let store = open(dir);
    for trace in [1, 2] {
        store.append(batch(trace)).await.expect("appends");
        store.seal().await.expect("seals");
    }
    assert_eq!(segments(dir, ".parquet").len(), 2);
}

#[tokio::test]
async fn a_cut_file_is_set_aside_and_the_rest_served() {
    for cut in ["cut", "empty", "missing"] {
        let dir = crate::place();
        two_segments(dir.path()).await;
        let first = &segments(dir.path(), ".parquet")[0];
        let length = std::fs::metadata(first).expect("is there").len();
        match cut {
            "missing" => std::fs::remove_file(first).expect("removes"),
            cut => {
                let file = File::options().write(true).open(first).expect("opens");
                file.set_len(if cut == "cut" { length - 9 } else { 0 }).expect("cuts");
            }
        }
        let store = open(dir.path());
        assert_eq!((spans(&store, 1).await, spans(&store, 2).await), (None, Some(2)), "{cut}");
        assert_eq!(segments(dir.path(), ".corrupt-").len(), usize::from(cut != "missing"), "{cut}");
        // What was lost can be sent again.
        assert_eq!(store.append(batch(1)).await.expect("appends").stored, 2, "{cut}");
        assert_eq!(spans(&store, 1).await, Some(2), "{cut}");
    }
}

#[tokio::test]
async fn flipped_bytes_never_stop_the_store() {
    let dir = crate::place();
    two_segments(dir.path()).await;
    let first = segments(dir.path(), ".parquet")[0].clone();
    let length = std::fs::metadata(&first).expect("is there").len();
    let good = std::fs::read(&first).expect("reads");
    let mut aside = 0;
    for place in (0..length).step_by(length as usize / 40) {
        let store = open(dir.path());
        let file = File::options().write(true).open(&first).expect("opens");
        file.write_at(&[good[place as usize] ^ 0x55], place).expect("damages");
        drop(file);
        let seen = spans(&store, 1).await;
        assert!(matches!(seen, None | Some(2)), "byte {place}: {seen:?}");
        assert_eq!(spans(&store, 2).await, Some(2), "byte {place}");
        store.append(batch(3)).await.expect("the writer lives");
        drop(store);
        if seen.is_none() {
            aside += 1;
            assert_eq!(segments(dir.path(), ".corrupt-").len(), 1, "byte {place}");
        }
        // Mend it for the next byte.
        for corrupt in segments(dir.path(), ".corrupt-") {
            std::fs::remove_file(corrupt).expect("removes");
        }
        std::fs::write(&first, &good).expect("mends");
        let database = rusqlite::Connection::open(dir.path().join("aitrace.db")).expect("opens");
        database.execute("UPDATE segment SET state = 'live'", []).expect("mends");
    }
    assert!(aside > 5, "only {aside} damages were noticed");
}

#[tokio::test]
async fn what_nobody_registered_is_removed() {
    let dir = crate::place();
    two_segments(dir.path()).await;
    let strangers = ["0000000099.spans.parquet", "0000000003.spans.part"];
    for name in strangers {
        std::fs::write(dir.path().join("segments").join(name), "half").expect("writes");
    }
    let store = open(dir.path());
    assert_eq!((spans(&store, 1).await, spans(&store, 2).await), (Some(2), Some(2)));
    assert_eq!((segments(dir.path(), ".parquet").len(), segments(dir.path(), ".part").len()), (2, 0));
}

#[tokio::test]
async fn a_damaged_row_of_the_log_is_set_aside() {
    let dir = crate::place();
    let store = open(dir.path());
    for trace in [1, 2] {
        store.append(batch(trace)).await.expect("appends");
    }
    drop(store);
    let database = rusqlite::Connection::open(dir.path().join("aitrace.db")).expect("opens");
    database.execute("UPDATE log SET body = x'00' WHERE seq = 1", []).expect("damages");
    drop(database);
    let store = open(dir.path());
    assert_eq!((spans(&store, 1).await, spans(&store, 2).await), (None, Some(2)));
    assert_eq!(segments(dir.path(), ".corrupt-").len(), 1);
}
