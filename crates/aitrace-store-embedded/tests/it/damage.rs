//! Files that were damaged between two openings, or while the store is open.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use aitrace_store::conformance::{end, trace_id};
use aitrace_store::{Batch, PageRequest, ProblemKind, ProjectScope, TelemetryStore, TraceFilter, Upkeep};
use aitrace_store_embedded::{EmbeddedStore, Options, doctor};

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
        let database = crate::database(dir.path());
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
    let database = crate::database(dir.path());
    database.execute("UPDATE log SET body = x'00' WHERE seq = 1", []).expect("damages");
    drop(database);
    let store = open(dir.path());
    assert_eq!((spans(&store, 1).await, spans(&store, 2).await), (None, Some(2)));
    assert_eq!(segments(dir.path(), ".corrupt-").len(), 1);
}

/// A store whose batches stand beside its database.
fn open_apart(dir: &Path) -> EmbeddedStore {
    EmbeddedStore::open(dir, Options { apart: 0, ..Options::default() }).expect("opens")
}

#[tokio::test]
async fn a_damaged_file_of_the_log_costs_the_batches_that_it_hit() {
    type Damage = fn(&Path, &[u8]) -> std::io::Result<()>;
    let damages: [(Damage, [Option<usize>; 3]); 3] = [
        (|path, _| std::fs::remove_file(path), [None; 3]),
        (|path, bytes| std::fs::write(path, &bytes[..bytes.len() - 1]), [Some(2), Some(2), None]),
        (
            |path, bytes| std::fs::write(path, [&[bytes[0] ^ 1], &bytes[1..]].concat()),
            [None, Some(2), Some(2)],
        ),
    ];
    for (damage, left) in damages {
        let dir = crate::place();
        let store = open_apart(dir.path());
        for trace in 1..4 {
            store.append(batch(trace)).await.expect("appends");
        }
        drop(store);
        let path = dir.path().join("log/0000000001.bodies");
        let bytes = std::fs::read(&path).expect("reads");
        damage(&path, &bytes).expect("damages");
        let lost = left.iter().filter(|spans| spans.is_none()).count();
        let report = doctor::examine(dir.path()).expect("looks");
        assert_eq!((report.is_good(), report.bad_files.len(), report.log_rows), (false, lost, 3));
        let store = open_apart(dir.path());
        let problems = store.health().await.expect("reads").problems;
        assert!(problems.iter().all(|problem| problem.kind == ProblemKind::LogRowLost), "{problems:?}");
        assert_eq!((problems.len(), segments(dir.path(), ".corrupt-").len()), (lost, lost));
        for (trace, left) in (1..).zip(left) {
            assert_eq!(spans(&store, trace).await, left, "{trace}");
        }
        store.append(batch(9)).await.expect("appends");
        assert_eq!(spans(&store, 9).await, Some(2));
    }
}

#[tokio::test]
async fn files_of_the_log_go_when_their_batches_are_sealed() {
    let dir = crate::place();
    let files = || std::fs::read_dir(dir.path().join("log")).expect("reads").count();
    let store = open_apart(dir.path());
    store.append(batch(1)).await.expect("appends");
    assert_eq!(files(), 1);
    assert!(store.stats().await.expect("figures").disk_bytes > 0);
    store.seal().await.expect("seals");
    assert_eq!(files(), 0);
    store.append(batch(2)).await.expect("appends");
    drop(store);
    assert_eq!(files(), 1);
    let store = open_apart(dir.path());
    assert_eq!((spans(&store, 1).await, spans(&store, 2).await), (Some(2), Some(2)));
    store.shutdown().await.expect("shuts down");
    assert_eq!(files(), 0);
}

