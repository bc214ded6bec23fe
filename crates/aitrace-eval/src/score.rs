//! What evaluators say.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A score: a boolean, a number or a word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ScoreValue {
    /// Passed or not.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number. What JSON cannot say (NaN, infinite) is kept as text.
    Number(#[serde(serialize_with = "finite_or_text")] f64),
    /// A word, a label.
    Text(String),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn finite_or_text<S: serde::Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() {
        serializer.serialize_f64(*number)
    } else if number.is_nan() {
        serializer.serialize_str("nan")
    } else {
        serializer.serialize_str(if *number > 0.0 { "inf" } else { "-inf" })
    }
}

impl ScoreValue {
    /// The score as a number: true is 1, false is 0; `None` for a word.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Int(value) => Some(*value as f64),
            Self::Number(value) => Some(*value),
            Self::Text(_) => None,
        }
    }

    /// Whether a row passes with it: not with false, nor with a number below the threshold.
    pub fn passes(&self, threshold: Option<f64>) -> bool {
        match (self, threshold, self.number()) {
            (Self::Bool(value), _, _) => *value,
            (_, Some(threshold), Some(number)) => number >= threshold,
            _ => true,
        }
    }
}

impl std::fmt::Display for ScoreValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// What an evaluator said of one output: a score, or none where it abstains, and why.
///
/// Booleans, numbers and strings convert into it, an `Option` of them, and a pair of one with an explanation.
///
/// ```
/// use aitrace_eval::Judgement;
///
/// let judgement = Judgement::from((0.5, "half of the words"));
/// assert_eq!(judgement.explanation.as_deref(), Some("half of the words"));
/// assert_eq!(Judgement::from(None::<bool>), Judgement::default());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgement {
    /// `None`: it abstains.
    pub score: Option<ScoreValue>,
    /// Why.
    pub explanation: Option<String>,
}

macro_rules! scores {
    ($($from:ty => $variant:ident),+ $(,)?) => {
        $(
            impl From<$from> for ScoreValue {
                fn from(value: $from) -> Self {
                    Self::$variant(value.into())
                }
            }
            impl From<$from> for Judgement {
                fn from(value: $from) -> Self {
                    Self { score: Some(value.into()), explanation: None }
                }
            }
            impl From<Option<$from>> for Judgement {
                fn from(value: Option<$from>) -> Self {
                    Self { score: value.map(Into::into), explanation: None }
                }
            }
            impl<E: Into<String>> From<($from, E)> for Judgement {
                fn from((value, explanation): ($from, E)) -> Self {
                    Self { score: Some(value.into()), explanation: Some(explanation.into()) }
                }
            }
        )+
    };
}
scores!(
    bool => Bool, i8 => Int, i16 => Int, i32 => Int, i64 => Int, u8 => Int, u16 => Int, u32 => Int,
    f32 => Number, f64 => Number, &str => Text, String => Text,
);

/// A [`Judgement`] of a named evaluator.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The evaluator.
    pub name: String,
    /// `None` where it abstained or failed.
    pub value: Option<ScoreValue>,
    /// Why.
    pub explanation: Option<String>,
    /// How it failed.
    pub error: Option<String>,
    /// False for a false boolean and for a missed threshold.
    pub passed: bool,
}

impl Score {
    /// What an evaluator said.
    pub fn new(name: &str, judgement: Judgement, threshold: Option<f64>) -> Self {
        let passed = judgement.score.as_ref().is_none_or(|value| value.passes(threshold));
        let Judgement { score: value, explanation } = judgement;
        Self { name: name.to_owned(), value, explanation, error: None, passed }
    }

    /// An evaluator that failed; its row may pass all the same.
    pub fn failed(name: &str, error: String) -> Self {
        Self { name: name.to_owned(), value: None, explanation: None, error: Some(error), passed: true }
    }

    /// The score as JSON, for a span.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(&self.value).unwrap_or_default()
    }
}
