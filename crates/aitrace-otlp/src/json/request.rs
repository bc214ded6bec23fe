//! The request down to its spans or log records, in one pass.
//!
//! Each of them is first cut out as text, which the parser does without recursion and without looking
//! at types, and read on its own: what is wrong in one stays there. Where they come before
//! the resource or scope that they belong to, they wait as text for the end of the object. Those of a body that may be
//! handed on in pieces always wait: their schema usually stands behind them.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use aitrace_model::{Resource, Scope};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::value::RawValue;

use super::message::{Fill, Message, scalars_are_other, skip};
use super::span::small;
use super::value::{attributes, fill, text};
use crate::draft::Origin;
use crate::error::DecodeError;
use crate::tally::{Item, Tally};

/// A part that items share, or why it cannot be read.
type Shared<T> = Result<Arc<T>, String>;

/// Names of the fields around an item, in both spellings, and how it is read. Spans and log records stand in
/// messages of the same form.
pub(super) trait Signal: Item {
    const REQUEST: &'static str;
    const OF_RESOURCE: [&'static str; 2];
    const OF_SCOPE: [&'static str; 2];
    const ITEMS: [&'static str; 2];

    /// Reads one; the error is the reason, with the field.
    fn read(json: &str, origin: &Origin, tally: &mut Tally<'_>) -> Result<Self, String>;
}

/// Reads a request of one signal into the tally.
pub(super) fn decode<S: Signal>(body: &[u8], tally: &mut Tally<'_>) -> Result<(), DecodeError> {
    // Invalid bytes can only stand within strings: anywhere else a replacement is a syntax error.
    let body = tally.body(body);
    let body = body.strip_prefix('\u{feff}').unwrap_or(&body);
    tally.lists_wait = tally.may_be_cut(body.len());
    let mut parser = serde_json::Deserializer::from_str(body);
    let request = Fill { message: &mut Request::<S>(PhantomData), depth: 1, tally };
    match request.deserialize(&mut parser).and_then(|_| parser.end()) {
        Ok(()) => Ok(()),
        Err(error) => Err(DecodeError::Json { message: S::REQUEST, reason: error.to_string() }),
    }
}

/// The outer message.
struct Request<S>(PhantomData<S>);

impl<'de, S: Signal> Message<'de> for Request<S> {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        if S::OF_RESOURCE.contains(&name) {
            map.next_value_seed(Parts { start: OfResource::<S>::default, tally })
        } else {
            skip(map)
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

struct OfResource<'de, S> {
    resource: Option<Shared<Resource>>,
    schema_url: String,
    /// Lists of parts of a scope that came before the resource, or are to wait.
    waiting: Vec<&'de RawValue>,
    signal: PhantomData<S>,
}

impl<S> Default for OfResource<'_, S> {
    fn default() -> Self {
        Self { resource: None, schema_url: String::new(), waiting: Vec::new(), signal: PhantomData }
    }
}

impl<'de, S: Signal> Message<'de> for OfResource<'de, S> {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        if name == "resource" {
            self.resource = Some(shared("resource", map.next_value()?, tally));
            return Ok(());
        }
        if is_schema_url(name) {
            self.schema_url = text(map, tally)?;
            return Ok(());
        }
        if !S::OF_SCOPE.contains(&name) {
            return skip(map);
        }
        match &self.resource {
            Some(resource) if !tally.lists_wait => {
                map.next_value_seed(Parts { start: || OfScope::<S>::of(resource), tally })?;
            }
            _ => self.waiting.push(map.next_value()?),
        }
        Ok(())
    }

    fn wrong(&mut self, came: Unexpected<'_>, tally: &mut Tally<'_>) -> bool {
        tally.refuse(&format_args!("{}: {came} where an object belongs", S::OF_RESOURCE[0]));
        true
    }
}

impl<'de, S: Signal> Part<'de> for OfResource<'de, S> {
    const LIST: Option<&'static str> = None;

