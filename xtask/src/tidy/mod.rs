//! The house rules, each in a file of its own. CONTRIBUTING.md says them in words.

mod budget;
mod changelog;
mod cycles;
mod dependencies;
mod finding;
mod graph;
mod layers;
mod python_modules;
mod rust;
mod stages;
mod unsafety;
mod words;

use std::path::Path;

use anyhow::Result;

use crate::say;
use crate::workspace;
use finding::Finding;

/// Checks everything; prints what is wrong; true when nothing is.
pub(crate) fn run() -> Result<bool> {
    let root = workspace::root();
    let files = workspace::files(&root)?;
    let findings = check(&root, &files)?;
    for finding in &findings {
        say::data(&finding.to_string());
    }
    say::note(&format!("tidy: {} files, {} findings", files.len(), findings.len()));
    Ok(findings.is_empty())
}

fn check(root: &Path, files: &[String]) -> Result<Vec<Finding>> {
    let mut findings = dependencies::check(root)?;
    findings.extend(stages::check(root, files)?);
    findings.extend(changelog::check(root));
    findings.extend(cycles::check(root, files)?);
    findings.extend(python_modules::check(root, files)?);
    findings.extend(layers::check(root, files)?);
    for file in files {
        // Only text is looked at; pictures and fixtures of bytes are not ours to judge.
        let Ok(text) = std::fs::read_to_string(root.join(file)) else { continue };
        findings.extend(budget::check(file, &text));
        findings.extend(unsafety::check(file, &text));
        findings.extend(words::check(file, &text));
    }
    findings.sort();
    Ok(findings)
}
