//! One JSON object to one record.

use std::borrow::Cow;
use std::str::FromStr;

use serde_json::value::RawValue;
use siphasher::sip128::SipHasher13;

use super::META_KEY;
use super::error::RecordError;
use super::json_text::{deeper_than, more_members_than};
use super::meta::{Lifecycle, Meta, Record};
use crate::json::{Json, distinct};
use crate::log::Level;
use crate::scan::{self, string};
use crate::span::{ErrorInfo, EventType, Status};
use crate::time::Timestamp;

/// How much a reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one record. Default: 16 MiB.
    pub bytes: usize,
    /// Members of the record, and of what stands in them, together. Default: 100 000.
    pub members: usize,
    /// Depth of nested objects and arrays in one record. Default: 128.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 16 << 20, members: 100_000, depth: 128 }
    }
}

/// A member of an object as it stands in the text.
pub(super) type Member<'a> = (Cow<'a, str>, &'a str);

/// Reads one record of format 2.
///
/// Metadata is taken from `__tracer_meta__`, a single missing key from the top level, where its
/// value is of the right form (it stays user data as well). A malformed id in the metadata is
/// refused. Of repeated keys the last one counts, in the metadata the last one of the right form; one of another form
/// behind it is kept as an extra key.
pub fn read(text: &[u8], limits: &Limits) -> Result<Record, RecordError> {
    let text = trim(text);
    let mut members = members(text, limits)?;
    let Some(at) = members.iter().rposition(|(key, _)| key == META_KEY) else {
        return Err(RecordError::Format1);
    };
    let Some(own) = scan::members(members[at].1) else {
        return Err(invalid(META_KEY, "must be an object".to_owned()));
    };
    members.retain(|(key, _)| key != META_KEY);
    let mut meta = Meta::default();
    let mut seen = Seen::default();
    for (key, value) in own {
        if !value.starts_with("null") {
            take(&mut meta, &mut seen, key, value)?;
        }
    }
    let repeated = repeated_timestamp(&members, &seen);
    fill_from_top(&mut meta, &mut seen, &members);
    finish(&mut meta, &seen, text)?;
    let data = members.into_iter().enumerate().filter(|(index, _)| Some(*index) != repeated);
    let data = data.map(|(_, (key, value))| (key.into_owned(), own_json(value)));
    Ok(Record { meta, data: distinct(data.collect()) })
}

/// A record's bytes without what may stand around it: byte order mark, blanks, line end.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text).trim_ascii()
}

/// The members of the object that a record is, within the limits.
pub(super) fn members<'a>(text: &'a [u8], limits: &Limits) -> Result<Vec<Member<'a>>, RecordError> {
    if text.len() > limits.bytes {
        return Err(RecordError::TooLarge { limit: limits.bytes });
    }
    let text = std::str::from_utf8(text).map_err(|error| RecordError::NotUtf8 { at: error.valid_up_to() })?;
    if deeper_than(text.as_bytes(), limits.depth) {
        return Err(RecordError::TooDeep { limit: limits.depth });
    }
    if more_members_than(text.as_bytes(), limits.members) {
        return Err(RecordError::TooManyMembers { limit: limits.members });
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(valid) => scan::members(valid.get()).ok_or(RecordError::NotObject),
        Err(error) if error.is_eof() => Err(RecordError::Truncated),
        // A record is one line; which one, the caller says.
        Err(error) => Err(RecordError::NotJson {
            reason: error.to_string().replace(" at line 1 column ", " at column "),
        }),
    }
}

/// What of the metadata was there, as far as it must be known.
#[derive(Default)]
pub(super) struct Seen<'a> {
    pub(super) timestamp: Option<&'a str>,
    pub(super) event: bool,
    /// Keys of the top level that metadata were taken from.
    pub(super) taken: Vec<&'static str>,
}

/// Takes one member of `__tracer_meta__`. What is not of its type is kept as an extra key, but for
/// the keys without which a record means something else.
fn take<'a>(
    meta: &mut Meta,
    seen: &mut Seen<'a>,
    key: Cow<'a, str>,
    value: &'a str,
) -> Result<(), RecordError> {
    let text = string(value);
    match (&*key, text) {
        ("timestamp", _) => {
            meta.timestamp = time(value).ok_or_else(|| invalid("timestamp", not_a_time(value)))?;
            seen.timestamp = Some(value);
        }
        ("event", Some(text)) => {
            meta.event = text.into_owned();
            seen.event = true;
        }
        ("event", None) => return Err(invalid("event", "must be a string".to_owned())),
        ("trace_id", text) => meta.trace_id = Some(id("trace_id", text)?),
        ("span_id", text) => meta.span_id = Some(id("span_id", text)?),
        ("parent_span_id", text) => meta.parent_span_id = Some(id("parent_span_id", text)?),
        (_, text) => {
            let taken = take_optional(meta, &key, text.as_deref(), value);
            // One that stood before and was kept because of its type counts no more.
            meta.extra.retain(|(known, _)| *known != key);
            if !taken {
                meta.extra.push((key.into_owned(), own_json(value)));
            }
        }
    }
    Ok(())
}

