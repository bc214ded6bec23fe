//! Shapes of secrets in text: keys of providers, tokens, private keys, passwords in addresses and assignments.
//!
//! One search by vector instructions finds where a shape may begin; only there is looked closer, with a pattern
//! that is anchored to the place. Assignments are found from their sign, `:` or `=`, backwards: few signs stand
//! in prose, many words that may be keys do.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use regex::Regex;

use super::PLACEHOLDER;

/// A shape.
struct Shape {
    /// For the count.
    name: &'static str,
    /// What it begins with; no other shape begins with the same.
    starts: &'static [&'static str],
    /// Characters before its starts that belong to it: of either case, so that fewer starts are looked for.
    before: usize,
    /// From the beginning on; the first group, else all, is the secret.
    pattern: &'static str,
    /// What else must be true of the secret: words look like keys, too.
    check: fn(&str) -> bool,
}

fn anything(_: &str) -> bool {
    true
}

/// Keys have digits, names of things most often do not.
fn digit(secret: &str) -> bool {
    secret.bytes().any(|byte| byte.is_ascii_digit())
}

/// Words of a language are shorter and have no digits.
fn no_word(secret: &str) -> bool {
    digit(secret) || secret.len() >= 20
}

const SHAPES: &[Shape] = &[
    Shape { name: "sk_key", starts: &["sk-"], before: 0, pattern: r"sk-[A-Za-z0-9_-]{12,}", check: digit },
    Shape {
        name: "aws_key",
        starts: &["AKIA", "ASIA"],
        before: 0,
        pattern: r"A[KS]IA[A-Z0-9]{12,}",
        check: anything,
    },
    Shape {
        name: "github_token",
        starts: &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        before: 0,
        pattern: r"(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{16,}",
        check: anything,
    },
    Shape {
        name: "gitlab_token",
        starts: &["glpat-"],
        before: 0,
        pattern: r"glpat-[A-Za-z0-9_-]{12,}",
        check: anything,
    },
    Shape {
        name: "slack_token",
        starts: &["xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-", "xapp-"],
        before: 0,
        pattern: r"(?:xox[a-z]|xapp)-[A-Za-z0-9-]{8,}",
        check: anything,
    },
    Shape {
        name: "google_key",
        starts: &["AIza", "ya29.", "GOCSPX-"],
        before: 0,
        pattern: r"(?:AIza|ya29\.|GOCSPX-)[A-Za-z0-9_-]{16,}",
        check: anything,
    },
    Shape {
        name: "jwt",
        starts: &["eyJ"],
        before: 0,
        pattern: r"eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3}",
        check: anything,
    },
    Shape {
        name: "bearer",
        starts: &["earer", "EARER"],
        before: 1,
        pattern: r"(?i)bearer[ \t]+([A-Za-z0-9._~+/=-]{8,})",
        check: no_word,
    },
    Shape {
        name: "private_key",
        starts: &["-----BEGIN "],
        before: 0,
        pattern: r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
        check: anything,
    },
    Shape {
        name: "url_password",
        starts: &[ADDRESS],
        before: 0,
        pattern: r#"://[^\s:/@"'<>\\]*:([^\s/"'<>\\]+)@"#,
        check: anything,
    },
    Shape {
        name: "honeyhive_key",
        starts: &["hh_"],
        before: 0,
        pattern: r"hh_[A-Za-z0-9_-]{12,}",
        check: digit,
    },
    Shape {
        name: "aitrace_key",
        starts: &["ait_"],
        before: 0,
        pattern: r"ait_[A-Za-z0-9_]{16,}",
        check: digit,
    },
    Shape {
        name: "stripe_key",
        starts: &["k_live_", "k_test_"],
        before: 1,
        pattern: r"[sr]k_(?:live|test)_[A-Za-z0-9]{12,}",
        check: anything,
    },
    Shape {
        name: "provider_key",
        starts: &["hf_", "gsk_", "xai-", "pplx-", "npm_", "pypi-", "whsec_"],
        before: 0,
        pattern: r"(?:hf_|gsk_|xai-|pplx-|npm_|pypi-|whsec_)[A-Za-z0-9_-]{20,}",
        check: digit,
    },
    Shape {
        name: "sendgrid_key",
        starts: &["SG."],
        before: 0,
        pattern: r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        check: anything,
    },
];

/// Escapes of JSON behind which plain letters may hide: then the text must be read before it is searched.
const ESCAPES: &[&str] = &["\\u00", "\\/"];

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    /// Which shape, in the order of [`Secrets::names`].
    pub(super) shape: usize,
}

/// Finds secrets by their shape.
#[derive(Debug, Clone)]
pub(super) struct Secrets {
    /// Short starts apart from long ones: the longer the shortest of some, and the fewer they are, the faster they
    /// are found.
    starts: [Finder; 2],
    patterns: Vec<Regex>,
}

