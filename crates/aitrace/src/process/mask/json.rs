//! Masks JSON text in place: what is not masked stays to the letter.

use std::borrow::Cow;

use aitrace_model::Json;

use super::secrets::Next;
use super::{Masker, PLACEHOLDER};

/// How deep JSON in strings of JSON is read.
const EMBEDDED: usize = 8;

/// A container that is open.
struct Open {
    object: bool,
    /// The rule that made everything in it secret, and whether numbers too.
    secret: Option<Secret>,
}

#[derive(Clone, Copy)]
struct Secret {
    rule: usize,
    numbers: bool,
}

/// Why reading ended early: the text is no JSON.
struct NoJson;

/// One walk over a text.
struct Walk<'m, 't> {
    masker: &'m mut Masker,
    text: &'t str,
    at: usize,
    out: String,
    /// Up to here the text is in `out`.
    copied: usize,
    /// Where the next secrets may begin.
    next: Option<Next>,
    open: Vec<Open>,
    level: usize,
}

/// The masked text, `None` where nothing was to mask. `Err` where the text is no JSON.
fn walk(
    masker: &mut Masker,
    text: &str,
    secret: Option<Secret>,
    level: usize,
) -> Result<Option<String>, NoJson> {
    let next = masker.first_starts(text);
    let mut walk = Walk { masker, text, at: 0, out: String::new(), copied: 0, next, open: Vec::new(), level };
    walk.run(secret)?;
    if walk.copied == 0 {
        return Ok(None);
    }
    walk.out.push_str(&text[walk.copied..]);
    Ok(Some(walk.out))
}

impl Masker {
    /// The masked form of a value; `None` where nothing was to mask.
    pub(crate) fn json(&mut self, json: &Json) -> Option<Json> {
        self.json_of(json, None)
    }

    /// [`Masker::json`] of the value of a key.
    pub(crate) fn json_at(&mut self, key: &str, json: &Json) -> Option<Json> {
        let secret = self.secret_of(key);
        self.json_of(json, secret)
    }

    fn json_of(&mut self, json: &Json, secret: Option<Secret>) -> Option<Json> {
        match walk(self, json.as_str(), secret, 0) {
            Ok(masked) => masked.map(Json::from_trusted),
            // Nothing that we were told is JSON is none; if it is, nothing can be said of it.
            Err(NoJson) => Some(Json::string(PLACEHOLDER)),
        }
    }

    fn secret_of(&mut self, key: &str) -> Option<Secret> {
        let verdict = self.keys.judge(key);
        verdict.rule(false).map(|rule| Secret { rule, numbers: verdict.rule(true).is_some() })
    }

    /// A text that may be JSON; `None` where nothing was to mask.
    pub(super) fn text_or_json(&mut self, text: &str, level: usize) -> Option<String> {
        let begins = text.trim_start().as_bytes().first();
        // In quotes too: JSON that was written as JSON once more.
        if level < EMBEDDED && matches!(begins, Some(b'{' | b'[' | b'"')) {
            let hits = self.hits.clone();
            match walk(self, text, None, level) {
                Ok(masked) => return masked,
                // Cut off, or something else: what was counted on the way is found again.
                Err(NoJson) => self.hits = hits,
            }
        }
        self.text(text)
    }
}

impl Walk<'_, '_> {
    fn run(&mut self, secret: Option<Secret>) -> Result<(), NoJson> {
        self.value(secret)?;
        while let Some(Open { object, secret }) = self.open.last() {
            let (object, secret) = (*object, *secret);
            match self.peek()? {
                b'}' | b']' => {
                    self.open.pop();
                    self.at += 1;
                    continue;
                }
                b',' => self.at += 1,
                _ => {}
            }
            let secret = if object { self.member(secret)? } else { secret };
            self.value(secret)?;
        }
        self.blanks();
        if self.at == self.text.len() { Ok(()) } else { Err(NoJson) }
    }

    fn blanks(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
    }

    fn peek(&mut self) -> Result<u8, NoJson> {
        self.blanks();
        self.text.as_bytes().get(self.at).copied().ok_or(NoJson)
    }

