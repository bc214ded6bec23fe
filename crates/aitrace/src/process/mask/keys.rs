//! Which keys name credentials.
//!
//! A key is read as words (`X-Api-Key`, `apiKey`, `api_key`: api, key), so that `max_tokens` and
//! `gen_ai.usage.input_tokens`, which count, are not taken for `access_token`.

use std::collections::HashMap;

use regex::Regex;

/// Keys whose verdict is remembered.
const REMEMBERED: usize = 4096;
/// Longer keys are judged each time.
const LONG: usize = 128;

/// What a key says of its value. The number is that of the rule, for the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Plain,
    /// Its texts are secret; numbers are not, for they count.
    Texts(usize),
    /// Its texts and numbers are secret.
    All(usize),
}

impl Verdict {
    pub(super) fn rule(self, number: bool) -> Option<usize> {
        match self {
            Self::Plain => None,
            Self::Texts(rule) => (!number).then_some(rule),
            Self::All(rule) => Some(rule),
        }
    }
}

/// Judges keys: the default words, and patterns of the user.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    /// The number of the default rule; `None` where it is off.
    pub(super) default: Option<usize>,
    pub(super) patterns: Vec<(Regex, usize)>,
    pub(super) allowed: Vec<Regex>,
    /// By a fast hash: it is asked for each key and each colon of a text.
    pub(super) known: HashMap<Box<str>, Verdict, foldhash::fast::RandomState>,
}

impl Keys {
    /// Whether any key can be secret.
    pub(super) fn any(&self) -> bool {
        self.default.is_some() || !self.patterns.is_empty()
    }

    /// The verdict about a key; most programs have few different ones, so it is remembered.
    pub(super) fn judge(&mut self, key: &str) -> Verdict {
        if key.len() > LONG {
            return self.look(key);
        }
        if let Some(verdict) = self.known.get(key) {
            return *verdict;
        }
        let verdict = self.look(key);
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(key.into(), verdict);
        verdict
    }

