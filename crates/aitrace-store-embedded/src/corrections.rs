//! What was said of spans after they ended, joined with them by reads that look at many spans.
//!
//! A correction names a span by its project and id. Spans in memory are joined as they are; those in files are looked
//! up once, by their ids, and kept beside what was said: readers count the row in the file as one that does not count,
//! and take the span from here. So lists, filters, search, statistics and SQL show the same as the trace itself.
//! Whoever corrects spans by the hundred thousand exceeds what is kept: then the newest corrections count here, and
//! all of them where a trace or a span is read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use aitrace_model::{SpanId, SpanState, TraceId, TraceStatus};
use aitrace_store::{Document, DocumentKind, Result, StoredSpan, correct_stored, span_bytes};
use arrow::array::{Array, AsArray};
use parking_lot::{Mutex, MutexGuard};

use crate::catalog::Catalog;
use crate::document;
use crate::segment::{Dead, Segment, Segments, not_ours, read_wanted};
use crate::{parts, rows, stop};

/// Bytes of corrections that are kept, and of the spans that they are about.
const SAID: usize = 32 << 20;
const FOUND: usize = 32 << 20;

/// Which corrections matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// None.
    Nothing,
    /// All.
    All,
    /// Those that say that a span failed: lines and plain sums know nothing else of what may be corrected.
    Failures,
}

/// A correction.
#[derive(Debug)]
struct Said {
    document: Document,
    fails: bool,
    /// The number that it came with; see `State::looked`.
    number: u64,
}

impl Said {
    fn is_needed(&self, need: Need) -> bool {
        need == Need::All || need == Need::Failures && self.fails
    }
}

/// A span in a file, as it was sent.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) project: String,
    pub(crate) stored: Arc<StoredSpan>,
    /// Its messages.
    pub(crate) state: Arc<SpanState>,
    /// Whether a model call is below it.
    pub(crate) wraps: bool,
    /// The file that it was found in.
    pub(crate) file: i64,
    bytes: usize,
}

/// The corrections of a store, and the spans in files that they are about.
#[derive(Debug, Default)]
pub(crate) struct Corrections {
    state: Mutex<State>,
}

/// What is known of them.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// How often they were changed.
    changes: u64,
    loaded: bool,
    /// Whether there are more than are kept.
    truncated: bool,
    said: BTreeMap<String, BTreeMap<SpanId, Said>>,
    failing: usize,
    /// The number of the last one that was new.
    number: u64,
    /// Files that were looked through, for all corrections up to a number.
    looked: HashMap<i64, u64>,
    found: BTreeMap<(String, SpanId, TraceId), Arc<Found>>,
    found_bytes: usize,
}

impl Corrections {
    /// Some were written.
    pub(crate) fn put(&self, documents: &[Document]) {
        let mut state = self.state.lock();
        state.changes += 1;
        if state.loaded {
            let corrections = documents.iter().filter(|one| one.kind == DocumentKind::Correction);
            corrections.for_each(|document| state.add(document.clone()));
        }
    }

    /// Some were removed.
    pub(crate) fn forget(&self) {
        let mut state = self.state.lock();
        state.changes += 1;
        state.loaded = false;
    }

    /// What is known now.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Reads what was said, if that is not known.
    pub(crate) fn load(&self, reader: &Mutex<Catalog>) -> Result<()> {
        loop {
            let changes = {
                let state = self.state.lock();
                if state.loaded {
                    return Ok(());
                }
                state.changes
            };
            let (documents, truncated) = document::corrections(&reader.lock(), SAID)?;
            let mut state = self.state.lock();
            if state.changes == changes {
                state.replace(documents);
                state.truncated = truncated;
                return Ok(());
            }
        }
    }

