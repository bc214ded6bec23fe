//! Format 1, all metadata at the top level, to format 2.

use super::error::RecordError;
use super::meta::{END, Lifecycle, Meta, Record, START};
use super::read::{Limits, Seen, digest, fill_from_top, finish, members, own_json, read, trim};
use super::{META_KEY, VERSION};
use crate::id::{SpanId, TraceId};
use crate::json::distinct;
use crate::scan::string;

/// Turns a record of format 1 into one of format 2.1; one of format 2 is read as it is.
///
/// Pure: equal bytes give equal records. Ids that are no hex ids, which format 1 did not check,
/// become ids derived from them, so that what belonged together still does; the originals stay in
/// the user's data. `{name}.start` with both ids becomes the start of a span; `{name}.end` is its
/// end where that start is known.
pub fn convert(text: &[u8], limits: &Limits) -> Result<Record, RecordError> {
    let text = trim(text);
    let members = members(text, limits)?;
    if members.iter().any(|(key, _)| key == META_KEY) {
        return read(text, limits);
    }
    let mut meta = Meta::default();
    let mut seen = Seen::default();
    fill_from_top(&mut meta, &mut seen, &members);
    let find = |name: &str| Some(members.iter().rev().find(|(key, _)| key == name)?.1);
    meta.trace_id = meta.trace_id.or_else(|| trace_id(find("trace_id")?));
    meta.span_id = meta.span_id.or_else(|| span_id(find("span_id")?));
    meta.parent_span_id =
        meta.parent_span_id.or_else(|| span_id(find("parent_span_id").or_else(|| find("parent_id"))?));
    finish(&mut meta, &seen, text)?;
    meta.version = Some(VERSION.to_owned());
    set_lifecycle(&mut meta);
    let data = members.into_iter().filter(|(key, _)| !seen.taken.contains(&&**key));
    // Of a key that stands twice the last one counts, also where it is empty.
    let mut data = distinct(data.map(|(key, value)| (key.into_owned(), own_json(value))).collect());
    data.retain(|(key, value)| !is_empty_id(key, value.as_str()));
    Ok(Record { meta, data })
}

fn set_lifecycle(meta: &mut Meta) {
    if meta.trace_id.is_some() && meta.span_id.is_some() {
        if meta.event.ends_with(START) {
            meta.provisional = true;
            meta.lifecycle = Some(Lifecycle::Start);
            return;
        }
        if meta.event.ends_with(END) {
            return;
        }
    }
    meta.lifecycle = Some(Lifecycle::Log);
}

fn is_empty_id(key: &str, value: &str) -> bool {
    matches!(key, "trace_id" | "span_id" | "parent_span_id" | "parent_id") && matches!(value, "null" | "\"\"")
}

/// A UUID with dashes is the same id without them; of anything else the id is a digest.
fn trace_id(raw: &str) -> Option<TraceId> {
    let text = id_text(raw)?;
    text.replace('-', "").parse().ok().or_else(|| TraceId::from_bytes(digest(text.as_bytes())))
}

fn span_id(raw: &str) -> Option<SpanId> {
    let text = id_text(raw)?;
    SpanId::from_slice(&digest(text.as_bytes())[..SpanId::LEN])
}

fn id_text(raw: &str) -> Option<String> {
    match raw {
        "null" | "\"\"" => None,
        text => Some(string(raw).map_or_else(|| text.to_owned(), std::borrow::Cow::into_owned)),
    }
}
