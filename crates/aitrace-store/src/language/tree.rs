//! A filter as a tree of conditions, and as the text that is read back as the same tree.

use std::fmt;

use aitrace_model::Timestamp;

use super::field::Field;
use super::needle::Needle;
use super::pattern::{Pattern, is_special, write_text};

/// Conditions on traces, spans and log records. The default is fulfilled by everything.
///
/// Its text (`Display`) is canonical: parsed, it is the same filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of these hold; nothing is asked where there is none.
    And(Vec<Filter>),
    /// One of these holds.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// This text stands somewhere in it, ignoring case.
    Text(Needle),
    /// A field is as asked.
    Term(Term),
}

/// A condition on one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The field.
    pub field: Field,
    /// Where in a JSON field: keys joined by points; empty is all of it.
    pub path: String,
    /// How it compares.
    pub op: Op,
    /// With what.
    pub value: Operand,
}

/// How a field compares with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `:`, fits.
    Is,
    /// `=`, is exactly; of text with its case and without stars.
    Exactly,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// Anything: the field is there.
    Anything,
    /// A text.
    Text(Pattern),
    /// A number.
    Number(f64),
    /// Nanoseconds.
    Duration(i64),
    /// A time.
    Time(Timestamp),
    /// A word, by its place among those of the field.
    Word(usize),
}

impl Op {
    /// The sign between field and value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Is => ":",
            Self::Exactly => "=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Whether values in this order fulfil it.
    pub(crate) fn admits(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Is | Self::Exactly => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::And(Vec::new())
    }
}

impl Filter {
    /// Whether nothing is asked.
    pub fn is_everything(&self) -> bool {
        matches!(self, Self::And(parts) if parts.is_empty())
    }

    /// All of these hold. Flat: conjunctions among them are taken apart.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.remove(0) } else { Self::And(flat) }
    }

    /// One of these holds. Flat: disjunctions among them are taken apart.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.remove(0) } else { Self::Or(flat) }
    }

    /// It does not hold.
    pub fn negate(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// The conditions that must all hold: it alone where it is no conjunction.
    pub fn conjuncts(&self) -> &[Self] {
        match self {
            Self::And(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    /// Its conditions, from left to right.
    pub fn leaves(&self) -> Vec<&Self> {
        let (mut found, mut open) = (Vec::new(), vec![self]);
        while let Some(next) = open.pop() {
            match next {
                Self::And(parts) | Self::Or(parts) => open.extend(parts.iter().rev()),
                Self::Not(inner) => open.push(inner),
                leaf => found.push(leaf),
            }
        }
        found
    }

    /// Whether it holds, where `leaf` says of each condition whether it holds, or that it cannot tell.
    pub fn judge(&self, leaf: &mut dyn FnMut(&Self) -> Option<bool>) -> Option<bool> {
        match self {
            Self::And(parts) => {
                let mut unknown = false;
                for part in parts {
                    match part.judge(leaf) {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => unknown = true,
                    }
                }
                (!unknown).then_some(true)
            }
            Self::Or(parts) => {
                let mut unknown = false;
                for part in parts {
                    match part.judge(leaf) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => unknown = true,
                    }
                }
                (!unknown).then_some(false)
            }
            Self::Not(inner) => inner.judge(leaf).map(|holds| !holds),
            one => leaf(one),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, parts: &[Self], between: &str| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    f.write_str(between)?;
                }
                match part {
                    Self::Or(_) => write!(f, "({part})")?,
                    part => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::And(parts) => join(f, parts, " "),
            Self::Or(parts) => join(f, parts, " OR "),
            Self::Not(inner) => match &**inner {
                Self::And(_) | Self::Or(_) => write!(f, "-({inner})"),
                one => write!(f, "-{one}"),
            },
            Self::Text(needle) => write_free(f, needle.text()),
            Self::Term(term) => write!(f, "{term}"),
        }
    }
}

/// A text that is no field and no operator.
fn write_free(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let means = text.contains([':', '=', '<', '>'])
        || text.starts_with('-')
        || text.contains('*')
        || matches!(text, "AND" | "OR" | "NOT");
    if means && !text.chars().any(is_special) {
        return write!(f, "\"{text}\"");
    }
    write_text(f, text)
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.as_str())?;
        if !self.path.is_empty() {
            f.write_str(".")?;
            for c in self.path.chars() {
                if is_special(c) || matches!(c, ':' | '=' | '<' | '>') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
        }
        f.write_str(self.op.as_str())?;
        match &self.value {
            Operand::Anything => f.write_str("*"),
            Operand::Text(pattern) => write!(f, "{pattern}"),
            Operand::Number(number) => write!(f, "{number}"),
            Operand::Duration(nanos) => write_duration(f, *nanos),
            Operand::Time(time) => write!(f, "{time}"),
            Operand::Word(place) => f.write_str(self.word(*place)),
        }
    }
}

impl Term {
    /// The word it asks for, if it asks for one.
    pub fn as_word(&self) -> Option<&'static str> {
        match self.value {
            Operand::Word(place) => Some(self.word(place)),
            _ => None,
        }
    }

    pub(super) fn word(&self, place: usize) -> &'static str {
        match self.field.kind() {
            super::field::FieldKind::Word(words) => words.get(place).copied().unwrap_or_default(),
            _ => "",
        }
    }
}

/// Units of durations in nanoseconds, the longest first.
pub(super) const UNITS: &[(&str, i64)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

fn write_duration(f: &mut fmt::Formatter<'_>, nanos: i64) -> fmt::Result {
    let fitting = UNITS.iter().find(|(_, length)| nanos != 0 && nanos % length == 0);
    let (unit, length) = fitting.copied().unwrap_or(("s", 1_000_000_000));
    write!(f, "{}{unit}", nanos / length)
}
