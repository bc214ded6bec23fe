//! The request down to its spans: ExportTraceServiceRequest, ResourceSpans, ScopeSpans.

use std::sync::Arc;

use aitrace_model::{Resource, Scope};

use super::span::span;
use super::value::key_value;
use crate::decoded::Decoded;
use crate::draft::Origin;
use crate::error::{DecodeError, WireError};
use crate::fault::Fault;
use crate::limits::Limits;
use crate::tally::Tally;
use crate::wire::Reader;

/// A part that spans share, or why it cannot be read.
type Shared<T> = Result<Arc<T>, String>;

pub(crate) fn decode_traces(body: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
    let mut tally = Tally::new(limits);
    let mut reader = Reader::new(body);
    // Each step is one field, so that the error knows where the field began.
    loop {
        let offset = body.len() - reader.left();
        match step(&mut reader, &mut tally) {
            Ok(true) => {}
            Ok(false) => return Ok(tally.finish()),
            Err(problem) => {
                let message = "an ExportTraceServiceRequest";
                return Err(DecodeError::Protobuf { message, offset, length: body.len(), problem });
            }
        }
    }
}

fn step(reader: &mut Reader<'_>, tally: &mut Tally<'_>) -> Result<bool, WireError> {
    let Some(tag) = reader.tag()? else { return Ok(false) };
    if tag.number == 1 {
        resource_spans(reader.bytes(tag)?, tally);
    } else {
        reader.skip(tag)?;
    }
    Ok(true)
}

/// The fields of a message may come in any order: what the spans share is looked for first.
/// Passing over a field costs nothing.
fn resource_spans(bytes: &[u8], tally: &mut Tally<'_>) {
    let mut resource = Resource::default();
    let mut fault = Ok(());
    let first = each(bytes, 1, |part| {
        let read = tally.shared(part.len(), |tally| read_resource(part, &mut resource, tally));
        fault = std::mem::replace(&mut fault, Ok(())).and(read);
    });
    let resource = fault.map(|()| Arc::new(resource)).map_err(|fault| format!("resource: {fault}"));
    let second = each(bytes, 2, |part| scope_spans(part, &resource, tally));
    if let Err(error) = second.and(first) {
        tally.refuse(&format_args!("resource_spans: {error}"));
    }
}

fn scope_spans(bytes: &[u8], resource: &Shared<Resource>, tally: &mut Tally<'_>) {
    let mut scope = Scope::default();
    let mut fault = Ok(());
    let first = each(bytes, 1, |part| {
        let read = tally.shared(part.len(), |tally| read_scope(part, &mut scope, tally));
        fault = std::mem::replace(&mut fault, Ok(())).and(read);
    });
    let scope = fault.map(|()| Arc::new(scope)).map_err(|fault| format!("scope: {fault}"));
    let origin = resource.clone().and_then(|resource| Ok(Origin { resource, scope: scope? }));
    let mut count = 0;
    // The same fields as below: what is wrong is noted there.
    each(bytes, 2, |_| count += 1).ok();
    tally.expect_spans(count, bytes.len());
    let second = each(bytes, 2, |part| match &origin {
        Ok(origin) => tally.span(part.len(), |tally| span(part, origin, tally)),
        Err(reason) => tally.refuse(reason),
    });
    if let Err(error) = second.and(first) {
        tally.refuse(&format_args!("scope_spans: {error}"));
    }
}

/// Visits each message in the field `number` up to the first error in the framing.
fn each<'a>(bytes: &'a [u8], number: u32, mut visit: impl FnMut(&'a [u8])) -> Result<(), WireError> {
    let mut reader = Reader::new(bytes);
    while let Some(tag) = reader.tag()? {
        if tag.number == number {
            visit(reader.bytes(tag)?);
        } else {
            reader.skip(tag)?;
        }
    }
    Ok(())
}

fn read_resource(bytes: &[u8], resource: &mut Resource, tally: &mut Tally<'_>) -> Result<(), Fault> {
    let mut reader = Reader::new(bytes);
    while let Some(tag) = reader.tag()? {
        match tag.number {
            1 => key_value(reader.bytes(tag)?, 1, &mut resource.attributes, tally)?,
            _ => reader.skip(tag)?,
        }
    }
    Ok(())
}

fn read_scope(bytes: &[u8], scope: &mut Scope, tally: &mut Tally<'_>) -> Result<(), Fault> {
    let mut reader = Reader::new(bytes);
    while let Some(tag) = reader.tag()? {
        match tag.number {
            1 => scope.name = tally.text(reader.bytes(tag)?),
            2 => scope.version = tally.text(reader.bytes(tag)?),
            3 => key_value(reader.bytes(tag)?, 1, &mut scope.attributes, tally)?,
            _ => reader.skip(tag)?,
        }
    }
    Ok(())
}
