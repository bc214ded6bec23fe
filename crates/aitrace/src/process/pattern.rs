//! Patterns of names and values in rules: globs, and regular expressions between slashes.

use regex::{Regex, RegexBuilder};
use serde::de::{Deserialize, Deserializer, Error as _};

/// Bytes that a compiled pattern may take.
const SIZE: usize = 1 << 20;

/// A glob (`*` any text, `?` one character; all of the text must match), or `/regex/` (anywhere in the text).
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) regex: Regex,
    pub(crate) text: String,
}

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let slashed = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        match slashed.filter(|inner| !inner.is_empty()) {
            Some(inner) => regex(inner, text),
            None => regex(&glob(text), text),
        }
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The same, whatever the case of letters: for keys.
    pub(crate) fn any_case(&self) -> Regex {
        let builder =
            RegexBuilder::new(self.regex.as_str()).case_insensitive(true).size_limit(2 * SIZE).build();
        builder.unwrap_or_else(|_| self.regex.clone())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

/// A regular expression as it is, without slashes around.
#[derive(Debug, Clone)]
pub(crate) struct Expression(pub(crate) Regex);

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = regex(&text, &text).map_err(D::Error::custom)?;
        if found.regex.is_match("") {
            let wrong = format!(
                "the regular expression {text:?} matches the empty text, so it would match everywhere"
            );
            return Err(D::Error::custom(wrong));
        }
        Ok(Self(found.regex))
    }
}

fn regex(inner: &str, text: &str) -> Result<Pattern, String> {
    match RegexBuilder::new(inner).size_limit(SIZE).build() {
        Ok(regex) => Ok(Pattern { regex, text: text.to_owned() }),
        Err(regex::Error::CompiledTooBig(_)) => Err(format!("the regular expression {text:?} is too large")),
        Err(error) => {
            // The last line of the explanation says what is wrong; the lines before draw it.
            let error = error.to_string();
            let reason = error.lines().next_back().unwrap_or_default().trim_start_matches("error: ");
            Err(format!("{text:?} is no regular expression: {reason}"))
        }
    }
}

fn glob(text: &str) -> String {
    let mut out = String::from(r"(?s)\A");
    for char in text.chars() {
        match char {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            char => out.push_str(&regex::escape(char.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push_str(r"\z");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_and_expressions_anywhere() {
        for (pattern, yes, no) in [
            ("GET /health*", "GET /healthz", "POST GET /healthz"),
            ("llm.?", "llm.x", "llmxx"),
            ("/^llm\\.(a|b)/", "llm.b.c", "x llm.a"),
            ("/agent/", "my agent 1", "Agent"),
            ("a[b]*", "a[b]c", "abc"),
            ("*", "any\nthing", "\u{0}"),
            ("/", "/", "x/"),
            ("//", "//", ""),
        ] {
            let parsed = Pattern::parse(pattern).expect(pattern);
            assert!(parsed.is_match(yes), "{pattern} {yes}");
            assert!(pattern == "*" || !parsed.is_match(no), "{pattern} {no}");
        }
        let wrong = Pattern::parse("/a(b/").expect_err("no expression");
        assert_eq!(wrong, "\"/a(b/\" is no regular expression: unclosed group");
        assert!(Pattern::parse("/(a{1000}){1000}/").expect_err("large").contains("too large"));
        assert!(Pattern::parse("pass*").expect("valid").any_case().is_match("PASSword"));
    }
}
