//! The top-level modules of a crate do not import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

use super::finding::Finding;
use super::graph::Graph;
use super::rust::{self, Token};
use crate::workspace;

pub(super) fn check(root: &Path, files: &[String]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for manifest in files.iter().filter(|file| file.ends_with("Cargo.toml")) {
        let folder = manifest.strip_suffix("Cargo.toml").unwrap_or_default();
        let sources = format!("{folder}src/");
        let mut texts = BTreeMap::new();
        let source = |file: &&String| file.starts_with(&sources) && workspace::extension(file) == "rs";
        for file in files.iter().filter(source) {
            texts.insert(file[sources.len()..].to_owned(), workspace::read(&root.join(file))?);
        }
        let name = folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        findings.extend(module_graph(&sources, &texts).findings(name));
    }
    Ok(findings)
}

/// Uses among the top-level modules; `texts` maps paths below `src/` to contents.
fn module_graph(sources: &str, texts: &BTreeMap<String, String>) -> Graph {
    let mut graph = Graph::default();
    let mut names = Names::default();
    let mut only_tests = BTreeSet::new();
    let mut parsed = Vec::new();
    for (path, text) in texts {
        let (tokens, test_modules) = rust::without_tests(&rust::tokens(text));
        let module = module_path(path);
        for test in test_modules {
            only_tests.insert([module.clone(), vec![test]].concat());
        }
        if module.is_empty() {
            names.read_root(&tokens);
        }
        parsed.push((path, module, tokens));
    }
    for (path, module, tokens) in &parsed {
        let Some(from) = module.first() else { continue };
        if module.first().is_some_and(|name| name == "bin")
            || (1..=module.len()).any(|length| only_tests.contains(&module[..length]))
        {
            continue;
        }
        for head in uses_of_root(module, tokens) {
            if let Some(to) = names.module_of(&head.text) {
                graph.add(from, to, (&format!("{sources}{path}"), head.line));
            }
        }
    }
    graph
}

/// `a/b.rs` and `a/b/mod.rs` are `[a, b]`, `lib.rs` and `main.rs` are `[]`.
fn module_path(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let last = parts.last().map(String::as_str);
    if last == Some("mod") || (parts.len() == 1 && matches!(last, Some("lib" | "main"))) {
        parts.pop();
    }
    parts
}

/// What names at the root of a crate stand for.
#[derive(Debug, Default)]
struct Names {
    modules: BTreeSet<String>,
    exported: BTreeMap<String, String>,
}

impl Names {
    /// Reads `mod a;` and `use a::{B, C as D};` of the root.
    fn read_root(&mut self, tokens: &[Token]) {
        for (at, token) in tokens.iter().enumerate() {
            let Some(next) = tokens.get(at + 1) else { break };
            if token.text == "mod" && next.is_word() {
                self.modules.insert(next.text.clone());
            } else if token.text == "use" {
                let end = tokens[at..].iter().position(|token| token.text == ";");
                self.read_use(&tokens[at + 1..end.map_or(tokens.len(), |length| at + length + 1)]);
            }
        }
    }

    fn read_use(&mut self, mut tree: &[Token]) {
        while let [first, ..] = tree
            && matches!(first.text.as_str(), "self" | "crate" | ":")
        {
            tree = &tree[1..];
        }
        let Some(module) = tree.first().filter(|token| token.is_word()) else { return };
        for pair in tree.windows(2) {
            if pair[0].is_word() && matches!(pair[1].text.as_str(), "," | "}" | ";") {
                self.exported.insert(pair[0].text.clone(), module.text.clone());
            }
        }
    }

    fn module_of(&self, name: &str) -> Option<&str> {
        let name = self.modules.get(name).or_else(|| self.exported.get(name))?;
        self.modules.get(name).map(String::as_str)
    }
}

