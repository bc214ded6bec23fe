//! Where the settings of a server come from: flags, then the environment, then the configuration file, then defaults.

use std::fmt;
use std::path::{Path, PathBuf};

use aitrace::config::paths;
use anyhow::Result;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::env;
use crate::failure::Failure;

/// A setting of `[serve]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Its key in the file; its flag is the same with `--`.
    pub(crate) key: &'static str,
    /// Its environment variable.
    pub(crate) variable: &'static str,
    /// What holds where nothing is said, in words.
    pub(crate) default: &'static str,
    /// What it is.
    pub(crate) about: &'static str,
}

macro_rules! settings {
    ($($field:ident $alias:literal $key:literal $variable:literal $default:literal $about:literal)+) => {
        /// All of them.
        pub(crate) const SETTINGS: &[Setting] = &[$(
            Setting { key: $key, variable: $variable, default: $default, about: $about }
        ),+];

        /// The table `serve` of a configuration file.
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Section {
            $(#[serde(rename = $key, alias = $alias)] $field: Option<Text>),+
        }

        impl Section {
            fn get(&self, key: &str) -> Option<&str> {
                match key {
                    $($key => self.$field.as_ref().map(|text| text.0.as_str()),)+
                    _ => None,
                }
            }
        }
    };
}

settings! {
    host "host" "host" "AITRACE_HOST" "127.0.0.1" "address to listen on"
    port "port" "port" "AITRACE_PORT" "8000" "port of viewer, API and OTLP"
    grpc_port "grpc_port" "grpc-port" "AITRACE_GRPC_PORT" "4317" "further port for data; 0 is none"
    otlp_http_port "otlp_http_port" "otlp-http-port" "AITRACE_OTLP_HTTP_PORT" "4318" "further port for data; 0 is none"
    allow_host "allow_host" "allow-host" "AITRACE_ALLOW_HOST" "" "further names of the server, with their port, like box.example:8000"
    data_dir "data_dir" "data-dir" "AITRACE_DATA_DIR" "the platform's data folder" "folder of the data"
    lost_after "lost_after" "lost-after" "AITRACE_LOST_AFTER" "15m" "silence after which a span without heartbeats is lost"
    prices "prices" "prices" "AITRACE_PRICES" "the built-in table" "table of prices of model calls"
    max_age "max_age" "max-age" "AITRACE_MAX_AGE" "for ever" "how long data is kept, like 30d"
    max_size "max_size" "max-size" "AITRACE_MAX_SIZE" "without bound" "how much data is kept, like 50GB"
    log_format "log_format" "log-format" "AITRACE_LOG_FORMAT" "text" "text or json"
    log "log" "log" "AITRACE_LOG" "warn,aitrace_audit=info" "what is logged, like info or aitrace_server=debug"
}

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(key) => write!(f, "--{key}"),
            Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What was said about the settings, everywhere.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    flags: Vec<(&'static str, String)>,
    files: Vec<(PathBuf, Section)>,
}

impl Sources {
    /// What `flags` say, and the files: `config` alone where it is named, else the usual ones.
    pub(crate) fn read(flags: Vec<(&'static str, Option<String>)>, config: Option<&Path>) -> Result<Self> {
        let paths = match config {
            Some(path) if path.is_file() => vec![path.to_owned()],
            Some(path) => {
                let message = format!("there is no configuration file {}", path.display());
                return Err(Failure::new(message, "`aitrace config init` writes one").into());
            }
            None => paths().into_iter().filter(|path| path.is_file()).collect(),
        };
        let mut files = Vec::new();
        for path in paths {
            let section = section(&path)?;
            files.push((path, section));
        }
        let flags = flags.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        Ok(Self { flags, files })
    }

    /// What holds for a key, and who said so; `None` where nobody said anything.
    pub(crate) fn get(&self, key: &'static str) -> Option<(String, Origin)> {
        if let Some((_, value)) = self.flags.iter().find(|(known, _)| *known == key) {
            return Some((value.clone(), Origin::Flag(key)));
        }
        let setting = SETTINGS.iter().find(|setting| setting.key == key)?;
        if let Some(value) = env::text(setting.variable) {
            return Some((value, Origin::Variable(setting.variable)));
        }
        let said = |(path, section): &(PathBuf, Section)| {
            Some((section.get(key)?.to_owned(), Origin::File(path.clone())))
        };
        self.files.iter().find_map(said)
    }

    /// The value of a key as something else; an error that names who said what cannot be read.
    pub(crate) fn parse<T>(
        &self,
        key: &'static str,
        what: &str,
        hint: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some((text, origin)) = self.get(key) else { return Ok(None) };
        match read(text.trim()) {
            Some(value) => Ok(Some(value)),
            None => Err(Failure::new(format!("{origin}: {key}: {text:?} is no {what}"), hint).into()),
        }
    }
}

/// The table `serve` of a file; what else stands there is for others.
fn section(path: &Path) -> Result<Section> {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        serve: Section,
    }
    let failed =
        |reason: String| Failure::new(format!("{}: {reason}", path.display()), "mend it, or move it away");
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let file: Result<Option<File>, String> = if yaml { read_yaml(&text) } else { read_toml(&text).map(Some) };
    Ok(file.map_err(failed)?.map(|file| file.serve).unwrap_or_default())
}

fn read_toml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        format!("line {line}: {}", error.message())
    })
}

