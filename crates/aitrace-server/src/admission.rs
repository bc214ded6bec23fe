//! Stage: ingest. In: the headers of a request and the policy of its route. Out: its [`Caller`], or a refusal.

use std::fmt::Write as _;

use aitrace_store::ProjectScope;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::audit;
use crate::auth::{Holder, Scopes, Who, key_id};
use crate::caller::{By, Caller, Peer};
use crate::error::{ApiError, Kind, Result};
use crate::policy::{Access, Effect, Policy};

/// The other header that carries a key: usual in gRPC metadata.
const API_KEY: &str = "x-api-key";

/// Who asks. While there are no keys, whoever reaches the server may do everything; the server listens on
/// loopback only then.
pub(crate) async fn caller(
    app: &App,
    policy: &Policy,
    headers: &HeaderMap,
    peer: Option<Peer>,
) -> Result<Caller> {
    if !demands_key(app).await? {
        return Ok(Caller::anyone().at(peer));
    }
    let holder = if let Some(token) = token(headers)? {
        let holder = shown(app, token, peer).await?;
        holder.ok_or_else(|| unauthorized("the key is unknown, revoked or expired"))?
    } else {
        let holder = browser(app, headers).await?.ok_or_else(|| unauthorized("a key is needed"))?;
        if policy.effect == Effect::Write && !is_from_our_page(headers) {
            return Err(unauthorized("a cookie alone does not allow this"));
        }
        holder
    };
    allow(caller_of(holder).at(peer), policy.access)
}

/// Whose key was shown; `None` for nobody's. An address that showed too many wrong ones is refused unseen.
pub(crate) async fn shown(app: &App, token: &str, peer: Option<Peer>) -> Result<Option<Holder>> {
    let (now, id) = (app.options.clock.now(), key_id(token));
    let address = peer.map(|peer| peer.0);
    if !app.tries.may(address, id, now) {
        return Err(ApiError::new(
            Kind::TooManyTries,
            "too many wrong keys came from this address",
            "Wait a minute, and use a key that `aitrace keys list` shows as live.",
        ));
    }
    let holder = app.ring.holder(token).await.map_err(|error| ApiError::reading(&error))?;
    match &holder {
        Some(Holder::Key { id, .. }) => app.tries.succeeded(address, id),
        Some(Holder::Operator) => {}
        None => wrong(app, peer, id),
    }
    Ok(holder)
}

/// Notes that something was shown that opens nothing.
pub(crate) fn wrong(app: &App, peer: Option<Peer>, id: Option<&str>) {
    if app.tries.failed(peer.map(|peer| peer.0), id, app.options.clock.now()) {
        audit::line(&By::Nobody, peer, "wrong keys", "", "", "refused for the rest of a minute");
    }
}

/// Whom the browser's cookie stands for.
async fn browser(app: &App, headers: &HeaderMap) -> Result<Option<Holder>> {
    match cookie(app, headers).and_then(|secret| app.browsers.who(secret)) {
        None => Ok(None),
        Some(Who::Operator) => Ok(Some(Holder::Operator)),
        Some(Who::Key(id)) => app.ring.holder_of(&id).await.map_err(|error| ApiError::reading(&error)),
    }
}

/// Whether a browser says that the request comes from a page of ours. An origin of others was refused before.
fn is_from_our_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN)
        || headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin")
}

/// Where a page of the viewer is asked for by somebody who must log in first: the way to the login.
pub(crate) async fn way_in(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<Option<Response>> {
    if !demands_key(app).await? || browser(app, headers).await?.is_some() {
        return Ok(None);
    }
    let wanted = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let mut way = String::from("/login?to=");
    for byte in wanted.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => way.push(byte.into()),
            _ => write!(way, "%{byte:02X}").expect("a String takes everything"),
        }
    }
    Ok(Some((StatusCode::SEE_OTHER, [(header::LOCATION, way)]).into_response()))
}

