//! `aitrace keys`: who may use the server of a data folder.
//!
//! Whoever can read the folder's secret is the operator. Where a server has the folder open, it is asked, over
//! loopback; else the folder is opened here.

use std::path::Path;
use std::sync::Arc;

use aitrace_model::{Clock as _, SystemClock, Timestamp};
use aitrace_server::{Keys, ListedKey, Scope, SystemRandom, WantedKey};
use aitrace_store::{ErrorKind, ProjectScope, TelemetryStore as _};
use aitrace_store_embedded::{EmbeddedStore, Options};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::args::{self, KeysCommand};
use crate::client::Client;
use crate::failure::Failure;
use crate::settings::{ServerUrl, moment_to_come};
use crate::{beacon, local, output, secret, serving, text};
use std::process::ExitCode;

/// A new key, as the server's API tells it.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    id: String,
    key: String,
    project: String,
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

/// A key in a list.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    id: String,
    project: String,
    scopes: Vec<String>,
    name: Option<String>,
    created: String,
    expires: Option<String>,
    last_used: Option<String>,
    revoked: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct List {
    keys: Vec<Line>,
}

pub(super) fn run(args: &args::Keys) -> Result<ExitCode> {
    match &args.command {
        KeysCommand::Create(args) => create(args),
        KeysCommand::List(args) => list(args),
        KeysCommand::Revoke(args) => revoke(args),
        KeysCommand::Login(args) => login(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn create(args: &args::CreateKey) -> Result<()> {
    let expires = args.expires.as_deref().map(|text| moment_to_come("--expires", text, &SystemClock));
    let scopes = args.scope.iter().filter_map(|word| Scope::from_word(word)).collect();
    let (project, name) = (args.project.clone(), args.name.clone());
    let made =
        Ring::of(&args.data)?.create(WantedKey { project, scopes, name, expires: expires.transpose()? })?;
    secret::guard(&serving::data_dir(&args.data)?)?;
    if args.json {
        return output::answer(&serde_json::to_string(&made)?);
    }
    output::answer(&made.key)?;
    let scopes = made.scopes.join(", ");
    output::note(&format!("key {} of project {} ({scopes}); it is shown this once", made.id, made.project));
    made.expires.iter().for_each(|end| output::note(&format!("it expires at {end}")));
    output::note("programs read it from AITRACE_API_KEY");
    Ok(())
}

fn list(args: &args::ListKeys) -> Result<()> {
    let list = Ring::of(&args.data)?.list(args.project.as_deref())?;
    if args.json {
        return output::answer(&serde_json::to_string(&list)?);
    }
    let (mut out, now) = (output::Output::stdout(), SystemClock.now());
    for key in &list.keys {
        let name = key.name.as_deref().unwrap_or_default();
        let (scopes, state) = (key.scopes.join(","), state(key, now));
        let used = key.last_used.as_deref().unwrap_or("never");
        let line =
            format!("{}  {}  {scopes}  {}  {state}  used {used}  {name}", key.id, key.project, key.created);
        out.line(text::clean(&line).trim_end())?;
    }
    out.flush()
}

/// What a key is worth, in words.
fn state(key: &Line, now: Timestamp) -> String {
    let end = key.expires.as_ref().and_then(|end| Some((end, end.parse::<Timestamp>().ok()?)));
    match (&key.revoked, end) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some((text, end))) if end <= now => format!("expired {text}"),
        (None, Some((text, _))) => format!("live until {text}"),
        (None, None) => "live".to_owned(),
    }
}

fn revoke(args: &args::RevokeKey) -> Result<()> {
    let revoked = Ring::of(&args.data)?.revoke(&args.id)?;
    if args.json {
        return output::answer(&serde_json::to_string(&revoked)?);
    }
    output::note(&format!("key {} of project {} is void", revoked.id, revoked.project));
    Ok(())
}

fn login(args: &args::LoginLink) -> Result<()> {
    #[derive(Deserialize)]
    struct Link {
        path: String,
    }
    let dir = serving::data_dir(&args.data)?;
    let (url, client) = operator(&dir)?;
    let link: Link = client.post_json("/api/keys/login", &json!({}))?;
    let url = format!("{}{}", url.as_str(), link.path);
    if args.json {
        return output::answer(&json!({"url": url}).to_string());
    }
    output::answer(&url)?;
    output::note("it is good once, within ten minutes");
    Ok(())
}

/// The server that has a data folder open, for its operator.
fn operator(dir: &Path) -> Result<(ServerUrl, Client)> {
    let (Some(url), Some(pepper)) = (beacon::seen(dir), secret::known(dir)?) else {
        let message = format!("no server has the data folder {} open", dir.display());
        return Err(Failure::new(message, "start one with `aitrace serve`, or name its --data-dir").into());
    };
    Ok((url.clone(), Client::with_key(url, &pepper.operator_token())))
}

/// The keys of a data folder.
enum Ring {
    /// Opened here.
    Here { runtime: Box<Runtime>, store: Arc<EmbeddedStore>, keys: Box<Keys> },
    /// By the server that has it open.
    There(Client),
}

impl Ring {
    fn of(data: &args::DataDir) -> Result<Self> {
        let dir = serving::data_dir(data)?;
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot make the data folder {}", dir.display()))?;
        match EmbeddedStore::open(&dir, Options::default()) {
            Ok(store) => Self::here(&dir, Arc::new(store)),
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(Self::There(operator(&dir)?.1)),
            Err(error) => Err(local::not_opened(&error)),
        }
    }

    fn here(dir: &Path, store: Arc<EmbeddedStore>) -> Result<Self> {
        let pepper = secret::pepper(dir, &SystemRandom)?;
        let keys = Keys::new(store.clone(), pepper, Arc::new(SystemClock), Arc::new(SystemRandom));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self::Here { runtime: Box::new(runtime), store, keys: Box::new(keys) })
    }

    fn create(&self, wanted: WantedKey) -> Result<Made> {
        match self {
            Self::Here { runtime, keys, .. } => {
                let made = runtime.block_on(keys.create(wanted)).map_err(told)?;
                let expires = made.expires.map(|end| end.to_string());
                Ok(Made { id: made.id, key: made.key, project: made.project, scopes: made.scopes, expires })
            }
            Self::There(client) => {
                let scopes: Vec<_> = wanted.scopes.iter().map(|scope| scope.as_str()).collect();
                let body = json!({
                    "project": wanted.project, "scopes": scopes, "name": wanted.name,
                    "expires": wanted.expires.map(|end| end.to_string()),
                });
                client.post_json("/api/keys", &body)
            }
        }
    }

    fn list(&self, project: Option<&str>) -> Result<List> {
        match self {
            Self::Here { runtime, keys, .. } => {
                let scope =
                    project.map_or(ProjectScope::All, |project| ProjectScope::One(project.to_owned()));
                let keys = runtime.block_on(keys.list(&scope)).map_err(told)?;
                Ok(List { keys: keys.into_iter().map(line).collect() })
            }
            Self::There(client) => {
                let query: Vec<_> = project.map(|project| ("project", project)).into_iter().collect();
                client.get_json("/api/keys", &query)
            }
        }
    }

    fn revoke(&self, id: &str) -> Result<Line> {
        match self {
            Self::Here { runtime, keys, .. } => {
                let revoked = runtime.block_on(keys.revoke(&ProjectScope::All, id)).map_err(told)?;
                let none = || Failure::no("there is no key of this id", "`aitrace keys list` shows all");
                Ok(revoked.map(line).ok_or_else(none)?)
            }
            Self::There(client) => client.delete_json(&format!("/api/key/{id}")),
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if let Self::Here { runtime, store, .. } = self {
            // What was written is durable already; closing in order only saves the next opening some work.
            drop(runtime.block_on(store.shutdown()));
        }
    }
}

fn line(ListedKey { key, created }: ListedKey) -> Line {
    Line {
        id: key.id,
        project: key.project,
        scopes: key.scopes,
        name: key.name,
        created: created.to_string(),
        expires: key.expires.map(|at| at.to_string()),
        last_used: key.last_used.map(|at| at.to_string()),
        revoked: key.revoked.map(|at| at.to_string()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn told(error: aitrace_store::StoreError) -> anyhow::Error {
    Failure::new(error.to_string(), "").into()
}
