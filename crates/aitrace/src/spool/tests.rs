use std::fs;
use std::path::Path;

use super::*;
use crate::data::LogData;
use aitrace_model::{Json, Level, Timestamp};

fn options(folder: &Path, bounds: Bounds) -> SpoolOptions {
    SpoolOptions { folder: folder.to_owned(), key: key_of("http://x", "p"), bounds }
}

fn batch(logs: usize) -> Batch {
    let tracer = crate::Tracer::builder().target("memory").build();
    let log = |number: usize| LogData {
        identity: tracer.identity().clone(),
        id: format!("log-{number}"),
        time: Timestamp::default(),
        span: None,
        event: "said".into(),
        level: Level::Info,
        logger: None,
        code: None,
        attrs: Json::from_trusted("{}"),
        room: 0,
    };
    Batch { spans: Vec::new(), logs: (0..logs).map(log).collect() }
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).expect("reads").count()
}

#[test]
fn what_is_written_can_be_sent_by_another_when_the_writer_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("deep/spool");
    let (mut one, mut other) = (
        Spool::new(options(&place, Bounds::default())),
        Spool::new(SpoolOptions { key: key_of("http://x", "other"), ..options(&place, Bounds::default()) }),
    );
    assert_eq!(one.write(&batch(3), None).expect("writes").items, 3);
    assert_eq!(one.write(&batch(2), None).expect("writes").items, 2);
    assert_eq!(one.write(&batch(0), None).expect("writes"), Written::default());
    other.write(&batch(1), None).expect("writes");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
        assert_eq!((mode(&one.own_paths()[0]), mode(&place)), (0o600, 0o700));
    }
    let next = Spool::new(options(&place, Bounds::default()));
    let left = next.left_behind();
    assert_eq!(left.len(), 1, "another project's file is not ours to send");
    assert!(load(&left[0], false).is_err(), "its writer lives");
    drop(one);
    let mut claimed = load(&left[0], false).expect("its writer is gone");
    assert_eq!(bodies(&mut claimed).iter().map(|(_, lines)| lines).sum::<u64>(), 5);
    assert!(load(&left[0], false).is_err(), "one sends a file, not two");
    claimed.remove();
    assert_eq!((next.left_behind().len(), count(&place)), (0, 1));
}

#[test]
fn a_torn_line_costs_itself_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = Spool::new(options(folder.path(), Bounds::default()));
    spool.write(&batch(3), None).expect("writes");
    let path = spool.own_paths().remove(0);
    drop(spool);
    let mut text = fs::read_to_string(&path).expect("reads");
    text.truncate(text.len() - 7);
    fs::write(&path, text.replacen("said", "sage", 1)).expect("writes");
    let mut load = load(&path, false).expect("loads");
    let bodies = bodies(&mut load);
    assert_eq!((load.take_corrupt(), bodies.len(), bodies[0].1), (2, 1, 1));
    assert_eq!(load.take_corrupt(), 0, "told once");
    assert!(bodies[0].0.contains("log-1") && !bodies[0].0.contains("crc32"));
}

#[test]
fn a_file_is_read_body_by_body_and_what_is_put_back_comes_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = Spool::new(options(folder.path(), Bounds::default()));
    for _ in 0..8 {
        spool.write(&batch(500), None).expect("writes");
    }
    let path = spool.own_paths().remove(0);
    drop(spool);
    let text = fs::read_to_string(&path).expect("reads");
    let mut load = load(&path, false).expect("loads");
    let (first, lines) = load.body().expect("reads").expect("a body");
    assert!(lines < 4000 && first.len() < 512 << 10, "{lines} lines of {} bytes", text.len());
    load.push_apart(&first);
    let all = bodies(&mut load);
    assert_eq!(all.iter().map(|(_, lines)| lines).sum::<u64>(), 4000);
    assert!(all[..lines as usize].iter().all(|(_, lines)| *lines == 1), "apart");
    let sent: String = all.into_iter().map(|(body, _)| body).collect();
    let written: Vec<_> = text.lines().filter_map(aitrace_model::record::unseal).collect();
    assert_eq!(sent.lines().collect::<Vec<_>>(), written, "all, once, in order");
}

fn bodies(load: &mut super::Load) -> Vec<(String, u64)> {
    std::iter::from_fn(|| load.body().expect("reads")).collect()
}

#[test]
fn the_oldest_goes_when_the_folder_is_full_and_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let bounds = Bounds { bytes: 3000, files: 3 };
    let mut gone = Spool::new(options(folder.path(), bounds));
    gone.write(&batch(2), None).expect("writes");
    drop(gone);
    let mut spool = Spool::new(options(folder.path(), bounds));
    let (mut items, mut own, mut others) = (0, 0, 0);
    for _ in 0..20 {
        let written = spool.write(&batch(2), None).expect("writes");
        items += written.items;
        own += written.evicted_own;
        others += written.evicted_others;
        assert!(count(folder.path()) <= bounds.files);
        let bytes: u64 = folder::files(folder.path()).expect("lists").iter().map(|file| file.bytes).sum();
        assert!(bytes <= bounds.bytes, "{bytes}");
    }
    spool.close();
    let left: u64 = spool.closed.iter().map(|own| own.items).sum();
    assert_eq!((items, others), (40, 2));
    assert_eq!(left + own, 40);
    assert!(left > 0 && own > 0);
}

#[test]
fn files_that_others_hold_stay_and_the_spool_says_that_it_is_full() {
    let folder = tempfile::tempdir().expect("a folder");
    let bounds = Bounds { bytes: 1 << 20, files: 2 };
    let mut holders: Vec<_> = (0..2).map(|_| Spool::new(options(folder.path(), bounds))).collect();
    for holder in &mut holders {
        holder.write(&batch(1), None).expect("writes");
    }
    let mut late = Spool::new(options(folder.path(), bounds));
    let error = late.write(&batch(1), None).expect_err("full");
    assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
    drop(holders);
    assert_eq!(late.write(&batch(1), None).expect("room now").evicted_others, 1);
}

#[test]
fn where_nothing_can_be_written_nothing_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let occupied = folder.path().join("file");
    fs::write(&occupied, "").expect("writes");
    let mut spool = Spool::new(options(&occupied.join("spool"), Bounds::default()));
    assert!(spool.write(&batch(1), None).is_err());
    assert!(!spool.has_own());
    // Too late is an error as well, and leaves nothing behind.
    let mut spool = Spool::new(options(folder.path(), Bounds::default()));
    let past = crate::instant::instant();
    std::thread::yield_now();
    assert_eq!(spool.write(&batch(100), Some(past)).expect_err("late").kind(), io::ErrorKind::TimedOut);
    assert!(!spool.has_own());
}

#[test]
fn the_key_tells_urls_and_projects_apart_and_does_not_change() {
    assert_eq!(key_of("", ""), 0xaf63_bd4c_8601_b7df);
    assert_ne!(key_of("http://a", "bc"), key_of("http://ab", "c"));
}
