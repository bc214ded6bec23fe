//! The request down to its spans, in one pass.
//!
//! Each span is first cut out as text, which the parser does without recursion and without looking
//! at types, and read on its own: what is wrong in one span stays there. Where spans come before
//! the resource or scope that they belong to, they wait as text for the end of the object.

use std::fmt;
use std::sync::Arc;

use aitrace_model::{Resource, Scope};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::value::RawValue;

use super::message::{Fill, Message, scalars_are_other, skip};
use super::span::{fill, span};
use super::value::{attributes, text};
use crate::decoded::Decoded;
use crate::draft::Origin;
use crate::error::DecodeError;
use crate::limits::Limits;
use crate::tally::Tally;

/// A part that spans share, or why it cannot be read.
type Shared<T> = Result<Arc<T>, String>;

pub(crate) fn decode_traces(body: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
    let mut tally = Tally::new(limits);
    // Invalid bytes can only stand within strings: anywhere else a replacement is a syntax error.
    let body = tally.body(body);
    let body = body.strip_prefix('\u{feff}').unwrap_or(&body);
    let mut parser = serde_json::Deserializer::from_str(body);
    let request = Fill { message: &mut Request, depth: 1, tally: &mut tally };
    match request.deserialize(&mut parser).and_then(|_| parser.end()) {
        Ok(()) => Ok(tally.finish()),
        Err(error) => {
            let message = "an ExportTraceServiceRequest";
            Err(DecodeError::Json { message, reason: error.to_string() })
        }
    }
}

/// The outer message.
struct Request;

impl<'de> Message<'de> for Request {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        match name {
            "resourceSpans" | "resource_spans" => {
                map.next_value_seed(Parts { start: ResourceSpans::default, tally })
            }
            _ => skip(map),
        }
    }
}

/// A message of the request that is dealt with as soon as it ends.
trait Part<'de>: Message<'de> {
    /// What to call a list of them that is no list; `None` where that makes the request unreadable.
    const LIST: Option<&'static str>;

    /// The message is complete.
    fn end(self, tally: &mut Tally<'_>);
}

#[derive(Default)]
struct ResourceSpans<'de> {
    resource: Option<Shared<Resource>>,
    /// Lists of ScopeSpans that came before the resource.
    waiting: Vec<&'de RawValue>,
}

impl<'de> Message<'de> for ResourceSpans<'de> {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        match (name, &self.resource) {
            ("resource", _) => self.resource = Some(shared("resource", map.next_value()?, tally)),
            ("scopeSpans" | "scope_spans", Some(resource)) => {
                map.next_value_seed(Parts { start: || ScopeSpans::of(resource), tally })?;
            }
            ("scopeSpans" | "scope_spans", None) => self.waiting.push(map.next_value()?),
            _ => skip(map)?,
        }
        Ok(())
    }

    fn wrong(&mut self, came: Unexpected<'_>, tally: &mut Tally<'_>) -> bool {
        tally.refuse(&format_args!("resourceSpans: {came} where an object belongs"));
        true
    }
}

impl<'de> Part<'de> for ResourceSpans<'de> {
    const LIST: Option<&'static str> = None;

    fn end(self, tally: &mut Tally<'_>) {
        let resource = self.resource.unwrap_or_else(|| Ok(Arc::default()));
        for list in self.waiting {
            read(list, Parts { start: || ScopeSpans::of(&resource), tally: &mut *tally });
        }
    }
}

struct ScopeSpans<'r, 'de> {
    resource: &'r Shared<Resource>,
    /// Known once the scope is.
    origin: Option<Result<Origin, String>>,
    /// Lists of spans that came before the scope.
    waiting: Vec<&'de RawValue>,
}

impl<'r> ScopeSpans<'r, '_> {
    fn of(resource: &'r Shared<Resource>) -> Self {
        Self { resource, origin: None, waiting: Vec::new() }
    }

    fn origin(&self, scope: Shared<Scope>) -> Result<Origin, String> {
        Ok(Origin { resource: self.resource.clone()?, scope: scope? })
    }
}

