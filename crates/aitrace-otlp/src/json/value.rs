//! AnyValue, KeyValue and lists of them.

use aitrace_model::AnyValue;
use serde::de::{DeserializeSeed as _, MapAccess};

use super::message::{Element, Extend, Fill, Message, skip};
use super::scalar::{Double, Text, Whole, Word, base64};
use crate::draft::Attributes;
use crate::fault::Fault;
use crate::tally::Tally;

/// Reads a list from the field at hand. The tally bounds all values of a span together.
pub(super) fn list<'de, M: Element<'de>, A: MapAccess<'de>>(
    list: &mut Vec<M>,
    map: &mut A,
    depth: usize,
    tally: &mut Tally<'_>,
) -> Result<(), A::Error> {
    map.next_value_seed(Extend { list, limit: usize::MAX, what: "values", depth, tally })
}

/// Reads a text from the field at hand; null is empty.
pub(super) fn text<'de, A: MapAccess<'de>>(map: &mut A, tally: &mut Tally<'_>) -> Result<String, A::Error> {
    Ok(map.next_value_seed(Text(tally))?.unwrap_or_default())
}

/// `{"stringValue": …}` and its like; a field that is null is not set.
impl<'de> Message<'de> for AnyValue {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        let value = match name {
            "stringValue" | "string_value" => map.next_value_seed(Text(tally))?.map(Self::String),
            "boolValue" | "bool_value" => map.next_value::<Option<bool>>()?.map(Self::Bool),
            "intValue" | "int_value" => map.next_value::<Whole>()?.within()?.map(Self::Int),
            "doubleValue" | "double_value" => map.next_value::<Double>()?.0.map(Self::Double),
            "bytesValue" | "bytes_value" => match map.next_value::<Option<Word<'de>>>()? {
                Some(Word(text)) => Some(Self::Bytes(base64(&text)?)),
                None => None,
            },
            "arrayValue" | "array_value" => {
                let mut values = Values(Vec::new());
                let fill = Fill { message: &mut values, depth: depth + 1, tally };
                map.next_value_seed(fill)?.then_some(Self::Array(values.0))
            }
            "kvlistValue" | "kvlist_value" => {
                let mut values = Values(Vec::new());
                let fill = Fill { message: &mut values, depth: depth + 1, tally };
                map.next_value_seed(fill)?.then_some(Self::Map(values.0))
            }
            _ => return skip(map),
        };
        if let Some(value) = value {
            *self = value;
        }
        Ok(())
    }

    fn closed(&mut self, depth: usize, tally: &mut Tally<'_>) -> bool {
        let closed = depth > tally.limits.max_depth;
        if closed {
            *self = tally.too_deep();
        }
        closed
    }
}

impl Element<'_> for AnyValue {
    fn empty() -> Self {
        Self::Null
    }

    fn count(tally: &mut Tally<'_>) -> Result<(), Fault> {
        tally.value()
    }
}

/// KeyValue: `{"key": …, "value": …}`.
impl<'de> Message<'de> for (String, AnyValue) {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        match name {
            "key" => self.0 = text(map, tally)?,
            "value" => drop(map.next_value_seed(Fill { message: &mut self.1, depth, tally })?),
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl Element<'_> for (String, AnyValue) {
    fn empty() -> Self {
        (String::new(), AnyValue::Null)
    }

    fn count(tally: &mut Tally<'_>) -> Result<(), Fault> {
        tally.value()
    }
}

/// ArrayValue and KeyValueList: `{"values": […]}`.
struct Values<T>(Vec<T>);

impl<'de, T: Element<'de>> Message<'de> for Values<T> {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        if name == "values" { list(&mut self.0, map, depth, tally) } else { skip(map) }
    }
}

/// The attributes of a resource, scope, span, event or link.
pub(super) fn attributes<'de, A: MapAccess<'de>>(
    attributes: &mut Attributes,
    map: &mut A,
    tally: &mut Tally<'_>,
) -> Result<(), A::Error> {
    list(attributes, map, 1, tally)
}

/// Fills a message from the text of one object.
pub(super) fn fill<'de, M: Message<'de>>(
    json: &'de str,
    message: &mut M,
    tally: &mut Tally<'_>,
) -> Result<(), String> {
    let mut parser = serde_json::Deserializer::from_str(json);
    // Values nest no deeper than our own limit; what is deeper or unknown is passed over without recursion.
    parser.disable_recursion_limit();
    match (Fill { message, depth: 1, tally }).deserialize(&mut parser) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