    /// Reads a key and its colon; what its value is.
    fn member(&mut self, outer: Option<Secret>) -> Result<Option<Secret>, NoJson> {
        if self.peek()? != b'"' {
            return Err(NoJson);
        }
        let (start, end) = self.string()?;
        let key = unescape(&self.text[start + 1..end - 1]);
        let secret = self.masker.secret_of(&key);
        if self.masker.key_text && self.starts_before(end) {
            self.mask_string(start, end, None);
        }
        self.skip_starts(end);
        if self.peek()? != b':' {
            return Err(NoJson);
        }
        self.at += 1;
        Ok(outer.or(secret))
    }

    fn value(&mut self, secret: Option<Secret>) -> Result<(), NoJson> {
        match self.peek()? {
            byte @ (b'{' | b'[') => {
                self.at += 1;
                self.open.push(Open { object: byte == b'{', secret });
            }
            b'"' => {
                let (start, end) = self.string()?;
                self.mask_string(start, end, secret);
                self.skip_starts(end);
            }
            _ => self.scalar(secret)?,
        }
        Ok(())
    }

    /// A number, or one of the three words.
    fn scalar(&mut self, secret: Option<Secret>) -> Result<(), NoJson> {
        let rest = &self.text[self.at..];
        let length =
            rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
        let scalar = &rest[..length];
        let word = matches!(scalar, "true" | "false" | "null");
        let number =
            length > 0 && scalar.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        if !word && !number {
            return Err(NoJson);
        }
        let (start, end) = (self.at, self.at + length);
        self.at = end;
        let rule = secret.filter(|secret| secret.numbers && number).map(|secret| secret.rule);
        if let Some(rule) = rule.or_else(|| self.masker.pattern_of(scalar).filter(|_| number)) {
            self.masker.hits[rule] += 1;
            self.replace(start, end, &format!("\"{PLACEHOLDER}\""));
        }
        Ok(())
    }

    /// The place of the string that begins here, with its quotes.
    fn string(&mut self) -> Result<(usize, usize), NoJson> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start + 1;
        loop {
            at += memchr::memchr2(b'"', b'\\', bytes.get(at..).ok_or(NoJson)?).ok_or(NoJson)?;
            if bytes[at] == b'"' {
                break;
            }
            at += 2;
        }
        self.at = at + 1;
        Ok((start, at + 1))
    }

    fn mask_string(&mut self, start: usize, end: usize, secret: Option<Secret>) {
        let inner = &self.text[start + 1..end - 1];
        if let Some(secret) = secret {
            if !inner.is_empty() && inner != PLACEHOLDER {
                self.masker.hits[secret.rule] += 1;
                self.replace(start, end, &format!("\"{PLACEHOLDER}\""));
            }
            return;
        }
        let json =
            inner.len() > 2 && matches!(inner.trim_start().as_bytes().first(), Some(b'{' | b'[' | b'\\'));
        if !self.starts_before(end) && !json && !self.masker.has_patterns() && !self.masker.assigns(inner) {
            return;
        }
        let text = unescape(inner);
        if let Some(masked) = self.masker.text_or_json(&text, self.level + 1) {
            self.replace(start, end, Json::string(&masked).as_str());
        }
    }

    fn starts_before(&self, end: usize) -> bool {
        self.next.is_some_and(|next| next.first() < end)
    }

    fn skip_starts(&mut self, end: usize) {
        self.masker.skip_starts(self.text, &mut self.next, end);
    }

    fn replace(&mut self, start: usize, end: usize, with: &str) {
        self.out.push_str(&self.text[self.copied..start]);
        self.out.push_str(with);
        self.copied = end;
    }
}

/// What a JSON string says, without its quotes. Lone surrogates, which no text can hold, stay as written.
fn unescape(inner: &str) -> Cow<'_, str> {
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let quoted = format!("\"{inner}\"");
    let plain = || serde_json::from_str::<String>(&quoted).ok();
    // With a lone surrogate: every backslash before `u` is doubled, so that the rest can be read.
    let kept = || serde_json::from_str::<String>(&quoted.replace("\\u", "\\\\u")).ok();
    plain().or_else(kept).map_or(Cow::Borrowed(inner), Cow::Owned)
}
