//! The command line, by hand: five commands and eight flags need no library.

use std::time::Duration;

/// What `--help` says.
pub(crate) const USAGE: &str = "\
The tasks of this repository.

Usage: cargo xtask <COMMAND>

  test  [--list] [--only STEP]... [--skip STEP]...   the whole suite, cheap steps first
  tidy                                               the house rules (CONTRIBUTING.md)
  fmt                                                formats Rust, Python and TypeScript
  bench [--only NAME]... [--large]                   speed and memory, beside their anchors; the store with 10 M spans
  soak                                               the long fault tests: kills, damage, poison traces
  demo  [--once] [--port N] [--every SECONDS] [--release] [--no-open]
                                                     a traced agent, live in the browser

CARGO_TARGET_DIR is respected; tools for the tests live in it too.";

/// One task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print the usage.
    Help,
    /// Run the suite.
    Test(TestOptions),
    /// Check the house rules.
    Tidy,
    /// Format.
    Fmt,
    /// Measure.
    Bench(BenchOptions),
    /// Run the long fault tests.
    Soak,
    /// Show it.
    Demo(DemoOptions),
}

/// Options of `test`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TestOptions {
    /// Print the steps and stop.
    pub(crate) list: bool,
    /// Run only these steps; empty is all.
    pub(crate) only: Vec<String>,
    /// Leave these steps out.
    pub(crate) skip: Vec<String>,
}

/// Options of `bench`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct BenchOptions {
    /// Run only these; empty is all.
    pub(crate) only: Vec<String>,
    /// The store with 10 million spans: some 3 GB of disk.
    pub(crate) large: bool,
}

/// How the binary is built. Cargo unifies the features of all that it builds at once, so each way has
/// dependencies of its own; a way that was taken before costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// By itself: quickest on a machine that has built nothing yet.
    Alone,
    /// As the tests do, after them.
    WithTests,
    /// By itself, optimised.
    Release,
}

/// Options of `demo`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DemoOptions {
    /// One trace, checked over the API, then stop.
    pub(crate) once: bool,
    /// Port of the server; 0 is any free one.
    pub(crate) port: u16,
    /// Pause between two traces.
    pub(crate) every: Duration,
    /// How the binary is built.
    pub(crate) build: Build,
    /// Do not open a browser.
    pub(crate) no_open: bool,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self { once: false, port: 0, every: Duration::from_secs(8), build: Build::Alone, no_open: false }
    }
}

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// What to do.
    pub(crate) command: Command,
}

impl Options {
    /// Reads the words after the program's name; an error says which word is wrong.
    pub(crate) fn parse(words: Vec<String>) -> Result<Self, String> {
        let mut words = words.into_iter();
        let Some(command) = words.next() else { return Err("which task?".to_owned()) };
        let words: Vec<String> = words.collect();
        if words.iter().any(|word| word == "--help" || word == "-h") {
            return Ok(Self { command: Command::Help });
        }
        let command = match command.as_str() {
            "help" | "--help" | "-h" => Command::Help,
            "test" => Command::Test(test_options(words)?),
            "tidy" => none(Command::Tidy, &words)?,
            "fmt" => none(Command::Fmt, &words)?,
            "bench" => Command::Bench(bench_options(words)?),
            "soak" => none(Command::Soak, &words)?,
            "demo" => Command::Demo(demo_options(words)?),
            other => return Err(format!("no task is called {other:?}")),
        };
        Ok(Self { command })
    }
}

fn none(command: Command, words: &[String]) -> Result<Command, String> {
    words.first().map_or(Ok(command), |word| Err(unknown(word)))
}

fn unknown(word: &str) -> String {
    format!("unknown argument {word:?}")
}

fn value(words: &mut impl Iterator<Item = String>, flag: &str) -> Result<String, String> {
    words.next().ok_or_else(|| format!("{flag} needs a value"))
}

fn number<T: std::str::FromStr>(words: &mut impl Iterator<Item = String>, flag: &str) -> Result<T, String> {
    let text = value(words, flag)?;
    text.parse().map_err(|_| format!("{flag} needs a whole number, got {text:?}"))
}

fn test_options(words: Vec<String>) -> Result<TestOptions, String> {
    let mut options = TestOptions::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--list" => options.list = true,
            "--only" => options.only.push(value(&mut words, "--only")?),
            "--skip" => options.skip.push(value(&mut words, "--skip")?),
            other => return Err(unknown(other)),
        }
    }
    Ok(options)
}

fn bench_options(words: Vec<String>) -> Result<BenchOptions, String> {
    let mut options = BenchOptions::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--large" => options.large = true,
            "--only" => options.only.push(value(&mut words, "--only")?),
            other => return Err(unknown(other)),
        }
    }
    Ok(options)
}

fn demo_options(words: Vec<String>) -> Result<DemoOptions, String> {
    let mut options = DemoOptions::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--once" => options.once = true,
            "--port" => options.port = number(&mut words, "--port")?,
            "--every" => options.every = Duration::from_secs(number(&mut words, "--every")?),
            "--release" => options.build = Build::Release,
            "--no-open" => options.no_open = true,
            other => return Err(unknown(other)),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Options::parse(line.split_whitespace().map(str::to_owned).collect()).map(|options| options.command)
    }

    #[test]
    fn flags_are_read() {
        let options = TestOptions {
            list: true,
            only: vec!["tidy".to_owned(), "fmt".to_owned()],
            skip: vec!["web".to_owned()],
        };
        assert_eq!(parse("test --list --only tidy --skip web --only fmt"), Ok(Command::Test(options)));
        assert_eq!(
            parse("demo --once --port 8080 --every 2"),
            Ok(Command::Demo(DemoOptions {
                once: true,
                port: 8080,
                every: Duration::from_secs(2),
                ..DemoOptions::default()
            }))
        );
        let large = BenchOptions { only: vec!["store".to_owned()], large: true };
        assert_eq!(parse("bench --only store --large"), Ok(Command::Bench(large)));
        assert_eq!((parse("soak"), parse("test --help")), (Ok(Command::Soak), Ok(Command::Help)));
    }

    #[test]
    fn wrong_words_are_named() {
        for (line, names) in [
            ("", "which task"),
            ("tset", "tset"),
            ("tidy now", "now"),
            ("test --only", "--only"),
            ("demo --port high", "high"),
        ] {
            let wrong = parse(line).expect_err(line);
            assert!(wrong.contains(names), "{line}: {wrong}");
        }
    }
}