/// Takes a member that may be missing; returns whether it is known and of its type.
fn take_optional(meta: &mut Meta, key: &str, text: Option<&str>, value: &str) -> bool {
    let words = match key {
        "file" => &mut meta.file,
        "function" => &mut meta.function,
        "logger" => &mut meta.logger,
        "version" => &mut meta.version,
        "id" => &mut meta.id,
        "project" => &mut meta.project,
        "source" => &mut meta.source,
        "session_id" => &mut meta.session_id,
        "run_id" => &mut meta.run_id,
        "dataset_id" => &mut meta.dataset_id,
        "datapoint_id" => &mut meta.datapoint_id,
        "service" => &mut meta.service,
        _ => return take_typed(meta, key, text, value),
    };
    text.is_some_and(|text| {
        *words = Some(text.to_owned());
        true
    })
}

fn take_typed(meta: &mut Meta, key: &str, text: Option<&str>, value: &str) -> bool {
    match key {
        "line" => set(&mut meta.line, number(text, value).filter(|line| *line > 0)),
        "level" => set(&mut meta.level, level(text, value)),
        "provisional" => {
            let known = matches!(value, "true" | "false");
            if known {
                meta.provisional = value == "true";
            }
            known
        }
        "lifecycle" => set(&mut meta.lifecycle, text.and_then(Lifecycle::from_word)),
        "status" => set(&mut meta.status, text.and_then(Status::from_word)),
        "error" => set(&mut meta.error, error_info(value)),
        "duration_ns" => set(&mut meta.duration_ns, number(text, value)),
        "event_type" => set(&mut meta.event_type, text.and_then(EventType::from_word)),
        _ => false,
    }
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    let known = value.is_some();
    if known {
        *slot = value;
    }
    known
}

/// Looks for what is missing at the top level, where only the keys of format 2.0 may stand, and
/// only where the value is of the right form: user data is never refused.
pub(super) fn fill_from_top<'a>(meta: &mut Meta, seen: &mut Seen<'a>, members: &[Member<'a>]) {
    let mut top = Top { members, taken: Vec::new() };
    if seen.timestamp.is_none()
        && let Some((time, raw)) = top.find(&["timestamp", "ts", "@timestamp"], |raw| Some((time(raw)?, raw)))
    {
        (meta.timestamp, seen.timestamp) = (time, Some(raw));
    }
    if !seen.event
        && let Some(event) = top.find(&["event", "name", "message", "msg"], word)
    {
        (meta.event, seen.event) = (event, true);
    }
    top.fill(&mut meta.trace_id, &["trace_id"], |raw| string(raw)?.parse().ok());
    top.fill(&mut meta.span_id, &["span_id"], |raw| string(raw)?.parse().ok());
    top.fill(&mut meta.parent_span_id, &["parent_span_id", "parent_id"], |raw| string(raw)?.parse().ok());
    top.fill(&mut meta.level, &["level", "lvl"], |raw| level(string(raw).as_deref(), raw));
    top.fill(&mut meta.file, &["file"], word);
    top.fill(&mut meta.line, &["line"], |raw| number(string(raw).as_deref(), raw).filter(|line| *line > 0));
    top.fill(&mut meta.function, &["function"], word);
    top.fill(&mut meta.logger, &["logger"], word);
    seen.taken = top.taken;
}

/// The top level of a record as a source of metadata.
struct Top<'m, 'a> {
    members: &'m [Member<'a>],
    taken: Vec<&'static str>,
}

impl<'a> Top<'_, 'a> {
    fn fill<T>(&mut self, slot: &mut Option<T>, names: &[&'static str], read: impl Fn(&'a str) -> Option<T>) {
        if slot.is_none() {
            *slot = self.find(names, read);
        }
    }

    fn find<T>(&mut self, names: &[&'static str], read: impl Fn(&'a str) -> Option<T>) -> Option<T> {
        let members = self.members;
        names.iter().find_map(|name| {
            let (_, raw) = members.iter().rev().find(|(key, _)| key == name)?;
            let found = read(raw)?;
            self.taken.push(*name);
            Some(found)
        })
    }
}

fn word(raw: &str) -> Option<String> {
    string(raw).map(Cow::into_owned)
}

