//! Attributes that repeat the inputs and outputs: most libraries send contents as attributes, and both are kept.
//!
//! In files a string of the attributes that stands in the inputs or outputs as well is a reference:
//! `\u{1}`, the field (`i`, `o`), `v` (verbatim) or `e` (escaped once more: JSON within a string), offset, `,`,
//! length in bytes, `\u{2}`. JSON text holds neither of these characters, so a reference is never taken for data.
//! Readers of columns get attributes whole by [`whole`], SQL by a function of the same effect.

use std::borrow::Cow;
use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder};
use memchr::memmem;

const OPEN: char = '\u{1}';
const CLOSE: char = '\u{2}';
/// Shorter strings stay: a reference takes some ten bytes, and what it saves is compressed besides.
const LEAST: usize = 48;
/// Bytes of the head that is looked for first, and in how many places.
const HEAD: usize = 24;
const TRIES: usize = 32;

/// The contents that attributes may refer to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Contents<'a> {
    pub(crate) inputs: Option<&'a str>,
    pub(crate) outputs: Option<&'a str>,
}

/// The same text with references.
pub(crate) fn pack<'a>(attributes: &'a str, contents: Contents<'_>) -> Cow<'a, str> {
    let bytes = attributes.as_bytes();
    let none = bytes.len() < LEAST || contents.is_empty();
    if none || memchr::memchr2(OPEN as u8, CLOSE as u8, bytes).is_some() {
        return attributes.into();
    }
    let fields = [('i', contents.inputs), ('o', contents.outputs)];
    let (mut out, mut done) = (String::new(), 0);
    for (start, end) in strings(bytes) {
        let text = &attributes[start..end];
        let each = |find: fn(&str, &str) -> Option<Place>| {
            fields.iter().find_map(|(name, field)| Some((*name, find((*field)?, text)?)))
        };
        let found = each(whole_field).or_else(|| each(within));
        if let Some((name, Place { form, at, length, skip })) = found {
            if done == 0 {
                // What is left out is most of it; what is not grows it once more.
                out.reserve(attributes.len() / 4);
            }
            out.push_str(&attributes[done..start + skip]);
            write!(out, "{OPEN}{name}{form}{at},{length}{CLOSE}").expect("a String takes everything");
            done = end - skip;
        }
    }
    if done == 0 {
        return attributes.into();
    }
    out.push_str(&attributes[done..]);
    out.into()
}

/// The text with references resolved; `None` if one of them leads nowhere.
pub(crate) fn unpack<'a>(packed: &'a str, contents: Contents<'_>) -> Option<Cow<'a, str>> {
    if !packed.as_bytes().contains(&(OPEN as u8)) {
        return Some(packed.into());
    }
    let mut out = String::with_capacity(packed.len() * 8);
    let mut rest = packed;
    while let Some((before, after)) = rest.split_once(OPEN) {
        out.push_str(before);
        let (reference, after) = after.split_once(CLOSE)?;
        let field = match reference.get(..1)? {
            "i" => contents.inputs?,
            _ => contents.outputs?,
        };
        let (offset, length) = reference.get(2..)?.split_once(',')?;
        let (offset, length): (usize, usize) = (offset.parse().ok()?, length.parse().ok()?);
        let text = field.get(offset..offset.checked_add(length)?)?;
        match reference.get(1..2)? {
            "v" => out.push_str(text),
            _ => escape(text, &mut out),
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out.into())
}

/// The same batch with its attributes whole; as it is where it has none. `None` if they cannot be read.
pub(crate) fn whole(batch: &RecordBatch) -> Option<RecordBatch> {
    let Some((at, _)) = batch.schema_ref().column_with_name("attributes") else { return Some(batch.clone()) };
    let column = |name| batch.column_by_name(name);
    let mut columns = batch.columns().to_vec();
    columns[at] = resolve(&columns[at], column("inputs")?, column("outputs")?)?;
    RecordBatch::try_new(batch.schema(), columns).ok()
}

/// Attributes whole, from the three columns.
pub(crate) fn resolve(attributes: &ArrayRef, inputs: &ArrayRef, outputs: &ArrayRef) -> Option<ArrayRef> {
    let packed = attributes.as_string_opt::<i32>()?;
    let range = packed.value_offsets()[0] as usize..*packed.value_offsets().last()? as usize;
    if !packed.values()[range].contains(&(OPEN as u8)) {
        return Some(ArrayRef::clone(attributes));
    }
    let (inputs, outputs) = (inputs.as_string_opt::<i32>()?, outputs.as_string_opt::<i32>()?);
    let mut builder = StringBuilder::with_capacity(packed.len(), 0);
    for row in 0..packed.len() {
        let contents = Contents { inputs: cell(inputs, row), outputs: cell(outputs, row) };
        match cell(packed, row) {
            Some(text) => builder.append_value(unpack(text, contents)?),
            None => builder.append_null(),
        }
    }
    Some(std::sync::Arc::new(builder.finish()))
}

fn cell(column: &StringArray, row: usize) -> Option<&str> {
    (!column.is_null(row)).then(|| column.value(row))
}

impl Contents<'_> {
    fn is_empty(&self) -> bool {
        self.inputs.is_none() && self.outputs.is_none()
    }
}

/// Where a token stands in a field.
struct Place {
    /// `v` or `e`.
    form: char,
    at: usize,
    length: usize,
    /// Bytes at each end of the token that the reference leaves out.
    skip: usize,
}

/// Where `token` (a JSON string with its quotes) stands without its escapes at the start of a field, the usual case: the
/// attribute is what the field was made from.
fn whole_field(field: &str, token: &str) -> Option<Place> {
    let length = begins(field.as_bytes(), &token.as_bytes()[1..token.len() - 1])?;
    Some(Place { form: 'e', at: 0, length, skip: 1 })
}

