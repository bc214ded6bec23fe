//! LogRecord (opentelemetry/proto/logs/v1/logs.proto).

use aitrace_model::{RawLog, SpanId, TraceId};

use super::request::Signal;
use super::span::named;
use super::value::{any_value, key_value};
use crate::draft::{LogDraft, Origin};
use crate::fault::Fault;
use crate::tally::Tally;
use crate::wire::{Reader, Tag};

/// Names of the record's fields, by number; there is no field 4.
const FIELDS: [&str; 12] = [
    "time_unix_nano",
    "severity_number",
    "severity_text",
    "field 4",
    "body",
    "attributes",
    "dropped_attributes_count",
    "flags",
    "trace_id",
    "span_id",
    "observed_time_unix_nano",
    "event_name",
];

impl Signal for RawLog {
    const REQUEST: &'static str = "an ExportLogsServiceRequest";
    const OF_RESOURCE: &'static str = "resource_logs";
    const OF_SCOPE: &'static str = "scope_logs";

    fn read(bytes: &[u8], origin: &Origin, tally: &mut Tally<'_>) -> Result<Self, String> {
        let mut draft = LogDraft::default();
        let mut reader = Reader::new(bytes);
        loop {
            match reader.tag() {
                Ok(Some(tag)) => {
                    field(&mut draft, tag, &mut reader, tally)
                        .map_err(|fault| named(&FIELDS, tag, &fault))?;
                }
                Ok(None) => return Ok(draft.finish(origin)),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

fn field(
    draft: &mut LogDraft,
    tag: Tag,
    reader: &mut Reader<'_>,
    tally: &mut Tally<'_>,
) -> Result<(), Fault> {
    match tag.number {
        1 => draft.time = reader.fixed64(tag)?,
        2 => draft.severity = reader.varint(tag)? as i32,
        3 => draft.severity_text = tally.text(reader.bytes(tag)?),
        5 => {
            tally.value()?;
            any_value(reader.bytes(tag)?, 1, &mut draft.body, tally)?;
        }
        6 => key_value(reader.bytes(tag)?, 1, &mut draft.attributes, tally)?,
        7 => draft.dropped_attributes = reader.varint(tag)? as u32,
        8 => draft.flags = reader.fixed32(tag)?,
        9 => draft.trace_id = id(reader.bytes(tag)?, TraceId::from_slice, tally),
        10 => draft.span_id = id(reader.bytes(tag)?, SpanId::from_slice, tally),
        11 => draft.observed = reader.fixed64(tag)?,
        12 => draft.event_name = tally.text(reader.bytes(tag)?),
        _ => reader.skip(tag)?,
    }
    Ok(())
}

/// An id; the specification says that a log record with an id that is none belongs to no trace.
fn id<T>(bytes: &[u8], read: fn(&[u8]) -> Option<T>, tally: &mut Tally<'_>) -> Option<T> {
    let id = read(bytes);
    if id.is_none() && bytes.iter().any(|byte| *byte != 0) {
        tally.salvaged_id();
    }
    id
}