    /// Finds the spans in files that corrections are about, of those that are needed. What cannot be read is left
    /// out: whoever reads the file for its own sake says so.
    pub(crate) fn look(&self, segments: &Segments, reader: &Mutex<Catalog>, need: Need) -> Result<()> {
        self.load(reader)?;
        if !self.state.lock().has(need) {
            return Ok(());
        }
        let mut looked = false;
        for (file, dead) in segments.all().into_iter().filter(|(file, _)| file.spans) {
            let (wanted, number, left) = {
                let state = self.state.lock();
                if state.looked.get(&file.id) == Some(&state.number) {
                    continue;
                }
                (state.wanted(file.id), state.number, FOUND.saturating_sub(state.found_bytes))
            };
            looked = true;
            let found =
                if wanted.is_empty() { Ok(Vec::new()) } else { find(segments, &file, &dead, wanted, left) };
            if found.is_err() && stop::is_given() {
                return Ok(());
            }
            let found = found.unwrap_or_else(|error| {
                tracing::warn!(%error, path = %file.path.display(), "corrected spans cannot be looked up");
                Vec::new()
            });
            self.state.lock().note(file.id, number, found);
        }
        if looked {
            self.state.lock().tidy(segments);
        }
        Ok(())
    }
}

impl State {
    fn add(&mut self, document: Document) {
        let Ok(span_id) = document.id.parse() else { return };
        let members = document.data.members().unwrap_or_default();
        let fails = members.iter().any(|(name, _)| name == "error");
        let of = self.said.entry(document.project.clone()).or_default();
        let known = of.get(&span_id);
        self.failing += usize::from(fails);
        self.failing -= usize::from(known.is_some_and(|known| known.fails));
        let number = known.map_or(self.number + 1, |known| known.number);
        self.number = self.number.max(number);
        of.insert(span_id, Said { document, fails, number });
    }

    fn replace(&mut self, documents: Vec<Document>) {
        let before = std::mem::take(&mut self.said);
        (self.failing, self.loaded) = (0, true);
        for document in documents {
            let (project, id) = (document.project.clone(), document.id.parse().ok());
            self.add(document);
            // What was looked for before need not be looked for again.
            let known = id.and_then(|id: SpanId| Some((id, before.get(&project)?.get(&id)?.number)));
            if let Some((id, number)) = known
                && let Some(said) = self.said.get_mut(&project).and_then(|of| of.get_mut(&id))
            {
                said.number = number;
            }
        }
    }

    /// Whether there is any that is needed.
    pub(crate) fn has(&self, need: Need) -> bool {
        match need {
            Need::Nothing => false,
            Need::All => !self.said.is_empty(),
            Need::Failures => self.failing > 0,
        }
    }

    /// Whether there are more than are kept.
    pub(crate) fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Whether all files were looked through for all that are needed.
    pub(crate) fn knows(&self, segments: &Segments, need: Need) -> bool {
        self.loaded
            && (!self.has(need)
                || segments
                    .all()
                    .iter()
                    .filter(|(file, _)| file.spans)
                    .all(|(file, _)| self.looked.get(&file.id) == Some(&self.number)))
    }

    /// Ids to look for in a file, by project.
    fn wanted(&self, file: i64) -> HashMap<String, HashSet<String>> {
        let looked = self.looked.get(&file).copied().unwrap_or(0);
        let mut wanted: HashMap<String, HashSet<String>> = HashMap::new();
        if looked == self.number {
            return wanted;
        }
        for (project, of) in &self.said {
            let new = of.iter().filter(|(_, said)| said.number > looked).map(|(id, _)| id.to_hex());
            let new: HashSet<String> = new.collect();
            if !new.is_empty() {
                wanted.insert(project.clone(), new);
            }
        }
        wanted
    }

    fn note(&mut self, file: i64, number: u64, found: Vec<Found>) {
        self.looked.insert(file, number);
        for found in found {
            let span = &found.stored.span;
            let key = (found.project.clone(), span.span_id, span.trace_id);
            self.found_bytes += found.bytes;
            if let Some(old) = self.found.insert(key, Arc::new(found)) {
                self.found_bytes -= old.bytes;
            }
        }
    }

    /// Forgets files that are gone, and what was in them.
    fn tidy(&mut self, segments: &Segments) {
        let live: HashSet<i64> = segments.all().into_iter().map(|(file, _)| file.id).collect();
        self.looked.retain(|id, _| live.contains(id));
        let (said, looked) = (&self.said, &self.looked);
        self.found.retain(|(project, id, _), found| {
            let is_said = said.get(project).is_some_and(|of| of.contains_key(id));
            is_said && file_of(found, segments, looked).is_some()
        });
        self.found_bytes = self.found.values().map(|found| found.bytes).sum();
    }

