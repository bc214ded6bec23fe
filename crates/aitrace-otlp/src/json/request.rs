//! The request down to its spans.
//!
//! Each part is first cut out as text, which the parser does without recursion and without looking
//! at types, and read on its own: what is wrong in one part stays there.

use std::sync::Arc;

use aitrace_model::{Resource, Scope};
use serde::Deserialize;
use serde::de::MapAccess;
use serde_json::value::RawValue;

use super::message::{Message, skip};
use super::span::{fill, span};
use super::value::{attributes, text};
use crate::decoded::Decoded;
use crate::draft::Origin;
use crate::error::DecodeError;
use crate::limits::Limits;
use crate::tally::Tally;

type Parts<'a> = Option<Vec<&'a RawValue>>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow, default, alias = "resource_spans")]
    resource_spans: Parts<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "scope_spans")]
    scope_spans: Parts<'a>,
}

#[derive(Deserialize, Default)]
struct ScopeSpans<'a> {
    #[serde(borrow, default)]
    scope: Option<&'a RawValue>,
    #[serde(borrow, default)]
    spans: Parts<'a>,
}

pub(crate) fn decode_traces(body: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
    let mut tally = Tally::new(limits);
    // Invalid bytes can only stand within strings: anywhere else a replacement is a syntax error.
    let body = String::from_utf8_lossy(body);
    if matches!(body, std::borrow::Cow::Owned(_)) {
        tally.salvaged_string();
    }
    let body = body.strip_prefix('\u{feff}').unwrap_or(&body);
    let request = match object::<Request<'_>>(body) {
        Ok(request) => request.unwrap_or_default(),
        Err(reason) => return Err(DecodeError::Json { message: "an ExportTraceServiceRequest", reason }),
    };
    for part in request.resource_spans.unwrap_or_default() {
        match object::<ResourceSpans<'_>>(part.get()) {
            Ok(part) => resource_spans(part.unwrap_or_default(), &mut tally),
            Err(error) => tally.refuse(&format_args!("resourceSpans: {error}")),
        }
    }
    Ok(tally.finish())
}

/// The parts of an object, `None` for null. (Alone, the parser would take an array for a struct too.)
fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<Option<T>, String> {
    let parts = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if json.trim_start().starts_with('[') {
        Err("an array, where an object belongs".to_owned())
    } else {
        Ok(parts)
    }
}

fn resource_spans(part: ResourceSpans<'_>, tally: &mut Tally<'_>) {
    let resource = shared::<Resource>(part.resource, tally).map_err(|error| format!("resource: {error}"));
    for part in part.scope_spans.unwrap_or_default() {
        match object::<ScopeSpans<'_>>(part.get()) {
            Ok(part) => scope_spans(part.unwrap_or_default(), &resource, tally),
            Err(error) => tally.refuse(&format_args!("scopeSpans: {error}")),
        }
    }
}

fn scope_spans(part: ScopeSpans<'_>, resource: &Result<Arc<Resource>, String>, tally: &mut Tally<'_>) {
    let scope = shared::<Scope>(part.scope, tally).map_err(|error| format!("scope: {error}"));
    let origin = resource.clone().and_then(|resource| Ok(Origin { resource, scope: scope? }));
    for part in part.spans.unwrap_or_default() {
        let json = part.get();
        match &origin {
            Ok(origin) => tally.span(json.len(), |tally| span(json, origin, tally)),
            Err(reason) => tally.refuse(reason),
        }
    }
}

fn shared<T>(part: Option<&RawValue>, tally: &mut Tally<'_>) -> Result<Arc<T>, String>
where
    T: for<'de> Message<'de> + Default,
{
    let mut message = T::default();
    if let Some(part) = part {
        let json = part.get();
        tally.shared(json.len(), |tally| fill(json, &mut message, tally))?;
    }
    Ok(Arc::new(message))
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
