//! `aitrace config`: the configuration file, and what holds.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use aitrace::config::{Settings, folder, paths};
use anyhow::{Context as _, Result};
use serde_json::json;

use crate::args::{self, ConfigCommand};
use crate::env;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::sources::{SETTINGS, Sources};
use crate::text;

/// Keys that programs with the SDK read, their variables, and what they are.
const SHARED: &[(&str, &str, &str)] = &[
    ("project", "AITRACE_PROJECT", "project of what is traced"),
    ("source", "AITRACE_SOURCE", "where a program runs, like dev or prod"),
    ("server-url", "AITRACE_SERVER_URL", "address of the server"),
    ("api-key", "AITRACE_API_KEY", "key for the server"),
    ("compat-mode", "AITRACE_COMPAT_MODE", "repeat the timestamp at the top level of records"),
];

pub(super) fn run(args: &args::Config) -> Result<ExitCode> {
    match &args.command {
        ConfigCommand::Init(args) => init(args.yaml),
        ConfigCommand::Show(args) => show(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a file in which everything is a comment. One that is there stays as it is.
fn init(yaml: bool) -> Result<()> {
    let Some(folder) = folder() else {
        return Err(Failure::new("there is no home folder", "set HOME").into());
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if let Some(path) = paths().into_iter().find(|path| path.try_exists().unwrap_or(true)) {
        let message = format!("{} exists, and stays as it is", path.display());
        return Err(Failure::no(message, "`aitrace config show` shows what holds").into());
    }
    let path = folder.join(if yaml { "config.yaml" } else { "config.toml" });
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    // It may come to hold a key.
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&path).and_then(|mut file| file.write_all(template(yaml).as_bytes()));
    match written {
        Ok(()) => output::answer(&path.display().to_string()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Failure::no(format!("{} exists, and stays as it is", path.display()), "").into())
        }
        Err(error) => Err(error).with_context(|| format!("cannot write {}", path.display())),
    }
}

fn template(yaml: bool) -> String {
    let (equals, table, indent) =
        if yaml { (": ", "# serve:\n", "#   ") } else { (" = ", "# [serve]\n", "# ") };
    let mut text =
        "# Settings of aitrace. The environment goes before them, flags go before both.\n\n".to_owned();
    for (key, variable, about) in SHARED {
        text = format!("{text}# {about} [{variable}]\n# {key}{equals}\"\"\n");
    }
    text.push_str("\n# What follows is for `aitrace serve`.\n");
    text.push_str(table);
    for setting in SETTINGS {
        let (key, about, variable, default) = (setting.key, setting.about, setting.variable, setting.default);
        text = format!("{text}{indent}{key}{equals}\"\"    # {about} [{variable}] (default: {default})\n");
    }
    text
}

/// Each setting with its value and where it comes from.
fn show(args: &args::ShowConfig) -> Result<()> {
    let sources = Sources::read(Vec::new(), args.config.as_deref())?;
    let mut rows: Vec<(String, Option<String>, String)> = Vec::new();
    let files: Vec<_> = match &args.config {
        Some(path) => vec![path.clone()],
        None => paths(),
    };
    for (key, variable, _) in SHARED {
        let mut found = env::text(variable).map(|value| (value, (*variable).to_owned()));
        for path in &files {
            let settings =
                Settings::read(path).map_err(|error| Failure::new(error.to_string(), "mend it"))?;
            let said = settings.text(key).or_else(|| settings.flag(key).map(|flag| flag.to_string()));
            found = found.or_else(|| said.map(|value| (value, path.display().to_string())));
        }
        // A secret is no answer.
        let hide = |value: String| if *key == "api-key" { "…".to_owned() } else { value };
        let (value, origin) =
            found.map_or((None, "default".to_owned()), |(value, origin)| (Some(hide(value)), origin));
        rows.push(((*key).to_owned(), value, origin));
    }
    for setting in SETTINGS {
        let (value, origin) = match sources.get(setting.key) {
            Some((value, origin)) => (Some(value), origin.to_string()),
            None => (Some(setting.default.to_owned()), "default".to_owned()),
        };
        rows.push((format!("serve.{}", setting.key), value, origin));
    }
    if args.json {
        let line = |(key, value, origin): &_| json!({"key": key, "value": value, "origin": origin});
        let all: Vec<_> = rows.iter().map(line).collect();
        return output::answer(&json!({"settings": all}).to_string());
    }
    let mut out = Output::stdout();
    for (key, value, origin) in rows {
        out.line(&text::clean(&format!("{key:22} {:32} {origin}", value.unwrap_or_default())))?;
    }
    out.flush()
}