    fn end(self, tally: &mut Tally<'_>) {
        let mut resource = self.resource.unwrap_or_else(|| Ok(Arc::default()));
        if let Ok(resource) = &mut resource
            && !self.schema_url.is_empty()
        {
            let named = Resource { schema_url: self.schema_url, ..Resource::clone(resource) };
            S::in_resource(tally, &std::mem::replace(resource, Arc::new(named)), resource);
        }
        for list in self.waiting {
            read(list, Parts { start: || OfScope::<S>::of(&resource), tally: &mut *tally });
        }
    }
}

struct OfScope<'r, 'de, S> {
    resource: &'r Shared<Resource>,
    /// Known once the scope is.
    origin: Option<Result<Origin, String>>,
    schema_url: String,
    /// Lists of items that came before the scope, or are to wait.
    waiting: Vec<&'de RawValue>,
    signal: PhantomData<S>,
}

impl<'r, S> OfScope<'r, '_, S> {
    fn of(resource: &'r Shared<Resource>) -> Self {
        Self { resource, origin: None, schema_url: String::new(), waiting: Vec::new(), signal: PhantomData }
    }

    fn origin(&self, scope: Shared<Scope>) -> Result<Origin, String> {
        Ok(Origin { resource: self.resource.clone()?, scope: scope? })
    }
}

impl<'de, S: Signal> Message<'de> for OfScope<'_, 'de, S> {
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        _depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error> {
        if name == "scope" {
            let scope = shared("scope", map.next_value()?, tally);
            self.origin = Some(self.origin(scope));
            return Ok(());
        }
        if is_schema_url(name) {
            self.schema_url = text(map, tally)?;
            return Ok(());
        }
        if !S::ITEMS.contains(&name) {
            return skip(map);
        }
        match &self.origin {
            Some(origin) if !tally.lists_wait => {
                map.next_value_seed(Items::<S> { origin, tally, signal: PhantomData })?;
            }
            _ => self.waiting.push(map.next_value()?),
        }
        Ok(())
    }

    fn wrong(&mut self, came: Unexpected<'_>, tally: &mut Tally<'_>) -> bool {
        tally.refuse(&format_args!("{}: {came} where an object belongs", S::OF_SCOPE[0]));
        true
    }
}

impl<'de, S: Signal> Part<'de> for OfScope<'_, 'de, S> {
    const LIST: Option<&'static str> = Some(S::OF_SCOPE[0]);

    fn end(mut self, tally: &mut Tally<'_>) {
        let mut origin = self.origin.take().unwrap_or_else(|| self.origin(Ok(Arc::default())));
        if let Ok(Origin { scope, .. }) = &mut origin
            && !self.schema_url.is_empty()
        {
            let named = Scope { schema_url: self.schema_url, ..Scope::clone(scope) };
            S::in_scope(tally, &std::mem::replace(scope, Arc::new(named)), scope);
        }
        for list in self.waiting {
            read(list, Items::<S> { origin: &origin, tally: &mut *tally, signal: PhantomData });
        }
    }
}

/// The schema of a part may stand behind its items: those that are read already are told of it then.
fn is_schema_url(name: &str) -> bool {
    matches!(name, "schemaUrl" | "schema_url")
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

/// A list of spans or log records.
struct Items<'o, 't, 'l, S> {
    origin: &'o Result<Origin, String>,
    tally: &'t mut Tally<'l>,
    signal: PhantomData<S>,
}

impl<S: Signal> Items<'_, '_, '_, S> {
    #[expect(clippy::unnecessary_wraps, reason = "the visits return it")]
    fn other<E>(self, came: Unexpected<'_>) -> Result<(), E> {
        self.tally.refuse(&format_args!("{}: {came} where an array belongs", S::ITEMS[0]));
        Ok(())
    }
}

impl<'de, S: Signal> DeserializeSeed<'de> for Items<'_, '_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Signal> Visitor<'de> for Items<'_, '_, '_, S> {
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
                Ok(origin) => self.tally.item(json.len(), |tally| S::read(json, origin, tally)),
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
        match name {
            "attributes" => attributes(&mut self.attributes, map, tally)?,
            "droppedAttributesCount" | "dropped_attributes_count" => self.dropped_attributes = small(map)?,
            _ => skip(map)?,
        }
        Ok(())
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
            "droppedAttributesCount" | "dropped_attributes_count" => self.dropped_attributes = small(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}