/// Checks what must be there and derives the id of a record that has none.
pub(super) fn finish(meta: &mut Meta, seen: &Seen<'_>, text: &[u8]) -> Result<(), RecordError> {
    if seen.timestamp.is_none() {
        return Err(RecordError::Missing { key: "timestamp" });
    }
    if !seen.event {
        return Err(RecordError::Missing { key: "event" });
    }
    if matches!(meta.lifecycle, Some(Lifecycle::Start | Lifecycle::End)) {
        if meta.trace_id.is_none() {
            return Err(RecordError::Missing { key: "trace_id" });
        }
        if meta.span_id.is_none() {
            return Err(RecordError::Missing { key: "span_id" });
        }
    }
    // What is said of a span is told apart by the span.
    let of_span = matches!(meta.lifecycle, Some(Lifecycle::Start | Lifecycle::End));
    if meta.id.is_none() && !of_span {
        meta.id = Some(format!("{:032x}", u128::from_be_bytes(digest(text))));
    }
    Ok(())
}

/// SipHash-1-3 of 128 bits: the same for the same bytes in every version.
pub(super) fn digest(bytes: &[u8]) -> [u8; 16] {
    SipHasher13::new().hash(bytes).as_u128().to_be_bytes()
}

fn repeated_timestamp(members: &[Member<'_>], seen: &Seen<'_>) -> Option<usize> {
    let meta = seen.timestamp?;
    members.iter().rposition(|(key, _)| key == "timestamp").filter(|at| members[*at].1 == meta)
}

fn id<T: FromStr<Err: std::fmt::Display>>(
    key: &'static str,
    text: Option<Cow<'_, str>>,
) -> Result<T, RecordError> {
    let text = text.ok_or_else(|| invalid(key, "must be a string of hex digits".to_owned()))?;
    text.parse().map_err(|error: T::Err| invalid(key, error.to_string()))
}

fn invalid(key: &'static str, reason: String) -> RecordError {
    RecordError::Invalid { key, reason }
}

fn not_a_time(value: &str) -> String {
    let got: String = value.chars().take(64).collect();
    format!("must be an RFC 3339 time, for example 2026-01-31T12:00:00.000001Z; got {got}")
}

/// RFC 3339, or a number of seconds (ms, µs, ns by its size) since the epoch, as loggers write it.
fn time(value: &str) -> Option<Timestamp> {
    if let Some(text) = string(value) {
        return text.parse().ok();
    }
    let number: f64 = value.parse().ok().filter(|number: &f64| number.is_finite())?;
    let unit = match number.abs() {
        ..1e11 => 1e9,
        ..1e14 => 1e6,
        ..1e17 => 1e3,
        ..9e18 => 1.0,
        _ => return None,
    };
    // Whole numbers exactly, fractions to the microsecond: that is what an f64 of seconds holds.
    match value.parse::<i64>() {
        Ok(whole) => Some(Timestamp::from_nanos(whole.checked_mul(unit as i64)?)),
        // What is beyond the range becomes the end of the range, which has no thousandfold.
        Err(_) => Some(Timestamp::from_nanos(((number * unit / 1e3).round() as i64).checked_mul(1000)?)),
    }
}

fn number<T: FromStr>(text: Option<&str>, value: &str) -> Option<T> {
    text.unwrap_or(value).parse().ok()
}

/// The four levels, the names that other loggers have for them, and Python's numbers.
fn level(text: Option<&str>, value: &str) -> Option<Level> {
    if text.is_none() {
        let number: i64 = value.parse().ok()?;
        return match number {
            1..20 => Some(Level::Debug),
            20..30 => Some(Level::Info),
            30..40 => Some(Level::Warning),
            40..=50 => Some(Level::Error),
            _ => None,
        };
    }
    Some(match text?.to_ascii_lowercase().as_str() {
        "debug" | "trace" => Level::Debug,
        "info" | "information" | "notice" => Level::Info,
        "warning" | "warn" => Level::Warning,
        "error" | "err" | "critical" | "fatal" | "exception" => Level::Error,
        _ => return None,
    })
}

/// `{type, message, stacktrace}`, or a message alone. An object with more in it is not taken.
fn error_info(value: &str) -> Option<ErrorInfo> {
    if let Some(message) = string(value) {
        return Some(ErrorInfo { message: message.into_owned(), ..ErrorInfo::default() });
    }
    let members = scan::members(value)?;
    let mut info = ErrorInfo::default();
    for (key, value) in members {
        let slot = match &*key {
            "type" => &mut info.kind,
            "message" => &mut info.message,
            "stacktrace" => &mut info.stacktrace,
            _ => return None,
        };
        if value != "null" {
            *slot = string(value)?.into_owned();
        }
    }
    Some(info)
}

pub(super) fn own_json(value: &str) -> Json {
    Json::from_trusted(value)
}
