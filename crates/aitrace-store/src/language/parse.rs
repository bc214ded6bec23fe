//! Reads the text of a filter.

use std::fmt;
use std::str::FromStr;

use aitrace_model::Timestamp;

use super::field::{Field, FieldKind};
use super::needle::Needle;
use super::pattern::Pattern;
use super::tree::{Filter, Op, Operand, Term, UNITS};

/// Bytes of a text.
const LENGTH: usize = 4096;
/// Conditions of a filter. Stores keep one bit for each.
const TERMS: usize = 64;
/// Parentheses and negations within each other.
const DEPTH: usize = 32;

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// Where, in characters from the beginning, 0 for the first.
    pub position: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at character {} of the filter)", self.message, self.position + 1)
    }
}

impl std::error::Error for FilterError {}

type Result<T> = std::result::Result<T, Fault>;

/// An error at a byte.
struct Fault {
    at: usize,
    message: String,
    hint: String,
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> std::result::Result<Self, FilterError> {
        let mut parser = Parser { text, at: 0, terms: 0 };
        parser.whole().map_err(|Fault { at, message, hint }| FilterError {
            position: text[..at.min(text.len())].chars().count(),
            message,
            hint,
        })
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    terms: usize,
}

/// Characters between two things that mean something.
struct Word {
    at: usize,
    /// The texts between stars.
    parts: Vec<String>,
    /// Nothing of it was quoted or escaped.
    bare: bool,
}

impl Word {
    fn text(&self) -> String {
        self.parts.join("*")
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        self.bare && self.parts.len() == 1 && self.parts[0] == keyword
    }
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<Filter> {
        if self.text.len() > LENGTH {
            return Err(fault(LENGTH, format!("the filter is longer than {LENGTH} bytes"), "Shorten it."));
        }
        self.skip_space();
        if self.at == self.text.len() {
            return Ok(Filter::default());
        }
        let filter = self.alternatives(0)?;
        match self.peek() {
            None => Ok(filter),
            Some(_) => Err(fault(self.at, "a ) closes nothing", "Quote it to search for it.")),
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn deeper(&self, depth: usize) -> Result<usize> {
        let hint = "Use fewer parentheses and negations within each other.";
        if depth == DEPTH {
            Err(fault(self.at, "the filter is nested too deeply", hint))
        } else {
            Ok(depth + 1)
        }
    }

    fn alternatives(&mut self, depth: usize) -> Result<Filter> {
        let mut parts = vec![self.conjunction(depth)?];
        while self.takes_keyword("OR")? {
            parts.push(self.conjunction(depth)?);
        }
        Ok(Filter::any(parts))
    }

    fn conjunction(&mut self, depth: usize) -> Result<Filter> {
        let mut parts = vec![self.unary(depth)?];
        loop {
            self.skip_space();
            let begin = self.at;
            match self.peek() {
                None | Some(')') => break,
                Some('(' | '-') => {}
                Some(_) => {
                    let word = self.word(false)?;
                    let next = self.at;
                    let alone = self.op().is_none();
                    self.at = begin;
                    if alone && word.is_keyword("OR") {
                        break;
                    }
                    if alone && word.is_keyword("AND") {
                        self.at = next;
                    }
                }
            }
            parts.push(self.unary(depth)?);
        }
        Ok(Filter::all(parts))
    }

    fn takes_keyword(&mut self, keyword: &str) -> Result<bool> {
        self.skip_space();
        let begin = self.at;
        if matches!(self.peek(), None | Some('(' | ')' | '-')) {
            return Ok(false);
        }
        let word = self.word(false)?;
        let takes = word.is_keyword(keyword) && self.op().is_none();
        if !takes {
            self.at = begin;
        }
        Ok(takes)
    }

    fn unary(&mut self, depth: usize) -> Result<Filter> {
        self.skip_space();
        let begin = self.at;
        match self.peek() {
            None => Err(fault(
                begin,
                "the filter ends where a condition is expected",
                "Complete it, or quote the word before.",
            )),
            Some(')') => Err(fault(
                begin,
                "a condition is missing before )",
                "Put one there, or quote the ) to search for it.",
            )),
            Some('-') => {
                self.at += 1;
                if self.peek().is_none_or(char::is_whitespace) {
                    return Err(fault(
                        begin,
                        "nothing follows the -",
                        "Put what must not hold right behind it, or quote the -.",
                    ));
                }
                Ok(self.unary(self.deeper(depth)?)?.negate())
            }
            Some('(') => {
                let inner = self.deeper(depth)?;
                self.at += 1;
                let filter = self.alternatives(inner)?;
                self.skip_space();
                if self.peek() != Some(')') {
                    return Err(fault(
                        begin,
                        "this ( is not closed",
                        "Close it, or quote it to search for it.",
                    ));
                }
                self.at += 1;
                Ok(filter)
            }
            Some(_) => self.condition(depth),
        }
    }

    fn condition(&mut self, depth: usize) -> Result<Filter> {
        let word = self.word(false)?;
        let op = self.op();
        if op.is_none() {
            if word.is_keyword("NOT") {
                return Ok(self.unary(self.deeper(depth)?)?.negate());
            }
            if word.is_keyword("OR") || word.is_keyword("AND") {
                let message = format!("a condition is missing beside {}", word.text());
                return Err(fault(word.at, message, "Quote the word to search for it."));
            }
        }
        self.terms += 1;
        if self.terms > TERMS {
            return Err(fault(
                word.at,
                format!("the filter has more than {TERMS} conditions"),
                "Shorten it.",
            ));
        }
        let Some(op) = op else {
            let needle = Needle::new(&word.text());
            let empty = || fault(word.at, "the text to search for is empty", "Leave it out.");
            return Ok(Filter::Text(needle.ok_or_else(empty)?));
        };
        let (field, path) = field(&word)?;
        if self.peek().is_none_or(|c| c.is_whitespace() || c == ')') {
            let message = format!("a value is missing behind {}{}", word.text(), op.as_str());
            return Err(fault(self.at, message, "Put it there without a space; \"\" is the empty text."));
        }
        let value = self.word(true)?;
        term(field, path, op, &value).map(Filter::Term)
    }

    /// Takes a sign of comparison.
    fn op(&mut self) -> Option<Op> {
        let rest = &self.text[self.at..];
        let signs = [Op::AtMost, Op::AtLeast, Op::Less, Op::More, Op::Is, Op::Exactly];
        let op = signs.into_iter().find(|op| rest.starts_with(op.as_str()))?;
        self.at += op.as_str().len();
        Some(op)
    }

    /// Takes characters up to a space or parenthesis, or (not in a value) up to a sign of comparison.
    fn word(&mut self, value: bool) -> Result<Word> {
        let mut word = Word { at: self.at, parts: vec![String::new()], bare: true };
        let push = |parts: &mut Vec<String>, c: char| {
            if let Some(last) = parts.last_mut() {
                last.push(c);
            }
        };
        while let Some(c) = self.peek() {
            match c {
                c if c.is_whitespace() || c == ')' => break,
                ':' | '=' | '<' | '>' if !value => break,
                '(' => {
                    let hint = "Quote the text, or put a space before the parenthesis.";
                    return Err(fault(self.at, "a ( within a word", hint));
                }
                '*' => {
                    word.parts.push(String::new());
                    self.at += 1;
                }
                '"' => {
                    word.bare = false;
                    for c in self.quoted()?.chars() {
                        push(&mut word.parts, c);
                    }
                }
                '\\' => {
                    word.bare = false;
                    let escaped = self.text[self.at + 1..].chars().next();
                    let Some(escaped) = escaped else {
                        return Err(fault(self.at, "nothing follows the \\", "Write \\\\ for a backslash."));
                    };
                    push(&mut word.parts, escaped);
                    self.at += 1 + escaped.len_utf8();
                }
                c => {
                    push(&mut word.parts, c);
                    self.at += c.len_utf8();
                }
            }
        }
        if !value && word.bare && word.parts == [""] {
            return Err(fault(
                word.at,
                "a field is missing before the comparison",
                "Quote the text to search for it.",
            ));
        }
        Ok(word)
    }

    fn quoted(&mut self) -> Result<String> {
        let begin = self.at;
        let (mut text, mut chars) = (String::new(), self.text[begin + 1..].char_indices());
        while let Some((index, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = begin + 1 + index + 1;
                    return Ok(text);
                }
                '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
                c => text.push(c),
            }
        }
        Err(fault(begin, "this quote is not closed", "Close it, or write \\\" for a quote itself."))
    }
}

fn fault(at: usize, message: impl Into<String>, hint: impl Into<String>) -> Fault {
    Fault { at, message: message.into(), hint: hint.into() }
}

fn field(word: &Word) -> Result<(Field, String)> {
    let text = word.text();
    let (name, path) = text.split_once('.').unwrap_or((&text, ""));
    let Some(field) = Field::from_word(name) else {
        let names: Vec<&str> = Field::ALL.iter().map(|field| field.as_str()).collect();
        let hint = format!("Quote the text to search for it, or use {}.", names.join(", "));
        return Err(fault(word.at, format!("there is no field {name:?}"), hint));
    };
    if text.len() > name.len() && (field.kind() != FieldKind::Json || path.is_empty()) {
        let hint = "Only inputs, outputs, metadata, metrics, feedback, config, user_properties and attributes have paths.";
        return Err(fault(word.at, format!("{name} has nothing called {path:?} in it"), hint));
    }
    Ok((field, path.to_owned()))
}

fn term(field: Field, path: String, op: Op, value: &Word) -> Result<Term> {
    let name = field.as_str();
    let ordered = !matches!(op, Op::Is | Op::Exactly);
    let text = value.text();
    let bad = |message: String, hint: String| fault(value.at, message, hint);
    let anything = value.bare && Pattern::new(value.parts.clone()).is_anything();
    let kind = field.kind();
    let mut op = op;
    let operand = match kind {
        _ if anything && op == Op::Is => Operand::Anything,
        FieldKind::Text | FieldKind::Content if ordered => {
            return Err(bad(format!("{name} is text and has no order"), format!("Use {name}:value.")));
        }
        FieldKind::Content => {
            op = Op::Is;
            Operand::Text(Pattern::new(value.parts.clone()))
        }
        FieldKind::Json if path.is_empty() && op != Op::Is => {
            return Err(bad(
                format!("{name} as a whole can only be searched"),
                format!("Use {name}:text, or name what is in it, like {name}.key{}…", op.as_str()),
            ));
        }
        FieldKind::Json if ordered => {
            Operand::Number(number(&text).map_err(|hint| bad(format!("{text:?} is not a number"), hint))?)
        }
        FieldKind::Text | FieldKind::Json if op == Op::Exactly => Operand::Text(Pattern::literal(&text)),
        FieldKind::Text | FieldKind::Json => Operand::Text(Pattern::new(value.parts.clone())),
        FieldKind::Number => Operand::Number(
            number(&text).map_err(|hint| bad(format!("{name}: {text:?} is not a number"), hint))?,
        ),
        FieldKind::Duration => Operand::Duration(duration(&text).ok_or_else(|| {
            bad(
                format!("{name}: {text:?} is not a length of time"),
                "Write a number and ns, us, ms, s, m, h or d, like 1.5s.".to_owned(),
            )
        })?),
        FieldKind::Time => Operand::Time(time(&text).ok_or_else(|| {
            bad(
                format!("{name}: {text:?} is not a time"),
                "Write it like 2026-01-31 or 2026-01-31T12:00:00Z.".to_owned(),
            )
        })?),
        FieldKind::Word(words) => {
            if ordered && field != Field::Level {
                return Err(bad(format!("{name} has no order"), format!("Use {name}:value.")));
            }
            let place = words.iter().position(|word| *word == text.to_lowercase());
            Operand::Word(place.ok_or_else(|| {
                bad(format!("{name} is never {text:?}"), format!("Use {}.", words.join(", ")))
            })?)
        }
    };
    let same = matches!(kind, FieldKind::Number | FieldKind::Duration | FieldKind::Time | FieldKind::Word(_));
    if same && op == Op::Exactly {
        op = Op::Is;
    }
    Ok(Term { field, path, op, value: operand })
}

fn number(text: &str) -> std::result::Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| "Write digits, like 100 or 0.5.".to_owned())
}

/// Nanoseconds of a length of time with its unit: ns, us, ms, s, m, h or d. `None` where it is none.
pub fn duration(text: &str) -> Option<i64> {
    let split = text.find(|c: char| c.is_alphabetic())?;
    let (digits, unit) = text.split_at(split);
    let unit = if unit == "µs" { "us" } else { unit };
    let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
    if let Ok(whole) = digits.parse::<i64>() {
        return whole.checked_mul(*length);
    }
    let nanos = (digits.parse::<f64>().ok()? * *length as f64).round();
    (nanos.abs() < i64::MAX as f64).then_some(nanos as i64)
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{text}T00:00:00Z").parse().ok())
}