/// Some starts, and for each the shape; beyond the shapes: an escape.
#[derive(Debug, Clone)]
struct Finder {
    starts: AhoCorasick,
    owners: Vec<usize>,
}

/// Where the next starts stand: one place for each finder, the text's length where there is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next([usize; 2]);

impl Next {
    pub(super) fn first(self) -> usize {
        self.0[0].min(self.0[1])
    }
}

const ASSIGNMENT: usize = SHAPES.len();
const ESCAPE: usize = SHAPES.len() + 1;
/// Bytes from which on a start is a long one.
const LONG: usize = 4;

impl Secrets {
    pub(super) fn new() -> Self {
        let compile = |pattern: &str| {
            Regex::new(&format!(r"\A(?:{pattern})")).expect("the pattern is a constant that is tested")
        };
        Self {
            starts: [Finder::new(&|start| start.len() >= LONG), Finder::new(&|start| start.len() < LONG)],
            patterns: SHAPES.iter().map(|shape| compile(shape.pattern)).collect(),
        }
    }

    /// Names of the shapes, for the counts; the last is that of assignments.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        SHAPES.iter().map(|shape| shape.name).chain(["assignment"])
    }

    /// Where a shape, or an escape that may hide one, may begin.
    pub(super) fn first(&self, text: &str) -> Next {
        Next(self.starts.each_ref().map(|finder| finder.place(text, 0)))
    }

    /// Goes on to the starts from `at` on. Each part of a text is looked at once.
    pub(super) fn skip(&self, text: &str, next: &mut Next, at: usize) {
        for (finder, place) in self.starts.iter().zip(&mut next.0) {
            if *place < at {
                *place = finder.place(text, at);
            }
        }
    }

    /// All secrets of a text in their order; none overlaps another. `secret_key` says whether a key is one of
    /// credentials.
    pub(super) fn find(&self, text: &str, secret_key: &mut dyn FnMut(&str) -> bool) -> Vec<Found> {
        let mut all = Vec::new();
        for finder in &self.starts {
            self.find_shapes(finder, text, &mut all);
        }
        find_assigned(text, secret_key, &mut |found| {
            all.push(found);
            true
        });
        if all.len() > 1 {
            all.sort_by_key(|found| found.range.start);
            all.dedup_by(|later, first| {
                let overlaps = later.range.start < first.range.end;
                if overlaps {
                    first.range.end = first.range.end.max(later.range.end);
                }
                overlaps
            });
        }
        all
    }

    fn find_shapes(&self, finder: &Finder, text: &str, all: &mut Vec<Found>) {
        let mut at = 0;
        while let Some((start, shape)) = finder.next(text, at) {
            at = start.end;
            if shape == ESCAPE {
                continue;
            }
            let found = start
                .start
                .checked_sub(SHAPES[shape].before)
                .and_then(|begin| self.shaped(text, begin, shape));
            if let Some(range) = found.filter(|range| !text[range.clone()].starts_with(PLACEHOLDER)) {
                at = at.max(range.end);
                all.push(Found { range, shape });
            }
        }
    }

    fn shaped(&self, text: &str, start: usize, shape: usize) -> Option<Range<usize>> {
        // A start that is cut off from what belongs to it may stand behind half a character.
        let rest = text.get(start..)?;
        // `task-1` is no `sk-…`.
        let word = rest.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if word && text[..start].bytes().next_back().is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let captures = self.patterns[shape].captures(rest)?;
        let secret = captures.get(1).or(captures.get(0))?;
        let range = start + secret.start()..start + secret.end();
        (SHAPES[shape].check)(secret.as_str()).then_some(range)
    }
}

impl Finder {
    fn new(wanted: &dyn Fn(&str) -> bool) -> Self {
        let shapes = SHAPES.iter().map(|shape| shape.starts).enumerate().chain([(ESCAPE, ESCAPES)]);
        let starts: Vec<(&str, usize)> = shapes
            .flat_map(|(owner, starts)| starts.iter().map(move |start| (*start, owner)))
            .filter(|(start, _)| wanted(start))
            .collect();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(starts.iter().map(|start| start.0))
            .expect("few constants");
        Self { starts: automaton, owners: starts.iter().map(|start| start.1).collect() }
    }

    fn next(&self, text: &str, mut at: usize) -> Option<(Range<usize>, usize)> {
        loop {
            let found = self.starts.find(aho_corasick::Input::new(text).span(at..text.len()))?;
            // Most addresses have nobody's name in them.
            if &text[found.range()] != ADDRESS || names_somebody(&text[found.end()..]) {
                return Some((found.range(), self.owners[found.pattern().as_usize()]));
            }
            at = found.end();
        }
    }

