//! Files stay short enough to be read at a sitting.

use super::finding::Finding;
use super::rust;
use crate::workspace;

const LIMIT: usize = 500;
const EXTENSIONS: &[&str] = &["rs", "py", "ts", "tsx"];
/// Folders whose files are not production code.
const OTHER: &[&str] = &["tests", "test", "benches", "examples", "e2e", "fixtures"];

/// Whether a file is code that ships.
pub(super) fn is_production(file: &str) -> bool {
    let mut parts: Vec<&str> = file.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    let test_name = [".test.", ".spec.", ".config."].iter().any(|mark| name.contains(mark))
        || name.starts_with("test_")
        || name == "tests.rs"
        || name == "conftest.py";
    EXTENSIONS.contains(&workspace::extension(file))
        && !test_name
        && !parts.iter().any(|part| OTHER.contains(part))
}

pub(super) fn check(file: &str, text: &str) -> Option<Finding> {
    if !is_production(file) {
        return None;
    }
    let end = if workspace::extension(file) == "rs" { rust::tests_begin(text) } else { None };
    let lines = end.map_or_else(|| text.lines().count(), |line| line - 1);
    (lines > LIMIT).then(|| Finding {
        file: file.to_owned(),
        line: LIMIT + 1,
        what: format!("{lines} lines of production code, {LIMIT} are allowed"),
        why: "a file is read at a sitting",
        mend: "split it by what changes together",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_are_found_and_tests_do_not_count() {
        let code = "fn a() {}\n".repeat(LIMIT);
        let tests = format!("{code}#[cfg(test)]\nmod tests {{\n{code}}}\n");
        assert_eq!(check("crates/a/src/lib.rs", &tests), None);
        let finding = check("crates/a/src/lib.rs", &format!("{code}{tests}")).expect("too long");
        assert_eq!(finding.line, 501);
        assert!(finding.to_string().starts_with("crates/a/src/lib.rs:501: 1000 lines"), "{finding}");
    }

    #[test]
    fn what_is_production() {
        for file in ["python/src/aitrace/core.py", "web/app/src/main.tsx", "xtask/src/main.rs"] {
            assert!(is_production(file), "{file}");
        }
        for file in [
            "crates/a/tests/it/main.rs",
            "crates/a/src/store/tests.rs",
            "web/packages/model/src/tree.test.ts",
            "python/tests/unit/test_core.py",
            "examples/rust/agent/src/lib.rs",
            "README.md",
        ] {
            assert!(!is_production(file), "{file}");
        }
    }
}
