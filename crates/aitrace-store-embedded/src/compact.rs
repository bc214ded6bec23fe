//! Compaction: small files of one kind and day become one, and rows that do not count are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use aitrace_store::Result;

use crate::catalog::SegmentRow;
use crate::options::Options;
use crate::seal::{part_name, publish, segment_row};
use crate::segment::{Dead, Segment, Segments, merge};

/// Files that are merged at once at most: a batch of each is in memory.
const FILES: usize = 8;
/// Bytes of files that are merged at once at most.
const BYTES: u64 = 256 << 20;
/// Files larger than this are not merged, only rewritten without what does not count.
const LARGE: u64 = 64 << 20;
/// Bytes of memory that a merge takes, about: what is written and its words, and for each file that is read a batch of
/// rows and for each of its columns a decompressor.
const WORK: usize = 48 << 20;
const WORK_OF_FILE: usize = 7 << 20;
/// So many small files of one kind and day are worth merging without being asked.
const MANY: usize = 8;

/// A file is rewritten without being asked once this share of its rows (one in so many) does not count.
const SHARE: u64 = 8;

/// Files to be made one, with their rows that do not count.
pub(crate) type Inputs = Vec<(Arc<Segment>, Arc<Dead>)>;

/// What was written, to be committed.
#[derive(Debug)]
pub(crate) struct Compacted {
    pub(crate) inputs: Inputs,
    /// The new file; `None` if no row counts any more.
    pub(crate) file: Option<SegmentRow>,
    /// Files that cannot be read, and why; then nothing was written.
    pub(crate) damaged: Vec<(i64, String)>,
}

/// Bytes of memory that merging takes, about.
pub(crate) fn work(inputs: &Inputs) -> usize {
    WORK + inputs.len() * WORK_OF_FILE
}

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zeal {
    /// What is worth it.
    Worth,
    /// That, and whatever holds deleted rows.
    Purge,
    /// Any two files, and whatever holds rows that do not count.
    All,
}

/// What somebody who waits is to see merged: the files that there were when they asked, and what was made of them since.
/// Else a merge would have no end where files come as fast as they are merged.
#[derive(Debug)]
pub(crate) struct Scope {
    last: i64,
    made: BTreeSet<i64>,
}

impl Scope {
    /// Files up to this number.
    pub(crate) fn new(last: i64) -> Self {
        Self { last, made: BTreeSet::new() }
    }

    /// A file was made of some of them.
    pub(crate) fn add(&mut self, id: i64) {
        self.made.insert(id);
    }

    fn is_old(&self, id: i64) -> bool {
        id <= self.last
    }
}

/// What to do next; `None` if all is tidy.
///
/// Of a day that is over no more files come: there any two are merged.
pub(crate) fn plan(segments: &Segments, zeal: Zeal, today: i64, scope: Option<&Scope>) -> Option<Inputs> {
    let mut all = segments.all();
    let is_old = |id| scope.is_none_or(|scope| scope.is_old(id));
    all.retain(|(segment, _)| {
        is_old(segment.id) || scope.is_some_and(|scope| scope.made.contains(&segment.id))
    });
    let mut groups: BTreeMap<(bool, i64), Inputs> = BTreeMap::new();
    for (segment, dead) in &all {
        if segment.bytes < LARGE {
            let group = groups.entry((segment.spans, segment.day)).or_default();
            group.push((Arc::clone(segment), Arc::clone(dead)));
        }
    }
    let enough = |day| if zeal == Zeal::All || day < today { 2 } else { MANY };
    for ((_, day), group) in groups {
        if group.len() < enough(day) {
            continue;
        }
        let mut bytes = 0;
        let inputs: Inputs = group
            .into_iter()
            .take_while(|(segment, _)| {
                bytes += segment.bytes;
                bytes <= BYTES
            })
            .take(FILES)
            .collect();
        if inputs.len() >= 2 {
            return Some(inputs);
        }
    }
    let rewrite = |(segment, dead): &(Arc<Segment>, Arc<Dead>)| match zeal {
        // What was made meanwhile was rewritten once.
        Zeal::All => !dead.is_empty() && is_old(segment.id),
        Zeal::Purge if dead.has_deletions() => true,
        _ => !dead.is_empty() && dead.len() as u64 >= segment.rows / SHARE,
    };
    all.into_iter().find(rewrite).map(|one| vec![one])
}

/// Writes the new file under number `id`.
pub(crate) fn run(
    folder: &Path,
    segments: &Segments,
    inputs: Inputs,
    id: i64,
    options: &Options,
) -> Result<Compacted> {
    let Some((first, _)) = inputs.first() else {
        return Ok(Compacted { inputs, file: None, damaged: Vec::new() });
    };
    let (kind, day) = (if first.spans { "spans" } else { "logs" }, first.day);
    let file = format!("{id:010}.{kind}.parquet");
    let merged = merge(&part_name(folder, &file), segments, &inputs, options)?;
    let row = merged.file.map(|written| segment_row(id, kind, day, file, written));
    publish(folder, row.as_slice(), &options.watch)?;
    Ok(Compacted { inputs, file: row, damaged: merged.damaged })
}