    fn place(&self, text: &str, at: usize) -> usize {
        self.next(text, at).map_or(text.len(), |(start, _)| start.start)
    }
}

/// Between the scheme of an address and its host.
const ADDRESS: &str = "://";

/// Whether a host has a name before it, with `@` behind.
fn names_somebody(rest: &str) -> bool {
    let ends = |byte: &u8| {
        matches!(byte, b'@' | b'/' | b'"' | b'\'' | b'<' | b'>' | b'\\') || byte.is_ascii_whitespace()
    };
    rest.as_bytes().iter().find(|byte| ends(byte)) == Some(&b'@')
}

/// Whether somewhere in a text something is assigned to a key of credentials.
pub(super) fn assigns(text: &str, secret_key: &mut dyn FnMut(&str) -> bool) -> bool {
    let mut any = false;
    find_assigned(text, secret_key, &mut |_| {
        any = true;
        false
    });
    any
}

/// Tells of the values that are assigned to keys of credentials, `password=…`, `"api_key": "…"`,
/// `Authorization: …`, while more are wanted.
fn find_assigned(text: &str, secret_key: &mut dyn FnMut(&str) -> bool, tell: &mut dyn FnMut(Found) -> bool) {
    let mut at = 0;
    for sign in memchr::memchr2_iter(b':', b'=', text.as_bytes()) {
        if sign < at {
            continue;
        }
        let Some(key) = key_before(text, sign) else { continue };
        if key.len() < SHORTEST_KEY || key.len() > LONGEST_KEY || !secret_key(key) {
            continue;
        }
        let end = key.as_ptr() as usize - text.as_ptr() as usize + key.len();
        if let Some(range) = assigned(text, key, end) {
            at = range.end;
            if !tell(Found { range, shape: ASSIGNMENT }) {
                return;
            }
        }
    }
}

/// No key of credentials is shorter.
const SHORTEST_KEY: usize = 3;
/// What is longer before a sign is no key, and must not be looked at again for each sign behind it.
const LONGEST_KEY: usize = 128;

/// The key before a sign: letters, digits, `_`, `-` and `.`, perhaps in quotes, perhaps with blanks behind.
fn key_before(text: &str, sign: usize) -> Option<&str> {
    let before = text[..sign].trim_end_matches([' ', '\t']);
    let before = before.strip_suffix(['"', '\'']).map_or(before, |inner| inner.trim_end_matches('\\'));
    let of_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let length = before.as_bytes().iter().rev().take(LONGEST_KEY + 1).take_while(|byte| of_key(byte)).count();
    (length > 0).then(|| &before[before.len() - length..])
}

/// The value that is assigned to a key that ends at `end`.
fn assigned(text: &str, key: &str, end: usize) -> Option<Range<usize>> {
    let sign = Sign::read(text, end)?;
    let ends_with = |word: &str| {
        key.len() >= word.len()
            && key.as_bytes()[key.len() - word.len()..].eq_ignore_ascii_case(word.as_bytes())
    };
    let rest = &text[sign.value..];
    let (from, length) = if let Some(quote) = quote(rest) {
        (quote.len(), closing(&rest[quote.len()..], quote))
    } else if ends_with("authorization") || ends_with("cookie") {
        // The whole value of a header: scheme and credentials, or several cookies.
        (0, rest.find(['\n', '\r', '"', '\'', '\\']).unwrap_or(rest.len()))
    } else {
        let value = rest.split(|char: char| char.is_whitespace() || "\"'\\,;&".contains(char)).next()?;
        let value = value.trim_end_matches([')', ']', '}', '>']);
        // In prose a colon follows many words: `Password: at least …`.
        let word = !sign.sure && value.bytes().all(|byte| byte.is_ascii_alphabetic());
        (0, if word { 0 } else { value.len() })
    };
    // Behind a placeholder stand its brackets, which a bare value would lose.
    let masked = rest[from..].starts_with(PLACEHOLDER);
    (length > 0 && !masked).then(|| sign.value + from..sign.value + from + length)
}

/// What stands between a key and its value.
struct Sign {
    /// Where the value begins.
    value: usize,
    /// Nobody writes this but to assign.
    sure: bool,
}

