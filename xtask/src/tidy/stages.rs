//! Each library says what it is, and a stage of the picture says what comes in and what goes out.

use std::path::Path;

use anyhow::Result;

use super::finding::Finding;
use crate::workspace;

/// Crates that are stages of the picture.
const STAGES: &[&str] = &[
    "crates/aitrace",
    "crates/aitrace-otlp",
    "crates/aitrace-normalise",
    "crates/aitrace-store",
    "crates/aitrace-store-embedded",
    "crates/aitrace-server",
    "crates/aitrace-web",
];

pub(super) fn check(root: &Path, files: &[String]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in files {
        if let Some(folder) = file.strip_suffix("/src/lib.rs") {
            findings.extend(check_text(file, &workspace::read(&root.join(file))?, STAGES.contains(&folder)));
        }
    }
    Ok(findings)
}

fn check_text(file: &str, text: &str, stage: bool) -> Option<Finding> {
    let finding = |what: String, mend| {
        let why = "who knows the picture finds any line of code";
        Some(Finding { file: file.to_owned(), line: 1, what, why, mend })
    };
    if !text.starts_with("//!") {
        return finding("the library does not say what it is".to_owned(), "open with `//!` and one sentence");
    }
    let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
    let word = ["Stage", "In:", "Out:"].into_iter().find(|word| stage && !head.contains(word))?;
    finding(
        format!("the stage does not say {word:?}"),
        "open with `//! Stage: …. In: what comes in. Out: what goes out.`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_say_in_and_out() {
        let good = "//! Stage: decode. In: bytes.\n//! Out: spans.\n\nmod a;";
        assert_eq!(check_text("a/src/lib.rs", good, true), None);
        assert_eq!(check_text("a/src/lib.rs", "//! Words.\n", false), None);
        assert!(check_text("a/src/lib.rs", "//! Stage: x. In: y.\nmod a; // Out: z", true).is_some());
        assert!(check_text("a/src/lib.rs", "mod a;", false).is_some());
    }
}
