//! Text into HTML.

use std::fmt::Write as _;

/// Appends text so that it is text wherever it stands: between tags, in a quoted attribute. Characters that
/// HTML has no place for, and those that turn the direction of what follows, are shown as their code.
pub(crate) fn text(out: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(char),
            '\r' => {}
            _ if char.is_control() || turns(char) => {
                write!(out, "\u{27e8}U+{:04X}\u{27e9}", u32::from(char)).expect("a String takes everything");
            }
            _ => out.push(char),
        }
    }
}

/// Overrides of the writing direction, with which text can look like other text.
fn turns(char: char) -> bool {
    matches!(char, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn escaped(given: &str) -> String {
        let mut out = String::new();
        super::text(&mut out, given);
        out
    }

    #[test]
    fn what_has_a_meaning_loses_it() {
        assert_eq!(escaped("<a b='c' d=\"e\">&amp;"), "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;amp;");
        assert_eq!(escaped("a\0b\u{1b}[31m\r\n\u{202e}x"), "a⟨U+0000⟩b⟨U+001B⟩[31m\n⟨U+202E⟩x");
    }

    proptest! {
        #[test]
        fn no_markup_comes_out_and_plain_text_stays(given in any::<String>()) {
            let out = escaped(&given);
            prop_assert!(!out.contains(['<', '>', '"', '\'']));
            prop_assert!(out.chars().all(|char| char == '\n' || char == '\t' || !char.is_control()));
            let back = out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
            let back = back.replace("&#39;", "'").replace("&amp;", "&");
            if !given.chars().any(|char| char.is_control() || super::turns(char)) {
                prop_assert_eq!(back, given);
            }
        }
    }
}
