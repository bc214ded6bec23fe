//! The configuration file, and the compatibility mode.
//!
//! `~/.config/aitrace/config.toml`, or `config.yaml`, or the file that `AITRACE_CONFIG` names; of two files the
//! TOML one wins key by key. Keys are written with `-` or `_`: `project`, `source`, `server-url`, `api-key`,
//! `target`, `service`, `compat-mode`, `workspace-root`; others belong to those who read them. The environment
//! goes before a file, what a program says before both.
//!
//! A file that cannot be read never stops a traced program: one line on stderr says what is wrong with it, and
//! what it would have said is unset.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Map, Value};

use crate::env::{self, Environment, flag_of};
use crate::lock::Mutex;

/// Bytes of a file that are read; a larger one is no configuration.
const LIMIT: u64 = 1 << 20;

/// What the files say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    values: Map<String, Value>,
    files: Vec<PathBuf>,
    /// Whether there is a file that could not be read: nobody knows what it says.
    broken: bool,
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, with the line where the format tells it.
    pub reason: String,
}

impl Settings {
    /// Reads a file, by its ending as TOML or as YAML. One that does not exist says nothing.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let fail = |reason: String| ConfigError { path: path.to_owned(), reason };
        let text = match text_of(path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(fail(error.to_string())),
        };
        let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        let value = if yaml { parse_yaml(&text) } else { parse_toml(&text) };
        let members = match value.map_err(|reason| fail(one_line(&reason)))? {
            Value::Object(members) => members,
            Value::Null => Map::new(),
            _ => return Err(fail("it must be a table of keys and values".to_owned())),
        };
        let values = members.into_iter().map(|(key, value)| (key.replace('_', "-"), value)).collect();
        Ok(Self { values, files: vec![path.to_owned()], broken: false })
    }

    /// Everything by its key, written with `-`.
    pub fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// The files that were found, the one that goes before first.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Whether there is a file that could not be read.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// A text; an empty one is none, a number is its text.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.values.get(key)? {
            Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A yes or no, also as a word.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.values.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(word) => flag_of(word),
            _ => None,
        }
    }

    /// What `other` says goes before.
    fn under(mut self, other: Self) -> Self {
        self.values.extend(other.values);
        self.files.splice(0..0, other.files);
        self.broken |= other.broken;
        self
    }
}

fn text_of(path: &Path) -> std::io::Result<String> {
    // A folder or a pipe in its place must neither fail late nor block.
    let found = fs::metadata(path)?;
    if !found.is_file() || found.len() > LIMIT {
        return Err(std::io::Error::new(ErrorKind::InvalidInput, "it is no file of at most 1 MiB"));
    }
    fs::read_to_string(path)
}

fn parse_toml(text: &str) -> Result<Value, String> {
    toml::from_str(text).map_err(|error| match error.span() {
        Some(span) => {
            let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line}: {}", error.message())
        }
        None => error.message().to_owned(),
    })
}

fn parse_yaml(text: &str) -> Result<Value, String> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Value::Null);
    }
    // What follows the first line shows the place as a picture.
    serde_saphyr::from_str(text)
        .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}

/// The folder of the files: `~/.config/aitrace`; `None` without a home.
pub fn folder() -> Option<PathBuf> {
    env::home().map(|home| Path::new(&home).join(".config/aitrace"))
}

/// The files that are looked at, the one that goes before first: what `AITRACE_CONFIG` names, else those in
/// [`folder`].
pub fn paths() -> Vec<PathBuf> {
    if let Some(path) = env::config_file() {
        return vec![PathBuf::from(path)];
    }
    let Some(folder) = folder() else { return Vec::new() };
    ["config.toml", "config.yaml", "config.yml"].iter().map(|name| folder.join(name)).collect()
}

/// What the environment leaves unset is what the file says.
pub(crate) fn complete(mut environment: Environment, file: &Settings) -> Environment {
    if environment.target.is_none() && environment.server_url.is_none() {
        (environment.target, environment.server_url) = (file.text("target"), file.text("server-url"));
    }
    for (place, key) in [
        (&mut environment.project, "project"),
        (&mut environment.source, "source"),
        (&mut environment.api_key, "api-key"),
        (&mut environment.service, "service"),
    ] {
        if place.is_none() {
            *place = file.text(key);
        }
    }
    environment.compat_mode = environment.compat_mode.or_else(|| file.flag("compat-mode"));
    environment
}

static CURRENT: Mutex<Option<Arc<Settings>>> = Mutex::new(None);

/// What the files say. They are read once in a process; [`reload`] reads them again.
pub fn current() -> Arc<Settings> {
    let known = CURRENT.lock().clone();
    known.unwrap_or_else(|| reload(&paths()).0)
}

