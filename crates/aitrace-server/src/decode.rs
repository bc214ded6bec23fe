//! Stage: decode. In: the bytes of a body. Out: what could be read, and why the rest could not.

use aitrace_model::record::{self, Record, RecordError};
use aitrace_model::{RawLog, RawSpan};
use aitrace_otlp::{DecodeError, Encoding, Salvaged};

use crate::error::{ApiError, Kind, Result};
use crate::limits::Limits;
use crate::media::Media;

/// Refused items that are listed with their reasons; the others are only counted.
const LISTED: usize = 1000;

/// Trace records of one body.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) records: Vec<Record>,
    pub(crate) rejected: Rejected,
}

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

/// Reads trace records: JSON lines, an array, or a single object.
pub(crate) fn records(body: &[u8], media: Media, limits: &Limits) -> Records {
    let limits = record::Limits { depth: limits.json_depth, ..record::Limits::default() };
    let mut out = Records::default();
    if media == Media::Ndjson {
        for (line, read) in record::read_lines(body, &limits) {
            out.take(line - 1, read, |error| format!("line {line}: {error}"));
        }
    } else if first_byte(body) == Some(b'{') {
        out.take(0, record::read(body, &limits), ToString::to_string);
    } else {
        for (index, read) in record::read_array(body, &limits) {
            out.take(index as u64, read, ToString::to_string);
        }
    }
    out
}

impl Records {
    fn take(
        &mut self,
        index: u64,
        read: Result<Record, RecordError>,
        reason: impl FnOnce(&RecordError) -> String,
    ) {
        match read {
            Ok(record) => self.records.push(record),
            Err(error) => self.rejected.push(index, || reason(&error)),
        }
    }
}

fn first_byte(body: &[u8]) -> Option<u8> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    body.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// What an OTLP request holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
}

/// Items of an OTLP request.
#[derive(Debug)]
pub(crate) enum Exported {
    Spans(Vec<RawSpan>),
    Logs(Vec<RawLog>),
}

/// Reads an OTLP request: what could be read, how much was refused, and what the sender is told of it.
pub(crate) fn otlp(body: &[u8], signal: Signal, encoding: Encoding) -> Result<(Exported, u64, String)> {
    let limits = aitrace_otlp::Limits { max_memory: items_memory(body.len()), ..Default::default() };
    let unreadable = |error: DecodeError| ApiError::new(Kind::BadRequest, error.to_string(), "");
    Ok(match signal {
        Signal::Traces => {
            let decoded = aitrace_otlp::decode_traces(body, encoding, &limits).map_err(unreadable)?;
            let message = otlp_message("span", &decoded.rejected, decoded.rejected_count, decoded.salvaged);
            (Exported::Spans(decoded.spans), decoded.rejected_count, message)
        }
        Signal::Logs => {
            let decoded = aitrace_otlp::decode_logs(body, encoding, &limits).map_err(unreadable)?;
            let message =
                otlp_message("log record", &decoded.rejected, decoded.rejected_count, decoded.salvaged);
            (Exported::Logs(decoded.logs), decoded.rejected_count, message)
        }
    })
}

/// Bytes that decoded items may take: ordinary ones stay far below, floods of empty ones do not.
fn items_memory(body: usize) -> usize {
    (32 << 20) + body.saturating_mul(4)
}

/// What a sender of OTLP is told of what was refused or changed; empty where there is nothing to say.
fn otlp_message(item: &str, rejected: &[aitrace_otlp::Rejected], count: u64, salvaged: Salvaged) -> String {
    const SHOWN: usize = 10;
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

    fn read(body: &str, media: Media) -> (usize, Vec<u64>) {
        let read = records(body.as_bytes(), media, &Limits::default());
        (read.records.len(), read.rejected.listed.iter().map(|(index, _)| *index).collect())
    }

    #[test]
    fn good_records_are_read_beside_bad_ones() {
        assert_eq!(read(&format!("[{GOOD},1,{GOOD},{{}}]"), Media::Json), (2, vec![1, 3]));
        assert_eq!(read(GOOD, Media::Json), (1, vec![]));
        assert_eq!(read(&format!("\u{feff} {GOOD}"), Media::Json), (1, vec![]));
        assert_eq!(read(&format!("{GOOD}\n\nx\n{GOOD}"), Media::Ndjson), (2, vec![2]));
        assert_eq!(read("", Media::Ndjson), (0, vec![]));
        assert_eq!(read("", Media::Json), (0, vec![0]));
        assert_eq!(read("[]", Media::Json), (0, vec![]));
    }

    #[test]
    fn lines_are_named_by_their_number() {
        let read = records(b"\nx", Media::Ndjson, &Limits::default());
        assert!(read.rejected.listed[0].1.starts_with("line 2: "), "{:?}", read.rejected.listed);
    }

    #[test]
    fn a_flood_of_rubbish_is_counted_and_not_listed() {
        let body = format!("[{}1]", "1,".repeat(5000));
        let read = records(body.as_bytes(), Media::Json, &Limits::default());
        assert_eq!((read.rejected.count, read.rejected.listed.len()), (5001, LISTED));
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
