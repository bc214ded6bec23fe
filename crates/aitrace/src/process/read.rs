//! Rules from text and files, with the line of what is wrong.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::rules::Rules;

/// Longest text of rules.
const MAX_BYTES: u64 = 1 << 20;

/// How rules are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulesFormat {
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

impl RulesFormat {
    /// The format of a file by the end of its name; `None` for any other than `.toml`, `.yaml`, `.yml`, `.json`.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Rules that cannot be used: where, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{}: {reason}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct RulesError {
    /// The file, or how the rules were given.
    pub place: String,
    /// The line, from 1; `None` where the whole is meant.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub reason: String,
}

/// The section of a configuration file that is ours; the rest is for others.
#[derive(Debug, Default, Deserialize)]
struct Configuration {
    processing: Option<Rules>,
}

impl Rules {
    /// Reads rules from text. `place` is how errors name it.
    pub fn parse(text: &str, format: RulesFormat, place: &str) -> Result<Self, RulesError> {
        parse(text, format, place)
    }

    /// Reads rules from a file, whose name says how it is written: `.toml`, `.yaml`, `.yml` or `.json`.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, RulesError> {
        let path = path.as_ref();
        let (text, format) = load(path)?;
        parse(&text, format, &path.display().to_string())
    }

    /// Reads the section `processing` of a configuration file; rules without any where it has none.
    pub fn read_configuration(path: impl AsRef<Path>) -> Result<Self, RulesError> {
        let path = path.as_ref();
        let (text, format) = load(path)?;
        let place = path.display().to_string();
        let configuration: Option<Configuration> =
            if text.trim().is_empty() { None } else { Some(parse(&text, format, &place)?) };
        Ok(configuration.and_then(|configuration| configuration.processing).unwrap_or_default())
    }

    /// These rules and `others`: both lists, both masks. Settings that both have are those of `others`.
    pub fn and(mut self, others: Self) -> Self {
        let (mask, other) = (&mut self.mask, others.mask);
        mask.enabled = other.enabled.or(mask.enabled);
        mask.defaults = other.defaults.or(mask.defaults);
        mask.key_text = other.key_text.or(mask.key_text);
        mask.keys.extend(other.keys);
        mask.allow_keys.extend(other.allow_keys);
        mask.values.extend(other.values);
        self.tail = others.tail.or(self.tail);
        self.rules.extend(others.rules);
        self
    }

    /// The same rules, masking whatever they say about that.
    pub fn masking(mut self, enabled: bool) -> Self {
        self.mask.enabled = Some(enabled);
        self
    }
}

/// What `AITRACE_RULES` or an argument says: JSON that begins with a brace, else the path of a file.
pub(crate) fn from_setting(text: &str, home: Option<&str>, place: &str) -> Result<Rules, RulesError> {
    let text = text.trim();
    if text.starts_with('{') {
        return Rules::parse(text, RulesFormat::Json, place);
    }
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Rules::read(Path::new(home).join(rest)),
        _ => Rules::read(text),
    }
}

fn load(path: &Path) -> Result<(String, RulesFormat), RulesError> {
    let wrong = |reason: String| RulesError { place: path.display().to_string(), line: None, reason };
    let format = RulesFormat::of(path)
        .ok_or_else(|| wrong("the name must end in .toml, .yaml, .yml or .json".to_owned()))?;
    let unread = |error: std::io::Error| wrong(format!("cannot be read: {error}"));
    let size = std::fs::metadata(path).map_err(unread)?.len();
    if size > MAX_BYTES {
        return Err(wrong(format!("{size} bytes are too many, {MAX_BYTES} are allowed")));
    }
    std::fs::read_to_string(path).map(|text| (text, format)).map_err(unread)
}

fn parse<T: DeserializeOwned>(text: &str, format: RulesFormat, place: &str) -> Result<T, RulesError> {
    let (line, reason) = match format {
        RulesFormat::Toml => match toml::from_str(text) {
            Ok(read) => return Ok(read),
            Err(error) => {
                let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
                (line, error.message().to_owned())
            }
        },
        RulesFormat::Json => match serde_json::from_str(text) {
            Ok(read) => return Ok(read),
            Err(error) => {
                let reason = error.to_string();
                let end = reason.rfind(" at line ").unwrap_or(reason.len());
                (Some(error.line()).filter(|line| *line > 0), reason[..end].to_owned())
            }
        },
        RulesFormat::Yaml => match serde_saphyr::from_str(text) {
            Ok(read) => return Ok(read),
            Err(error) => {
                let line = error.location().map(|location| location.line() as usize);
                (line.filter(|line| *line > 0), yaml_reason(&error))
            }
        },
    };
    Err(RulesError {
        place: place.to_owned(),
        line,
        reason: reason.lines().next().unwrap_or_default().to_owned(),
    })
}

/// The reason without the place and the picture of the text around it.
fn yaml_reason(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let first = first.split(" at line ").next().unwrap_or_default();
    match first.strip_prefix("line ") {
        Some(rest) => rest.split_once(": ").map_or(first, |(_, reason)| reason).to_owned(),
        None => first.to_owned(),
    }
}

#[cfg(test)]
mod tests;
