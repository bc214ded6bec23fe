//! Damage of SQLite's own log, which SQLite passes over: it takes the log to end where a checksum fails.
//!
//! A kill leaves at most frames without a commit at the end of the file. A commit that stands behind a bad frame
//! was once whole, because each commit is synced before it is acknowledged and before the next one is written.
//! Format: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Where a log is damaged, and what lies behind that place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damage {
    /// The first byte of the part that cannot be trusted.
    pub(crate) at: u64,
    /// Commits behind it, as far as can be told; at least that many were lost.
    pub(crate) commits: u64,
}

const HEADER: usize = 32;
const FRAME: usize = 24;

/// Looks through a log; `None` if there is none, or it ends as one ends that was in use.
pub(crate) fn damage(path: &Path) -> Option<Damage> {
    let file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut header = [0; HEADER];
    reader.read_exact(&mut header).ok()?;
    let magic = word(&header, 0);
    let mut sum = Sum { little: magic == 0x377f_0682, state: (0, 0) };
    sum.add(&header[..24]);
    if magic & !1 != 0x377f_0682 || sum.state != (word(&header, 24), word(&header, 28)) {
        return Some(Damage { at: 0, commits: 1 });
    }
    let page = word(&header, 8) as usize;
    let mut frame = vec![0; FRAME + page];
    let (mut at, mut found) = (HEADER as u64, None::<Damage>);
    while at + frame.len() as u64 <= length && reader.read_exact(&mut frame).is_ok() {
        let commits = word(&frame, 4) != 0;
        // Frames of an earlier use of the file have other salts.
        let ours = frame[8..16] == header[16..24];
        // Neither ours nor an earlier one's, all of which have salts: it was overwritten, and may have been a commit.
        let blank = frame[..FRAME].iter().all(|byte| *byte == 0);
        if let Some(damage) = &mut found {
            damage.commits += u64::from(ours && commits || blank);
        } else {
            sum.add(&frame[..8]);
            sum.add(&frame[FRAME..]);
            if !ours || sum.state != (word(&frame, 16), word(&frame, 20)) {
                found = Some(Damage { at, commits: u64::from(ours && commits) });
            }
        }
        at += frame.len() as u64;
    }
    found.filter(|damage| damage.commits > 0)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// SQLite's running checksum.
struct Sum {
    little: bool,
    state: (u32, u32),
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let (mut one, mut other) = self.state;
        for pair in bytes.chunks_exact(8) {
            let read = |at| if self.little { word(pair, at).swap_bytes() } else { word(pair, at) };
            one = one.wrapping_add(read(0)).wrapping_add(other);
            other = other.wrapping_add(read(4)).wrapping_add(one);
        }
        self.state = (one, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_from_a_log_in_use() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("db");
        let database = rusqlite::Connection::open(&path).expect("opens");
        database.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x);").expect("creates");
        for _ in 0..5 {
            database.execute("INSERT INTO t VALUES (zeroblob(9000))", []).expect("writes");
        }
        let log = dir.path().join("db-wal");
        let good = std::fs::read(&log).expect("reads");
        let copy = dir.path().join("copy");
        let seen = |bytes: &[u8]| {
            std::fs::write(&copy, bytes).expect("writes");
            damage(&copy)
        };
        assert_eq!((seen(&good), seen(&[]), damage(&dir.path().join("none"))), (None, None, None));
        // Cut anywhere: a write that was on its way.
        for cut in (0..good.len()).step_by(997) {
            assert_eq!(seen(&good[..cut]), None, "cut at {cut}");
        }
        for place in (0..good.len()).step_by(101) {
            let mut bad = good.clone();
            bad[place] ^= 1;
            let found = seen(&bad);
            let frame = place < HEADER || (place - HEADER) % (FRAME + 4096) >= 16;
            assert!(
                found.is_some_and(|damage| damage.at <= place as u64) || !frame,
                "byte {place}: {found:?}"
            );
        }
        // Frames of an earlier use of the file.
        database.execute_batch("PRAGMA wal_checkpoint(RESTART); INSERT INTO t VALUES (1)").expect("writes");
        let again = std::fs::read(&log).expect("reads");
        assert_eq!((again.len(), seen(&again)), (good.len(), None));
    }
}
