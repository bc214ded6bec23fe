//! Masks secrets before anything leaves the process: by the names of keys, and by the shape of values.
//!
//! What cannot be masked is not sent: on a panic, or when the time is up, the contents of the span or log
//! record are replaced.

mod any;
mod json;
mod keys;
mod record;
mod secrets;

use std::ops::Range;
use std::sync::{Arc, Mutex};

use regex::{Regex, RegexSet};

use self::keys::Keys;
pub(crate) use self::record::{TIME, strip_span as strip};
use self::secrets::Secrets;

/// What stands in the place of a secret.
pub(crate) const PLACEHOLDER: &str = "[masked]";

/// No default shape fits into less: `pwd=x`.
const SHORTEST: usize = 5;

/// What a masker masks.
#[derive(Debug, Clone, Default)]
pub(crate) struct MaskPlan {
    /// The default keys and shapes.
    pub(crate) defaults: bool,
    /// More keys, with the name under which they are counted.
    pub(crate) keys: Vec<(Regex, Arc<str>)>,
    /// Keys that are never masked by their name.
    pub(crate) allowed: Vec<Regex>,
    /// More shapes of values, with the name under which they are counted.
    pub(crate) values: Vec<(Regex, Arc<str>)>,
    /// Whether the texts of keys are masked by shape, too.
    pub(crate) key_text: bool,
}

/// Masks texts, JSON and attribute values, and counts by rule.
#[derive(Debug)]
pub(crate) struct Masker {
    keys: Keys,
    secrets: Option<Arc<Secrets>>,
    /// The number of the first default shape.
    first_shape: usize,
    patterns: Vec<(Regex, usize)>,
    pattern_set: RegexSet,
    key_text: bool,
    names: Vec<Arc<str>>,
    /// How often each rule has masked, since they were last taken.
    hits: Vec<u64>,
}

impl Masker {
    pub(crate) fn new(plan: &MaskPlan) -> Self {
        let mut names: Vec<Arc<str>> = vec!["key".into()];
        names.extend(Secrets::names().map(Arc::from));
        let mut number = |name: &Arc<str>| {
            names.push(name.clone());
            names.len() - 1
        };
        let keys = Keys {
            default: plan.defaults.then_some(0),
            patterns: plan.keys.iter().map(|(key, name)| (key.clone(), number(name))).collect(),
            allowed: plan.allowed.clone(),
            ..Keys::default()
        };
        let patterns: Vec<_> =
            plan.values.iter().map(|(value, name)| (value.clone(), number(name))).collect();
        let pattern_set = RegexSet::new(plan.values.iter().map(|(value, _)| value.as_str()));
        Self {
            keys,
            secrets: plan.defaults.then(shared_secrets),
            first_shape: 1,
            patterns,
            // Each was compiled before; all together may be too large, then each is tried.
            pattern_set: pattern_set.unwrap_or_else(|_| RegexSet::empty()),
            key_text: plan.key_text,
            hits: vec![0; names.len()],
            names,
        }
    }

    /// What was masked since the last call, by rule.
    pub(crate) fn take_hits(&mut self, mut count: impl FnMut(&str, u64)) {
        for (name, hits) in self.names.iter().zip(&mut self.hits) {
            if *hits > 0 {
                count(name, std::mem::take(hits));
            }
        }
    }

    /// A text with its secrets masked, `None` where there are none.
    pub(crate) fn text(&mut self, text: &str) -> Option<String> {
        if text.len() < SHORTEST && !self.has_patterns() {
            return None;
        }
        // The user's first: they see the text as it was.
        let own = self.own(text);
        let shaped = self.shapes(own.as_deref().unwrap_or(text));
        shaped.or(own)
    }

    fn shapes(&mut self, text: &str) -> Option<String> {
        let secrets = self.secrets.as_ref()?;
        let keys = &mut self.keys;
        let mut secret_key = |key: &str| keys.judge(key).rule(false).is_some();
        let mut out = String::new();
        let mut at = 0;
        for found in secrets.find(text, &mut secret_key) {
            out.push_str(&text[at..found.range.start]);
            out.push_str(PLACEHOLDER);
            at = found.range.end;
            self.hits[self.first_shape + found.shape] += 1;
        }
        if at == 0 {
            return None;
        }
        out.push_str(&text[at..]);
        Some(out)
    }

    /// The user's own patterns.
    fn own(&mut self, text: &str) -> Option<String> {
        if !self.has_patterns() || (!self.pattern_set.is_empty() && !self.pattern_set.is_match(text)) {
            return None;
        }
        let mut out: Option<String> = None;
        for (pattern, rule) in &self.patterns {
            let text = out.as_deref().unwrap_or(text);
            let mut masked = String::new();
            let (mut copied, mut at) = (0, 0);
            while let Some(found) = pattern.find_at(text, at) {
                if let Some(end) = placeholder_cut(text, &found.range()) {
                    at = end;
                    continue;
                }
                at = if found.is_empty() { after(text, found.end()) } else { found.end() };
                if !found.is_empty() && found.as_str() != PLACEHOLDER {
                    masked.push_str(&text[copied..found.start()]);
                    masked.push_str(PLACEHOLDER);
                    copied = found.end();
                    self.hits[*rule] += 1;
                }
                if at > text.len() {
                    break;
                }
            }
            if copied > 0 {
                masked.push_str(&text[copied..]);
                out = Some(masked);
            }
        }
        out
    }

    fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// The rule of the user's that matches somewhere in a text.
    fn pattern_of(&self, text: &str) -> Option<usize> {
        self.patterns.iter().find(|(pattern, _)| pattern.is_match(text)).map(|(_, rule)| *rule)
    }

    /// Whether something is assigned to a key of credentials in a text.
    fn assigns(&mut self, text: &str) -> bool {
        let keys = &mut self.keys;
        self.secrets.is_some() && secrets::assigns(text, &mut |key| keys.judge(key).rule(false).is_some())
    }

    /// Where secrets of the default shapes may begin; `None` where these are not looked for.
    fn first_starts(&self, text: &str) -> Option<secrets::Next> {
        self.secrets.as_ref().map(|secrets| secrets.first(text))
    }

    /// Goes on to the starts from `at` on.
    fn skip_starts(&self, text: &str, next: &mut Option<secrets::Next>, at: usize) {
        if let (Some(secrets), Some(next)) = (&self.secrets, next) {
            secrets.skip(text, next, at);
        }
    }
}

/// The default shapes, compiled once for all tracers of the process. Nobody waits: a fork may have left the
/// lock taken for ever.
fn shared_secrets() -> Arc<Secrets> {
    static SHARED: Mutex<Option<Arc<Secrets>>> = Mutex::new(None);
    match SHARED.try_lock() {
        Ok(mut shared) => shared.get_or_insert_with(|| Arc::new(Secrets::new())).clone(),
        Err(_) => Arc::new(Secrets::new()),
    }
}

/// The end of a placeholder that a match cuts: it was found in what is masked already.
fn placeholder_cut(text: &str, found: &Range<usize>) -> Option<usize> {
    let from = text.floor_char_boundary(found.start.saturating_sub(PLACEHOLDER.len() - 1));
    let mut places =
        text[from..].match_indices(PLACEHOLDER).map(|(at, _)| from + at..from + at + PLACEHOLDER.len());
    let place = places.find(|place| {
        let inside = |at: usize| place.start < at && at < place.end;
        inside(found.start) || inside(found.end)
    });
    place.map(|place| place.end)
}

/// The place behind the character at `at`.
fn after(text: &str, at: usize) -> usize {
    at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests;