/// Where `token` stands anywhere in a field.
fn within(field: &str, token: &str) -> Option<Place> {
    if field.len() >= token.len()
        && let Some(at) = find(field.as_bytes(), token.as_bytes())
    {
        return Some(Place { form: 'v', at, length: token.len(), skip: 0 });
    }
    let plain = unescape(&token[1..token.len() - 1])?;
    let at = find(field.as_bytes(), plain.as_bytes())?;
    Some(Place { form: 'e', at, length: plain.len(), skip: 1 })
}

/// How many bytes at the start of a field are the same as all of `text` (of a JSON string) without its escapes. Nothing
/// is copied to find that out.
fn begins(field: &[u8], text: &[u8]) -> Option<usize> {
    let (mut at, mut rest) = (0, text);
    while let Some(run) = memchr::memchr(b'\\', rest) {
        let plain = plain(*rest.get(run + 1)?)?;
        if field.get(at..at + run)? != &rest[..run] || *field.get(at + run)? != plain {
            return None;
        }
        (at, rest) = (at + run + 1, &rest[run + 2..]);
    }
    (field.get(at..at + rest.len())? == rest).then_some(at + rest.len())
}

/// What [`escape`] writes as a backslash and this byte.
const fn plain(escaped: u8) -> Option<u8> {
    Some(match escaped {
        b'"' | b'\\' => escaped,
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        _ => return None,
    })
}

/// Where a text stands first. Most often it is the whole field; else its head is looked for: preparing a search for
/// all of a long text costs more than the search.
fn find(field: &[u8], text: &[u8]) -> Option<usize> {
    if field.starts_with(text) {
        return Some(0);
    }
    let head = memmem::Finder::new(text.get(..HEAD).unwrap_or(text));
    for (tried, at) in head.find_iter(field).enumerate() {
        if field[at..].starts_with(text) {
            return Some(at);
        }
        if tried == TRIES {
            return memmem::find(&field[at..], text).map(|more| at + more);
        }
    }
    None
}

/// Where the long strings of a JSON text are, quotes included.
fn strings(json: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + memchr::memchr(b'"', json.get(at..)?)?;
            let mut end = start + 1;
            loop {
                end += memchr::memchr2(b'"', b'\\', json.get(end..)?)?;
                if json[end] == b'"' {
                    break;
                }
                end += 2;
            }
            at = end + 1;
            if at - start >= LEAST {
                return Some((start, at));
            }
        }
    })
}

/// Takes one level of escapes away; `None` unless [`escape`] brings exactly the same back.
fn unescape(text: &str) -> Option<Cow<'_, str>> {
    let Some(mut run) = memchr::memchr(b'\\', text.as_bytes()) else { return Some(text.into()) };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        out.push_str(&rest[..run]);
        out.push(char::from(plain(*rest.as_bytes().get(run + 1)?)?));
        rest = &rest[run + 2..];
        match memchr::memchr(b'\\', rest.as_bytes()) {
            Some(next) => run = next,
            None => break,
        }
    }
    out.push_str(rest);
    Some(out.into())
}

fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\t' | b'\r')) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'"' => "\\\"",
            b'\n' => "\\n",
            b'\t' => "\\t",
            b'\r' => "\\r",
            _ => "\\\\",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use aitrace_model::Json;
    use proptest::prelude::*;

    fn contents<'a>(inputs: &'a Json, outputs: &'a Json) -> Contents<'a> {
        Contents { inputs: Some(inputs.as_str()), outputs: Some(outputs.as_str()) }
    }

    #[test]
    fn what_stands_in_contents_is_not_kept_twice() {
        let text = "a \"quoted\" text\nof two lines, with a backslash \\ and an ümlaut, long enough";
        let messages = Json::object([("messages", &Json::string(text))]);
        let answer = Json::string(&"an answer ".repeat(20));
        let attributes = Json::object([
            ("input.value", &Json::string(messages.as_str())),
            ("llm.input_messages.0.message.content", &Json::string(text)),
            ("output.value", &answer),
            ("other", &Json::string(&"stays ".repeat(20))),
        ]);
        let packed = pack(attributes.as_str(), contents(&messages, &answer));
        assert_eq!(packed.matches(OPEN).count(), 3, "{packed:?}");
        assert!(packed.len() < 260 && packed.contains("stays stays"), "{packed:?}");
        let whole = unpack(&packed, contents(&messages, &answer)).expect("resolves");
        assert_eq!(whole, attributes.as_str());
        let wrong = Json::string("short");
        assert_eq!(unpack(&packed, contents(&wrong, &wrong)), None, "a reference that leads nowhere is seen");
    }

    proptest! {
        #[test]
        fn texts_come_back_to_the_letter(
            inputs in "(\\PC|[\\\\\"\n\t\r\u{8}]){0,200}", outputs in "[a-c\\\\\"\n]{0,150}", nested in any::<bool>(),
        ) {
            let plain = [Json::string(&inputs), Json::string(&outputs)];
            let wrap = |json: &Json| if nested { Json::string(json.as_str()) } else { json.clone() };
            let attributes = Json::object([
                ("a", &wrap(&plain[0])), ("b\"", &plain[0]), ("c", &Json::from_trusted("[1,{}]")), ("d", &wrap(&plain[1])),
            ]);
            let packed = pack(attributes.as_str(), contents(&plain[0], &plain[1]));
            prop_assert!(packed.len() <= attributes.as_str().len());
            let whole = unpack(&packed, contents(&plain[0], &plain[1]));
            prop_assert_eq!(whole.as_deref(), Some(attributes.as_str()));
        }
    }
}
