//! Who asks, and for which projects. The guard of each route puts a [`Caller`] on the request; handlers take
//! their scope from it and from nowhere else.

use std::net::IpAddr;

use aitrace_store::ProjectScope;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::auth::{Scope, Scopes};
use crate::error::{ApiError, Kind, Result};

/// The address that a request came from; behind a proxy, the proxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// As whom somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// As nobody who is known.
    Nobody,
    /// As whoever reaches a server without keys.
    Anyone,
    /// As the operator.
    Operator,
    /// As the holder of the key of this id.
    Key(String),
}

/// The caller of a request, as far as it was admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The one project that the caller may touch; `All` for whoever may touch all.
    scope: ProjectScope,
    scopes: Scopes,
    by: By,
    peer: Option<Peer>,
}

impl Caller {
    /// Whoever reaches a server that has no keys: everything is allowed.
    pub(crate) fn anyone() -> Self {
        Self::new(ProjectScope::All, Scopes::all(), By::Anyone)
    }

    pub(crate) fn new(scope: ProjectScope, scopes: Scopes, by: By) -> Self {
        Self { scope, scopes, by, peer: None }
    }

    /// The same at an address.
    pub(crate) fn at(mut self, peer: Option<Peer>) -> Self {
        self.peer = peer;
        self
    }

    /// As whom they ask.
    pub(crate) fn by(&self) -> &By {
        &self.by
    }

    /// From where.
    pub(crate) fn peer(&self) -> Option<Peer> {
        self.peer
    }

    /// Whether the caller may do this within its project.
    pub(crate) fn allows(&self, scope: Scope) -> bool {
        self.scopes.allow(scope)
    }

    /// Words of what the caller may do.
    pub(crate) fn scopes(&self) -> Vec<&'static str> {
        self.scopes.words()
    }

    /// The projects to look into for a request that asks for `asked`: never more than the caller may see.
    ///
    /// Naming another project is refused alike whether there is such a project or not.
    pub(crate) fn scope(&self, asked: ProjectScope) -> Result<ProjectScope> {
        match (&self.scope, asked) {
            (ProjectScope::All, asked) => Ok(asked),
            (own, ProjectScope::All) => Ok(own.clone()),
            (ProjectScope::One(own), ProjectScope::One(asked)) if *own == asked => {
                Ok(ProjectScope::One(asked))
            }
            _ => Err(ApiError::new(
                Kind::Forbidden,
                "the key is for another project than the one that was asked for",
                "Leave the project away, or use a key of that project.",
            )),
        }
    }

    /// The project that all data of the caller goes to, whatever project the data names.
    pub(crate) fn project(&self) -> Option<&str> {
        match &self.scope {
            ProjectScope::All => None,
            ProjectScope::One(project) => Some(project),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            ApiError::new(Kind::Internal, "nobody said who asks", "This is a defect of aitrace.")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_sees_more_than_their_project() {
        let one = |project: &str| ProjectScope::One(project.to_owned());
        let anyone = Caller::anyone();
        assert_eq!(anyone.scope(ProjectScope::All), Ok(ProjectScope::All));
        assert_eq!(anyone.scope(one("a")), Ok(one("a")));
        assert_eq!(anyone.project(), None);
        let caller = Caller::new(one("a"), [Scope::Read].into_iter().collect(), By::Anyone);
        assert!(caller.allows(Scope::Read) && !caller.allows(Scope::Ingest));
        assert_eq!(caller.scope(ProjectScope::All), Ok(one("a")));
        assert_eq!(caller.scope(one("a")), Ok(one("a")));
        assert_eq!(caller.scope(one("b")).map_err(|error| error.kind()), Err(Kind::Forbidden));
        assert_eq!(caller.project(), Some("a"));
    }
}
