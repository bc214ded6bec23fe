//! Making, listing and revoking keys.

use std::fmt;
use std::sync::Arc;

use aitrace_model::{Clock, Timestamp};
use aitrace_store::{
    DocumentKind, DocumentQuery, DocumentStore, ErrorKind, Key, ProjectScope, Record as _, Result, StoreError,
};

use super::pepper::{Pepper, write_key};
use super::random::{Random, hex};
use super::scope::{Scope, Scopes};

/// Longest name of a project or a key, bytes.
const NAME_BYTES: usize = 256;

/// The keys of a store.
#[derive(Debug, Clone)]
pub struct Keys {
    pub(super) documents: Arc<dyn DocumentStore>,
    pub(super) pepper: Pepper,
    pub(super) clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// A key as lists have it.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedKey {
    /// The key, of whose secret only a hash is known.
    pub key: Key,
    /// When it was made.
    pub created: Timestamp,
}

/// What a new key is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedKey {
    /// Project whose data it reaches; it need not exist yet.
    pub project: String,
    /// What it allows; where it is empty, adding and reading.
    pub scopes: Vec<Scope>,
    /// A name for people.
    pub name: Option<String>,
    /// From when on it is void; `None` for never.
    pub expires: Option<Timestamp>,
}

/// A key that was just made. Its text is nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Its public id.
    pub id: String,
    /// The secret text to be sent as `Authorization: Bearer …`.
    pub key: String,
    /// The project whose data it reaches.
    pub project: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// From when on it is void.
    pub expires: Option<Timestamp>,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("id", &self.id).field("project", &self.project).finish_non_exhaustive()
    }
}

impl Keys {
    /// The keys in `documents`, hashed with `pepper`.
    pub fn new(
        documents: Arc<dyn DocumentStore>,
        pepper: Pepper,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self { documents, pepper, clock, random }
    }

    /// Makes a key.
    ///
    /// Fails with [`ErrorKind::Invalid`] for a project without a name, and for a time that is over.
    pub async fn create(&self, wanted: WantedKey) -> Result<NewKey> {
        let invalid = |text: &str| StoreError::new(ErrorKind::Invalid, text);
        let WantedKey { project, scopes, name, expires } = wanted;
        if project.is_empty() || project.len() > NAME_BYTES {
            return Err(invalid("the project's name must have 1 to 256 bytes"));
        }
        if name.as_ref().is_some_and(|name| name.len() > NAME_BYTES) {
            return Err(invalid("the key's name must have at most 256 bytes"));
        }
        if expires.is_some_and(|end| end <= self.clock.now()) {
            return Err(invalid("the time at which the key is to expire is over"));
        }
        let usual = [Scope::Ingest, Scope::Read];
        let scopes: Scopes = if scopes.is_empty() { &usual } else { &scopes[..] }.iter().copied().collect();
        let scopes: Vec<String> = scopes.words().into_iter().map(str::to_owned).collect();
        let random = |bytes| {
            hex(&*self.random, bytes).map_err(|error| {
                StoreError::new(ErrorKind::Unavailable, "the system has no randomness").with_source(error)
            })
        };
        let id = random(8)?;
        let text = write_key(&id, &random(32)?);
        let key = Key {
            project: project.clone(),
            id: id.clone(),
            hash: self.pepper.hash(&text),
            scopes: scopes.clone(),
            name,
            expires,
            last_used: None,
            revoked: None,
        };
        let mut write = key.write(self.clock.now())?;
        write.expect = Some(0);
        self.documents.put_documents(vec![write]).await?;
        Ok(NewKey { id, key: text, project, scopes, expires })
    }

    /// All keys in scope, revoked ones too, newest first.
    pub async fn list(&self, scope: &ProjectScope) -> Result<Vec<ListedKey>> {
        let mut query = DocumentQuery::new(DocumentKind::Key, scope.clone());
        let mut keys = Vec::new();
        loop {
            let page = self.documents.documents(&query).await?;
            for document in &page.documents {
                keys.push(ListedKey { key: Key::read(document)?, created: document.created });
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                return Ok(keys);
            }
        }
    }

    /// Makes a key in scope void for ever. Doing it again changes nothing. `None` if there is no such key.
    pub async fn revoke(&self, scope: &ProjectScope, id: &str) -> Result<Option<ListedKey>> {
        let Some(mut listed) = self.list(scope).await?.into_iter().find(|listed| listed.key.id == id) else {
            return Ok(None);
        };
        let key = &mut listed.key;
        if key.revoked.is_none() {
            key.revoked = Some(self.clock.now());
            self.documents.put_documents(vec![key.write(self.clock.now())?]).await?;
        }
        Ok(Some(listed))
    }

    /// Remembers when a key was last used, unless it is changed at the same time: then the next use will do.
    pub(super) async fn used(&self, project: &str, id: &str, at: Timestamp) -> Result<()> {
        let Some(document) = self.documents.document(DocumentKind::Key, project, id).await? else {
            return Ok(());
        };
        let mut key = Key::read(&document)?;
        if key.last_used.is_some_and(|known| known >= at) {
            return Ok(());
        }
        key.last_used = Some(at);
        let mut write = key.write(self.clock.now())?;
        // It must not bring back what was revoked meanwhile.
        write.expect = Some(document.version);
        match self.documents.put_documents(vec![write]).await {
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            done => done.map(drop),
        }
    }
}
