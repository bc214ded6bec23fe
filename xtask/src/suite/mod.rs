//! The whole suite: steps in order, cheap first, each with its time; a table at the end.

mod browser;
mod docs;
mod packaging;
mod report;
mod steps;

use anyhow::{Result, bail};

use crate::env::Stopwatch;
use crate::options::TestOptions;
use crate::say;
use report::{Line, Verdict};

/// How a step ended when it did not fail.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// Not run, and why.
    Skipped(String),
}

/// One step of the suite.
#[derive(Debug)]
struct Step {
    name: &'static str,
    /// What it checks.
    about: &'static str,
    run: fn() -> Result<Outcome>,
}

/// Runs the suite; true when nothing failed.
pub(crate) fn run(options: &TestOptions) -> Result<bool> {
    let steps = chosen(steps::ALL, options)?;
    if options.list {
        for step in steps {
            say::data(&format!("{:8}  {}", step.name, step.about));
        }
        return Ok(true);
    }
    let whole = Stopwatch::start();
    let mut lines = Vec::new();
    for step in steps {
        say::note(&format!("\n== {}: {}", step.name, step.about));
        let watch = Stopwatch::start();
        let verdict = match (step.run)() {
            Ok(Outcome::Passed) => Verdict::Passed,
            Ok(Outcome::Skipped(why)) => Verdict::Skipped(why),
            Err(error) => Verdict::Failed(format!("{error:#}")),
        };
        let line = Line { name: step.name, verdict, took: watch.elapsed() };
        say::note(&format!("== {line}"));
        lines.push(line);
    }
    say::data(&report::table(&lines, whole.elapsed()));
    Ok(!lines.iter().any(|line| matches!(line.verdict, Verdict::Failed(_))))
}

fn chosen<'a>(all: &'a [Step], options: &TestOptions) -> Result<Vec<&'a Step>> {
    for name in options.only.iter().chain(&options.skip) {
        if !all.iter().any(|step| step.name == name) {
            let names: Vec<_> = all.iter().map(|step| step.name).collect();
            bail!("no step is called {name:?}; there are {}", names.join(", "));
        }
    }
    let named = |names: &[String], step: &Step| names.iter().any(|name| name == step.name);
    let wanted = |step: &&Step| options.only.is_empty() || named(&options.only, step);
    Ok(all.iter().filter(wanted).filter(|step| !named(&options.skip, step)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str], skip: &[&str]) -> Result<Vec<&'static str>> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let options = TestOptions { list: false, only: owned(only), skip: owned(skip) };
        Ok(chosen(steps::ALL, &options)?.into_iter().map(|step| step.name).collect())
    }

    #[test]
    fn steps_are_chosen_in_the_order_of_the_suite() {
        assert_eq!(names(&["rust", "tidy"], &[]).expect("known"), ["tidy", "rust"]);
        assert_eq!(names(&[], &["tidy"]).expect("known").first(), Some(&"fmt"));
        assert!(names(&["rsut"], &[]).expect_err("unknown").to_string().contains("rsut"));
    }

    #[test]
    fn the_viewer_is_built_before_cargo_embeds_it() {
        let all = names(&[], &[]).expect("all");
        let place = |name| all.iter().position(|other| *other == name).expect("there");
        assert!(
            place("web") < place("clippy")
                && place("clippy") < place("rust")
                && place("rust") < place("demo")
        );
    }
}
