//! The table at the end of a run.

use std::fmt;
use std::time::Duration;

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) took: Duration,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, why) = match &self.verdict {
            Verdict::Passed => ("passed", ""),
            Verdict::Failed(why) => ("FAILED", why.as_str()),
            Verdict::Skipped(why) => ("skipped", why.as_str()),
        };
        write!(f, "{:8}  {word:7}  {:>7.1} s", self.name, self.took.as_secs_f64())?;
        if !why.is_empty() {
            // One line each: the whole output stands above.
            let short: String = why.lines().next().unwrap_or_default().chars().take(160).collect();
            write!(f, "  {short}")?;
        }
        Ok(())
    }
}

/// The table and, as its last line, the totals.
pub(super) fn table(lines: &[Line], took: Duration) -> String {
    let count = |wanted: fn(&Verdict) -> bool| lines.iter().filter(|line| wanted(&line.verdict)).count();
    let passed = count(|verdict| matches!(verdict, Verdict::Passed));
    let failed = count(|verdict| matches!(verdict, Verdict::Failed(_)));
    let skipped = count(|verdict| matches!(verdict, Verdict::Skipped(_)));
    let rows: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let (minutes, seconds) = (took.as_secs() / 60, took.as_secs() % 60);
    format!(
        "\n{}\n\n{skipped} skipped, {minutes} min {seconds} s in all\n{passed} passed, {failed} failed",
        rows.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_holds_the_totals() {
        let line = |name, verdict| Line { name, verdict, took: Duration::from_millis(1234) };
        let text = table(
            &[
                line("tidy", Verdict::Passed),
                line("rust", Verdict::Failed("it broke\nat length".to_owned())),
                line("deny", Verdict::Skipped("cargo-deny is not installed".to_owned())),
            ],
            Duration::from_secs(61),
        );
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.last(), Some(&"1 passed, 1 failed"));
        assert!(lines.contains(&"rust      FAILED       1.2 s  it broke"), "{text}");
        assert!(lines.contains(&"deny      skipped      1.2 s  cargo-deny is not installed"), "{text}");
        assert!(lines.contains(&"1 skipped, 1 min 1 s in all"), "{text}");
    }
}
