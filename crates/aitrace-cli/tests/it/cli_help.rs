//! What the command says of itself.

use std::fmt::Write as _;
use std::path::Path;

use crate::support::Home;

const COMMANDS: &[&str] = &[
    "serve",
    "run",
    "demo",
    "import",
    "convert",
    "html",
    "traces",
    "trace",
    "tail",
    "keys",
    "keys create",
    "keys list",
    "keys revoke",
    "keys login",
    "config",
    "config init",
    "config show",
    "search",
    "sessions",
    "sql",
    "stats",
    "export",
    "reprice",
    "doctor",
];

/// All help texts, kept in `help.txt` beside this file.
#[test]
fn help_is_as_it_was_reviewed() {
    let home = Home::new();
    let mut all = String::new();
    for command in std::iter::once(None).chain(COMMANDS.iter().map(Some)) {
        let args: Vec<&str> =
            command.into_iter().flat_map(|words| words.split(' ')).chain(["--help"]).collect();
        let help = home.aitrace(&args).expect(0);
        assert_eq!(help.stderr, "");
        write!(all, "$ aitrace {}\n{}\n", args.join(" "), help.stdout).unwrap();
    }
    let kept = Path::new("tests/it/help.txt");
    if std::fs::read_to_string(kept).unwrap_or_default() != all {
        let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join("help.txt");
        std::fs::write(&new, &all).unwrap();
        panic!("the help differs; if it should, run: cp {} {}", new.display(), kept.display());
    }
}

#[test]
fn the_version_is_an_answer() {
    let done = Home::new().aitrace(&["--version"]).expect(0);
    assert_eq!(done.stdout, format!("aitrace {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(done.stderr, "");
}

#[test]
fn wrong_words_are_usage() {
    let home = Home::new();
    for args in [
        &[][..],
        &["srve"],
        &["serve", "--port", "99999"],
        &["serve", "--prot", "1"],
        &["traces", "--status", "fine"],
        &["traces", "--limit", "0"],
        &["import"],
        &["run"],
        &["trace"],
    ] {
        let done = home.aitrace(args).expect(2);
        assert_eq!(done.stdout, "", "{args:?}");
        assert!(done.stderr.contains("Usage") || done.stderr.contains("error:"), "{args:?}: {}", done.stderr);
    }
}

#[test]
fn wrong_values_are_usage_with_a_hint() {
    let home = Home::new();
    for (args, says) in [
        (&["serve", "--lost-after", "soon"][..], "--lost-after"),
        (&["serve", "--host", "no such host"], "no such host"),
        (&["traces", "--since", "yesterday"], "--since"),
        (&["traces", "--server", "localhost"], "localhost"),
        (&["trace", "xyz"], "xyz"),
    ] {
        let done = home.aitrace(args).expect(2);
        assert_eq!(done.stdout, "");
        assert!(done.stderr.contains(says) && done.stderr.contains("\nhint: "), "{args:?}: {}", done.stderr);
    }
    let mut command = home.command(&["tail"]);
    let done = crate::support::finish(command.env("AITRACE_COMPAT_MODE", "perhaps")).expect(2);
    assert!(done.stderr.contains("AITRACE_COMPAT_MODE"), "{}", done.stderr);
}

#[test]
fn without_a_server_it_says_how_to_get_one() {
    let home = Home::new();
    let file = home.file("a.jsonl", "{}\n");
    let url = crate::support::nowhere();
    for args in [&["traces"][..], &["trace", "abcd"], &["tail"], &["import", file.to_str().unwrap()]] {
        let args: Vec<&str> = args.iter().copied().chain(["--server", &url]).collect();
        let done = home.aitrace(&args).expect(2);
        assert_eq!(done.stdout, "", "{args:?}");
        assert!(
            done.stderr.contains("no server answers at") && done.stderr.contains("aitrace serve"),
            "{}",
            done.stderr
        );
        // The variable does the same as the flag.
        let mut command = home.command(&args[..args.len() - 2]);
        let done = crate::support::finish(command.env("AITRACE_SERVER_URL", &url)).expect(2);
        assert!(done.stderr.contains(&url), "{}", done.stderr);
    }
}

#[test]
fn a_broken_configuration_stops_a_command_and_says_where() {
    let home = Home::new();
    let args = ["convert", "none.jsonl"];
    let with = |variable: &str, value: &str| {
        crate::support::finish(home.command(&args).env(variable, value)).expect(2).stderr
    };
    let broken = home.file("broken.toml", "project = 'p'\n\nsource = \n");
    let said = with("AITRACE_CONFIG", broken.to_str().unwrap());
    assert!(said.contains("broken.toml: line 3: ") && said.contains("hint: mend it"), "{said}");
    let rules = home.file("rules.toml", "[[processing.rules]]\ndrop = true\nwen = {}\n");
    let said = with("AITRACE_CONFIG", rules.to_str().unwrap());
    assert!(said.contains("rules.toml:3: unknown field `wen`"), "{said}");
    let said = with("AITRACE_RULES", "{\"rules\": 1}");
    assert!(said.contains("AITRACE_RULES:1: invalid type") && said.contains("unset AITRACE_RULES"), "{said}");
    // Without it, the command comes as far as its own complaint.
    let said = home.aitrace(&args).expect(2).stderr;
    assert!(said.contains("none.jsonl"), "{said}");
}
