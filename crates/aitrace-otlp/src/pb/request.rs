//! The request down to its spans or log records: ExportTraceServiceRequest, ResourceSpans, ScopeSpans and those
//! of logs.

use std::sync::Arc;

use aitrace_model::{Resource, Scope};

use super::value::key_value;
use crate::draft::Origin;
use crate::error::{DecodeError, WireError};
use crate::fault::Fault;
use crate::tally::{Item, Tally};
use crate::wire::Reader;

/// A part that items share, or why it cannot be read.
type Shared<T> = Result<Arc<T>, String>;

/// What the messages around an item are called, and how it is read. Spans and log records stand in the same
/// fields of messages of the same form.
pub(super) trait Signal: Item {
    const REQUEST: &'static str;
    const OF_RESOURCE: &'static str;
    const OF_SCOPE: &'static str;

    /// Reads one; the error is the reason, with the field.
    fn read(bytes: &[u8], origin: &Origin, tally: &mut Tally<'_>) -> Result<Self, String>;
}

/// Reads a request of one signal into the tally.
pub(super) fn decode<S: Signal>(body: &[u8], tally: &mut Tally<'_>) -> Result<(), DecodeError> {
    let mut reader = Reader::new(body);
    // Each step is one field, so that the error knows where the field began.
    loop {
        let offset = body.len() - reader.left();
        match step::<S>(&mut reader, tally) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(problem) => {
                return Err(DecodeError::Protobuf {
                    message: S::REQUEST,
                    offset,
                    length: body.len(),
                    problem,
                });
            }
        }
    }
}

fn step<S: Signal>(reader: &mut Reader<'_>, tally: &mut Tally<'_>) -> Result<bool, WireError> {
    let Some(tag) = reader.tag()? else { return Ok(false) };
    if tag.number == 1 {
        of_resource::<S>(reader.bytes(tag)?, tally);
    } else {
        reader.skip(tag)?;
    }
    Ok(true)
}

/// The fields of a message may come in any order: what the items share is looked for first.
/// Passing over a field costs nothing.
fn of_resource<S: Signal>(bytes: &[u8], tally: &mut Tally<'_>) {
    let mut resource = Resource::default();
    let mut fault = Ok(());
    let first = each(bytes, 1, |part| {
        let read = tally.shared(part.len(), |tally| read_resource(part, &mut resource, tally));
        fault = std::mem::replace(&mut fault, Ok(())).and(read);
    });
    // What is wrong in the framing is noted by the passes for the other fields.
    each(bytes, 3, |url| resource.schema_url = tally.text(url)).ok();
    let resource = fault.map(|()| Arc::new(resource)).map_err(|fault| format!("resource: {fault}"));
    let second = each(bytes, 2, |part| of_scope::<S>(part, &resource, tally));
    if let Err(error) = second.and(first) {
        tally.refuse(&format_args!("{}: {error}", S::OF_RESOURCE));
    }
}

fn of_scope<S: Signal>(bytes: &[u8], resource: &Shared<Resource>, tally: &mut Tally<'_>) {
    let mut scope = Scope::default();
    let mut fault = Ok(());
    let first = each(bytes, 1, |part| {
        let read = tally.shared(part.len(), |tally| read_scope(part, &mut scope, tally));
        fault = std::mem::replace(&mut fault, Ok(())).and(read);
    });
    each(bytes, 3, |url| scope.schema_url = tally.text(url)).ok();
    let scope = fault.map(|()| Arc::new(scope)).map_err(|fault| format!("scope: {fault}"));
    let origin = resource.clone().and_then(|resource| Ok(Origin { resource, scope: scope? }));
    let mut count = 0;
    // The same fields as below: what is wrong is noted there.
    each(bytes, 2, |_| count += 1).ok();
    S::expect(count, bytes.len(), tally);
    let second = each(bytes, 2, |part| match &origin {
        Ok(origin) => tally.item(part.len(), |tally| S::read(part, origin, tally)),
        Err(reason) => tally.refuse(reason),
    });
    if let Err(error) = second.and(first) {
        tally.refuse(&format_args!("{}: {error}", S::OF_SCOPE));
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
            2 => resource.dropped_attributes = reader.varint(tag)? as u32,
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
            4 => scope.dropped_attributes = reader.varint(tag)? as u32,
            _ => reader.skip(tag)?,
        }
    }
    Ok(())
}
