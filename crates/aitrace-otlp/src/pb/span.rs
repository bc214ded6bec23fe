//! Span, Event, Link, Status (opentelemetry/proto/trace/v1/trace.proto).

use aitrace_model::{RawEvent, RawLink, RawSpan, SpanId, Timestamp, TraceId};

use super::request::Signal;
use super::value::key_value;
use crate::draft::{Attributes, LinkDraft, Origin, SpanDraft, StatusDraft};
use crate::fault::Fault;
use crate::tally::Tally;
use crate::wire::{Reader, Tag};

/// Names of the span's fields, by number.
const FIELDS: [&str; 16] = [
    "trace_id",
    "span_id",
    "trace_state",
    "parent_span_id",
    "name",
    "kind",
    "start_time_unix_nano",
    "end_time_unix_nano",
    "attributes",
    "dropped_attributes_count",
    "events",
    "dropped_events_count",
    "links",
    "dropped_links_count",
    "status",
    "flags",
];

impl Signal for RawSpan {
    const REQUEST: &'static str = "an ExportTraceServiceRequest";
    const OF_RESOURCE: &'static str = "resource_spans";
    const OF_SCOPE: &'static str = "scope_spans";

    fn read(bytes: &[u8], origin: &Origin, tally: &mut Tally<'_>) -> Result<Self, String> {
        let mut draft = SpanDraft::default();
        let mut reader = Reader::new(bytes);
        loop {
            match reader.tag() {
                Ok(Some(tag)) => {
                    field(&mut draft, tag, &mut reader, tally)
                        .map_err(|fault| named(&FIELDS, tag, &fault))?;
                }
                Ok(None) => return draft.finish(origin).map_err(|fault| fault.to_string()),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

/// A fault with the name of its field.
#[cold]
pub(super) fn named(fields: &[&str], tag: Tag, fault: &Fault) -> String {
    match fields.get(tag.number as usize - 1) {
        Some(name) => format!("{name}: {fault}"),
        None => format!("field {}: {fault}", tag.number),
    }
}

fn field(
    draft: &mut SpanDraft,
    tag: Tag,
    reader: &mut Reader<'_>,
    tally: &mut Tally<'_>,
) -> Result<(), Fault> {
    match tag.number {
        1 => draft.trace_id = Some(trace_id(reader.bytes(tag)?)?),
        2 => draft.span_id = Some(span_id(reader.bytes(tag)?)?),
        3 => draft.trace_state = tally.text(reader.bytes(tag)?),
        4 => draft.parent_span_id = parent_id(reader.bytes(tag)?)?,
        5 => draft.name = tally.text(reader.bytes(tag)?),
        6 => draft.kind = reader.varint(tag)? as i32,
        7 => draft.start = reader.fixed64(tag)?,
        8 => draft.end = reader.fixed64(tag)?,
        9 => {
            if draft.attributes.capacity() == 0 {
                // An attribute has hardly fewer than 16 bytes: hostile input cannot make this large.
                draft.attributes.reserve_exact(tally.usual_attributes.min(reader.left() / 16).max(4));
            }
            key_value(reader.bytes(tag)?, 1, &mut draft.attributes, tally)?;
        }
        10 => draft.dropped.attributes = reader.varint(tag)? as u32,
        11 => {
            room(draft.events.len(), tally.limits.max_events, "events")?;
            draft.events.push(event(reader.bytes(tag)?, tally)?);
        }
        12 => draft.dropped.events = reader.varint(tag)? as u32,
        13 => {
            room(draft.links.len(), tally.limits.max_links, "links")?;
            draft.links.extend(link(reader.bytes(tag)?, tally)?);
        }
        14 => draft.dropped.links = reader.varint(tag)? as u32,
        15 => status(reader.bytes(tag)?, &mut draft.status, tally)?,
        16 => draft.flags = reader.fixed32(tag)?,
        _ => reader.skip(tag)?,
    }
    Ok(())
}

fn room(count: usize, limit: usize, what: &'static str) -> Result<(), Fault> {
    if count < limit { Ok(()) } else { Err(Fault::TooMany { what, limit }) }
}

fn trace_id(bytes: &[u8]) -> Result<TraceId, Fault> {
    TraceId::from_slice(bytes).ok_or_else(|| Fault::trace_id(bytes))
}

fn span_id(bytes: &[u8]) -> Result<SpanId, Fault> {
    SpanId::from_slice(bytes).ok_or_else(|| Fault::span_id(bytes))
}

/// No bytes mean a root; so do eight zeros, which W3C trace context calls invalid.
fn parent_id(bytes: &[u8]) -> Result<Option<SpanId>, Fault> {
    if bytes.is_empty() || bytes == [0; SpanId::LEN] { Ok(None) } else { span_id(bytes).map(Some) }
}

fn event(bytes: &[u8], tally: &mut Tally<'_>) -> Result<RawEvent, Fault> {
    let mut event = RawEvent {
        time: Timestamp::default(),
        name: String::new(),
        attributes: Attributes::new(),
        dropped_attributes: 0,
    };
    let mut reader = Reader::new(bytes);
    while let Some(tag) = reader.tag()? {
        match tag.number {
            1 => event.time = Timestamp::from_unix_nanos(reader.fixed64(tag)?),
            2 => event.name = tally.text(reader.bytes(tag)?),
            3 => key_value(reader.bytes(tag)?, 1, &mut event.attributes, tally)?,
            4 => event.dropped_attributes = reader.varint(tag)? as u32,
            _ => reader.skip(tag)?,
        }
    }
    Ok(event)
}

fn link(bytes: &[u8], tally: &mut Tally<'_>) -> Result<Option<RawLink>, Fault> {
    let mut draft = LinkDraft::default();
    let mut reader = Reader::new(bytes);
    while let Some(tag) = reader.tag()? {
        match tag.number {
            1 => draft.trace_id = TraceId::from_slice(reader.bytes(tag)?),
            2 => draft.span_id = SpanId::from_slice(reader.bytes(tag)?),
            3 => draft.trace_state = tally.text(reader.bytes(tag)?),
            4 => key_value(reader.bytes(tag)?, 1, &mut draft.attributes, tally)?,
            5 => draft.dropped_attributes = reader.varint(tag)? as u32,
            6 => draft.flags = reader.fixed32(tag)?,
            _ => reader.skip(tag)?,
        }
    }
    let link = draft.finish();
    if link.is_none() {
        tally.salvaged_link();
    }
    Ok(link)
}

fn status(bytes: &[u8], status: &mut StatusDraft, tally: &mut Tally<'_>) -> Result<(), Fault> {
    let mut reader = Reader::new(bytes);
    while let Some(tag) = reader.tag()? {
        match tag.number {
            2 => status.message = tally.text(reader.bytes(tag)?),
            3 => status.code = reader.varint(tag)? as i32,
            _ => reader.skip(tag)?,
        }
    }
    Ok(())
}
