//! AnyValue, KeyValue and lists of them (opentelemetry/proto/common/v1/common.proto).

use aitrace_model::AnyValue;

use crate::draft::Attributes;
use crate::fault::Fault;
use crate::tally::Tally;
use crate::wire::Reader;

/// Reads a KeyValue and appends it. `depth` is the depth of its value.
pub(super) fn key_value(
    bytes: &[u8],
    depth: usize,
    list: &mut Attributes,
    tally: &mut Tally<'_>,
) -> Result<(), Fault> {
    tally.value()?;
    let mut key = String::new();
    let mut value = AnyValue::Null;
    let mut reader = Reader::new(bytes);
    while let Some(tag) = reader.tag()? {
        match tag.number {
            1 => key = tally.text(reader.bytes(tag)?),
            2 => any_value(reader.bytes(tag)?, depth, &mut value, tally)?,
            _ => reader.skip(tag)?,
        }
    }
    list.push((key, value));
    Ok(())
}

/// Reads an AnyValue into `value`. A field that comes twice is merged, as protobuf demands: the
/// last scalar counts, lists grow.
pub(super) fn any_value(
    bytes: &[u8],
    depth: usize,
    value: &mut AnyValue,
    tally: &mut Tally<'_>,
) -> Result<(), Fault> {
    if depth > tally.limits.max_depth {
        *value = tally.too_deep();
        return Ok(());
    }
    let mut reader = Reader::new(bytes);
    while let Some(tag) = reader.tag()? {
        match tag.number {
            1 => *value = AnyValue::String(tally.text(reader.bytes(tag)?)),
            2 => *value = AnyValue::Bool(reader.varint(tag)? != 0),
            3 => *value = AnyValue::Int(reader.varint(tag)? as i64),
            4 => *value = AnyValue::Double(f64::from_bits(reader.fixed64(tag)?)),
            5 => array(reader.bytes(tag)?, depth + 1, value, tally)?,
            6 => map(reader.bytes(tag)?, depth + 1, value, tally)?,
            7 => *value = AnyValue::Bytes(reader.bytes(tag)?.to_vec()),
            _ => reader.skip(tag)?,
        }
    }
    Ok(())
}

fn array(bytes: &[u8], depth: usize, value: &mut AnyValue, tally: &mut Tally<'_>) -> Result<(), Fault> {
    let mut list = match std::mem::replace(value, AnyValue::Null) {
        AnyValue::Array(list) => list,
        _ => Vec::new(),
    };
    let mut reader = Reader::new(bytes);
    while let Some(tag) = reader.tag()? {
        if tag.number == 1 {
            tally.value()?;
            let mut element = AnyValue::Null;
            any_value(reader.bytes(tag)?, depth, &mut element, tally)?;
            list.push(element);
        } else {
            reader.skip(tag)?;
        }
    }
    *value = AnyValue::Array(list);
    Ok(())
}

fn map(bytes: &[u8], depth: usize, value: &mut AnyValue, tally: &mut Tally<'_>) -> Result<(), Fault> {
    let mut list = match std::mem::replace(value, AnyValue::Null) {
        AnyValue::Map(list) => list,
        _ => Vec::new(),
    };
    let mut reader = Reader::new(bytes);
    while let Some(tag) = reader.tag()? {
        if tag.number == 1 {
            key_value(reader.bytes(tag)?, depth, &mut list, tally)?;
        } else {
            reader.skip(tag)?;
        }
    }
    *value = AnyValue::Map(list);
    Ok(())
}
