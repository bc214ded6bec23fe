//! Laws of masking: no secret leaves, structure and keys stay, twice is once, all else stays to the letter.

use std::cell::RefCell;
use std::sync::Arc;

use aitrace_model::Json;
use proptest::prelude::*;
use regex::Regex;
use serde_json::Value;

use super::*;

fn plan() -> MaskPlan {
    let name = |text: &str| Arc::<str>::from(text);
    MaskPlan {
        defaults: true,
        keys: vec![(Regex::new("(?i)^internal.*$").expect("valid"), name("internal"))],
        allowed: vec![],
        values: vec![
            (Regex::new(r"EMP-\d{4}").expect("valid"), name("employee")),
            (Regex::new(r"\b4\d{15}\b").expect("valid"), name("card")),
        ],
        key_text: false,
    }
}

fn masker() -> Masker {
    Masker::new(&plan())
}

fn defaults() -> Masker {
    Masker::new(&MaskPlan { defaults: true, ..MaskPlan::default() })
}

fn json(text: &str) -> String {
    let json = Json::parse(text).expect("valid");
    let masked = masker().json(&json).unwrap_or(json);
    assert!(serde_json::from_str::<Value>(masked.as_str()).is_ok(), "{masked}");
    masked.as_str().to_owned()
}

#[test]
fn values_of_secret_keys_are_masked_at_any_depth() {
    for (text, expected) in [
        (r#"{"password":"x","n":1}"#, r#"{"password":"[masked]","n":1}"#),
        (r#"{"a":[{"apiKey":"x"}]}"#, r#"{"a":[{"apiKey":"[masked]"}]}"#),
        (r#"{"password":12345}"#, r#"{"password":"[masked]"}"#),
        (r#"{"password":null,"secret":true,"token":""}"#, r#"{"password":null,"secret":true,"token":""}"#),
        (r#"{"token":7,"max_tokens":100}"#, r#"{"token":7,"max_tokens":100}"#),
        (r#"{"cookies":{"a":"b","c":["d",1]}}"#, r#"{"cookies":{"a":"[masked]","c":["[masked]",1]}}"#),
        (r#"{"p\u0061ssword" : "x"}"#, r#"{"p\u0061ssword" : "[masked]"}"#),
        (r#"{"INTERNAL_note":{"x":"y"}}"#, r#"{"INTERNAL_note":{"x":"[masked]"}}"#),
        (r#" [ 1.50e3 , "é\u00e9" ] "#, r#"[ 1.50e3 , "é\u00e9" ]"#),
    ] {
        assert_eq!(json(text).trim(), expected);
    }
}

#[test]
fn secrets_in_strings_are_masked_however_they_are_written() {
    for (text, expected) in [
        (r#"["use sk-abcdefghijkl1234 now"]"#, r#"["use [masked] now"]"#),
        (r#"["\u0073k-abcdefghijkl1234"]"#, r#"["[masked]"]"#),
        (r#"["postgres:\/\/a:b@h"]"#, r#"["postgres://a:[masked]@h"]"#),
        (r#""AKIAIOSFODNN7EXAMPLE""#, r#""[masked]""#),
        (r#"{"arguments":"{\"password\":\"x\"}"}"#, r#"{"arguments":"{\"password\":\"[masked]\"}"}"#),
        (
            r#"["[{\"a\":\"{\\\"token\\\":\\\"x\\\"}\"}]"]"#,
            r#"["[{\"a\":\"{\\\"token\\\":\\\"[masked]\\\"}\"}]"]"#,
        ),
        (
            r#"["\"{\\\"password\\\":[\\\"x\\\",{\\\"a\\\":\\\"y\\\"}]}\""]"#,
            r#"["\"{\\\"password\\\":[\\\"[masked]\\\",{\\\"a\\\":\\\"[masked]\\\"}]}\""]"#,
        ),
        (r#"["-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n."]"#, r#"["[masked]\n."]"#),
        (r#"["EMP-1234", 4111111111111111]"#, r#"["[masked]", "[masked]"]"#),
        (r#"["\ud800 sk-abcdefghijkl1234"]"#, r#"["\\ud800 [masked]"]"#),
    ] {
        assert_eq!(json(text), expected);
    }
}

#[test]
fn each_rule_counts_what_it_masked() {
    let mut masker = masker();
    let text = r#"{"password":"x","a":"EMP-1234 EMP-9999","b":["sk-abcdefghijkl1234"],"internal":"y"}"#;
    masker.json(&Json::parse(text).expect("valid")).expect("masked");
    let mut counts = Vec::new();
    masker.take_hits(|name, count| counts.push((name.to_owned(), count)));
    let expected = [("key", 1), ("sk_key", 1), ("internal", 1), ("employee", 2)];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
    masker.take_hits(|name, _| panic!("{name} was taken"));
}

#[test]
fn hostile_texts_take_linear_time() {
    let mut masker = defaults();
    let long = |part: &str| part.repeat((1 << 19) / part.len());
    for text in [
        long("sk-abcdefghijkl1234 "),
        long("://a:b@ "),
        long("password=x "),
        long("-----BEGIN PRIVATE KEY-----"),
        long("a"),
        long("eyJeyJ"),
        long("key-"),
        long("\\\""),
        long("[{\"a\":"),
        format!("[{}1]", long("\"http://x\",")),
        format!("[{}1]", long("\"sk-abcdefghijkl1234\",")),
        long("token:"),
        format!("password=\"{}", long("\\\"")),
    ] {
        let begun = crate::instant::instant();
        masker.text_or_json(&text, 0);
        let taken = begun.elapsed().as_secs_f64();
        // What is quadratic takes minutes; the bound is wide because the machine may be busy.
        assert!(taken < 5.0, "{taken} s for {} …", &text[..20.min(text.len())]);
    }
}

#[test]
#[cfg(unix)]
fn what_is_over_its_time_is_concealed_whole() {
    let tracer = crate::Tracer::builder().target("memory").mask(false).build();
    let span = tracer.start_span("canary");
    span.set_attribute("k", "canary ".repeat(10_000));
    span.enrich(crate::Enrich::new().inputs("canary").metadata("k", "canary"));
    let mut data = tracer.peek(&span).expect("open");
    let mut masker = defaults();
    assert_eq!(masker.span(&mut data.clone(), std::time::Duration::from_mins(1)), None);
    assert_eq!(masker.span(&mut data, std::time::Duration::ZERO), Some("mask_too_late"));
    let said = format!("{data:?}");
    assert!(said.contains(PLACEHOLDER) && !said.contains("canary"), "{said}");
}

#[test]
fn defaults_can_be_off() {
    let mut masker = Masker::new(&MaskPlan { defaults: false, ..plan() });
    assert_eq!(masker.text("sk-abcdefghijkl1234 EMP-1234"), Some("sk-abcdefghijkl1234 [masked]".to_owned()));
    assert_eq!(masker.json(&Json::parse(r#"{"password":"x"}"#).expect("valid")), None);
}

#[test]
fn what_says_it_is_json_and_is_not_is_masked_whole() {
    // No public way makes such a value; were there one, nothing could be told of it.
    let mut masker = defaults();
    let json = Json::parse("[1]").expect("valid");
    assert_eq!(masker.json(&json), None);
    assert_eq!(
        masker.text_or_json(r#"{"password": "cut o"#, 0).as_deref(),
        Some(r#"{"password": "[masked]"#)
    );
    assert_eq!(masker.text_or_json("[1] password=x", 0).as_deref(), Some("[1] password=[masked]"));
    assert_eq!(masker.text_or_json("[-sk-abcdefghijkl1234]", 0).as_deref(), Some("[-[masked]]"));
}

#[test]
fn texts_of_keys_are_masked_if_asked() {
    let mut masker = Masker::new(&MaskPlan { key_text: true, ..plan() });
    let json = Json::parse(r#"{"sk-abcdefghijkl1234":1,"b":2}"#).expect("valid");
    assert_eq!(masker.json(&json).expect("masked").as_str(), r#"{"[masked]":1,"b":2}"#);
    assert_eq!(defaults().json(&json), None);
}

/// Secrets that carry a mark by which they are found again.
const MARK: &str = "CANARY7";

fn secret() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        format!("sk-{MARK}abcdefgh"),
        format!("sk-ant-api03-{MARK}abcdefgh"),
        format!("AKIA{MARK}ABCDEFGHI"),
        format!("ghp_{MARK}abcdefghijklmnopqrstuv"),
        format!("xoxb-{MARK}-abcdef"),
        format!("AIza{MARK}abcdefghijklmnopqrst"),
        format!("eyJ{MARK}aa.{MARK}bb.{MARK}"),
        format!("Bearer {MARK}abcdefgh"),
        format!("-----BEGIN RSA PRIVATE KEY-----\n{MARK}\nabc=\n-----END RSA PRIVATE KEY-----"),
        format!("postgres://app:{MARK}@db:5432/x"),
        format!("hh_{MARK}abcdefghij"),
        format!("password={MARK}"),
        format!("'api_key': '{MARK} \" x'"),
        format!("\"token\" : \"{MARK}\""),
        format!("EMP-1234 password={MARK};"),
    ])
}

/// Any JSON with secrets in the middle of strings, and others below secret keys.
fn any_json() -> impl Strategy<Value = Value> {
    let prose = || prop_oneof!["[ -~é\\n\"\\\\]{0,20}", Just("EMP-1234".to_owned())];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prose().prop_map(Value::from),
        (prose(), secret(), prose()).prop_map(|(a, secret, b)| Value::from(format!("{a} {secret} {b}"))),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        let below = prop::sample::select(vec!["password", "clientSecret", "x-api-key", "Cookie", "token"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-f]{1,2}", inner.clone()), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            below.prop_map(|key| serde_json::json!({ key: [MARK, {"x": MARK}] })),
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

/// The same keys in the same order, the same lengths, the same types but for masked scalars.
fn same_shape(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Array(one), Value::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same_shape(one, two))
        }
        (Value::Object(one), Value::Object(two)) => {
            one.len() == two.len()
                && one.iter().zip(two).all(|((key, one), (other, two))| key == other && same_shape(one, two))
        }
        (Value::String(_), Value::String(_)) => true,
        (Value::Number(_), Value::String(two)) => two == PLACEHOLDER,
        _ => one == two,
    }
}

thread_local! {
    /// Made once: its patterns take longer to compile than to use.
    static MASKER: RefCell<Masker> = RefCell::new(masker());
    static DEFAULTS: RefCell<Masker> = RefCell::new(defaults());
}

fn mask_json(json: &Json) -> Option<Json> {
    MASKER.with_borrow_mut(|masker| masker.json(json))
}

fn mask_text(text: &str) -> Option<String> {
    MASKER.with_borrow_mut(|masker| masker.text_or_json(text, 0))
}

proptest! {
    #[test]
    fn no_canary_leaves_json_and_its_shape_stays(value in any_json()) {
        let json = Json::from_value(&value);
        let masked = mask_json(&json).unwrap_or_else(|| json.clone());
        prop_assert!(!masked.as_str().contains(MARK), "{}", masked);
        prop_assert!(!masked.as_str().contains("EMP-1234"), "{}", masked);
        let read = masked.to_value().expect("JSON");
        prop_assert!(same_shape(&value, &read), "{json} {masked}");
        prop_assert_eq!(mask_json(&masked), None, "twice is once: {}", masked);
    }

    #[test]
    fn no_canary_leaves_text(before in "[ -~é\\n]{0,20}", secret in secret(), after in "[ -~é\\n]{0,20}") {
        let text = format!("{before} {secret} {after}");
        let masked = mask_text(&text).expect("masked");
        prop_assert!(!masked.contains(MARK), "{}", masked);
        prop_assert_eq!(mask_text(&masked), None, "twice is once: {}", masked);
    }

    #[test]
    fn masking_never_panics_and_twice_is_once(text in "\\PC{0,200}|[\\[{\"\\\\pasword=:, }\\]]{0,60}") {
        if let Some(once) = mask_text(&text) {
            prop_assert_eq!(mask_text(&once), None, "{} {}", text, once);
        }
    }

    #[test]
    fn text_without_secrets_stays(text in "[a-zA-Z ,.!?éß\\n]{0,200}") {
        prop_assert_eq!(DEFAULTS.with_borrow_mut(|masker| masker.text_or_json(&text, 0)), None);
    }
}
