use super::*;
use crate::process::rules::{Condition, Tail};
use std::time::Duration;

const TOML: &str = r#"
[mask]
keys = ["internal_*"]
values = ['EMP-\d+']

[tail]
keep_slower_than = "2s"
ratio = 0.05
buffer = "8MiB"

[[rules]]
name = "health"
priority = -1
drop = true
when = { name = "GET /health*" }

[[rules]]
kind = "tool"
set = { team = "search", n = 1 }
[rules.when]
name = "/^lookup/"
attributes = { "http.route" = "/v1/*", "user.id" = { present = true }, n = 5 }
"#;

#[test]
fn the_three_formats_say_the_same() {
    let json =
        serde_json::to_string(&toml::from_str::<serde_json::Value>(TOML).expect("valid")).expect("valid");
    let yaml = "mask:\n  keys: ['internal_*']\n  values: ['EMP-\\d+']\ntail:\n  keep_slower_than: 2s\n  ratio: 0.05\n  buffer: 8MiB\nrules:\n- name: health\n  priority: -1\n  drop: true\n  when: {name: GET /health*}\n- kind: tool\n  set: {team: search, n: 1}\n  when:\n    name: /^lookup/\n    attributes:\n      http.route: /v1/*\n      user.id: {present: true}\n      n: 5\n";
    for (text, format) in [(TOML, RulesFormat::Toml), (&*json, RulesFormat::Json), (yaml, RulesFormat::Yaml)]
    {
        let rules = Rules::parse(text, format, "rules").expect("valid");
        assert_eq!(rules.rules.len(), 2);
        assert!(rules.rules[0].drop && rules.rules[0].priority == -1);
        let attributes = &rules.rules[1].when.attributes;
        assert!(matches!(attributes["user.id"], Condition::Present(true)));
        assert!(matches!(&attributes["http.route"], Condition::Matches(route) if route.is_match("/v1/x")));
        assert!(matches!(&attributes["n"], Condition::Equals(five) if *five == 5));
        let slow = Some(Duration::from_secs(2));
        let expected = Tail { keep_slower_than: slow, buffer: 8 << 20, ..Tail::default() };
        let tail = rules.tail.expect("given");
        assert_eq!(Tail { ratio: tail.ratio, ..expected }, tail);
        assert_eq!(rules.mask.keys[0].text, "internal_*");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let wrong = |text: &str, format| Rules::parse(text, format, "r").expect_err(text).to_string();
    for (text, expected) in [
        ("[[rules]]\ndrop = true\nwen = {}\n", "r:3: unknown field `wen`"),
        ("[mask]\n\nvalues = ['a(']\n", "r:3: \"a(\" is no regular expression: unclosed group"),
        ("[mask]\nvalues = ['a*']\n", "r:2: the regular expression \"a*\" matches the empty text"),
        ("[[rules]]\nname = 'x'\n", "r:1: the rule does nothing: give it drop"),
        ("[[rules]]\nsample = 2\n", "r:2: 2 is no part: write a number from 0 to 1"),
        ("[[rules]]\ndrop = true\nkind = 'x'\n", "r:3: \"x\" is no kind: llm, chain"),
        ("[tail]\nwait = '2 weeks'\n", "r:2: \"2 weeks\" is no duration: write it like"),
        ("[[rules]\n", "r:1: "),
    ] {
        let error = wrong(text, RulesFormat::Toml);
        assert!(error.starts_with(expected), "{error}");
    }
    let error = wrong("rules:\n- drop: true\n  when:\n    name: /a(/\n", RulesFormat::Yaml);
    assert!(error.starts_with("r:4: \"/a(/\" is no regular expression: unclosed group"), "{error}");
    let error = wrong("rules:\n- drop: true\n  wen: 1\n", RulesFormat::Yaml);
    assert!(error.starts_with("r:3: ") && error.contains("wen"), "{error}");
    let error = wrong("mask:\n  keys: [\n", RulesFormat::Yaml);
    assert!(error.starts_with("r:"), "{error}");
    let error = wrong("{\"rules\": [\n{\"drop\": 1}]}", RulesFormat::Json);
    assert_eq!(error, "r:2: invalid type: integer `1`, expected a boolean");
}

#[test]
fn files_are_read_by_their_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("r.toml"), TOML).expect("writes");
    assert_eq!(Rules::read(path("r.toml")).expect("valid").rules.len(), 2);
    let error = Rules::read(path("none.toml")).expect_err("missing");
    assert!(error.to_string().contains("none.toml: cannot be read: "), "{error}");
    assert!(Rules::read(path("r.txt")).expect_err("no format").to_string().contains("must end in .toml"));
    std::fs::write(path("large.json"), vec![b' '; (1 << 20) + 1]).expect("writes");
    assert!(Rules::read(path("large.json")).expect_err("large").to_string().contains("too many"));
}

