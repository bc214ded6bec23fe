//! Messages as bytes: the body of a log row.
//!
//! A body is one zstd frame with a checksum (see `packing`). Inside: a format byte, the messages about spans, the
//! log records. Integers are LEB128 (signed ones zigzag), texts and lists have their length first,
//! options a presence byte, fields stand in the order of the macro calls below. Only we write it,
//! and only until the next seal, so there is one format at a time; [`FORMAT`] guards upgrades.

use aitrace_model::{
    CodeLocation, ErrorInfo, EventType, Json, Level, LogRecord, Phase, Span, SpanEvent, SpanId, SpanKind,
    SpanLink, Status, Timestamp, TraceId,
};
use aitrace_store::{Batch, ErrorKind, Result, StoreError};

use crate::packing;

/// First byte of a body.
const FORMAT: u8 = 1;
/// First byte of a body that deletes.
const DELETE: u8 = 2;

/// What a log row says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    /// Something came.
    Batch(Batch),
    /// Traces were deleted; where there is no id, everything in the project.
    Delete(Vec<(String, Option<TraceId>)>),
}

/// The bytes of a log row that deletes.
pub(crate) fn encode_delete(targets: &[(String, Option<TraceId>)]) -> Result<Vec<u8>> {
    let packed = packing::pack(|out| {
        out.push(DELETE);
        (targets.len() as u64).put(out);
        for (project, trace_id) in targets {
            project.put(out);
            trace_id.put(out);
        }
    });
    packed.map_err(|error| {
        StoreError::new(ErrorKind::Internal, "cannot compress a deletion for the log").with_source(error)
    })
}

/// The bytes of a log row.
pub(crate) fn encode(batch: &Batch) -> Result<Vec<u8>> {
    let packed = packing::pack(|out| {
        out.push(FORMAT);
        batch.spans.put(out);
        batch.logs.put(out);
    });
    packed.map_err(|error| {
        StoreError::new(ErrorKind::Internal, "cannot compress a batch for the log").with_source(error)
    })
}

/// What a log row holds.
pub(crate) fn decode(body: &[u8]) -> Result<Entry> {
    let bytes = packing::unpack(body)
        .map_err(|error| corrupt("its checksum or length does not match").with_source(error))?;
    match bytes.split_first() {
        Some((&FORMAT, mut rest)) => {
            let (spans, logs) = (Wire::get(&mut rest), Wire::get(&mut rest));
            match (spans, logs) {
                (Some(spans), Some(logs)) if rest.is_empty() => Ok(Entry::Batch(Batch { spans, logs })),
                _ => Err(corrupt("its fields do not add up")),
            }
        }
        Some((&DELETE, mut rest)) => {
            let count = u64::get(&mut rest).unwrap_or(0);
            let target = |_| Some((String::get(&mut rest)?, Option::<TraceId>::get(&mut rest)?));
            let targets: Option<Vec<_>> = (0..count).map(target).collect();
            targets.map(Entry::Delete).ok_or_else(|| corrupt("its fields do not add up"))
        }
        _ => Err(corrupt("it was written by another version")),
    }
}

/// Messages as plain bytes, without frame or format.
pub(crate) fn messages(spans: &[Span]) -> Vec<u8> {
    let mut out = Vec::new();
    for span in spans {
        span.put(&mut out);
    }
    out
}

/// The reverse of [`messages`].
pub(crate) fn from_messages(mut bytes: &[u8]) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    while !bytes.is_empty() {
        spans.push(Wire::get(&mut bytes)?);
    }
    Some(spans)
}

fn corrupt(why: &str) -> StoreError {
    StoreError::new(ErrorKind::Corrupt, format!("log row cannot be read: {why}; run `aitrace doctor`"))
}

/// A value as bytes.
trait Wire: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn get(input: &mut &[u8]) -> Option<Self>;
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(head)
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    (bytes.len() as u64).put(out);
    out.extend_from_slice(bytes);
}

fn get_text<'a>(input: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(u64::get(input)?).ok()?;
    std::str::from_utf8(take(input, length)?).ok()
}

impl Wire for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = take(input, 1)?[0];
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

impl Wire for u32 {
    fn put(&self, out: &mut Vec<u8>) {
        u64::from(*self).put(out);
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        u64::get(input)?.try_into().ok()
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        Some(take(input, 1)?[0] != 0)
    }
}

impl Wire for f64 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bits().to_le_bytes());
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        Some(f64::from_bits(u64::from_le_bytes(take(input, 8)?.try_into().ok()?)))
    }
}

impl Wire for Timestamp {
    fn put(&self, out: &mut Vec<u8>) {
        let nanos = self.nanos();
        ((nanos << 1 ^ nanos >> 63) as u64).put(out);
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        let zigzag = u64::get(input)?;
        Some(Self::from_nanos((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)))
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        get_text(input).map(str::to_owned)
    }
}

impl Wire for Json {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_str().as_bytes(), out);
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        get_text(input).map(Json::from_trusted)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        if bool::get(input)? { T::get(input).map(Some) } else { Some(None) }
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_ref().put(out);
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        T::get(input).map(Self::new)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        for item in self {
            item.put(out);
        }
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        (0..u64::get(input)?).map(|_| T::get(input)).collect()
    }
}

macro_rules! wire_ids {
    ($($name:ident),+) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_bytes());
            }

            fn get(input: &mut &[u8]) -> Option<Self> {
                Self::from_slice(take(input, Self::LEN)?)
            }
        }
    )+};
}
wire_ids!(TraceId, SpanId);

