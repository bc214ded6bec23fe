//! The changelog has room for what is not released.

use std::path::Path;

use super::finding::Finding;

const FILE: &str = "CHANGELOG.md";

pub(super) fn check(root: &Path) -> Option<Finding> {
    let text = std::fs::read_to_string(root.join(FILE)).unwrap_or_default();
    check_text(&text)
}

fn check_text(text: &str) -> Option<Finding> {
    let section = |line: &str| line.starts_with("## ") && line.to_lowercase().contains("unreleased");
    (!text.lines().any(section)).then(|| Finding {
        file: FILE.to_owned(),
        line: 1,
        what: "no section for what is not released".to_owned(),
        why: "users read there what a version brings",
        mend: "add `## Unreleased` on top",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_is_demanded() {
        assert_eq!(check_text("# Changelog\n\n## [Unreleased]\n"), None);
        assert!(check_text("# Changelog\n\n## 1.0\nunreleased\n").is_some());
        assert!(check(Path::new("/does/not/exist")).is_some());
    }
}