/// The name of the cookie. Browsers keep one for all ports of a host, so it has the port in it.
pub(crate) fn cookie_name(app: &App) -> String {
    format!("aitrace_{}", app.hosts.port())
}

/// The secret of the cookie that a browser sends.
pub(crate) fn cookie<'h>(app: &App, headers: &'h HeaderMap) -> Option<&'h str> {
    let name = cookie_name(app);
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, secret)| secret)
}

/// Whether callers must show who they are.
pub(crate) async fn demands_key(app: &App) -> Result<bool> {
    Ok(app.wide || app.ring.demands().await.map_err(|error| ApiError::reading(&error))?)
}

fn allow(caller: Caller, access: Access) -> Result<Caller> {
    let Some(scope) = access.scope().filter(|scope| !caller.allows(*scope)) else {
        return Ok(caller);
    };
    let word = scope.as_str();
    let hint = format!("Use a key of scope {word}: `aitrace keys create --project P --scope {word}`.");
    Err(ApiError::new(Kind::Forbidden, "the key does not allow this", hint))
}

fn caller_of(holder: Holder) -> Caller {
    match holder {
        Holder::Operator => Caller::new(ProjectScope::All, Scopes::all(), By::Operator),
        Holder::Key { id, project, scopes } => Caller::new(ProjectScope::One(project), scopes, By::Key(id)),
    }
}

/// The key that a request shows.
fn token(headers: &HeaderMap) -> Result<Option<&str>> {
    let malformed = || unauthorized("the key cannot be read");
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(value) = values.next() {
        let text = value.to_str().ok().filter(|_| values.next().is_none()).ok_or_else(malformed)?;
        let (scheme, token) = text.split_once(' ').ok_or_else(malformed)?;
        return if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(malformed()) };
    }
    let mut values = headers.get_all(API_KEY).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(str::trim).map(Some).map_err(|_| malformed()),
        _ => Err(malformed()),
    }
}

/// What was shown is never repeated: it may be a key with a slip of the pen.
fn unauthorized(message: &'static str) -> ApiError {
    ApiError::new(
        Kind::Unauthorized,
        message,
        "Send `Authorization: Bearer KEY` (AITRACE_API_KEY for aitrace's own programs); \
         `aitrace keys create --project P` makes a key.",
    )
}

/// Keeps credentials out of whatever prints headers.
pub(crate) fn hide(headers: &mut HeaderMap) {
    for name in [header::AUTHORIZATION.as_str(), header::COOKIE.as_str(), API_KEY] {
        if let header::Entry::Occupied(mut entry) = headers.entry(name) {
            entry.iter_mut().for_each(|value| value.set_sensitive(true));
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn keys_are_read_from_either_header() {
        let read = |lines: &[(&'static str, &'static str)]| {
            token(&headers(lines)).map(|token| token.map(str::to_owned)).map_err(|error| error.kind())
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("authorization", "Bearer a")]), Ok(Some("a".to_owned())));
        assert_eq!(read(&[("authorization", "bearer  a ")]), Ok(Some("a".to_owned())));
        assert_eq!(read(&[("x-api-key", "a")]), Ok(Some("a".to_owned())));
        assert_eq!(read(&[("x-api-key", "b"), ("authorization", "Bearer a")]), Ok(Some("a".to_owned())));
        for wrong in [
            &[("authorization", "Basic a")][..],
            &[("authorization", "a")],
            &[("authorization", "")],
            &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
            &[("x-api-key", "a"), ("x-api-key", "b")],
        ] {
            assert_eq!(read(wrong), Err(Kind::Unauthorized), "{wrong:?}");
        }
    }

    #[test]
    fn credentials_are_hidden_when_printed() {
        let mut all =
            headers(&[("authorization", "Bearer a1"), ("x-api-key", "b2"), ("cookie", "c3"), ("x", "d4")]);
        hide(&mut all);
        let text = format!("{all:?}");
        assert!(!text.contains("a1") && !text.contains("b2") && !text.contains("c3"), "{text}");
        assert!(text.contains("d4"));
    }
}