/// The first names of all paths of a file that begin at the crate's root.
fn uses_of_root(file_module: &[String], tokens: &[Token]) -> Vec<Token> {
    let mut heads = Vec::new();
    let mut inline: Vec<i32> = Vec::new(); // brace depths at which inline modules opened
    let (mut depth, mut at) = (0_i32, 0);
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "{" => {
                depth += 1;
                if at >= 2 && tokens[at - 2].text == "mod" {
                    inline.push(depth);
                }
            }
            "}" => {
                if inline.last() == Some(&depth) {
                    inline.pop();
                }
                depth -= 1;
            }
            "crate" => collect_heads(tokens, at + 1, &mut heads),
            "super" => {
                let mut ups = 1;
                while separated(tokens, at + 1) && tokens.get(at + 3).is_some_and(|t| t.text == "super") {
                    (ups, at) = (ups + 1, at + 3);
                }
                if ups == file_module.len() + inline.len() {
                    collect_heads(tokens, at + 1, &mut heads);
                }
            }
            _ => {}
        }
        at += 1;
    }
    heads
}

fn separated(tokens: &[Token], at: usize) -> bool {
    tokens.get(at..at + 2).is_some_and(|pair| pair.iter().all(|token| token.text == ":"))
}

/// After `::` at `at`: the next name, or the first name of each branch of a group.
fn collect_heads(tokens: &[Token], at: usize, heads: &mut Vec<Token>) {
    if !separated(tokens, at) {
        return;
    }
    match tokens.get(at + 2) {
        Some(name) if name.is_word() => heads.push(name.clone()),
        Some(open) if open.text == "{" => {
            let mut depth = 0;
            for pair in tokens[at + 2..].windows(2) {
                depth += match pair[0].text.as_str() {
                    "{" => 1,
                    "}" => -1,
                    _ => 0,
                };
                if depth == 0 {
                    break;
                }
                if depth == 1 && matches!(pair[0].text.as_str(), "{" | ",") && pair[1].is_word() {
                    heads.push(pair[1].clone());
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let texts = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        module_graph("crates/x/src/", &texts).findings("x").iter().map(ToString::to_string).collect()
    }

    const ROOT: &str = "mod a; mod b; mod c; pub use b::{B, inner::Deep as D};";

    #[test]
    fn a_direct_circle_is_named_with_its_lines() {
        let found = circles(&[
            ("lib.rs", ROOT),
            ("a.rs", "\nuse crate::b::B;"),
            ("b.rs", "fn f() { crate::a::g() }"),
        ]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/x/src/a.rs:2: modules of x"), "{found:?}");
        assert!(found[0].contains("a (crates/x/src/a.rs:2) -> b (crates/x/src/b.rs:1) -> a;"), "{found:?}");
    }

    #[test]
    fn exports_of_the_root_groups_super_and_submodules_are_seen_through() {
        for (a, b) in [
            ("use crate::B;", "use super::a;"),
            ("use crate::{c::X, D};", "mod m { use super::super::a; }"),
            ("use super::{b::{B, C}};", "use crate::{c, a};"),
        ] {
            assert_eq!(circles(&[("lib.rs", ROOT), ("a/mod.rs", a), ("b.rs", b)]).len(), 1, "{a} {b}");
        }
        let deep =
            [("lib.rs", ROOT), ("a/x/y.rs", "use super::super::super::b;"), ("b/z.rs", "use crate::a;")];
        assert_eq!(circles(&deep).len(), 1);
    }

    #[test]
    fn tests_comments_strings_and_one_way_are_fine() {
        for b in [
            "#[cfg(test)] mod tests { use crate::a; }",
            "// use crate::a;\nconst T: &str = \"crate::a\";",
            "pub(crate) fn a() {} use super::*;",
            "mod m { use super::a; }",
        ] {
            let files = [("lib.rs", ROOT), ("a.rs", "use crate::b;"), ("b.rs", b)];
            assert_eq!(circles(&files), [""; 0], "{b}");
        }
        let apart = [
            ("lib.rs", ROOT),
            ("a.rs", "use crate::b;"),
            ("b.rs", "#[cfg(test)] mod tests;"),
            ("b/tests.rs", "use crate::a;"),
        ];
        assert_eq!(circles(&apart), [""; 0]);
    }
}
