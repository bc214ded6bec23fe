//! Trace records, one JSON object a line: to a file, to standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use aitrace_model::{Phase, record};

use super::{Batch, Exported, Exporter};
use crate::config;
use crate::lock::Mutex;

/// The records of a batch in the order of their times. Heartbeats have no record.
pub(crate) fn lines(batch: &Batch, compat: bool) -> Vec<String> {
    let compat = config::compat_or(|| compat);
    let mut records = Vec::with_capacity(batch.spans.len() + batch.logs.len());
    for span in &batch.spans {
        match span.phase {
            Phase::Start => records.push(record::start_record(&span.to_span())),
            Phase::End => records.extend(record::end_record(&span.to_span())),
            Phase::Heartbeat | Phase::Contents => {}
        }
    }
    records.extend(batch.logs.iter().map(|log| record::log_record(&log.to_log_record())));
    records.sort_by_key(|record| record.meta.timestamp);
    records.iter().map(|record| record.to_line(compat)).collect()
}

/// Writes records to a file or to standard output.
pub(crate) struct Records {
    place: Place,
    compat: bool,
}

enum Place {
    File { path: PathBuf, open: Mutex<Open> },
    Stdout,
}

#[derive(Default)]
struct Open {
    file: Option<File>,
    /// The last write broke off: what comes next must begin on a line of its own.
    torn: bool,
}

impl Records {
    /// Appends to `path`, which is made, with its folders, by the first batch.
    pub(crate) fn file(path: PathBuf, compat: bool) -> Self {
        Self { place: Place::File { path, open: Mutex::default() }, compat }
    }

    pub(crate) fn stdout(compat: bool) -> Self {
        Self { place: Place::Stdout, compat }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        match &self.place {
            Place::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes())?;
                out.flush()
            }
            Place::File { path, open } => {
                let mut open = open.lock();
                if open.file.is_none() {
                    if let Some(folder) = path.parent() {
                        std::fs::create_dir_all(folder)?;
                    }
                    open.file = Some(OpenOptions::new().create(true).append(true).open(path)?);
                }
                let text = if open.torn { format!("\n{text}") } else { text.to_owned() };
                let written = open.file.as_mut().expect("opened above").write_all(text.as_bytes());
                open.torn = written.is_err();
                written
            }
        }
    }
}

impl Exporter for Records {
    fn export(&self, batch: &Batch) -> Exported {
        let lines = lines(batch, self.compat);
        if lines.is_empty() {
            return Exported::Sent { rejected: 0 };
        }
        let mut text = lines.join("\n");
        text.push('\n');
        match self.write(&text) {
            Ok(()) => Exported::Sent { rejected: 0 },
            // Nobody reads any more.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                Exported::Failed { reason: "broken_pipe".to_owned() }
            }
            // A full disk may be emptied, a folder made: what was written before is the same record again.
            Err(error) => Exported::Retry { after: None, reason: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_torn_line_the_next_begins_a_new_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/er/t.jsonl");
        let records = Records::file(path.clone(), false);
        records.write("one\n").expect("writes");
        let Place::File { open, .. } = &records.place else { panic!("a file") };
        open.lock().torn = true;
        records.write("two\n").expect("writes");
        records.write("three\n").expect("writes");
        assert_eq!(std::fs::read_to_string(path).expect("reads"), "one\n\ntwo\nthree\n");
    }
}
