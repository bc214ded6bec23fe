//! What happened, as the writers saw it: a file that the server knows nothing of.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// How a batch fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Sent; nothing is known of it (yet).
    Sent,
    /// Sent and acknowledged.
    Acked,
}

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    pub(super) fn create(path: &Path) -> Self {
        Self { path: path.to_owned(), file: Mutex::new(File::create(path).expect("a file")) }
    }

    /// Before the request.
    pub(super) fn sent(&self, writer: u64, batch: u64) {
        self.line("sent", writer, batch);
    }

    /// After its answer.
    pub(super) fn acked(&self, writer: u64, batch: u64) {
        self.line("acked", writer, batch);
    }

    /// No answer, or one that acknowledges nothing.
    pub(super) fn unknown(&self, writer: u64, batch: u64) {
        self.line("unknown", writer, batch);
    }

    fn line(&self, what: &str, writer: u64, batch: u64) {
        let mut file = self.file.lock().expect("no writer panics");
        writeln!(file, "{what} {writer} {batch}").expect("the journal takes everything");
    }

    /// How often no answer came.
    pub(super) fn lost_answers(&self) -> usize {
        let text = fs::read_to_string(&self.path).expect("the journal");
        text.lines().filter(|line| line.starts_with("unknown")).count()
    }

    /// The fate of each batch (writer, batch) that was ever sent. A batch that was acknowledged once is
    /// acknowledged, whatever came of sending it again.
    pub(super) fn read(&self) -> BTreeMap<(u64, u64), Fate> {
        let mut fates = BTreeMap::new();
        for line in fs::read_to_string(&self.path).expect("the journal").lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let key = (words[1].parse().expect("a writer"), words[2].parse().expect("a batch"));
            let fate = if words[0] == "acked" { Fate::Acked } else { Fate::Sent };
            let known = fates.entry(key).or_insert(fate);
            *known = (*known).max(fate);
        }
        fates
    }
}
