//! A text with places where anything may stand.

use std::fmt::{self, Write as _};

/// A pattern for a whole text: `*` stands for any characters, also none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    /// What stands between the stars, at least one part.
    parts: Vec<String>,
    folded: Vec<String>,
}

impl Pattern {
    /// A pattern of the texts between its stars; one text has no star.
    pub fn new(parts: Vec<String>) -> Self {
        let mut parts = parts;
        if parts.is_empty() {
            parts.push(String::new());
        }
        // Two stars side by side say what one says.
        let last = parts.len() - 1;
        let mut index = 0;
        parts.retain(|part| {
            let inner = index > 0 && index < last;
            index += 1;
            !(inner && part.is_empty())
        });
        let folded = parts.iter().map(|part| part.to_lowercase()).collect();
        Self { parts, folded }
    }

    /// A pattern of exactly this text.
    pub fn literal(text: &str) -> Self {
        Self::new(vec![text.to_owned()])
    }

    /// Its text where it has no star.
    pub fn as_literal(&self) -> Option<&str> {
        match &*self.parts {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Whether it fits every text.
    pub fn is_anything(&self) -> bool {
        self.parts.len() == 2 && self.parts.iter().all(String::is_empty)
    }

    /// Its text, each star as `*`.
    pub fn text(&self) -> String {
        self.parts.join("*")
    }

    /// Whether it fits a whole text, ignoring case unless `exact`.
    pub fn fits(&self, text: &str, exact: bool) -> bool {
        if exact {
            return fits(&self.parts, text);
        }
        fits(&self.folded, &text.to_lowercase())
    }

    /// Whether a text contains it (without `*`, or in this order with something between), ignoring case.
    pub fn is_within(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let mut rest = text.as_str();
        self.folded.iter().all(|part| {
            let at = rest.find(part.as_str());
            at.is_some_and(|at| {
                rest = &rest[at + part.len()..];
                true
            })
        })
    }
}

fn fits(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else { return parts.first().is_some_and(|only| only == text) };
    let Some(mut rest) = text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()))
    else {
        return false;
    };
    middle.iter().all(|part| match rest.find(part.as_str()) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// As the parser reads it: with quotes where it has no star, else with escapes.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [text] = &*self.parts {
            return write_text(f, text);
        }
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                f.write_char('*')?;
            }
            for c in part.chars() {
                if is_special(c) {
                    f.write_char('\\')?;
                }
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Writes a text so that it is read as one word without a star.
pub(super) fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if !text.is_empty() && !text.chars().any(is_special) {
        return f.write_str(text);
    }
    f.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

/// Whether a character means something outside of quotes.
pub(super) fn is_special(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\\' | '(' | ')' | '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        let pattern = |text: &str| Pattern::new(text.split('*').map(str::to_owned).collect());
        for (text, fit, misfit) in [
            ("gpt-4*", "GPT-4o", "xgpt-4"),
            ("*mini", "gpt-4o-mini", "mini2"),
            ("a*b*c", "a--b--c", "acb"),
            ("a*a", "aa", "a"),
            ("*", "", "\u{0}never"),
            ("**x**", "axb", "ab"),
            ("ÄB", "äb", "ä"),
        ] {
            assert!(pattern(text).fits(fit, false), "{text} {fit}");
            assert!(text == "*" || !pattern(text).fits(misfit, false), "{text} {misfit}");
        }
        assert!(!pattern("A").fits("a", true) && pattern("A").fits("A", true));
        assert!(pattern("***").is_anything() && !pattern("").is_anything());
        assert!(pattern("b*d").is_within("abcDe") && !pattern("d*b").is_within("abcde"));
    }
}