impl<'de> Message<'de> for ScopeSpans<'_, 'de> {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        match (name, &self.origin) {
            ("scope", _) => {
                let scope = shared("scope", map.next_value()?, tally);
                self.origin = Some(self.origin(scope));
            }
            ("spans", Some(origin)) => map.next_value_seed(Spans { origin, tally })?,
            ("spans", None) => self.waiting.push(map.next_value()?),
            _ => skip(map)?,
        }
        Ok(())
    }

    fn wrong(&mut self, came: Unexpected<'_>, tally: &mut Tally<'_>) -> bool {
        tally.refuse(&format_args!("scopeSpans: {came} where an object belongs"));
        true
    }
}

impl<'de> Part<'de> for ScopeSpans<'_, 'de> {
    const LIST: Option<&'static str> = Some("scopeSpans");

    fn end(mut self, tally: &mut Tally<'_>) {
        let origin = self.origin.take().unwrap_or_else(|| self.origin(Ok(Arc::default())));
        for list in self.waiting {
            read(list, Spans { origin: &origin, tally: &mut *tally });
        }
    }
}

/// Reads a text that the parser cut out before: its syntax is right, and wrong types were refused.
fn read<'de>(json: &'de RawValue, seed: impl DeserializeSeed<'de, Value = ()>) {
    seed.deserialize(&mut serde_json::Deserializer::from_str(json.get())).ok();
}

fn shared<'de, T>(name: &str, part: Option<&'de RawValue>, tally: &mut Tally<'_>) -> Shared<T>
where
    T: Message<'de> + Default,
{
    let mut message = T::default();
    if let Some(part) = part {
        let json = part.get();
        tally
            .shared(json.len(), |tally| fill(json, &mut message, tally))
            .map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(Arc::new(message))
}

/// A list of messages, each of which begins as `start` says.
struct Parts<'t, 'l, F> {
    start: F,
    tally: &'t mut Tally<'l>,
}

impl<'de, M: Part<'de>, F: Fn() -> M> Parts<'_, '_, F> {
    fn other<E: Error>(self, came: Unexpected<'_>) -> Result<(), E> {
        let Some(list) = M::LIST else { return Err(E::invalid_type(came, &self)) };
        self.tally.refuse(&format_args!("{list}: {came} where an array belongs"));
        Ok(())
    }
}

impl<'de, M: Part<'de>, F: Fn() -> M> DeserializeSeed<'de> for Parts<'_, '_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, M: Part<'de>, F: Fn() -> M> Visitor<'de> for Parts<'_, '_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    scalars_are_other!();

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.other(Unexpected::Map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        loop {
            let mut part = (self.start)();
            let fill = Fill { message: &mut part, depth: 1, tally: &mut *self.tally };
            if seq.next_element_seed(fill)?.is_none() {
                return Ok(());
            }
            part.end(self.tally);
        }
    }
}

/// A list of spans.
struct Spans<'o, 't, 'l> {
    origin: &'o Result<Origin, String>,
    tally: &'t mut Tally<'l>,
}

impl Spans<'_, '_, '_> {
    #[expect(clippy::unnecessary_wraps, reason = "the visits return it")]
    fn other<E>(self, came: Unexpected<'_>) -> Result<(), E> {
        self.tally.refuse(&format_args!("spans: {came} where an array belongs"));
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Spans<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Spans<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    scalars_are_other!();

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.other(Unexpected::Map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(json) = seq.next_element::<&RawValue>()? {
            let json = json.get();
            match self.origin {
                Ok(origin) => self.tally.span(json.len(), |tally| span(json, origin, tally)),
                Err(reason) => self.tally.refuse(reason),
            }
        }
        Ok(())
    }
}

impl<'de> Message<'de> for Resource {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        if name == "attributes" { attributes(&mut self.attributes, map, tally) } else { skip(map) }
    }
}

impl<'de> Message<'de> for Scope {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        match name {
            "name" => self.name = text(map, tally)?,
            "version" => self.version = text(map, tally)?,
            "attributes" => attributes(&mut self.attributes, map, tally)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}
