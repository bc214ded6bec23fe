//! TypeScript packages depend one way: model ← ui ← app, vscode. Nothing imports an app.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::finding::Finding;
use crate::workspace;

/// Folders of packages with what they may import of each other.
const LAYERS: &[(&str, &[&str])] = &[
    ("web/packages/model/", &[]),
    ("web/packages/ui/", &["web/packages/model/"]),
    ("web/app/", &["web/packages/model/", "web/packages/ui/"]),
    ("vscode/", &["web/packages/model/", "web/packages/ui/"]),
];

const WHY: &str = "layers go one way: model, ui, app";

pub(super) fn check(root: &Path, files: &[String]) -> Result<Vec<Finding>> {
    let mut names = Vec::new();
    for (folder, _) in LAYERS {
        let manifest = format!("{folder}package.json");
        if files.contains(&manifest) {
            let text = workspace::read(&root.join(&manifest))?;
            let json: Value =
                serde_json::from_str(&text).with_context(|| format!("{manifest} is not JSON"))?;
            names.push((json["name"].as_str().unwrap_or_default().to_owned(), *folder));
        }
    }
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| is_typescript(file)) {
        findings.extend(check_file(file, &workspace::read(&root.join(file))?, &names));
    }
    Ok(findings)
}

fn is_typescript(file: &str) -> bool {
    [".ts", ".tsx", ".mts", ".js"].iter().any(|extension| file.ends_with(extension))
}

fn check_file(file: &str, text: &str, names: &[(String, &str)]) -> Vec<Finding> {
    let Some((own, allowed)) = LAYERS.iter().find(|(folder, _)| file.starts_with(folder)) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (line, module) in imports(text) {
        let target = if module.starts_with('.') {
            resolve(file, module)
        } else {
            let package = |(name, _): &&(String, &str)| {
                module == name || module.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('/'))
            };
            names.iter().find(package).map(|(_, folder)| (*folder).to_owned())
        };
        let Some(target) = target else { continue };
        let finding = |what, mend| Finding { file: file.to_owned(), line, what, why: WHY, mend };
        if module.starts_with('.') && !target.starts_with(own) {
            findings.push(finding(
                format!("{module:?} leaves the package"),
                "import the other package by its name, if its layer is below",
            ));
        } else if !target.starts_with(own) && !allowed.iter().any(|folder| target.starts_with(folder)) {
            findings.push(finding(
                format!("{own} must not import {target}"),
                "move what is needed into a package below both",
            ));
        }
    }
    findings
}

/// Module names in `from "…"`, `import "…"` and `import("…")`, with their lines.
fn imports(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("//") || line.trim_start().starts_with('*') {
            continue;
        }
        for mark in ["from ", "import ", "import("] {
            for (at, _) in line.match_indices(mark) {
                let rest = line[at + mark.len()..].trim_start();
                let Some(quote) = rest.chars().next().filter(|sign| matches!(sign, '"' | '\'')) else {
                    continue;
                };
                if let Some(end) = rest[1..].find(quote) {
                    found.push((index + 1, &rest[1..=end]));
                }
            }
        }
    }
    found
}

/// A relative module as a path from the root; `None` if it leaves the repository.
fn resolve(file: &str, module: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in module.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, text: &str) -> Vec<String> {
        let names = [
            ("@aitrace/model".to_owned(), "web/packages/model/"),
            ("@aitrace/ui".to_owned(), "web/packages/ui/"),
            ("@aitrace/app".to_owned(), "web/app/"),
        ];
        check_file(file, text, &names).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn downwards_is_fine() {
        let text = "import { a } from \"@aitrace/model\";\nimport \"./b.js\";\nimport React from 'react';\n// from \"@aitrace/app\"";
        assert_eq!(check("web/packages/ui/src/x.tsx", text), [""; 0]);
        assert_eq!(check("web/app/src/main.tsx", "import x from \"@aitrace/ui/tree\";"), [""; 0]);
        assert_eq!(check("docs/x.ts", "import \"@aitrace/app\""), [""; 0]);
    }

    #[test]
    fn upwards_and_around_are_found() {
        let up = check("web/packages/model/src/x.ts", "\nimport { a } from \"@aitrace/ui\";");
        assert!(
            up[0].starts_with("web/packages/model/src/x.ts:2: web/packages/model/ must not import"),
            "{up:?}"
        );
        assert_eq!(check("web/packages/ui/src/x.ts", "const a = await import('@aitrace/app');").len(), 1);
        let around = check("web/packages/ui/src/x.ts", "export * from \"../../model/src/tree\";");
        assert!(around[0].contains("leaves the package"), "{around:?}");
    }
}
