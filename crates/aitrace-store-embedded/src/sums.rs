//! Sums over the spans of a file, so that statistics need not read its columns.
//!
//! Spans that have ended are counted by slot of time and by the texts that statistics group by, all of them at once: a
//! cell has the figures of the spans that are alike in all of that, their durations as the counts of the buckets of a
//! [`aitrace_store::Histogram`]. Cells are added up without a loss, so an answer from sums is the answer from columns.
//! The finer the slots and the more texts, the more cells there are: a file that would have too many of them gets
//! longer slots (from a second to a day), then does without the text with the most values. Sessions are never kept.
//!
//! ```text
//! blob   "AFS1", bytes of the body (32 bits, little-endian), the body, zstd
//! body   length of a slot in ns; of each text 0 (not kept) or 1, number of values, of each its bytes and itself;
//!        number of cells, the cells
//! cell   slot (zigzag, after that of the cell before), flags, of each kept text the number of its value (0 is none),
//!        spans, of input tokens, output tokens and cost (zigzag) those that the flags name;
//!        number of buckets, of each its number (after the one before) and how many spans are in it
//! ```
//! Numbers are varints. The order of cells is that of their keys.

mod build;
mod look;

pub(crate) use build::Builder;
pub(crate) use look::{Cell, Slots, Sums};

const MAGIC: &[u8; 4] = b"AFS1";

/// The texts by which cells are kept apart, as columns are named. The first [`FIXED`] always are.
pub(crate) const TEXTS: [&str; 9] =
    ["project", "kind", "event_type", "name", "model", "provider", "user_id", "source", "service"];
const FIXED: usize = 2;

const SECOND: i64 = 1_000_000_000;
/// Lengths of slots in nanoseconds; each divides the next.
const LENGTHS: [i64; 8] = [
    SECOND,
    10 * SECOND,
    60 * SECOND,
    300 * SECOND,
    900 * SECOND,
    3_600 * SECOND,
    21_600 * SECOND,
    86_400 * SECOND,
];
/// The place of an hour among them.
const HOUR: usize = 5;

/// What is the same of all spans of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// Number of the slot, since 1970.
    pub(crate) slot: i64,
    /// Numbers of the texts; 0 is none.
    pub(crate) texts: [u32; TEXTS.len()],
    /// Whether they have no parent.
    pub(crate) root: bool,
    /// Whether they failed.
    pub(crate) failed: bool,
}

const ROOT: u8 = 1;
const FAILED: u8 = 2;
const INPUT: u8 = 4;
const OUTPUT: u8 = 8;
const COST: u8 = 16;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aitrace_store::StoredSpan;
    use aitrace_store::conformance::end;

    use super::*;
    use crate::columns;
    use crate::rows::{SPANS, SpanRow};

    fn blob(rows: usize) -> Option<Vec<u8>> {
        let row = |number: usize| {
            let mut span = end("p", number as u64 % 5, number as u64);
            span.end = Some(span.start.saturating_add(number as i64 * 1_000_003));
            let stored = Arc::new(StoredSpan { span, status: aitrace_model::TraceStatus::Ok });
            SpanRow { stored, parts: None, wraps: false, orphans: false }
        };
        let rows: Vec<SpanRow> = (0..rows).map(row).collect();
        let mut builder = Builder::default();
        builder.add(&columns::batch(&columns::schema(SPANS), SPANS, &rows).expect("a batch"));
        builder.finish()
    }

    #[test]
    fn what_is_damaged_is_no_sum() {
        let blob = blob(50).expect("has sums");
        assert!(Sums::read(&blob).is_some());
        for cut in 0..blob.len() {
            assert!(Sums::read(&blob[..cut]).is_none(), "{cut} bytes");
        }
    }

    #[test]
    fn without_rows_or_columns_there_are_no_sums() {
        assert_eq!(blob(0), None);
        let column: arrow::array::ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["p"]));
        let mut builder = Builder::default();
        builder.add(&arrow::array::RecordBatch::try_from_iter([("project", column)]).expect("a batch"));
        assert_eq!(builder.finish(), None);
    }
}