impl Sign {
    /// `:`, `=`, `:=` or `=>` behind a key, which may have been quoted.
    fn read(text: &str, key_end: usize) -> Option<Self> {
        let blanks = |at: usize| text[at..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let closing = quote(&text[key_end..]).map_or(0, str::len);
        let mut at = key_end + closing;
        at += blanks(at);
        let first = *text.as_bytes().get(at)?;
        if !matches!(first, b':' | b'=') {
            return None;
        }
        let long = matches!(text.as_bytes().get(at + 1), Some(b'=' | b'>'));
        at += 1 + usize::from(long);
        at += blanks(at);
        Some(Self { value: at, sure: closing > 0 || long || first == b'=' })
    }
}

/// A quote at the beginning of a text, with the backslashes before it.
fn quote(text: &str) -> Option<&str> {
    let slashes = text.bytes().take_while(|byte| *byte == b'\\').count();
    matches!(text.as_bytes().get(slashes)?, b'"' | b'\'').then(|| &text[..=slashes])
}

/// Where a text ends that began with `quote`: at the same quote, less one that is escaped; else nowhere.
fn closing(text: &str, quote: &str) -> usize {
    let mut ends = text.match_indices(quote);
    let end = ends.find(|(at, _)| text[..*at].bytes().next_back() != Some(b'\\'));
    end.map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(String, &'static str)> {
        let secrets = Secrets::new();
        let names: Vec<_> = Secrets::names().collect();
        let mut keys = super::super::keys::Keys { default: Some(0), ..Default::default() };
        let mut secret = |key: &str| keys.judge(key).rule(false).is_some();
        let found = secrets.find(text, &mut secret).into_iter();
        found.map(|one| (text[one.range].to_owned(), names[one.shape])).collect()
    }

    #[test]
    fn each_shape_is_found_in_the_middle_of_text() {
        for (secret, name) in [
            ("sk-abcdefghijkl1234", "sk_key"),
            ("sk-ant-api03-abcdefgh1234-_", "sk_key"),
            ("sk-proj-Abc_1234567890", "sk_key"),
            ("AKIAIOSFODNN7EXAMPLE", "aws_key"),
            ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "github_token"),
            ("github_pat_11ABCDEFG0abcdefghijkl", "github_token"),
            ("glpat-abcdefghijklmnop", "gitlab_token"),
            ("xoxb-123456789012-abcdef", "slack_token"),
            ("AIzaSyA-abcdefghijklmnopqrstuvwxyz01234", "google_key"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "jwt"),
            ("hh_1234567890abcdef", "honeyhive_key"),
            ("ait_k1_0123456789abcdef01", "aitrace_key"),
            ("sk_live_abcdefghijklmnop", "stripe_key"),
            ("hf_abcdefghijklmnopqrstuvwxyz12", "provider_key"),
            ("SG.abcdefghijklmnopqr.abcdefghijklmnopqrst", "sendgrid_key"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----", "private_key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNza", "private_key"),
        ] {
            let cut_off = !secret.ends_with("-----") && name == "private_key";
            let text = if cut_off { format!("é say {secret}") } else { format!("é say {secret}, or not") };
            assert_eq!(all(&text), [(secret.to_owned(), name)]);
        }
    }

    #[test]
    fn only_the_secret_part_is_found() {
        for (text, secret, name) in [
            ("postgres://app:hunter2@db:5432/x", "hunter2", "url_password"),
            ("redis://:p@ss@host/0", "p@ss", "url_password"),
            ("curl -H 'authorization: Bearer abc.def-1'", "Bearer abc.def-1", "assignment"),
            ("sent Bearer abcdefgh1 to", "abcdefgh1", "bearer"),
            ("Server=db;User Id=sa;Password=hunter2;", "hunter2", "assignment"),
            ("https://h/?api_key=abc&x=1", "abc", "assignment"),
            (r#"said {\"password\": \"hunter2\"} to"#, "hunter2", "assignment"),
            ("Config(user='u', password='hunter two')", "hunter two", "assignment"),
            ("export OPENAI_API_KEY=abc", "abc", "assignment"),
            ("password: hunter2", "hunter2", "assignment"),
            ("Cookie: a=b; c=d\nHost: x", "a=b; c=d", "assignment"),
            (r#"{"password": "hun\"ter2", "cut": "#, r#"hun\"ter2"#, "assignment"),
            (r#"{\"password\": \"hun\\\"ter2\", \"cut"#, r#"hun\\\"ter2"#, "assignment"),
            (r#"{"token": "never end"#, "never end", "assignment"),
            ("f(password=x)", "x", "assignment"),
        ] {
            assert_eq!(all(text), [(secret.to_owned(), name)], "{text}");
        }
    }

    #[test]
    fn what_only_looks_alike_is_left() {
        for text in [
            "task-abcdefghijklmnop1234",
            "sk-learn-based-classification-model",
            "the bearer of good news",
            "Bearer instruments",
            "https://host:8080/a@b",
            "http://localhost:8000/v1?x=1",
            "password: required",
            "Secrets of the universe: they are many",
            "input_tokens=100 max_tokens: 20 \"total_tokens\": 120",
            "primary_key=12",
            "eyJustAWord",
            "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----",
            "xox",
            "",
        ] {
            assert_eq!(all(text), [], "{text}");
        }
    }
}
