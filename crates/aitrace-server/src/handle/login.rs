//! `/login`: a browser shows a key, or the secret of a link, and gets a cookie.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use crate::admission::{cookie, cookie_name, shown, wrong};
use crate::app::App;
use crate::audit;
use crate::auth::{Browsers, Holder, Scope, Who, key_id};
use crate::caller::{By, Caller, Peer};
use crate::error::{ApiError, Kind, Result};
use crate::ingest::receive_json;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shown {
    Key(String),
    Code(String),
}

/// `GET /login`.
pub(crate) async fn page() -> Response {
    text("text/html; charset=utf-8", include_str!("../login/page.html"))
}

/// Its script.
pub(crate) async fn script() -> Response {
    text("text/javascript; charset=utf-8", include_str!("../login/page.js"))
}

/// Its style.
pub(crate) async fn style() -> Response {
    text("text/css; charset=utf-8", include_str!("../login/page.css"))
}

fn text(media: &'static str, body: &'static str) -> Response {
    ([(header::CONTENT_TYPE, media)], body).into_response()
}

/// `POST /login {"key": …}` or `{"code": …}`.
pub(crate) async fn enter(State(app): State<App>, request: Request) -> Result<Response> {
    let (secure, peer) = (is_secure(request.headers()), request.extensions().get().copied());
    let shown = receive_json(&app, request).await?;
    // Of what is no key of ours nothing is repeated.
    let id = if let Shown::Key(key) = &shown { key_id(key).map(str::to_owned) } else { None };
    let who = match who(&app, shown, peer).await {
        Ok(who) => who,
        Err(error) => {
            let what = id.unwrap_or_default();
            audit::line(&By::Nobody, peer, "login", "", &what, "refused");
            return Err(error);
        }
    };
    let by = match &who {
        Who::Operator => By::Operator,
        Who::Key(id) => By::Key(id.clone()),
    };
    audit::line(&by, peer, "login", "", "", "done");
    let secret = app
        .browsers
        .open(who)
        .map_err(|_| ApiError::new(Kind::Unavailable, "the system has no randomness", ""))?;
    Ok(with_cookie(&app, &secret, Browsers::seconds(), secure))
}

/// Who shows this; an error where nobody does who may read.
async fn who(app: &App, what: Shown, peer: Option<Peer>) -> Result<Who> {
    match what {
        Shown::Code(code) if app.browsers.redeem(&code) => Ok(Who::Operator),
        Shown::Code(_) => {
            wrong(app, peer, None);
            Err(no("the link is used or too old", "`aitrace keys login` prints a new one."))
        }
        Shown::Key(key) => match shown(app, &key, peer).await? {
            Some(Holder::Operator) => Ok(Who::Operator),
            Some(Holder::Key { id, scopes, .. }) if scopes.allow(Scope::Read) => Ok(Who::Key(id)),
            Some(Holder::Key { .. }) => Err(no("the key does not allow reading", "Use one that does.")),
            None => Err(no("the key is unknown, revoked or expired", "")),
        },
    }
}

/// `POST /logout`.
pub(crate) async fn leave(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(secret) = cookie(&app, &headers) {
        app.browsers.close(secret);
    }
    with_cookie(&app, "", 0, is_secure(&headers))
}

/// `POST /api/keys/login`: a link that opens everything, once. For the operator.
pub(crate) async fn link(State(app): State<App>, caller: Caller) -> Result<Response> {
    if caller.project().is_some() {
        return Err(ApiError::new(
            Kind::Forbidden,
            "a link opens all projects, and the key only one",
            "Run `aitrace keys login` on the server's machine, or log in with the key.",
        ));
    }
    let code = app
        .browsers
        .code()
        .map_err(|_| ApiError::new(Kind::Unavailable, "the system has no randomness", ""))?;
    audit::did(&caller, "login link made", "", "");
    let body = json!({"path": format!("/login#code={code}")}).to_string();
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn no(message: &'static str, hint: &'static str) -> ApiError {
    ApiError::new(Kind::Forbidden, message, hint)
}

/// Whether the browser speaks TLS to a proxy before us.
fn is_secure(headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

fn with_cookie(app: &App, secret: &str, seconds: i64, secure: bool) -> Response {
    let secure = if secure { "; Secure" } else { "" };
    let name = cookie_name(app);
    let value = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    let mut value = HeaderValue::from_str(&value).expect("visible ASCII");
    value.set_sensitive(true);
    (
        [(header::SET_COOKIE, value), (header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        "{}",
    )
        .into_response()
}
