//! Span, Event, Link, Status.

use aitrace_model::{RawEvent, RawLink, RawSpan, SpanId, Timestamp, TraceId};
use serde::de::{Error as _, MapAccess};

use super::message::{Element, Extend, Fill, Message, skip};
use super::request::Signal;
use super::scalar::{Enum, Whole, Word, bad_id};
use super::value::{attributes, fill, text};
use crate::draft::{Attributes, LinkDraft, Origin, SpanDraft, StatusDraft};
use crate::tally::Tally;

const KINDS: Enum = Enum {
    prefix: "SPAN_KIND_",
    names: &["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"],
};
const CODES: Enum = Enum { prefix: "STATUS_CODE_", names: &["UNSET", "OK", "ERROR"] };

impl Signal for RawSpan {
    const REQUEST: &'static str = "an ExportTraceServiceRequest";
    const OF_RESOURCE: [&'static str; 2] = ["resourceSpans", "resource_spans"];
    const OF_SCOPE: [&'static str; 2] = ["scopeSpans", "scope_spans"];
    const ITEMS: [&'static str; 2] = ["spans", "spans"];

    fn read(json: &str, origin: &Origin, tally: &mut Tally<'_>) -> Result<Self, String> {
        let mut draft = SpanDraft::default();
        fill(json, &mut draft, tally)?;
        draft.finish(origin).map_err(|fault| fault.to_string())
    }
}

impl<'de> Message<'de> for SpanDraft {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        span_field(self, name, map, tally).map_err(|error| A::Error::custom(format_args!("{name}: {error}")))
    }
}

fn span_field<'de, A: MapAccess<'de>>(
    span: &mut SpanDraft,
    name: &str,
    map: &mut A,
    tally: &mut Tally<'_>,
) -> Result<(), A::Error> {
    match name {
        "traceId" | "trace_id" => span.trace_id = id(map, TraceId::LEN)?,
        "spanId" | "span_id" => span.span_id = id(map, SpanId::LEN)?,
        "parentSpanId" | "parent_span_id" => span.parent_span_id = parent_id(map)?,
        "traceState" | "trace_state" => span.trace_state = text(map, tally)?,
        "name" => span.name = text(map, tally)?,
        "kind" => span.kind = map.next_value_seed(KINDS)?.unwrap_or(0),
        "startTimeUnixNano" | "start_time_unix_nano" => span.start = nanos(map)?,
        "endTimeUnixNano" | "end_time_unix_nano" => span.end = nanos(map)?,
        "attributes" => attributes(&mut span.attributes, map, tally)?,
        "events" => {
            let limit = tally.limits.max_events;
            map.next_value_seed(Extend { list: &mut span.events, limit, what: "events", depth: 1, tally })?;
        }
        "links" => links(&mut span.links, map, tally)?,
        "flags" => span.flags = small(map)?,
        "droppedAttributesCount" | "dropped_attributes_count" => span.dropped.attributes = small(map)?,
        "droppedEventsCount" | "dropped_events_count" => span.dropped.events = small(map)?,
        "droppedLinksCount" | "dropped_links_count" => span.dropped.links = small(map)?,
        "status" => drop(map.next_value_seed(Fill { message: &mut span.status, depth: 1, tally })?),
        _ => skip(map)?,
    }
    Ok(())
}

pub(super) fn nanos<'de, A: MapAccess<'de>>(map: &mut A) -> Result<u64, A::Error> {
    Ok(map.next_value::<Whole>()?.within()?.unwrap_or(0))
}

/// A number of 32 bits without sign; null is 0.
pub(super) fn small<'de, A: MapAccess<'de>>(map: &mut A) -> Result<u32, A::Error> {
    Ok(map.next_value::<Whole>()?.within()?.unwrap_or(0))
}

/// An id of the span itself; null is an id that is missing.
fn id<'de, T, A>(map: &mut A, bytes: usize) -> Result<Option<T>, A::Error>
where
    T: std::str::FromStr,
    A: MapAccess<'de>,
{
    match map.next_value::<Option<Word<'de>>>()? {
        None => Ok(None),
        Some(Word(text)) => match text.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(A::Error::custom(bad_id(2 * bytes, &text))),
        },
    }
}

/// No text means a root; so do zeros, which W3C trace context calls invalid.
fn parent_id<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<SpanId>, A::Error> {
    match map.next_value::<Option<Word<'de>>>()? {
        Some(Word(text)) if text.is_empty() || text == "0000000000000000" => Ok(None),
        Some(Word(text)) => match text.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(A::Error::custom(bad_id(2 * SpanId::LEN, &text))),
        },
        None => Ok(None),
    }
}

fn links<'de, A: MapAccess<'de>>(
    links: &mut Vec<RawLink>,
    map: &mut A,
    tally: &mut Tally<'_>,
) -> Result<(), A::Error> {
    let mut drafts: Vec<LinkDraft> = Vec::new();
    let limit = tally.limits.max_links;
    map.next_value_seed(Extend { list: &mut drafts, limit, what: "links", depth: 1, tally: &mut *tally })?;
    for draft in drafts {
        match draft.finish() {
            Some(link) => links.push(link),
            None => tally.salvaged_link(),
        }
    }
    Ok(())
}

impl<'de> Message<'de> for RawEvent {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        match name {
            "timeUnixNano" | "time_unix_nano" => self.time = Timestamp::from_unix_nanos(nanos(map)?),
            "name" => self.name = text(map, tally)?,
            "attributes" => attributes(&mut self.attributes, map, tally)?,
            "droppedAttributesCount" | "dropped_attributes_count" => self.dropped_attributes = small(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl Element<'_> for RawEvent {
    fn empty() -> Self {
        Self {
            time: Timestamp::default(),
            name: String::new(),
            attributes: Attributes::new(),
            dropped_attributes: 0,
        }
    }
}

impl<'de> Message<'de> for LinkDraft {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        match name {
            "traceId" | "trace_id" => self.trace_id = link_id(map)?,
            "spanId" | "span_id" => self.span_id = link_id(map)?,
            "traceState" | "trace_state" => self.trace_state = text(map, tally)?,
            "attributes" => attributes(&mut self.attributes, map, tally)?,
            "droppedAttributesCount" | "dropped_attributes_count" => self.dropped_attributes = small(map)?,
            "flags" => self.flags = small(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl Element<'_> for LinkDraft {
    fn empty() -> Self {
        Self::default()
    }
}

/// An id of a link, `None` where it is no id: the link is left out.
fn link_id<'de, T: std::str::FromStr, A: MapAccess<'de>>(map: &mut A) -> Result<Option<T>, A::Error> {
    Ok(map.next_value::<Option<Word<'de>>>()?.and_then(|Word(text)| text.parse().ok()))
}

impl<'de> Message<'de> for StatusDraft {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        match name {
            "message" => self.message = text(map, tally)?,
            "code" => self.code = map.next_value_seed(CODES)?.unwrap_or(0),
            _ => skip(map)?,
        }
        Ok(())
    }
}
