//! When something cannot be read or written.

use aitrace_store::{ErrorKind, Problem, ProblemKind, Result, StoreError};

use super::Writer;
use crate::catalog::{Catalog, SegmentRow};
use crate::seal;
use crate::segment::{self, Segment};
use crate::{faults, stamp};

impl Writer {
    /// Notes what was found wrong.
    pub(crate) fn note(&mut self, problem: &Problem) -> Result<()> {
        self.catalog.transaction(|catalog| catalog.add_problem(problem))
    }

    /// Sets aside files that are missing or have the wrong length, and removes those nobody registered.
    pub(crate) fn check_files(&mut self, rows: &[SegmentRow]) -> Result<()> {
        seal::remove_strangers(&self.shared.folder, rows)?;
        for (id, into) in self.catalog.moved_segments()? {
            self.shared.segments.note_moved(id, into);
        }
        for row in rows {
            let segment = Segment::new(&self.shared.folder, row);
            let length = std::fs::metadata(&segment.path).map(|file| file.len());
            let (id, bytes) = (segment.id, segment.bytes);
            self.shared.segments.add(segment);
            match length {
                Ok(length) if length == bytes => {}
                Ok(length) => self.quarantine(id, &format!("it is {length} bytes long, not {bytes}"))?,
                Err(error) => self.quarantine(id, &error.to_string())?,
            }
        }
        for old in self.catalog.superseded()? {
            self.shared.segments.supersede(old);
        }
        for tomb in self.catalog.tombstones()? {
            self.shared.segments.bury(tomb);
        }
        Ok(())
    }

    /// Sets a damaged file aside; what else the store has is served.
    pub(super) fn quarantine(&mut self, id: i64, why: &str) -> Result<()> {
        let Some(segment) = self.shared.segments.remove(id) else { return Ok(()) };
        let aside = segment::quarantine(&segment.path, &stamp::now(self.shared.moment().now))?;
        let aside = aside.map(|path| path.display().to_string()).unwrap_or_default();
        let name = segment.path.display().to_string();
        tracing::error!(segment = %name, %aside, why, "a damaged segment is set aside; run `aitrace doctor`");
        self.cache.clear();
        let day = |day: i64| aitrace_model::Timestamp::from_nanos(day.saturating_mul(86_400_000_000_000));
        let problem = Problem {
            kind: ProblemKind::SegmentLost,
            text: format!("{name} cannot be read: {why}"),
            file: aside,
            rows: Some(segment.rows),
            since: Some(day(segment.day)),
            until: Some(day(segment.day + 1)),
        };
        self.catalog.transaction(|catalog| {
            catalog.retire_segment(id, "corrupt", None)?;
            catalog.add_problem(&problem)
        })
    }

    /// Keeps a row of the log that cannot be read in a file of its own.
    pub(super) fn set_log_row_aside(&mut self, seq: i64, body: &[u8], why: &StoreError) -> Result<()> {
        let stamp = stamp::now(self.shared.moment().now);
        let path = self.shared.folder.join(format!("log-{seq}.corrupt-{stamp}"));
        tracing::error!(error = %why, path = %path.display(), "a row of the log is set aside");
        std::fs::write(&path, body).map_err(faults::io("writing", &path))?;
        let problem = Problem {
            kind: ProblemKind::LogRowLost,
            text: format!("row {seq} of the log: {why}"),
            file: path.display().to_string(),
            rows: None,
            since: None,
            until: None,
        };
        self.catalog.transaction(|catalog| {
            catalog.log_remove_one(seq)?;
            catalog.add_problem(&problem)
        })
    }

    /// Notes that a write failed: what the log holds is not certain until it was opened anew.
    pub(super) fn note_failure(&mut self, error: Option<&StoreError>) {
        match error.map(StoreError::kind) {
            Some(ErrorKind::Unavailable) => {
                self.suspect = true;
                *self.shared.writes_fail.lock() = error.map(ToString::to_string);
            }
            Some(ErrorKind::Corrupt) => self.shared.suspect(),
            _ => {}
        }
    }

    /// After a failed write: opens the database anew and brings memory to where the log is. Nothing is
    /// acknowledged before that has worked.
    pub(super) fn sound(&mut self) -> Result<()> {
        if !self.suspect {
            return Ok(());
        }
        self.catalog = Catalog::writer(&self.shared.database, &self.shared.options.watch)?;
        self.replay()?;
        self.bodies.note(self.applied);
        // Proves that writing works again.
        self.catalog.transaction(|catalog| catalog.add_total("spans", 0))?;
        self.suspect = false;
        *self.shared.writes_fail.lock() = None;
        Ok(())
    }
}
