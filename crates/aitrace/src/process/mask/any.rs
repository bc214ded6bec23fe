//! Masks attribute values.

use std::sync::Arc;

use aitrace_model::AnyValue;

use super::{Masker, PLACEHOLDER};
use crate::data::Attribute;
use crate::text::Text;
use crate::value::Value;

/// Deeper values are cut before they are sent; what is still deeper is masked whole.
const DEPTH: usize = 64;

impl Masker {
    /// Masks attributes in place.
    pub(crate) fn attributes(&mut self, attributes: &mut [Attribute]) {
        for (key, value) in attributes {
            self.attribute(key, value);
        }
    }

    fn attribute(&mut self, key: &mut Text, value: &mut Value) {
        if self.keys.any() {
            let verdict = self.keys.judge(key);
            let number = matches!(value, Value::Int(_) | Value::Double(_));
            if let Some(rule) = verdict.rule(number) {
                self.hide(value, rule, verdict.rule(true).is_some());
                return;
            }
        }
        match value {
            Value::Short(text) => {
                if let Some(masked) = self.text_or_json(text.as_str(), 0) {
                    *value = masked.into();
                }
            }
            Value::Text(text) => {
                if let Some(masked) = self.text_or_json(text, 0) {
                    *value = masked.into();
                }
            }
            Value::Any(any) => {
                if let Some(masked) = self.any(any, DEPTH) {
                    *any = Arc::new(masked);
                }
            }
            Value::Int(_) | Value::Double(_) if self.has_patterns() => {
                let text = value.to_any().to_json();
                if let Some(rule) = self.pattern_of(text.as_str()) {
                    self.hits[rule] += 1;
                    *value = PLACEHOLDER.into();
                }
            }
            Value::Bool(_) | Value::Int(_) | Value::Double(_) => {}
        }
        self.key(key);
    }

    /// Masks the text of a key, where that was asked for.
    pub(super) fn key(&mut self, key: &mut Text) {
        if let Some(masked) = self.key_text.then(|| self.text(key)).flatten() {
            *key = masked.into();
        }
    }

    /// Masks the value of a secret key; its structure stays.
    fn hide(&mut self, value: &mut Value, rule: usize, numbers: bool) {
        match value {
            Value::Bool(_) => {}
            Value::Any(any) => {
                let mut hidden = any.as_ref().clone();
                self.hide_any(&mut hidden, rule, numbers, DEPTH);
                *any = Arc::new(hidden);
            }
            Value::Short(text) if matches!(text.as_str(), "" | PLACEHOLDER) => {}
            Value::Short(_) | Value::Text(_) | Value::Int(_) | Value::Double(_) => {
                self.hits[rule] += 1;
                *value = PLACEHOLDER.into();
            }
        }
    }

    fn hide_any(&mut self, any: &mut AnyValue, rule: usize, numbers: bool, depth: usize) {
        match any {
            AnyValue::Null | AnyValue::Bool(_) => return,
            AnyValue::Int(_) | AnyValue::Double(_) if !numbers => return,
            AnyValue::String(text) if matches!(text.as_str(), "" | PLACEHOLDER) => return,
            AnyValue::Array(values) if depth > 0 => {
                return values.iter_mut().for_each(|value| self.hide_any(value, rule, numbers, depth - 1));
            }
            AnyValue::Map(members) if depth > 0 => {
                let values = members.iter_mut().map(|(_, value)| value);
                return values.for_each(|value| self.hide_any(value, rule, numbers, depth - 1));
            }
            _ => {}
        }
        self.hits[rule] += 1;
        *any = AnyValue::from(PLACEHOLDER);
    }

    /// The masked form of a value; `None` where nothing was to mask.
    fn any(&mut self, any: &AnyValue, depth: usize) -> Option<AnyValue> {
        match any {
            AnyValue::String(text) => self.text_or_json(text, 0).map(AnyValue::String),
            // Bytes that are no text stay as they are.
            AnyValue::Bytes(bytes) => {
                let masked = self.text_or_json(std::str::from_utf8(bytes).ok()?, 0)?;
                Some(AnyValue::Bytes(masked.into_bytes()))
            }
            AnyValue::Array(_) | AnyValue::Map(_) if depth == 0 => Some(AnyValue::from(PLACEHOLDER)),
            AnyValue::Array(values) => {
                let masked: Vec<_> = values.iter().map(|value| self.any(value, depth - 1)).collect();
                masked.iter().any(Option::is_some).then(|| {
                    let pairs = masked.into_iter().zip(values);
                    AnyValue::Array(
                        pairs.map(|(masked, value)| masked.unwrap_or_else(|| value.clone())).collect(),
                    )
                })
            }
            AnyValue::Map(members) => {
                let masked: Vec<_> =
                    members.iter().map(|(key, value)| self.any_member(key, value, depth - 1)).collect();
                masked.iter().any(Option::is_some).then(|| {
                    let pairs = masked.into_iter().zip(members);
                    AnyValue::Map(
                        pairs.map(|(masked, member)| masked.unwrap_or_else(|| member.clone())).collect(),
                    )
                })
            }
            AnyValue::Int(_) | AnyValue::Double(_) if self.has_patterns() => {
                let rule = self.pattern_of(any.to_json().as_str())?;
                self.hits[rule] += 1;
                Some(AnyValue::from(PLACEHOLDER))
            }
            AnyValue::Null | AnyValue::Bool(_) | AnyValue::Int(_) | AnyValue::Double(_) => None,
        }
    }

    pub(super) fn any_member(
        &mut self,
        key: &str,
        value: &AnyValue,
        depth: usize,
    ) -> Option<(String, AnyValue)> {
        let verdict = self.keys.judge(key);
        let masked = if let Some(rule) = verdict.rule(false) {
            let mut hidden = value.clone();
            self.hide_any(&mut hidden, rule, verdict.rule(true).is_some(), depth);
            (hidden != *value).then_some(hidden)
        } else {
            self.any(value, depth)
        };
        let named = self.key_text.then(|| self.text(key)).flatten();
        (masked.is_some() || named.is_some())
            .then(|| (named.unwrap_or_else(|| key.to_owned()), masked.unwrap_or_else(|| value.clone())))
    }
}
