//! The messages that a sealed span was merged from, packed against the span itself.
//!
//! Most spans are their own only message and need none. For the others the messages are
//! compressed with the merged span as the dictionary: what they repeat costs next to nothing, and
//! a message that comes late is joined with exactly what was known.

use aitrace_model::{Phase, Span, SpanState};
use aitrace_store::{ErrorKind, Result, StoreError};

use crate::codec;

const LEVEL: i32 = 1;

/// The packed messages of `state`, whose merged span is `merged`; `None` where that is all there is.
pub(crate) fn pack(state: &SpanState, merged: &Span) -> Result<Option<Vec<u8>>> {
    let mut messages = state.messages();
    // An open span is always packed: its row does not say which message it was.
    if merged.end.is_some() && messages.next() == Some(merged) && messages.next().is_none() {
        return Ok(None);
    }
    let messages: Vec<Span> = state.messages().cloned().collect();
    let bytes = codec::messages(&messages);
    let mut packed = (bytes.len() as u32).to_le_bytes().to_vec();
    let compress = || zstd::bulk::Compressor::with_dictionary(LEVEL, &dictionary(merged))?.compress(&bytes);
    packed.extend(compress().map_err(|error| {
        StoreError::new(ErrorKind::Internal, "cannot pack the messages of a span").with_source(error)
    })?);
    Ok(Some(packed))
}

/// What was known of a span when it was sealed; `None` if its parts cannot be read.
pub(crate) fn unpack(merged: &Span, packed: Option<&[u8]>) -> Option<SpanState> {
    let Some(packed) = packed else { return Some(SpanState::new(merged.clone())) };
    let (length, frame) = packed.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let bytes = zstd::bulk::Decompressor::with_dictionary(&dictionary(merged))
        .ok()?
        .decompress(frame, length)
        .ok()?;
    let mut messages = codec::from_messages(&bytes)?.into_iter();
    let mut state = SpanState::new(messages.next()?);
    messages.for_each(|message| {
        state.join(message);
    });
    Some(state)
}

/// The span as its row gives it back: the phase of an open one is only in its messages.
fn dictionary(merged: &Span) -> Vec<u8> {
    if merged.phase == Phase::End {
        return codec::messages(std::slice::from_ref(merged));
    }
    codec::messages(&[Span { phase: Phase::End, ..merged.clone() }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use aitrace_store::conformance::{end, heartbeat, start, tentative};

    #[test]
    fn states_come_back_and_repetition_is_nearly_free() {
        let (mut first, mut last) = (start("p", 1, 0), end("p", 1, 0));
        let text = (0..2000).map(|number| (number * 7919 % 10_007).to_string()).collect::<String>();
        first.inputs = Some(aitrace_model::Json::string(&text));
        last.inputs.clone_from(&first.inputs);
        let mut state = SpanState::new(last);
        for message in [first, heartbeat("p", 1, 0, 5), tentative("p", 1, 0)] {
            state.join(message);
        }
        let merged = state.merged().expect("ended");
        let packed = pack(&state, &merged).expect("packs").expect("has parts");
        assert!(packed.len() < 600, "{} bytes for {} of text", packed.len(), text.len());
        assert_eq!(unpack(&merged, Some(&packed)), Some(state));
    }

    #[test]
    fn an_open_span_comes_back_from_its_row() {
        let state = SpanState::new(start("p", 1, 0));
        let merged = state.merged().expect("known");
        let packed = pack(&state, &merged).expect("packs").expect("always packed");
        let row = Span { phase: Phase::End, ..merged };
        assert_eq!(unpack(&row, Some(&packed)), Some(state));
    }

    #[test]
    fn a_span_that_is_its_own_message_has_no_parts() {
        let state = SpanState::new(end("p", 1, 0));
        let merged = state.merged().expect("ended");
        assert_eq!(pack(&state, &merged).expect("packs"), None);
        assert_eq!(unpack(&merged, None), Some(state));
    }
}
