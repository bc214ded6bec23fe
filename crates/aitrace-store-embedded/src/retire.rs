//! Retention: which files leave, and whose rows are in them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aitrace_model::{Timestamp, TraceId};
use aitrace_store::Retention;
use arrow::array::{Array, AsArray, RecordBatch};

use crate::segment::{Segment, Segments, scan};

const DAY: i64 = 86_400_000_000_000;

/// Files that leave.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) files: Vec<Arc<Segment>>,
    /// Traces with rows in them (project, id); `None` if that cannot be read: then any may have.
    pub(crate) traces: Option<BTreeSet<(String, TraceId)>>,
    /// Log records in them that are in no trace (project, id).
    pub(crate) loose: Vec<(String, String)>,
}

/// Which files are beyond the bounds at `now`. `disk` is what the whole store takes.
pub(crate) fn choose(
    segments: &Segments,
    retention: Retention,
    now: Timestamp,
    disk: u64,
) -> Vec<Arc<Segment>> {
    let age = |age: Duration| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
    let oldest = retention.max_age.map(|limit| now.saturating_add(age(limit).saturating_neg()));
    let mut all: Vec<_> = segments.all().into_iter().map(|(segment, _)| segment).collect();
    all.sort_by_key(|segment| (segment.day, segment.id));
    let (mut left, mut leaving) = (disk, Vec::new());
    for segment in all {
        let old = oldest.is_some_and(|oldest| (segment.day + 1).saturating_mul(DAY) <= oldest.nanos());
        if old || retention.max_size.is_some_and(|most| left > most) {
            left = left.saturating_sub(segment.bytes);
            leaving.push(segment);
        }
    }
    leaving
}

/// Whose rows are in files that leave.
pub(crate) fn look(segments: &Segments, files: Vec<Arc<Segment>>) -> Leaving {
    let (mut traces, mut loose, mut readable) = (BTreeSet::new(), Vec::new(), true);
    for segment in &files {
        let columns = ["project", "trace_id", "id"];
        let Ok(reader) = scan(segments, segment, &columns, 8192) else {
            readable = false;
            continue;
        };
        for batch in reader {
            let Ok(batch) = batch else {
                // A reader that fails once fails for ever.
                readable = false;
                break;
            };
            collect(&batch, &mut traces, &mut loose);
        }
    }
    Leaving { files, traces: readable.then_some(traces), loose }
}

fn collect(batch: &RecordBatch, traces: &mut BTreeSet<(String, TraceId)>, loose: &mut Vec<(String, String)>) {
    let text = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let (Some(projects), Some(ids)) = (text("project"), text("trace_id")) else { return };
    let mut last = None;
    for row in 0..batch.num_rows() {
        let project = projects.value(row);
        if ids.is_null(row) {
            loose.extend(text("id").map(|id| (project.to_owned(), id.value(row).to_owned())));
        } else if last != Some((project, ids.value(row))) {
            // Rows are sorted: one look for each trace.
            last = Some((project, ids.value(row)));
            traces.extend(ids.value(row).parse().ok().map(|id| (project.to_owned(), id)));
        }
    }
}
