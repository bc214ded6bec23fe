//! The top-level modules of a Python package do not import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

use super::finding::Finding;
use super::graph::Graph;
use crate::workspace;

pub(super) fn check(root: &Path, files: &[String]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for folder in packages(files) {
        let mut texts = BTreeMap::new();
        let source = |file: &&String| file.starts_with(&folder) && workspace::extension(file) == "py";
        for file in files.iter().filter(source) {
            texts.insert(file[folder.len()..].to_owned(), workspace::read(&root.join(file))?);
        }
        let name = folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        findings.extend(import_graph(&folder, &name, &texts).findings(&name));
    }
    Ok(findings)
}

/// Folders with an `__init__.py` under a `src` folder, without their subpackages.
fn packages(files: &[String]) -> BTreeSet<String> {
    let folders: BTreeSet<String> =
        files.iter().filter_map(|file| file.strip_suffix("__init__.py")).map(str::to_owned).collect();
    let inner =
        |folder: &String| folders.iter().any(|other| other != folder && folder.starts_with(other.as_str()));
    folders.iter().filter(|folder| folder.contains("src/") && !inner(folder)).cloned().collect()
}

fn import_graph(folder: &str, package: &str, texts: &BTreeMap<String, String>) -> Graph {
    let modules: BTreeSet<&str> = texts.keys().filter_map(|path| top(path)).collect();
    let mut exported = BTreeMap::new();
    for import in texts.get("__init__.py").map(|text| imports(text, package, &[])).unwrap_or_default() {
        for name in &import.names {
            exported.insert(name.clone(), import.module.first().cloned().unwrap_or_default());
        }
    }
    let mut graph = Graph::default();
    for (path, text) in texts {
        let Some(from) = top(path) else { continue };
        let mut inside: Vec<&str> = path.trim_end_matches(".py").split('/').collect();
        inside.pop(); // the package that relative imports start from
        for import in imports(text, package, &inside) {
            let named = import.names.iter().map(|name| exported.get(name).unwrap_or(name));
            let targets: Vec<&String> =
                import.module.first().map_or_else(|| named.collect(), |module| vec![module]);
            for to in targets.into_iter().filter(|to| modules.contains(to.as_str())) {
                graph.add(from, to, (&format!("{folder}{path}"), import.line));
            }
        }
    }
    graph
}

/// The top-level module of a path below the package; none for `__init__.py`.
fn top(path: &str) -> Option<&str> {
    let first = path.split('/').next()?.trim_end_matches(".py");
    (first != "__init__" && first != "__main__").then_some(first)
}

#[derive(Debug, PartialEq, Eq)]
struct Import {
    /// Module below the package, empty for the package itself.
    module: Vec<String>,
    /// Names taken from it.
    names: Vec<String>,
    line: usize,
}

/// Imports of the package's own modules at run time. Those under `if TYPE_CHECKING:` are types only.
fn imports(text: &str, package: &str, inside: &[&str]) -> Vec<Import> {
    let mut found = Vec::new();
    let mut types_only: Option<usize> = None;
    for (line, statement) in statements(text) {
        let indent = statement.len() - statement.trim_start().len();
        let words = statement.trim();
        if types_only.is_some_and(|outer| indent <= outer) {
            types_only = None;
        }
        if words.starts_with("if TYPE_CHECKING") || words.starts_with("if typing.TYPE_CHECKING") {
            types_only = Some(indent);
        }
        if types_only.is_some() {
            continue;
        }
        if let Some((from, names)) = words.strip_prefix("from ").and_then(|rest| rest.split_once(" import "))
        {
            if let Some(module) = absolute(from.trim(), package, inside) {
                found.push(Import { module, names: list(names), line });
            }
        } else if let Some(modules) = words.strip_prefix("import ") {
            for module in list(modules).iter().filter_map(|module| absolute(module, package, inside)) {
                if !module.is_empty() {
                    found.push(Import { module, names: Vec::new(), line });
                }
            }
        }
    }
    found
}

fn list(names: &str) -> Vec<String> {
    let bare = |name: &str| name.split_whitespace().next().map(str::to_owned);
    names.trim_matches(|sign| matches!(sign, '(' | ')' | ' ')).split(',').filter_map(bare).collect()
}

/// The module below the package that an import names; `None` if it is not in the package.
fn absolute(module: &str, package: &str, inside: &[&str]) -> Option<Vec<String>> {
    let dots = module.bytes().take_while(|byte| *byte == b'.').count();
    let rest = module[dots..].split('.').filter(|part| !part.is_empty()).map(str::to_owned);
    if dots == 0 {
        let mut parts = module.split('.').map(str::to_owned);
        return (parts.next()? == package).then(|| parts.collect());
    }
    let base = inside.get(..(inside.len() + 1).checked_sub(dots)?)?;
    Some(base.iter().map(|part| (*part).to_owned()).chain(rest).collect())
}

/// Logical lines with the line they begin at: comments and triple-quoted strings dropped, brackets joined.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut quoted: Option<&str> = None;
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(mark) = quoted {
            if line.contains(mark) {
                quoted = None;
            }
            continue;
        }
        let code = line.split('#').next().unwrap_or_default().trim_end();
        if let Some(mark) = ["\"\"\"", "'''"].into_iter().find(|mark| code.matches(mark).count() % 2 == 1) {
            quoted = Some(mark);
            continue;
        }
        match found.last_mut().filter(|_| open) {
            Some((_, statement)) => {
                statement.push(' ');
                statement.push_str(code.trim().trim_end_matches('\\'));
            }
            None => found.push((index + 1, code.trim_end_matches('\\').to_owned())),
        }
        let Some((_, statement)) = found.last() else { continue };
        let import =
            statement.trim_start().starts_with("from ") || statement.trim_start().starts_with("import ");
        open = import && (line.ends_with('\\') || (statement.contains('(') && !statement.contains(')')));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let texts = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        import_graph("python/src/p/", "p", &texts).findings("p").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_forms_of_import_are_seen() {
        for (a, b) in [
            ("from .b import x", "from .a import y"),
            ("from p.b import x", "import p.a"),
            ("from . import (\n    b,  # why\n    os,\n)", "def f():\n    from p import a"),
            ("from p import Thing", "from .a.inner import y"),
        ] {
            let init = ("__init__.py", "from p.b import Thing");
            assert_eq!(circles(&[init, ("a.py", a), ("b.py", b)]).len(), 1, "{a} / {b}");
        }
        let deep = [("a/x.py", "from ..b import c"), ("b.py", "\n\nfrom .a import x")];
        assert!(circles(&deep)[0].contains("a (python/src/p/a/x.py:1) -> b (python/src/p/b.py:3) -> a"));
    }

    #[test]
    fn types_text_and_strangers_are_fine() {
        for b in [
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .a import y\nx = 1",
            "\"\"\"\nfrom .a import y\n\"\"\"",
            "# from .a import y",
            "import a\nfrom a import b",
        ] {
            assert_eq!(circles(&[("a.py", "from .b import x"), ("b.py", b)]), [""; 0], "{b}");
        }
    }

    #[test]
    fn packages_are_the_outermost_folders_under_src() {
        let files = ["python/src/p/__init__.py", "python/src/p/q/__init__.py", "python/tests/__init__.py"];
        let found = packages(&files.map(str::to_owned));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["python/src/p/"]);
    }
}
