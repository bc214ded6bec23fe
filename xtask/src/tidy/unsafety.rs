//! `unsafe` stands in few, listed files, each use with its reason.

use super::finding::Finding;
use super::rust;
use crate::workspace;

/// Files that may hold `unsafe`, each with what for.
const ALLOWED: &[(&str, &str)] = &[
    ("crates/aitrace-allocator/src/lib.rs", "the settings of the allocator, by their name"),
    ("crates/aitrace-macros/tests/ui/fail/unsafe_function.rs", "is refused: the test shows how"),
    ("crates/aitrace/src/exit.rs", "atexit: learns that the process ends"),
    (
        "crates/aitrace/src/fork.rs",
        "pthread_atfork, pthread_create: forks made by others, and threads in their children",
    ),
    ("crates/aitrace/src/lock/barrier.rs", "membarrier: the owner of a lock pays no barrier"),
    ("crates/aitrace/src/lock/biased.rs", "a lock that costs its owner next to nothing"),
    ("crates/aitrace/src/lock/quick.rs", "a lock that costs less than the system's"),
    ("crates/aitrace/src/registry.rs", "a lock that is held over a fork has no guard"),
    ("crates/aitrace/src/ticks/counter.rs", "reads the processor's time stamp counter"),
    ("crates/aitrace/tests/it/fork.rs", "forks as the host program would"),
    ("crates/aitrace-store-embedded/src/pages.rs", "stands between SQLite and its files: sums of pages"),
    ("python/rust/src/slot.rs", "Python's C functions of context variables"),
    ("python/rust/src/outside.rs", "calls the user's code so that the end of the interpreter may stop it"),
];

pub(super) fn check(file: &str, text: &str) -> Vec<Finding> {
    check_with(file, text, ALLOWED)
}

fn check_with(file: &str, text: &str, allowed: &[(&str, &str)]) -> Vec<Finding> {
    if workspace::extension(file) != "rs" {
        return Vec::new();
    }
    let listed = allowed.iter().any(|(path, _)| *path == file);
    let lines: Vec<&str> = text.lines().collect();
    let uses = rust::tokens(text).into_iter().filter(|token| token.text == "unsafe");
    uses.filter_map(|token| {
        let finding = |what: &str, mend| Finding {
            file: file.to_owned(),
            line: token.line,
            what: what.to_owned(),
            why: "the compiler's proofs are worth more than speed",
            mend,
        };
        if !listed {
            return Some(finding(
                "unsafe code in a file that is not listed",
                "do without, or list the file in xtask/src/tidy/unsafety.rs with what for",
            ));
        }
        (!explained(&lines, token.line)).then(|| {
            finding("unsafe code without a reason", "say why it is sound in a `SAFETY:` comment above it")
        })
    })
    .collect()
}

/// Whether a SAFETY comment stands on the line or directly above, attributes and other comment lines between.
fn explained(lines: &[&str], line: usize) -> bool {
    let marks = |text: &str| text.contains("SAFETY:") || text.contains("# Safety");
    let above = lines[..line - 1].iter().rev().map(|text| text.trim_start());
    lines[line - 1].contains("SAFETY:")
        || above.take_while(|text| text.starts_with("//") || text.starts_with("#[")).any(marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASONED: &str = "// SAFETY: the pointer is from a box\n#[inline]\nunsafe { free(p) }\n";

    #[test]
    fn unlisted_files_may_not() {
        assert_eq!(check_with("a.rs", "fn a() {\n  unsafe { b() }\n}", &[])[0].line, 2);
        assert_eq!(check_with("a.rs", "// unsafe in words\nlet a = \"unsafe\";", &[]), []);
        assert_eq!(check_with("a.py", "unsafe", &[]), []);
    }

    #[test]
    fn listed_files_must_say_why() {
        let allowed = [("a.rs", "tests")];
        assert_eq!(check_with("a.rs", REASONED, &allowed), []);
        let bare = check_with("a.rs", "let a = 1;\nunsafe { free(p) }", &allowed);
        assert!(bare[0].what.contains("without a reason"));
    }
}
