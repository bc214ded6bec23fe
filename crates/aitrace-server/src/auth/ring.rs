//! The keys as requests need them: in memory, and never older than half a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aitrace_model::Timestamp;
use aitrace_store::{Key, ProjectScope, Result};
use tokio::sync::Mutex as Turn;

use super::keys::Keys;
use super::pepper::key_id;
use super::scope::{Scope, Scopes};

/// How long keys that were read are taken for the present ones: another process may have changed them.
const FRESH_NS: i64 = 500_000_000;

/// Whose token a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The operator: everything in all projects.
    Operator,
    /// The holder of a key.
    Key {
        /// Its id.
        id: String,
        /// Its project.
        project: String,
        /// What it allows.
        scopes: Scopes,
    },
}

/// Time between two notes of one key's use in the store.
const NOTED_NS: i64 = 60_000_000_000;

/// The last use of a key.
#[derive(Debug, Clone, Copy)]
struct Used {
    last: Timestamp,
    /// When it was last noted in the store.
    noted: Option<Timestamp>,
}

/// All keys.
#[derive(Debug)]
pub(crate) struct Ring {
    keys: Keys,
    /// Keys are demanded whether there are any or not.
    demanded: bool,
    known: Mutex<Option<Known>>,
    /// By id.
    used: Mutex<HashMap<String, Used>>,
    /// One reads the keys at a time; the others wait for what it finds.
    turn: Turn<()>,
}

#[derive(Debug, Clone)]
struct Known {
    read: Timestamp,
    keys: Arc<HashMap<String, Key>>,
}

impl Ring {
    pub(crate) fn new(keys: Keys, demanded: bool) -> Self {
        Self { keys, demanded, known: Mutex::default(), used: Mutex::default(), turn: Turn::new(()) }
    }

    /// The keys to change.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Whether callers must show a key: since the first one was made, also when all are revoked by now.
    pub(crate) async fn demands(&self) -> Result<bool> {
        Ok(self.demanded || !self.current().await?.is_empty())
    }

    /// Whether there is a key that somebody could show.
    pub(crate) async fn has_live(&self) -> Result<bool> {
        let now = self.keys.clock.now();
        Ok(self.current().await?.values().any(|key| is_live(key, now)))
    }

    /// Whose token it is; `None` for nobody's.
    pub(crate) async fn holder(&self, token: &str) -> Result<Option<Holder>> {
        let Some(id) = key_id(token) else {
            return Ok(self.keys.pepper.is_operator(token).then_some(Holder::Operator));
        };
        let keys = self.current().await?;
        let fitting = keys.get(id).filter(|key| self.keys.pepper.verify(token, &key.hash));
        Ok(fitting.and_then(|key| self.use_of(key)))
    }

    /// The holder of a key that was shown before; `None` once it is revoked or expired.
    pub(crate) async fn holder_of(&self, id: &str) -> Result<Option<Holder>> {
        Ok(self.current().await?.get(id).and_then(|key| self.use_of(key)))
    }

    /// When a key was last used, as far as this server knows.
    pub(crate) fn last_used(&self, key: &Key) -> Option<Timestamp> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        key.last_used.max(used.get(&key.id).map(|used| used.last))
    }

    /// The holder of a key that is live, whose use is noted: in memory at once, in the store now and then and beside
    /// the request.
    fn use_of(&self, key: &Key) -> Option<Holder> {
        let now = self.keys.clock.now();
        if !is_live(key, now) {
            return None;
        }
        let due = {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(used) = used.get_mut(&key.id) {
                used.at(now)
            } else {
                let new = Used { last: now, noted: key.last_used };
                used.entry(key.id.clone()).or_insert(new).at(now)
            }
        };
        if due {
            let (keys, id, project) = (self.keys.clone(), key.id.clone(), key.project.clone());
            tokio::spawn(async move {
                if let Err(error) = keys.used(&project, &id, now).await {
                    tracing::debug!(%error, key = id, "the use of a key is not noted");
                }
            });
        }
        Some(Holder::Key {
            id: key.id.clone(),
            project: key.project.clone(),
            scopes: key.scopes.iter().filter_map(|word| Scope::from_word(word)).collect(),
        })
    }

    /// Reads the keys again before they are needed next.
    pub(crate) fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn current(&self) -> Result<Arc<HashMap<String, Key>>> {
        if let Some(keys) = self.fresh() {
            return Ok(keys);
        }
        let _turn = self.turn.lock().await;
        if let Some(keys) = self.fresh() {
            return Ok(keys);
        }
        // The time before reading: a key that is revoked meanwhile counts as read too early, not too late.
        let read = self.keys.clock.now();
        let keys = self.keys.list(&ProjectScope::All).await?;
        let keys: Arc<HashMap<_, _>> =
            Arc::new(keys.into_iter().map(|listed| (listed.key.id.clone(), listed.key)).collect());
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Known { read, keys: keys.clone() });
        Ok(keys)
    }

    fn fresh(&self) -> Option<Arc<HashMap<String, Key>>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let age = self.keys.clock.now().nanos().saturating_sub(known.read.nanos());
        (0..FRESH_NS).contains(&age).then_some(known.keys)
    }
}

impl Used {
    /// Takes note of a use. Whether the store is to be told.
    fn at(&mut self, now: Timestamp) -> bool {
        self.last = self.last.max(now);
        let since = |noted: Timestamp| now.nanos().saturating_sub(noted.nanos());
        // Clocks are set back, too.
        let due = self.noted.is_none_or(|noted| !(0..NOTED_NS).contains(&since(noted)));
        if due {
            self.noted = Some(now);
        }
        due
    }
}

fn is_live(key: &Key, now: Timestamp) -> bool {
    key.revoked.is_none() && key.expires.is_none_or(|end| now < end)
}
