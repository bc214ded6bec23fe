//! Programs that are run: named, in a folder, with an environment; how they end.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::env;
use crate::say;

/// A program with its arguments, to be run in a folder.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    name: OsString,
    arguments: Vec<OsString>,
    folder: PathBuf,
    variables: Vec<(OsString, OsString)>,
}

impl Program {
    /// A program to run in `folder`.
    pub(crate) fn new(name: impl AsRef<OsStr>, folder: &Path) -> Self {
        Self {
            name: name.as_ref().to_owned(),
            arguments: Vec::new(),
            folder: folder.to_owned(),
            variables: Vec::new(),
        }
    }

    /// Adds arguments.
    pub(crate) fn args(mut self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.name);
        command.args(&self.arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What a person would type.
    fn line(&self) -> String {
        let words = std::iter::once(&self.name).chain(&self.arguments);
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    /// Runs it with its output on ours; an error unless it exits with 0.
    pub(crate) fn run(&self) -> Result<()> {
        say::note(&format!("$ {}", self.line()));
        let status = self.command().status().with_context(|| self.missing())?;
        if !status.success() {
            bail!("`{}` ended with {status}", self.line());
        }
        Ok(())
    }

    /// Runs it and returns what it wrote to stdout; an error unless it exits with 0.
    pub(crate) fn read(&self) -> Result<String> {
        let output = self.command().output().with_context(|| self.missing())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            bail!("`{}` ended with {}: {said}", self.line(), output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Starts it with stdout to be read, in a process group of its own, so that Ctrl-C reaches us alone.
    pub(crate) fn start(&self) -> Result<Running> {
        let mut command = self.command();
        command.stdout(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().with_context(|| self.missing())?;
        Ok(Running { child, line: self.line() })
    }

    fn missing(&self) -> String {
        format!("cannot start `{}` in {}", self.line(), self.folder.display())
    }
}

/// A program that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    /// The process.
    pub(crate) child: Child,
    line: String,
}

impl Running {
    /// Whether it has ended by itself, and how.
    pub(crate) fn ended(&mut self) -> Result<Option<String>> {
        let status = self.child.try_wait().with_context(|| format!("cannot ask for `{}`", self.line))?;
        Ok(status.map(|status| format!("`{}` ended with {status}", self.line)))
    }

    /// Asks it to end (SIGTERM), waits `patience` at most, then kills it; whether it ended by itself with 0.
    pub(crate) fn stop(mut self, patience: std::time::Duration) -> Result<bool> {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().is_ok_and(|status| status.success());
        let watch = env::Stopwatch::start();
        while asked && watch.elapsed() < patience {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success());
            }
            // Polling a process is all that std offers; the pause bounds the cost.
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Ok(false)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already: nothing is left to do then.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The full path of a program, if it can be found and run from here.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let paths = env::variable("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program::new("sh", Path::new("/")).args(["-c", script]).env("GREETING", "hello")
    }

    #[test]
    fn output_is_read_and_failure_is_told() {
        assert_eq!(shell("echo $GREETING; pwd").read().expect("runs"), "hello\n/");
        let error = shell("echo why >&2; exit 3").read().expect_err("fails").to_string();
        assert!(error.contains("exit 3") && error.contains("why"), "{error}");
        let error = Program::new("no-such-program", Path::new("/")).run().expect_err("absent");
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }

    #[test]
    fn a_program_is_stopped_softly_first() {
        let patience = std::time::Duration::from_secs(20);
        let mut running =
            shell("trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done").start().expect("starts");
        let mut line = String::new();
        let stdout = running.child.stdout.take().expect("piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("reads");
        assert_eq!(line, "up\n");
        assert!(running.ended().expect("asked").is_none());
        assert!(running.stop(patience).expect("stops"));
    }

    #[test]
    fn programs_are_found_in_the_path() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program").is_none());
    }
}