    fn of(&self, project: &str, id: SpanId, need: Need) -> Option<&Document> {
        let said = self.said.get(project)?.get(&id)?;
        said.is_needed(need).then_some(&said.document)
    }

    /// Joins a span with what was said of it.
    pub(crate) fn correct(&self, stored: &mut StoredSpan, need: Need) {
        if let Some(said) = self.of(&stored.span.project, stored.span.span_id, need) {
            correct_stored(stored, said);
        }
    }

    /// The same of a span that others hold, too.
    pub(crate) fn correct_shared(&self, stored: &mut Arc<StoredSpan>, need: Need) {
        if self.of(&stored.span.project, stored.span.span_id, need).is_some() {
            self.correct(Arc::make_mut(stored), need);
        }
    }

    /// Whether a span failed only by what was said of it.
    pub(crate) fn fails(&self, stored: &StoredSpan) -> bool {
        if stored.span.is_error() || self.failing == 0 {
            return false;
        }
        let mut corrected = None;
        if let Some(said) = self.of(&stored.span.project, stored.span.span_id, Need::Failures) {
            let stored = corrected.insert(stored.clone());
            correct_stored(stored, said);
        }
        corrected.is_some_and(|stored| stored.span.is_error())
    }

    /// The spans in files of which anything is said that is needed, with the files that hold them now.
    pub(crate) fn found<'a>(
        &'a self,
        segments: &'a Segments,
        need: Need,
    ) -> impl Iterator<Item = (Arc<Segment>, &'a Arc<Found>)> {
        let found = self.found.iter().filter(move |_| self.has(need));
        let needed = found.filter(move |((project, id, _), _)| self.of(project, *id, need).is_some());
        needed.filter_map(|(_, found)| {
            let file = file_of(found, segments, &self.looked)?;
            let span = &found.stored.span;
            let gone = segments.dead(file.id).has(&found.project, Some(span.trace_id), Some(span.span_id));
            (!gone).then_some((file, found))
        })
    }
}

/// The file that holds a span now. One that was rewritten and looked through since was found in that file anew, or left
/// with its trace.
fn file_of(found: &Found, segments: &Segments, looked: &HashMap<i64, u64>) -> Option<Arc<Segment>> {
    let file = segments.resolve(&[found.file]).pop()?;
    (file.id == found.file || !looked.contains_key(&file.id)).then_some(file)
}

type Wanted = HashMap<String, HashSet<String>>;

/// The wanted spans of a file that count, as far as they take so many bytes.
fn find(
    segments: &Segments,
    file: &Segment,
    dead: &Dead,
    wanted: Wanted,
    most: usize,
) -> parquet::errors::Result<Vec<Found>> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    for batch in read_wanted(segments, file, wanted)? {
        let batch = batch?;
        let wraps = batch.column_by_name("wraps").and_then(|column| column.as_boolean_opt());
        let spans = rows::spans(&batch).ok_or_else(not_ours)?;
        for (row, (span, packed)) in spans.into_iter().enumerate() {
            if dead.has(&span.project, Some(span.trace_id), Some(span.span_id)) {
                continue;
            }
            let state = parts::unpack(&span, packed.as_deref()).ok_or_else(not_ours)?;
            let wraps = wraps.is_some_and(|wraps| !wraps.is_null(row) && wraps.value(row));
            let Some(one) = found_in(file.id, span, state, wraps) else { continue };
            bytes += one.bytes;
            if bytes > most {
                tracing::warn!("corrected spans take more memory than they may: some are shown as sent");
                return Ok(found);
            }
            found.push(one);
        }
    }
    Ok(found)
}

fn found_in(file: i64, span: aitrace_model::Span, state: SpanState, wraps: bool) -> Option<Found> {
    let (span, status) = match state.is_ended() {
        true if span.is_error() => (span, TraceStatus::Error),
        true => (span, TraceStatus::Ok),
        false => (state.merged()?, TraceStatus::Running),
    };
    // Its messages are about as large again.
    let bytes = 2 * span_bytes(&span);
    let project = span.project.clone();
    let stored = Arc::new(StoredSpan { span, status });
    Some(Found { project, stored, state: Arc::new(state), wraps, file, bytes })
}