    fn look(&self, key: &str) -> Verdict {
        if self.allowed.iter().any(|allowed| allowed.is_match(key)) {
            return Verdict::Plain;
        }
        if let Some((_, rule)) = self.patterns.iter().find(|(pattern, _)| pattern.is_match(key)) {
            return Verdict::All(*rule);
        }
        match (self.default, judge_words(key)) {
            (Some(rule), Some(Strength::All)) => Verdict::All(rule),
            (Some(rule), Some(Strength::Texts)) => Verdict::Texts(rule),
            _ => Verdict::Plain,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strength {
    Texts,
    All,
}

/// Parts of a key that are secret wherever they stand, also without a border: `dbpassword`.
const STEMS: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "apikey",
    "privatekey",
    "accesskey",
    "authorization",
    "accesstoken",
    "authtoken",
    "refreshtoken",
    "bearertoken",
    "sessiontoken",
];

/// What stands before `key` where it opens something.
const OPENERS: [&str; 13] = [
    "api",
    "access",
    "private",
    "secret",
    "auth",
    "account",
    "signing",
    "encryption",
    "master",
    "license",
    "service",
    "ssh",
    "subscription",
];

/// What stands before `token` where it is a piece of text, a number of them, or a place in a list.
const NO_CREDENTIAL: [&str; 41] = [
    "max",
    "min",
    "total",
    "prompt",
    "completion",
    "input",
    "output",
    "per",
    "first",
    "last",
    "next",
    "prev",
    "previous",
    "page",
    "stop",
    "start",
    "eos",
    "bos",
    "pad",
    "unk",
    "sep",
    "cls",
    "mask",
    "special",
    "reasoning",
    "cached",
    "new",
    "top",
    "time",
    "count",
    "each",
    "continuation",
    "cost",
    "end",
    "begin",
    "image",
    "audio",
    "text",
    "thinking",
    "generated",
    "continue",
];

fn judge_words(key: &str) -> Option<Strength> {
    let words = words(key);
    let joined = words.concat();
    let (last, before) = words.split_last()?;
    let before = before.last().map(String::as_str);
    let pair =
        |word: &str| words.windows(2).any(|pair| pair[1].trim_end_matches('s') == "key" && pair[0] == word);
    let all = STEMS.iter().any(|stem| joined.contains(stem))
        || words.iter().any(|word| matches!(word.as_str(), "pwd" | "passcode" | "jwt"))
        || OPENERS.iter().any(|opener| pair(opener));
    if all {
        return Some(Strength::All);
    }
    let token = last == "token" && before.is_none_or(|before| !NO_CREDENTIAL.contains(&before));
    let texts = token
        || words.iter().any(|word| word == "cookie" || word == "cookies")
        || last == "auth"
        || last == "bearer"
        || (last == "signature" && before == Some("amz"));
    texts.then_some(Strength::Texts)
}

/// The words of a key, in lower case: cut at what is no letter or digit, and at humps.
fn words(key: &str) -> Vec<String> {
    let chars: Vec<char> = key.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (index, char) in chars.iter().enumerate() {
        let next_small = chars.get(index + 1).is_some_and(|next| next.is_lowercase());
        let last = index.checked_sub(1).map(|before| chars[before]);
        let hump = char.is_uppercase()
            && last.is_some_and(|last| {
                last.is_lowercase() || last.is_numeric() || (last.is_uppercase() && next_small)
            });
        if (hump || !char.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if char.is_alphanumeric() {
            word.extend(char.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_by_their_words() {
        for key in [
            "password",
            "PASSWORD",
            "db_password",
            "dbpassword",
            "userPassword",
            "passwd",
            "pwd",
            "secret",
            "client_secret",
            "clientSecret",
            "SECRET_KEY",
            "api_key",
            "apiKey",
            "APIKey",
            "x-api-key",
            "apikeys",
            "OPENAI_API_KEY",
            "authorization",
            "http.request.header.authorization",
            "Proxy-Authorization",
            "private_key",
            "aws_secret_access_key",
            "accessKey",
            "AccountKey",
            "credentials",
            "jwt",
            "passphrase",
        ] {
            assert_eq!(judge_words(key), Some(Strength::All), "{key}");
        }
        for key in [
            "token",
            "access.token",
            "x-auth-token",
            "botToken",
            "id_token",
            "github_token",
            "cookie",
            "Set-Cookie",
            "cookies",
            "auth",
            "basic_auth",
            "X-Amz-Signature",
            "csrf_token",
        ] {
            assert!(judge_words(key).is_some(), "{key}");
        }
    }

    #[test]
    fn what_counts_tokens_is_no_credential() {
        for key in [
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
            "max_tokens",
            "maxTokens",
            "total_tokens",
            "llm.token_count.prompt",
            "token_count",
            "tokens",
            "max_token",
            "next_page_token",
            "nextToken",
            "time_to_first_token",
            "stop_token",
            "token_type",
            "token_ids",
            "cost_per_token",
            "eos_token",
            "key",
            "keys",
            "primary_key",
            "foreign_key",
            "keyboard",
            "author",
            "session_id",
            "session.id",
            "input.value",
            "tokenizer",
            "signature",
            "",
            "…",
        ] {
            assert_eq!(judge_words(key), None, "{key}");
        }
    }

    #[test]
    fn users_come_first_and_a_memory_is_bounded() {
        let one = |text| Regex::new(text).expect("valid");
        let mut keys = Keys {
            default: Some(0),
            patterns: vec![(one("(?i)^internal"), 1)],
            allowed: vec![one("^session_token$")],
            ..Keys::default()
        };
        assert_eq!(keys.judge("session_token"), Verdict::Plain);
        assert_eq!(keys.judge("Internal.note"), Verdict::All(1));
        assert_eq!(keys.judge("token"), Verdict::Texts(0));
        for number in 0..3 * REMEMBERED {
            keys.judge(&format!("key{number}"));
        }
        assert!(keys.known.len() <= REMEMBERED);
        assert_eq!(keys.judge("password"), Verdict::All(0));
    }
}
