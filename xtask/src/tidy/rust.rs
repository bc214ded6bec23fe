//! Enough of Rust's grammar to see words outside comments and strings, and to leave tests out.

/// A word or a sign of Rust source, with its line from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// The identifier, or one character of punctuation.
    pub(super) text: String,
    /// Line, from 1.
    pub(super) line: usize,
}

impl Token {
    fn is(&self, text: &str) -> bool {
        self.text == text
    }

    /// Whether it is an identifier or keyword.
    pub(super) fn is_word(&self) -> bool {
        self.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

/// The tokens of a file without comments, strings, characters and numbers.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => at + find(&bytes[at..], b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => block_comment(bytes, at),
            b'"' => string(bytes, at),
            b'\'' => quote(bytes, at),
            b'r' | b'b' | b'c' if literal(bytes, at).is_some() => literal(bytes, at).unwrap_or(at + 1),
            byte if byte.is_ascii_digit() => at + word_length(&bytes[at..]),
            byte if is_word(byte) => {
                let end = at + word_length(&bytes[at..]);
                tokens.push(Token { text: String::from_utf8_lossy(&bytes[at..end]).into_owned(), line });
                end
            }
            byte if byte.is_ascii_whitespace() => at + 1,
            byte => {
                tokens.push(Token { text: char::from(byte).to_string(), line });
                at + 1
            }
        };
        line += text[at..end].matches('\n').count();
        at = end;
    }
    tokens
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn word_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_word(**byte)).count()
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap_or(bytes.len())
}

fn block_comment(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start + 2, 1);
    while at < bytes.len() && depth > 0 {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
    }
    at
}

fn string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// A character literal, or a lifetime (which is skipped whole too).
fn quote(bytes: &[u8], start: usize) -> usize {
    let rest = &bytes[start + 1..];
    if rest.first() == Some(&b'\\') {
        return (start + 3 + find(&rest[2.min(rest.len())..], b"'") + 1).min(bytes.len());
    }
    let length = rest.iter().skip(1).take_while(|byte| **byte & 0xC0 == 0x80).count() + 1;
    if rest.get(length) == Some(&b'\'') {
        return start + length + 2;
    }
    start + 1 + word_length(rest)
}

/// End of `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`, `b'…'`; `None` if it is a plain word.
fn literal(bytes: &[u8], start: usize) -> Option<usize> {
    if start > 0 && is_word(bytes[start - 1]) {
        return None;
    }
    let prefix = bytes[start..].iter().take_while(|byte| b"rbc".contains(byte)).count();
    let (word, mut at) = (&bytes[start..start + prefix], start + prefix);
    if !matches!(word, b"r" | b"b" | b"c" | b"br" | b"cr") {
        return None;
    }
    if word == b"b" && bytes.get(at) == Some(&b'\'') {
        return Some(quote(bytes, at));
    }
    if !word.contains(&b'r') {
        return (bytes.get(at) == Some(&b'"')).then(|| string(bytes, at));
    }
    let hashes = bytes[at..].iter().take_while(|byte| **byte == b'#').count();
    at += hashes;
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    Some((at + 1 + find(&bytes[at + 1..], &close) + close.len()).min(bytes.len()))
}

/// The tokens without items marked `#[cfg(test)]`, and the names of test modules in files of
/// their own (`#[cfg(test)] mod name;`).
pub(super) fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        if !starts_cfg_test(&tokens[at..]) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let end = item_end(tokens, at);
        let item = &tokens[at..end];
        if item.last().is_some_and(|last| last.is(";"))
            && let Some(place) = item.iter().position(|token| token.is("mod"))
            && let Some(name) = item.get(place + 1)
        {
            modules.push(name.text.clone());
        }
        at = end;
    }
    (kept, modules)
}

const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

fn starts_cfg_test(tokens: &[Token]) -> bool {
    tokens.len() >= CFG_TEST.len() && tokens.iter().zip(CFG_TEST).all(|(token, text)| token.is(text))
}

/// End of the item at `start`: after its `;` or its closing brace, attributes included.
fn item_end(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0_i32;
    for (place, token) in tokens.iter().enumerate().skip(start) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return place + 1;
                }
            }
            ";" if depth == 0 => return place + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Line (from 1) of the first inline test module: `#[cfg(test)] mod … {`.
pub(super) fn tests_begin(text: &str) -> Option<usize> {
    let tokens = tokens(text);
    (0..tokens.len()).find_map(|at| {
        let after = &tokens[at..];
        let item = after.get(CFG_TEST.len()..).filter(|_| starts_cfg_test(after))?;
        let place = item.iter().position(|token| token.is("mod"))?;
        let inline = item.get(place + 2).is_some_and(|token| token.is("{"));
        let direct = item[..place].iter().all(|token| !token.is("fn") && !token.is(";") && !token.is("}"));
        (inline && direct).then(|| after[0].line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().filter(Token::is_word).map(|token| token.text).collect()
    }

    #[test]
    fn comments_strings_and_characters_are_no_words() {
        let text = r##"a /* b /* c */ d */ e // f
            "g \" h" r"i" r#"j " k"# b"l" b'm' '\'' 'n' &'o p<'q> c"s" r t 0x1f br"u" "##;
        assert_eq!(words(text), ["a", "e", "p", "r", "t"]);
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let found = tokens("a\n\"x\ny\"\n/*\n*/ b\nr#\"\n\"# c");
        let lines: Vec<_> = found.iter().map(|token| (token.text.as_str(), token.line)).collect();
        assert_eq!(lines, [("a", 1), ("b", 5), ("c", 7)]);
    }

    #[test]
    fn test_items_are_left_out() {
        let text = "use a;\n#[cfg(test)]\nuse b;\n#[cfg(test)]\nmod c;\nfn d() {}\n#[cfg(test)] mod e { fn f() {} }\nfn g() {}";
        let (kept, modules) = without_tests(&tokens(text));
        let kept: Vec<_> = kept.into_iter().filter(Token::is_word).map(|token| token.text).collect();
        assert_eq!(kept, ["use", "a", "fn", "d", "fn", "g"]);
        assert_eq!(modules, ["c"]);
    }

    #[test]
    fn the_inline_test_module_is_found() {
        assert_eq!(tests_begin("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n"), Some(3));
        assert_eq!(tests_begin("#[cfg(test)]\nfn a() { mod x {} }\n"), None);
        assert_eq!(tests_begin("#[cfg(test)]\nmod tests;\n"), None);
        assert_eq!(tests_begin("// #[cfg(test)] mod tests {}\n"), None);
    }
}
