//! A text that is looked for in others.

use aitrace_model::{Json, LogRecord, Span};

/// Characters of an excerpt on each side of what was found.
const AROUND: usize = 60;

/// A text to be found in others. Comparison is on lower-case letters; in JSON it sees through escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle {
    text: String,
    folded: String,
    // Whether JSON may write it with escapes other than \uXXXX.
    escapable: bool,
}

impl Needle {
    /// `None` of an empty text.
    pub fn new(text: &str) -> Option<Self> {
        let folded = text.to_lowercase();
        let escapable =
            folded.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | '/') || !c.is_ascii());
        (!folded.is_empty()).then(|| Self { text: text.to_owned(), folded, escapable })
    }

    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Finds it in plain text; the excerpt.
    pub fn in_text(&self, text: &str) -> Option<String> {
        let folded = if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase() };
        let at = folded.find(&self.folded)?;
        // Lower case can have another length: the place is then only near.
        let aligned = folded.len() == text.len() && text.is_char_boundary(at);
        let source = if aligned { text } else { &folded };
        Some(excerpt(source, at, self.folded.len()))
    }

    /// Finds it in JSON text.
    pub fn in_json(&self, json: &str) -> Option<String> {
        let escaped = json.as_bytes().contains(&b'\\') && (self.escapable || json.contains("\\u"));
        self.in_text(json).or_else(|| if escaped { self.in_text(&unescape(json)) } else { None })
    }

    /// The first field of a span that holds it.
    pub fn in_span(&self, span: &Span) -> Option<(&'static str, String)> {
        let json = |name, field: &Option<Json>| Some((name, self.in_json(field.as_ref()?.as_str())?));
        self.in_text(&span.name)
            .map(|excerpt| ("name", excerpt))
            .or_else(|| json("inputs", &span.inputs))
            .or_else(|| json("outputs", &span.outputs))
            .or_else(|| {
                let error = span.error.as_ref()?;
                let found = self.in_text(&error.message).or_else(|| self.in_text(&error.kind));
                found.map(|excerpt| ("error", excerpt))
            })
            .or_else(|| json("metadata", &span.metadata))
            .or_else(|| json("metrics", &span.metrics))
            .or_else(|| json("feedback", &span.feedback))
            .or_else(|| json("config", &span.config))
            .or_else(|| json("user_properties", &span.user_properties))
            .or_else(|| self.in_json(span.attributes.as_str()).map(|excerpt| ("attributes", excerpt)))
            .or_else(|| {
                let mut events = span.events.iter();
                let found = events.find_map(|event| {
                    self.in_text(&event.name).or_else(|| self.in_json(event.attributes.as_str()))
                });
                found.map(|excerpt| ("events", excerpt))
            })
    }

    /// The first field of a log record that holds it.
    pub fn in_log(&self, log: &LogRecord) -> Option<(&'static str, String)> {
        let event = self.in_text(&log.event).map(|excerpt| ("event", excerpt));
        event.or_else(|| self.in_json(log.attrs.as_str()).map(|excerpt| ("attrs", excerpt)))
    }
}

/// A place in a text with its surroundings, on one line.
pub(crate) fn excerpt(text: &str, at: usize, length: usize) -> String {
    let before = text[..at].char_indices().rev().nth(AROUND - 1).map_or(0, |(index, _)| index);
    let end = (at + length).min(text.len());
    let end = (end..=text.len()).find(|index| text.is_char_boundary(*index)).unwrap_or(text.len());
    let after = text[end..].char_indices().nth(AROUND).map_or(text.len(), |(index, _)| end + index);
    text[before..after].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// JSON text with its escapes resolved. Not JSON any more: only for searching.
fn unescape(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let (c, used) = match tail.as_bytes().first() {
            Some(b'n') => ('\n', 1),
            Some(b't') => ('\t', 1),
            Some(b'r') => ('\r', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'u') => unit(tail).unwrap_or(('\\', 0)),
            Some(b @ (b'"' | b'\\' | b'/')) => (char::from(*b), 1),
            _ => ('\\', 0),
        };
        out.push(c);
        rest = &tail[used..];
    }
    out.push_str(rest);
    out
}

/// The character of `uXXXX` or of a surrogate pair, and the bytes it takes.
fn unit(tail: &str) -> Option<(char, usize)> {
    let hex = |text: Option<&str>| u32::from_str_radix(text?, 16).ok();
    let high = hex(tail.get(1..5))?;
    if let Some(c) = char::from_u32(high) {
        return Some((c, 5));
    }
    let low = tail.get(5..7).filter(|mark| *mark == "\\u").and_then(|_| hex(tail.get(7..11)))?;
    let pair = char::decode_utf16([high as u16, low as u16]).next()?.ok()?;
    Some((pair, 11))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_in_any_language_and_through_escapes() {
        let found = |needle: &str, json: &str| Needle::new(needle).expect("text").in_json(json).is_some();
        assert!(found("straße", r#"{"a":"Große STRASSE, Straße"}"#));
        assert!(found("ÄPFEL", r#"["grüne äpfel"]"#) && found("天気", r#"["今日の天気は"]"#));
        assert!(found("é", r#"["caf\u00e9"]"#) && found("😀", r#"["\ud83d\ude00"]"#));
        assert!(found("say \"no\"", r#"["Say \"NO\" twice"]"#) && found("a\nb", r#"["A\nB"]"#));
        assert!(found("abc", r#"["\u0061bc"]"#));
        assert!(!found("nowhere", r#"["here"]"#) && !found("\u{1F600}", r#"["\ud83d"]"#));
        assert!(Needle::new("").is_none());
    }

    #[test]
    fn excerpts_are_cut_at_letters() {
        let text = format!("{}Nadel\n{}", "ä".repeat(100), "ö".repeat(100));
        let excerpt = Needle::new("nadel").expect("text").in_text(&text).expect("found");
        assert_eq!(excerpt, format!("{}Nadel {}", "ä".repeat(60), "ö".repeat(59)));
        assert!(Needle::new("i").expect("text").in_text("İ").is_some(), "lower case is longer than the text");
        // One letter becomes longer, another shorter: as long as before, and the place is within a letter.
        assert!(Needle::new("i").expect("text").in_text("\u{212a}\u{130}\u{130}").is_some());
    }
}