/// Spans that failed only by what was said of them, by trace.
#[derive(Debug, Default)]
pub(crate) struct Failures(BTreeMap<(TraceId, String), BTreeSet<SpanId>>);

impl Failures {
    pub(crate) fn add(&mut self, project: &str, trace_id: TraceId, span_id: SpanId) {
        self.0.entry((trace_id, project.to_owned())).or_default().insert(span_id);
    }

    /// Those of a trace.
    pub(crate) fn of(&self, project: &str, trace_id: TraceId) -> Option<&BTreeSet<SpanId>> {
        // Nearly always there are none at all.
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(trace_id, project.to_owned()))
    }

    /// The traces that have any.
    pub(crate) fn traces(&self) -> impl Iterator<Item = (&str, TraceId)> {
        self.0.keys().map(|(trace_id, project)| (project.as_str(), *trace_id))
    }
}

#[cfg(test)]
mod tests {
    use aitrace_model::{Json, Timestamp};
    use aitrace_store::DocumentWrite;

    use super::*;
    use crate::steps::Watch;

    fn write(id: u64, at: i64, data: &str) -> DocumentWrite {
        DocumentWrite {
            kind: DocumentKind::Correction,
            project: "p".into(),
            id: SpanId::from_bytes(id.to_be_bytes()).expect("not zero").to_hex(),
            references: Vec::new(),
            at: Timestamp::from_nanos(at),
            data: Json::from_trusted(data),
            expect: None,
        }
    }

    fn put(catalog: &mut Catalog, write: DocumentWrite) -> Vec<Document> {
        catalog.transaction(|catalog| document::put(catalog, vec![write])).expect("puts")
    }

    #[test]
    fn a_file_is_looked_through_once_for_each_correction() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("db");
        let mut writer = Catalog::writer(&path, &Watch::default()).expect("opens");
        let reader = Mutex::new(Catalog::reader(&path).expect("opens"));
        let corrections = Corrections::default();
        drop(put(&mut writer, write(1, 1, r#"{"metrics":{}}"#)));
        corrections.load(&reader).expect("loads");
        let wanted = |file: i64| {
            let state = corrections.state();
            let wanted: usize = state.wanted(file).values().map(HashSet::len).sum();
            (wanted, state.number)
        };
        let look = |file: i64| {
            let (wanted, number) = wanted(file);
            corrections.state().note(file, number, Vec::new());
            wanted
        };
        assert_eq!((look(7), look(7), look(8)), (1, 0, 1));
        assert!(corrections.state().has(Need::All) && !corrections.state().has(Need::Failures));
        corrections.put(&put(&mut writer, write(2, 2, r#"{"error":"x"}"#)));
        corrections.put(&put(&mut writer, write(1, 3, r#"{"error":"y"}"#)));
        assert_eq!((look(7), look(7)), (1, 0), "the first one was looked for");
        assert_eq!(corrections.state().failing, 2);
        let ids = [write(2, 0, "{}").id];
        let remove = |catalog: &Catalog| document::remove(catalog, DocumentKind::Correction, "p", &ids);
        assert_eq!(writer.transaction(remove).expect("removes"), 1);
        corrections.forget();
        drop(put(&mut writer, write(3, 4, r#"{"metrics":{}}"#)));
        corrections.load(&reader).expect("loads");
        assert_eq!((look(7), look(8), look(9), look(9)), (1, 1, 2, 0), "those that are new to the file");
        assert_eq!(corrections.state().failing, 1);
    }

    #[test]
    fn the_newest_are_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut catalog = Catalog::writer(&dir.path().join("db"), &Watch::default()).expect("opens");
        for number in 1..20 {
            drop(put(&mut catalog, write(number, number as i64, r#"{"metrics":{}}"#)));
        }
        let (all, truncated) = document::corrections(&catalog, SAID).expect("reads");
        assert_eq!((all.len(), truncated), (19, false));
        let (some, truncated) = document::corrections(&catalog, 5000).expect("reads");
        assert!(truncated && (1..19).contains(&some.len()));
        assert_eq!(some, all[..some.len()]);
        assert!(all.is_sorted_by_key(|document| std::cmp::Reverse(document.updated)));
    }
}
