//! Stage: decode. In: the bytes of a body. Out: what could be read, and why the rest could not.

use aitrace_model::record::{self, Record, RecordError};
use aitrace_otlp::{DecodeError, Encoding, Salvaged, Signal, Sink, decode_pieces};

use crate::error::{ApiError, Kind, Result};
use crate::limits::Limits;
use crate::media::Media;
use crate::pieces::PIECE;

/// Refused items that are listed with their reasons; the others are only counted.
const LISTED: usize = 1000;
/// The same of an OTLP request, which has one line for them.
const SHOWN: usize = 10;

/// What was refused.
#[derive(Debug, Default)]
pub(crate) struct Rejected {
    /// All of it.
    pub(crate) count: u64,
    /// Position from 0 and reason, of the first ones.
    pub(crate) listed: Vec<(u64, String)>,
}

impl Rejected {
    pub(crate) fn push(&mut self, index: u64, reason: impl FnOnce() -> String) {
        self.count += 1;
        if self.listed.len() < LISTED {
            self.listed.push((index, reason()));
        }
    }
}

/// What one record of a body says, or why it cannot be read: with its index from 0.
pub(crate) type Read = Result<Record, String>;

/// How much a record may be.
pub(crate) fn record_limits(limits: &Limits) -> record::Limits {
    record::Limits { depth: limits.json_depth, ..record::Limits::default() }
}

/// The words for what is wrong with a line of trace records.
pub(crate) fn of_line(line: u64, error: &RecordError) -> String {
    format!("line {line}: {error}")
}

/// Reads trace records, JSON lines, an array, or a single object, until `each` wants no more.
pub(crate) fn records(body: &[u8], media: Media, limits: &Limits, mut each: impl FnMut(u64, Read) -> bool) {
    let limits = record_limits(limits);
    if media == Media::Ndjson {
        for (line, read) in record::read_lines(body, &limits) {
            if !each(line - 1, read.map_err(|error| of_line(line, &error))) {
                return;
            }
        }
    } else if first_byte(body) == Some(b'{') {
        each(0, record::read(body, &limits).map_err(|error| error.to_string()));
    } else {
        for (index, read) in record::read_array(body, &limits) {
            if !each(index as u64, read.map_err(|error| error.to_string())) {
                return;
            }
        }
    }
}

fn first_byte(body: &[u8]) -> Option<u8> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    body.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// Reads an OTLP request piece by piece: how much was refused, and what the sender is told of it.
pub(crate) fn otlp(body: &[u8], signal: Signal, encoding: Encoding, sink: Sink<'_>) -> Result<(u64, String)> {
    let limits = aitrace_otlp::Limits { max_reported: SHOWN, ..Default::default() };
    let unreadable = |error: DecodeError| ApiError::new(Kind::BadRequest, error.to_string(), "");
    let summary = decode_pieces(body, signal, encoding, &limits, PIECE, sink).map_err(unreadable)?;
    let item = if signal == Signal::Traces { "span" } else { "log record" };
    let message = otlp_message(item, &summary.rejected, summary.rejected_count, summary.salvaged);
    Ok((summary.rejected_count, message))
}

/// What a sender of OTLP is told of what was refused or changed; empty where there is nothing to say.
fn otlp_message(item: &str, rejected: &[aitrace_otlp::Rejected], count: u64, salvaged: Salvaged) -> String {
    let mut parts: Vec<String> = rejected
        .iter()
        .take(SHOWN)
        .map(|rejected| format!("{item} {}: {}", rejected.index, rejected.reason))
        .collect();
    let rest = count.saturating_sub(parts.len() as u64);
    if rest > 0 {
        parts.push(format!("{rest} more refused"));
    }
    let Salvaged { strings, values, links, ids } = salvaged;
    for (count, what) in [
        (strings, "texts were not UTF-8: bad bytes were replaced"),
        (values, "values were nested too deeply: replaced"),
        (links, "links had ids that are none: left out"),
        (ids, "ids were none: kept without"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        r#"{"__tracer_meta__":{"timestamp":"2026-01-31T12:00:00.000001Z","event":"x","level":"info"},"a":1}"#;

    fn read(body: &str, media: Media) -> (usize, Rejected) {
        let (mut good, mut rejected) = (0, Rejected::default());
        records(body.as_bytes(), media, &Limits::default(), |index, read| {
            match read {
                Ok(_) => good += 1,
                Err(reason) => rejected.push(index, || reason),
            }
            true
        });
        (good, rejected)
    }

    fn outcome(body: &str, media: Media) -> (usize, Vec<u64>) {
        let (good, rejected) = read(body, media);
        (good, rejected.listed.iter().map(|(index, _)| *index).collect())
    }

    #[test]
    fn good_records_are_read_beside_bad_ones() {
        assert_eq!(outcome(&format!("[{GOOD},1,{GOOD},{{}}]"), Media::Json), (2, vec![1, 3]));
        assert_eq!(outcome(GOOD, Media::Json), (1, vec![]));
        assert_eq!(outcome(&format!("\u{feff} {GOOD}"), Media::Json), (1, vec![]));
        assert_eq!(outcome(&format!("{GOOD}\n\nx\n{GOOD}"), Media::Ndjson), (2, vec![2]));
        assert_eq!(outcome("", Media::Ndjson), (0, vec![]));
        assert_eq!(outcome("", Media::Json), (0, vec![0]));
        assert_eq!(outcome("[]", Media::Json), (0, vec![]));
    }

    #[test]
    fn lines_are_named_by_their_number() {
        let (_, rejected) = read("\nx", Media::Ndjson);
        assert!(rejected.listed[0].1.starts_with("line 2: "), "{:?}", rejected.listed);
    }

    #[test]
    fn a_flood_of_rubbish_is_counted_and_not_listed() {
        let body = format!("[{}1]", "1,".repeat(5000));
        let (_, rejected) = read(&body, Media::Json);
        assert_eq!((rejected.count, rejected.listed.len()), (5001, LISTED));
    }

    #[test]
    fn what_was_refused_or_changed_is_said() {
        assert_eq!(otlp_message("span", &[], 0, Salvaged::default()), "");
        let rejected: Vec<_> =
            (0..11).map(|index| aitrace_otlp::Rejected { index, reason: "bad".to_owned() }).collect();
        let salvaged = Salvaged { strings: 2, ids: 1, ..Salvaged::default() };
        let message = otlp_message("span", &rejected, 12, salvaged);
        assert!(message.starts_with("span 0: bad; span 1: bad"), "{message}");
        assert!(message.contains("2 more refused; 2 texts"), "{message}");
        assert!(message.ends_with("1 ids were none: kept without"), "{message}");
    }
}
