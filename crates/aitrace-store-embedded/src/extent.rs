//! How large a trace is, before it is read.

use aitrace_model::{Span, SpanState, TraceId};
use aitrace_store::{Extent, ProjectScope, Result, StoredSpan};

use crate::read::{self, Damaged};
use crate::sealed;
use crate::segment::{self, Part};
use crate::shared::Shared;

/// What a span takes beside its texts while it is read: itself, and its message, which is a copy that shares contents.
const SPAN: usize = 2 * size_of::<Span>() + size_of::<(StoredSpan, SpanState)>() + 256;
/// What a log record takes beside its texts.
const LOG: usize = 512;
/// Rows as columns before they become spans: at most so many bytes at once.
const BATCH: usize = 16 << 20;

/// About how large a trace is; and files that could not be read.
pub(crate) fn extent(
    shared: &Shared,
    scope: &ProjectScope,
    trace_id: TraceId,
) -> Result<(Option<Extent>, Damaged)> {
    let Some((line, files, hot)) = read::seen(shared, scope, trace_id)? else {
        return Ok((None, Vec::new()));
    };
    let ([spans, logs], damaged) = sealed::read(&files, false, |parts: &mut [Part; 2], file| {
        let part = segment::part(&shared.segments, file, trace_id)?;
        let all = &mut parts[usize::from(!file.spans)];
        *all = Part { rows: all.rows + part.rows, bytes: all.bytes + part.bytes };
        Ok(())
    });
    let rest = |all: u64, hot: usize| all.saturating_sub(hot as u64);
    let sealed =
        share(spans, rest(line.spans, hot.spans), SPAN) + share(logs, rest(line.events, hot.logs), LOG);
    let extent =
        Extent { spans: line.spans, logs: line.events, bytes: hot.bytes + sealed + sealed.min(BATCH) };
    Ok((Some(extent).filter(|extent| extent.spans > 0 || extent.logs > 0), damaged))
}

/// Bytes of so many of the rows of pages that may hold others, too.
fn share(part: Part, rows: u64, each: usize) -> usize {
    let share = (rows as f64 / part.rows.max(1) as f64).min(1.0);
    (part.bytes as f64 * share) as usize + usize::try_from(rows).unwrap_or(usize::MAX).saturating_mul(each)
}