fn read_yaml<T: serde::de::DeserializeOwned>(text: &str) -> Result<Option<T>, String> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(None);
    }
    // What follows the first line shows the place as a picture.
    serde_saphyr::from_str(text)
        .map(Some)
        .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
}

/// A text, a number, a truth value, or a list of texts, as text.
#[derive(Debug)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyText;

        impl<'de> Visitor<'de> for AnyText {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number or a list of texts")
            }

            fn visit_str<E>(self, value: &str) -> Result<Text, E> {
                Ok(Text(value.to_owned()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text, A::Error> {
                let mut all: Vec<String> = Vec::new();
                while let Some(text) = list.next_element()? {
                    all.push(text);
                }
                Ok(Text(all.join(",")))
            }
        }

        deserializer.deserialize_any(AnyText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Section> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        section(&path)
    }

    #[test]
    fn both_formats_say_the_same() {
        let toml = "project = 'p'\n[serve]\nport = 9000\nmax-age = \"30d\"\nallow_host = ['a:1', 'b:2']\n";
        let yaml = "project: p\nserve:\n  port: 9000\n  max-age: 30d\n  allow_host: ['a:1', 'b:2']\n";
        for (name, text) in [("c.toml", toml), ("c.yaml", yaml)] {
            let section = read(name, text).expect(name);
            assert_eq!(section.get("port"), Some("9000"), "{name}");
            assert_eq!(section.get("max-age"), Some("30d"), "{name}");
            assert_eq!(section.get("allow-host"), Some("a:1,b:2"), "{name}");
            assert_eq!(section.get("host"), None, "{name}");
        }
        for (name, text) in [("c.toml", ""), ("c.yaml", "# none\n"), ("c.yaml", "project: p\n")] {
            assert_eq!(read(name, text).expect(name).get("port"), None);
        }
    }

    #[test]
    fn unknown_keys_are_refused_with_their_line() {
        for (name, text) in
            [("c.toml", "[serve]\nport = 1\nprot = 2\n"), ("c.yaml", "serve:\n  port: 1\n  prot: 2\n")]
        {
            let error = read(name, text).expect_err(name).to_string();
            assert!(error.contains("line 3") && error.contains("prot") && error.contains(name), "{error}");
        }
    }

    #[test]
    fn flags_go_before_files_and_the_origin_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "[serve]\nport = 1\nmax-size = 'much'\n").expect("writes");
        let flags = vec![("port", Some("2".to_owned())), ("host", None)];
        let sources = Sources::read(flags, Some(&path)).expect("reads");
        assert_eq!(sources.get("port"), Some(("2".to_owned(), Origin::Flag("port"))));
        assert_eq!(sources.get("host"), None);
        let error = sources.parse("max-size", "size", "", crate::settings::size).expect_err("no size");
        assert!(error.to_string().contains("c.toml: max-size: \"much\""), "{error}");
        assert!(Sources::read(Vec::new(), Some(&folder.path().join("none"))).is_err());
    }
}
