//! The sealed rows of one trace.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aitrace_model::{LogRecord, Span, SpanId, SpanState, TraceId};
use parquet::errors::{ParquetError, Result};

use crate::hot::Prior;
use crate::parts;
use crate::segment::{Scan, Segment, Segments, each_log, each_span};

/// Files that could not be read, and why.
pub(crate) type Damaged = Vec<(i64, String)>;

/// Sealed rows of one trace; of rows with one id the latest.
#[derive(Debug, Default)]
pub(crate) struct SealedRows {
    pub(crate) spans: BTreeMap<SpanId, (Span, SpanState)>,
    pub(crate) logs: BTreeMap<String, LogRecord>,
}

/// Rows of a trace in the given files, which are in the order of their making: all of them, or one span alone.
pub(crate) fn whole(
    segments: &Segments,
    files: &[Arc<Segment>],
    project: &str,
    trace_id: TraceId,
    span_id: Option<SpanId>,
) -> (SealedRows, Damaged) {
    let scan = Scan { project, trace_id, span_id, columns: &[] };
    read(files, false, |rows: &mut SealedRows, file| {
        if file.spans {
            each_span(segments, file, &scan, |span, packed| {
                let (span, state) = restore(span, packed.as_deref())?;
                rows.spans.insert(span.span_id, (span, state));
                Ok(())
            })
        } else if span_id.is_none() {
            each_log(segments, file, &scan, |log| {
                rows.logs.insert(log.id.clone(), log);
            })
        } else {
            Ok(())
        }
    })
}

/// What sums need of the rows of a trace, with the messages of some of its spans.
pub(crate) fn prior(
    segments: &Segments,
    files: &[Arc<Segment>],
    project: &str,
    trace_id: TraceId,
    wanted: &BTreeSet<SpanId>,
) -> (Prior, Damaged) {
    let scan = Scan { project, trace_id, span_id: None, columns: &[] };
    let (prior, damaged) = read(files, true, |prior: &mut Option<Prior>, file| {
        let prior = prior.get_or_insert_with(|| Prior::new(trace_id));
        if !file.spans {
            return each_log(segments, file, &scan, |log| prior.add_log(&log));
        }
        each_span(segments, file, &scan, |span, packed| {
            // The latest file was read first.
            if prior.has(span.span_id) {
                return Ok(());
            }
            let kept = wanted.contains(&span.span_id);
            if packed.is_none() && !kept {
                prior.add(&span, None);
                return Ok(());
            }
            let (span, state) = restore(span, packed.as_deref())?;
            prior.add(&span, Some(&state));
            if kept {
                prior.keep(state, span.span_id);
            }
            Ok(())
        })
    });
    (prior.unwrap_or_else(|| Prior::new(trace_id)), damaged)
}

/// Reads files one after the other, the latest first where `backwards`. Of a file that cannot be read nothing counts:
/// then the others are read anew.
pub(crate) fn read<T: Default>(
    files: &[Arc<Segment>],
    backwards: bool,
    mut each: impl FnMut(&mut T, &Segment) -> Result<()>,
) -> (T, Damaged) {
    let mut damaged = Damaged::new();
    loop {
        let (mut rows, before) = (T::default(), damaged.len());
        let mut one = |file: &Arc<Segment>| {
            if damaged.iter().any(|(id, _)| *id == file.id) {
                return;
            }
            // The reader panics on some footers that do not add up: those files are damaged as well.
            match catch_unwind(AssertUnwindSafe(|| each(&mut rows, file))) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => damaged.push((file.id, error.to_string())),
                Err(_) => damaged.push((file.id, "its footer does not add up".to_owned())),
            }
        };
        if backwards {
            files.iter().rev().for_each(&mut one);
        } else {
            files.iter().for_each(&mut one);
        }
        if damaged.len() == before {
            return (rows, damaged);
        }
    }
}

/// A span and its messages from its row. The row of an open span does not say which message it was.
fn restore(span: Span, packed: Option<&[u8]>) -> Result<(Span, SpanState)> {
    let unreadable = || ParquetError::General("packed messages cannot be read".to_owned());
    let state = parts::unpack(&span, packed).ok_or_else(unreadable)?;
    let span = if state.is_ended() { span } else { state.merged().ok_or_else(unreadable)? };
    Ok((span, state))
}