/// Reads these files, the one that goes before first, and makes them [`current`] for tracers that are made from
/// now on. What cannot be read is told, on stderr too, and says nothing.
pub fn reload(paths: &[PathBuf]) -> (Arc<Settings>, Vec<ConfigError>) {
    let mut settings = Settings::default();
    let mut errors = Vec::new();
    for path in paths.iter().rev() {
        match Settings::read(path) {
            Ok(found) => settings = settings.under(found),
            Err(error) => {
                tell(&error);
                settings.broken = true;
                errors.push(error);
            }
        }
    }
    let settings = Arc::new(settings);
    *CURRENT.lock() = Some(settings.clone());
    (settings, errors)
}

#[expect(clippy::print_stderr, reason = "a broken file must be seen, and must not stop the program")]
fn tell(error: &ConfigError) {
    eprintln!("aitrace: the configuration file is not used: {error}");
}

/// 0: not said; 1: off; 2: on.
static COMPAT: AtomicU8 = AtomicU8::new(0);

/// Says whether trace records repeat their timestamp at the top level, for everything this process writes from
/// now on; `None` goes back to what environment, file and builder say.
pub fn set_compat_mode(mode: Option<bool>) {
    COMPAT.store(mode.map_or(0, |on| 1 + u8::from(on)), Ordering::Relaxed);
}

/// Whether trace records repeat their timestamp at the top level: what was set, else `AITRACE_COMPAT_MODE`, else
/// `compat-mode` of the file, else not.
pub fn compat_mode() -> bool {
    compat_or(|| env::compat_mode().or_else(|| current().flag("compat-mode")).unwrap_or(false))
}

/// What was set, else what `otherwise` says.
pub(crate) fn compat_or(otherwise: impl FnOnce() -> bool) -> bool {
    match COMPAT.load(Ordering::Relaxed) {
        0 => otherwise(),
        set => set == 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        fs::write(&path, text).expect("writes");
        (folder, path)
    }

    #[test]
    fn both_formats_say_the_same() {
        let toml = "compat-mode = true\nserver_url = 'http://h'\nsource = \"\"\n[[rules]]\nname = 'a'\n";
        let yaml = "# one\ncompat-mode: true\nserver_url: http://h\nsource: ''\nrules:\n  - name: a\n";
        for (name, text) in [("c.toml", toml), ("c.yaml", yaml), ("c.yml", yaml)] {
            let (_folder, path) = file(name, text);
            let settings = Settings::read(&path).expect(name);
            assert_eq!(settings.flag("compat-mode"), Some(true), "{name}");
            assert_eq!(settings.text("server-url").as_deref(), Some("http://h"), "{name}");
            assert_eq!((settings.text("source"), settings.text("target")), (None, None), "{name}");
            assert_eq!(settings.values()["rules"][0]["name"], "a", "{name}");
        }
    }

    #[test]
    fn toml_goes_before_yaml_key_by_key() {
        let (folder, toml) = file("config.toml", "project = 't'");
        let yaml = folder.path().join("config.yaml");
        fs::write(&yaml, "project: y\nsource: s\n").expect("writes");
        let read = |path| Settings::read(path).expect("valid");
        let both = read(&yaml).under(read(&toml));
        assert_eq!((both.text("project"), both.text("source")), (Some("t".into()), Some("s".into())));
        assert_eq!(both.files(), [toml, yaml]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (name, text, says) in [
            ("c.toml", "a = 1\nb = \n", "line 2"),
            ("c.yaml", "a: 1\nb: [\n", "line"),
            ("c.yaml", "- 1\n", "table"),
        ] {
            let (_folder, path) = file(name, text);
            let error = Settings::read(&path).expect_err(name).to_string();
            assert!(error.contains(says) && error.contains(name) && !error.contains('\n'), "{error}");
        }
        let (folder, _) = file("x", "");
        assert!(Settings::read(folder.path()).is_err());
        for (name, text) in [("empty.yaml", ""), ("comments.yaml", "# a: 1\n"), ("empty.toml", "")] {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("writes");
            assert!(Settings::read(&path).expect(name).values().is_empty());
        }
        let missing = folder.path().join("none.toml");
        assert_eq!(Settings::read(&missing), Ok(Settings::default()));
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("c.toml");
        let text = "project = 'f'\nsource = 'f'\ntarget = '-'\ncompat-mode = true\n";
        fs::write(&path, text).expect("writes");
        let file = Settings::read(&path).expect("valid");
        let none = complete(Environment::from(|_| None), &file);
        assert_eq!((none.project.as_deref(), none.target.as_deref()), (Some("f"), Some("-")));
        assert_eq!(none.compat_mode, Some(true));
        let said = Environment::from(|name| match name {
            "AITRACE_PROJECT" => Some("e".to_owned()),
            "AITRACE_SERVER_URL" => Some("http://e".to_owned()),
            "AITRACE_COMPAT_MODE" => Some("false".to_owned()),
            _ => None,
        });
        let said = complete(said, &file);
        assert_eq!((said.project.as_deref(), said.source.as_deref()), (Some("e"), Some("f")));
        // A server that the environment names is not beaten by a target of the file.
        assert_eq!((said.target.as_deref(), said.server_url.as_deref()), (None, Some("http://e")));
        assert_eq!(said.compat_mode, Some(false));
    }
}
