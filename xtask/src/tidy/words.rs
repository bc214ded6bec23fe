//! Words that must not be in the repository: unfinished work, somebody's machine, somebody's registry.

use super::finding::Finding;

/// (what stands there, why it must not, how to mend it). Written in pieces, so that this file does
/// not name them itself.
const FORBIDDEN: &[(&[&str], &str, &str)] = &[
    (&["todo", "!("], "unfinished work is absent, not faked", "finish it, or leave it out"),
    (&["unimplemented", "!("], "unfinished work is absent, not faked", "finish it, or leave it out"),
    (&["FIX", "ME"], "known defects are mended, not marked", "mend it"),
    (&["X", "XX:"], "known defects are mended, not marked", "mend it"),
    (&["/home", "/"], MACHINE, RELATIVE),
    (&["/Users", "/"], MACHINE, RELATIVE),
    (&["/work", "/"], MACHINE, RELATIVE),
    (&["/root", "/"], MACHINE, RELATIVE),
];
const MACHINE: &str = "the path is of one machine";
const RELATIVE: &str = "make it relative, or take it from the environment";
/// Names that stand for anybody's in examples and tests: a path under `/home/me` is of no machine.
const ANYBODY: &[&str] = &["me", "you", "user"];

/// Registries that lock files may name.
const REGISTRIES: &[&str] = &[
    "https://registry.npmjs.org/",
    "registry+https://github.com/rust-lang/crates.io-index",
    "https://files.pythonhosted.org/",
    "https://pypi.org/",
];
/// Before the value that names a registry, by kind of lock file.
const SOURCES: &[(&str, &[&str])] = &[
    ("package-lock.json", &["\"resolved\": \""]),
    ("npm-shrinkwrap.json", &["\"resolved\": \""]),
    ("Cargo.lock", &["source = \""]),
    ("uv.lock", &["registry = \"", "url = \""]),
    (".npmrc", &["registry="]),
    ("pip.conf", &["index-url = "]),
];

pub(super) fn check(file: &str, text: &str) -> Vec<Finding> {
    let name = file.rsplit('/').next().unwrap_or_default();
    if let Some((_, marks)) = SOURCES.iter().find(|(lock, _)| *lock == name) {
        return check_lock(file, text, marks);
    }
    let mut findings = Vec::new();
    for (pieces, why, mend) in FORBIDDEN {
        let word = pieces.concat();
        for (index, line) in text.lines().enumerate() {
            if names(line, &word) {
                let what = format!("{word:?} is written here");
                findings.push(Finding { file: file.to_owned(), line: index + 1, what, why, mend });
            }
        }
    }
    findings
}

/// Whether a line holds the word on its own: not as the tail of a longer path or name, nor with anybody's name.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let longer = before.is_some_and(|sign| sign.is_alphanumeric() || "_.~}-*".contains(sign));
        let after = &line[at + word.len()..];
        let name = after.split(|sign: char| !sign.is_alphanumeric()).next().unwrap_or_default();
        !(longer || word.ends_with('/') && ANYBODY.contains(&name))
    })
}

fn check_lock(file: &str, text: &str, marks: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for mark in marks {
            let Some((_, value)) = line.split_once(mark) else { continue };
            let value = value.split(['"', ' ']).next().unwrap_or_default();
            // A package of this repository is linked by its path.
            if value.contains("://") && !REGISTRIES.iter().any(|registry| value.starts_with(registry)) {
                findings.push(Finding {
                    file: file.to_owned(),
                    line: index + 1,
                    what: format!("{value:?} is not a public registry"),
                    why: "others must get the same packages",
                    mend: "lock again with the public registry, or drop the address",
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &str, text: &str) -> Vec<usize> {
        check(file, text).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn unfinished_work_and_machine_paths_are_found() {
        let path = ["\"/ho", "me/john/x\""].concat();
        let text = ["fine\n", "to", "do!()\nlet p = ", &path, ";\n// FIX", "ME\n"].concat();
        assert_eq!(lines("a.rs", &text), [2, 4, 3]);
    }

    #[test]
    fn parts_of_longer_names_are_fine() {
        let text = [
            "/ho",
            "me/me/x, see https://example.org/ho",
            "me/x and ~/ho",
            "me/ and src/wo",
            "rk/ and a TODO app",
        ]
        .concat();
        assert_eq!(lines("a.md", &text), [0; 0]);
    }

    #[test]
    fn lock_files_name_public_registries_only() {
        let good =
            "\"resolved\": \"https://registry.npmjs.org/a/-/a-1.tgz\",\n\"resolved\": \"packages/model\",";
        assert_eq!(lines("web/package-lock.json", good), [0; 0]);
        let bad = good.replace("registry.npmjs.org", "mirror.example.com/npm");
        assert_eq!(lines("web/package-lock.json", &bad), [1]);
        assert_eq!(lines("Cargo.lock", "source = \"registry+https://example.com/index\""), [1]);
        assert_eq!(lines("Cargo.lock", "source = \"git+https://example.com/x\""), [1]);
    }
}