macro_rules! wire_words {
    ($($name:ident),+) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }

            fn get(input: &mut &[u8]) -> Option<Self> {
                Self::ALL.get(usize::from(take(input, 1)?[0])).copied()
            }
        }
    )+};
}
wire_words!(SpanKind, EventType, Status, Phase, Level);

macro_rules! wire_struct {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)+
            }

            fn get(input: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: Wire::get(input)?),+ })
            }
        }
    };
}
wire_struct!(ErrorInfo { kind, message, stacktrace });
wire_struct!(SpanEvent { time, name, attributes });
wire_struct!(SpanLink { trace_id, span_id, attributes });
wire_struct!(CodeLocation { file, line, function });
wire_struct!(LogRecord {
    project,
    id,
    trace_id,
    span_id,
    time,
    event,
    level,
    logger,
    code,
    session_id,
    attrs,
    received,
});

/// Fields of a span that stand in every message, in their order.
macro_rules! span_fields {
    ($each:ident) => {
        $each!(
            project,
            trace_id,
            span_id,
            parent_span_id,
            phase,
            heartbeats,
            name,
            kind,
            event_type,
            status,
            error,
            start,
            end,
            received,
            source,
            service,
            session_id,
            user_id,
            run_id,
            dataset_id,
            datapoint_id,
            provider,
            model,
            input_tokens,
            output_tokens,
            cost,
            inputs,
            outputs,
            metadata,
            metrics,
            feedback,
            config,
            user_properties,
            attributes,
            resource,
            scope,
            code,
            events,
            links
        )
    };
}

/// Bits of the byte behind them. Messages of before the second bit have none of the fields that it stands for.
const TENTATIVE: u8 = 1;
const MORE: u8 = 2;
const PRICED: u8 = 4;

impl Wire for Span {
    fn put(&self, out: &mut Vec<u8>) {
        macro_rules! put {
            ($($field:ident),+) => { $(self.$field.put(out);)+ };
        }
        span_fields!(put);
        let tokens = [self.cache_read_tokens, self.cache_write_tokens, self.reasoning_tokens];
        let more = self.otel.is_some() || tokens.iter().any(Option::is_some);
        let priced = self.cost_formula.is_some() || self.repriced.is_some();
        let bit = |is: bool, bit| u8::from(is) * bit;
        out.push(bit(self.tentative.is_some(), TENTATIVE) + bit(more, MORE) + bit(priced, PRICED));
        if let Some(log) = &self.tentative {
            log.put(out);
        }
        if more {
            for count in tokens {
                count.put(out);
            }
            self.otel.put(out);
        }
        if priced {
            self.cost_formula.put(out);
            self.repriced.put(out);
        }
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        macro_rules! get {
            ($($field:ident),+) => {
                Self {
                    $($field: Wire::get(input)?,)+
                    tentative: None,
                    cache_read_tokens: None,
                    cache_write_tokens: None,
                    reasoning_tokens: None,
                    otel: None,
                    cost_formula: None,
                    repriced: None,
                }
            };
        }
        let mut span = span_fields!(get);
        let bits = take(input, 1)?[0];
        if bits & TENTATIVE != 0 {
            span.tentative = Some(Wire::get(input)?);
        }
        if bits & MORE != 0 {
            for count in
                [&mut span.cache_read_tokens, &mut span.cache_write_tokens, &mut span.reasoning_tokens]
            {
                *count = Wire::get(input)?;
            }
            span.otel = Wire::get(input)?;
        }
        if bits & PRICED != 0 {
            (span.cost_formula, span.repriced) = (Wire::get(input)?, Wire::get(input)?);
        }
        Some(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aitrace_store::conformance::{end, log, start, tentative};

    fn batch() -> Batch {
        let mut spans = vec![start("p", 1, 0), end("p", u64::MAX >> 1, 1), tentative("p", 1, 2)];
        spans[1].cost = Some(-0.0);
        spans[1].start = Timestamp::from_nanos(i64::MIN);
        spans[1].end = Some(Timestamp::from_nanos(i64::MAX));
        spans[1].input_tokens = Some(u64::MAX);
        spans[1].reasoning_tokens = Some(7);
        spans[1].cost_formula = Some("input 1 × $2/M".to_owned());
        spans[2].repriced = Some(Timestamp::from_nanos(-9));
        spans[2].otel = Some(Json::from_trusted(r#"{"flags":1}"#));
        Batch { spans, logs: vec![log("p", None, "x", -5)] }
    }

    #[test]
    fn batches_come_back() {
        let read = |batch: &Batch| decode(&encode(batch).expect("encodes")).expect("decodes");
        assert_eq!(read(&batch()), Entry::Batch(batch()));
        assert_eq!(read(&Batch::default()), Entry::Batch(Batch::default()));
    }

    #[test]
    fn deletions_come_back() {
        let targets = vec![("p".to_owned(), Some(batch().spans[0].trace_id)), ("q".to_owned(), None)];
        let body = encode_delete(&targets).expect("encodes");
        assert_eq!(decode(&body).expect("decodes"), Entry::Delete(targets));
    }

    #[test]
    fn damage_is_an_error_never_another_batch() {
        let good = encode(&batch()).expect("encodes");
        for place in 0..good.len() {
            let mut bad = good.clone();
            bad[place] ^= 0x10;
            if let Ok(read) = decode(&bad) {
                assert_eq!(read, Entry::Batch(batch()), "byte {place}");
            }
            assert!(decode(&good[..place]).is_err(), "cut at {place}");
        }
    }
}