/// Whatever happens to a file of the database, the next start serves what was sealed and all documents and
/// log rows that can still be read.
#[tokio::test]
async fn a_damaged_database_is_made_anew() {
    let dir = crate::place();
    two_segments(dir.path()).await;
    let store = open(dir.path());
    store.append(batch(3)).await.expect("appends");
    drop(store);
    let database = dir.path().join("aitrace.db");
    let good = std::fs::read(&database).expect("reads");
    let mut seed = 7_usize;
    let mut rebuilt = 0;
    for round in 0..50 {
        std::fs::write(&database, &good).expect("mends");
        for suffix in ["-wal", "-shm"] {
            drop(std::fs::remove_file(dir.path().join(format!("aitrace.db{suffix}"))));
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place = (seed >> 33) % good.len();
        let mut bad = good.clone();
        match round % 5 {
            0 => bad[place] ^= 1 << (round % 8),
            1 => bad[place / 4096 * 4096..][..4096].fill(0),
            2 => bad.truncate(place),
            3 => bad.clear(),
            _ => bad.extend_from_slice(&good[good.len() - 4096..]),
        }
        std::fs::write(&database, &bad).expect("damages");
        let store = open(dir.path());
        let what = format!("round {round}, byte {place}");
        assert_eq!((spans(&store, 1).await, spans(&store, 2).await), (Some(2), Some(2)), "{what}");
        store.append(batch(9)).await.expect("the writer lives");
        let health = aitrace_store::Upkeep::health(&store).await.expect("reads");
        let seen = health.problems.iter().any(|problem| problem.kind == ProblemKind::DatabaseRebuilt);
        rebuilt += usize::from(seen);
        let lines = store.list_traces(&TraceFilter::default(), &PageRequest::default()).await.expect("lists");
        assert!((3..=4).contains(&lines.traces.len()), "{what}: {} traces", lines.traces.len());
    }
    assert!(rebuilt > 10, "only {rebuilt} damages were noticed");
}

/// Puts a database in the place of what is there.
fn put_database(dir: &Path, bytes: &[u8]) {
    std::fs::write(dir.join("aitrace.db"), bytes).expect("writes");
    for suffix in ["-wal", "-shm"] {
        drop(std::fs::remove_file(dir.join(format!("aitrace.db{suffix}"))));
    }
}

/// Whether the start looks at all of the database or not: one flipped bit of it is read as it was, and told.
#[tokio::test]
async fn a_flipped_bit_of_the_database_costs_nothing() {
    let dir = crate::place();
    two_segments(dir.path()).await;
    let good = std::fs::read(dir.path().join("aitrace.db")).expect("reads");
    for (page, checked) in (0..good.len() / 4096).zip([0, u64::MAX].into_iter().cycle()) {
        let mut bad = good.clone();
        bad[page * 4096 + 303] ^= 4;
        put_database(dir.path(), &bad);
        let examined = doctor::examine(dir.path()).expect("looks");
        let options = Options { checked, ..Options::default() };
        let store = EmbeddedStore::open(dir.path(), options).expect("opens");
        assert_eq!((spans(&store, 1).await, spans(&store, 2).await), (Some(2), Some(2)), "page {page}");
        let lines = store.list_traces(&TraceFilter::default(), &PageRequest::default()).await.expect("lists");
        assert_eq!(lines.traces.len(), 2, "page {page}");
        let problems = aitrace_store::Upkeep::health(&store).await.expect("reads").problems;
        let told = problems.iter().any(|problem| problem.text.contains("a bit"));
        // A page that holds nothing is not read, and so not missed.
        assert_eq!(
            told || checked == 0,
            !examined.database.is_empty() || checked == 0,
            "page {page}: {problems:?}"
        );
        drop(store);
        drop(open(dir.path()));
        assert!(doctor::examine(dir.path()).expect("looks").database.is_empty(), "page {page} was set right");
    }
}

/// More than a bit, in a database that the start does not look through: the next one does, and mends it.
#[tokio::test]
async fn damage_that_is_met_later_is_mended_by_the_next_start() {
    let dir = crate::place();
    two_segments(dir.path()).await;
    let mut bad = std::fs::read(dir.path().join("aitrace.db")).expect("reads");
    // The lines of traces.
    bad[5 * 4096 + 303] ^= 4;
    bad[5 * 4096 + 3000] ^= 1;
    put_database(dir.path(), &bad);
    let store = EmbeddedStore::open(dir.path(), Options { checked: 0, ..Options::default() }).expect("opens");
    let list = store.list_traces(&TraceFilter::default(), &PageRequest::default()).await;
    assert_eq!(list.expect_err("cannot be read").kind(), aitrace_store::ErrorKind::Corrupt);
    assert!(!aitrace_store::Upkeep::health(&store).await.expect("reads").is_good());
    drop(store);
    let store = open(dir.path());
    assert_eq!((spans(&store, 1).await, spans(&store, 2).await), (Some(2), Some(2)));
    let problems = aitrace_store::Upkeep::health(&store).await.expect("reads").problems;
    assert!(problems.iter().any(|problem| problem.kind == ProblemKind::DatabaseRebuilt), "{problems:?}");
}

#[tokio::test]
async fn damaged_logs_and_indexes_of_the_database_do_not_stop_it() {
    for (suffix, damage) in
        [("-wal", "cut"), ("-wal", "flip"), ("-wal", "empty"), ("-shm", "flip"), ("-shm", "empty")]
    {
        let dir = crate::place();
        two_segments(dir.path()).await;
        let store = open(dir.path());
        store.append(batch(3)).await.expect("appends");
        // As after a kill: copies of the files while they are in use.
        let copy = crate::place();
        std::fs::create_dir(copy.path().join("segments")).expect("creates");
        for name in ["aitrace.db", "aitrace.db-wal", "aitrace.db-shm"] {
            std::fs::copy(dir.path().join(name), copy.path().join(name)).expect("copies");
        }
        for path in segments(dir.path(), ".parquet") {
            let name = path.file_name().expect("a name");
            std::fs::copy(&path, copy.path().join("segments").join(name)).expect("copies");
        }
        let whole = open(copy.path());
        assert_eq!(spans(&whole, 3).await, Some(2), "a copy taken at rest opens as it is");
        drop(whole);
        let path = copy.path().join(format!("aitrace.db{suffix}"));
        std::fs::copy(dir.path().join("aitrace.db"), copy.path().join("aitrace.db")).expect("copies");
        let mut bytes = std::fs::read(dir.path().join(format!("aitrace.db{suffix}"))).expect("reads");
        match damage {
            "cut" => bytes.truncate(bytes.len() / 2),
            "flip" => bytes.iter_mut().skip(40).step_by(97).for_each(|byte| *byte ^= 0x40),
            _ => bytes.clear(),
        }
        std::fs::write(&path, &bytes).expect("damages");
        let store = open(copy.path());
        assert_eq!((spans(&store, 1).await, spans(&store, 2).await), (Some(2), Some(2)), "{suffix} {damage}");
        store.append(batch(9)).await.expect("the writer lives");
    }
}

#[tokio::test]
async fn the_doctor_sees_damage_and_mends_it() {
    let dir = crate::place();
    two_segments(dir.path()).await;
    let report = doctor::examine(dir.path()).expect("looks");
    assert!(report.is_good() && report.schema == Some(report.newest_schema), "{report:?}");
    assert_eq!((report.good_files, report.set_aside.len()), (2, 0));
    let first = segments(dir.path(), ".parquet")[0].clone();
    let mut bytes = std::fs::read(&first).expect("reads");
    bytes[100] ^= 1;
    std::fs::write(&first, bytes).expect("damages");
    let report = doctor::examine(dir.path()).expect("looks");
    assert_eq!((report.is_good(), report.bad_files.len(), report.good_files), (false, 1, 1));
    let now = aitrace_store::conformance::time(0);
    assert!(!doctor::repair(dir.path(), now).expect("has nothing to do"), "the database is sound");
    let database = dir.path().join("aitrace.db");
    std::fs::write(&database, b"not a database at all").expect("damages");
    assert!(!doctor::examine(dir.path()).expect("looks").is_good());
    assert!(doctor::repair(dir.path(), now).expect("mends"));
    let store = open(dir.path());
    let busy = doctor::repair(dir.path(), now).expect_err("in use");
    assert_eq!(busy.kind(), aitrace_store::ErrorKind::Conflict);
    assert_eq!((spans(&store, 1).await, spans(&store, 2).await), (None, Some(2)));
    assert!(doctor::examine(dir.path()).expect("looks").set_aside.len() >= 2);
}

/// Copies taken while writing, sealing and merging go on hold all that was acknowledged before them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_taken_while_it_is_used_opens_whole() {
    let (dir, copies) = (crate::place(), crate::place());
    let store = std::sync::Arc::new(open_apart(dir.path()));
    let writer = {
        let store = std::sync::Arc::clone(&store);
        tokio::spawn(async move {
            for number in 0..60 {
                store.append(batch(number)).await.expect("appends");
                if number % 3 == 0 {
                    store.seal().await.expect("seals");
                }
                if number % 10 == 9 {
                    store.compact().await.expect("compacts");
                }
            }
        })
    };
    for number in 0..5 {
        let known = store.stats().await.expect("figures").spans;
        let target = copies.path().join(number.to_string());
        let (from, to) = (dir.path().to_owned(), target.clone());
        tokio::task::spawn_blocking(move || doctor::backup(&from, &to)).await.expect("runs").expect("copies");
        let copy = open(&target);
        assert!(copy.stats().await.expect("figures").spans >= known, "copy {number}");
        let lines =
            copy.list_traces(&TraceFilter::default(), &PageRequest { limit: 1000, cursor: None }).await;
        for line in lines.expect("lists").traces {
            let read = copy.trace(&ProjectScope::All, line.trace_id).await.expect("reads").expect("there");
            assert_eq!(read.spans.len(), 2);
        }
    }
    writer.await.expect("writes");
}