#[test]
fn a_configuration_file_has_a_section_among_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let yaml = folder.path().join("config.yaml");
    std::fs::write(&yaml, "compat-mode: true\nprocessing:\n  rules:\n  - {drop: true}\n").expect("writes");
    assert_eq!(Rules::read_configuration(&yaml).expect("valid").rules.len(), 1);
    let toml = folder.path().join("config.toml");
    std::fs::write(&toml, "compat-mode = true\n").expect("writes");
    assert!(Rules::read_configuration(&toml).expect("valid").rules.is_empty());
    std::fs::write(&toml, "").expect("writes");
    assert!(Rules::read_configuration(&toml).is_ok());
    std::fs::write(&toml, "a = 1\n[processing]\nrulez = 1\n").expect("writes");
    assert_eq!(Rules::read_configuration(&toml).expect_err("wrong").line, Some(3));
}

#[test]
fn a_setting_is_json_or_a_path() {
    let inline = from_setting(r#" {"rules":[{"drop":true}]}"#, None, "AITRACE_RULES").expect("valid");
    assert_eq!(inline.rules.len(), 1);
    let error = from_setting("{", None, "AITRACE_RULES").expect_err("broken");
    assert!(error.to_string().starts_with("AITRACE_RULES:1: "), "{error}");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("r.yml"), "rules: [{drop: true}]").expect("writes");
    let home = folder.path().to_str().expect("text");
    assert_eq!(from_setting("~/r.yml", Some(home), "").expect("valid").rules.len(), 1);
}

#[test]
fn rules_add_up_and_the_later_settings_count() {
    let parse = |text| Rules::parse(text, RulesFormat::Toml, "r").expect("valid");
    let one = parse("rules = [{drop = true}]\n[mask]\nenabled = true\nkeys = ['a']\n[tail]\nratio = 0.1\n");
    let two = parse("rules = [{sample = 0.5}]\n[mask]\nenabled = false\nkeys = ['b']\n");
    let both = one.and(two);
    assert_eq!((both.rules.len(), both.mask.keys.len(), both.mask.enabled), (2, 2, Some(false)));
    assert!(both.tail.is_some());
    assert_eq!(both.masking(true).mask.enabled, Some(true));
}

#[test]
fn the_examples_of_the_documentation_are_rules() {
    let text = include_str!("../../../../../docs/processing.md");
    let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks: Vec<&str> = blocks.filter(|block| !block.contains("entry-points")).collect();
    assert_eq!(blocks.len(), 3);
    let parse = |text: &str| Rules::parse(text, RulesFormat::Toml, "processing.md").expect("valid");
    let rules = parse(blocks[0]);
    assert_eq!(rules.rules.len(), 5);
    let renamed = rules.rules[2].when.name.as_ref().expect("a pattern");
    assert!(renamed.is_match("GET /users/12/orders") && !renamed.is_match("GET /users/me"));
    let written = parse(blocks[1]).tail.expect("given");
    let slow = Some(Duration::from_secs(2));
    assert_eq!(
        Tail { keep_slower_than: slow, ratio: written.ratio, ..Tail::default() },
        written,
        "the defaults"
    );
    assert_eq!((parse(blocks[2]).mask.keys.len(), parse(blocks[2]).mask.defaults), (2, Some(true)));
}
