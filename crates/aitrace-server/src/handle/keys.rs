//! `/api/keys`: who may use the server.

use aitrace_model::Timestamp;
use aitrace_store::ProjectScope;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::audit;
use crate::auth::{ListedKey, Scope, WantedKey};
use crate::caller::Caller;
use crate::error::{ApiError, Kind, Result};
use crate::ingest::receive_json;
use crate::query;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    project: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    name: Option<String>,
    expires: Option<String>,
}

/// `GET /api/me`: what the caller may do.
pub(crate) async fn me(caller: Caller) -> Response {
    answer(&json!({"project": caller.project(), "scopes": caller.scopes()}))
}

/// `GET /api/keys`.
pub(crate) async fn list(State(app): State<App>, caller: Caller, uri: Uri) -> Result<Response> {
    let scope = caller.scope(query::project(&uri)?)?;
    let keys = app.ring.keys().list(&scope).await.map_err(|error| ApiError::reading(&error))?;
    Ok(answer(&json!({"keys": keys.iter().map(|key| line(&app, key)).collect::<Vec<_>>()})))
}

/// `POST /api/keys {project, scopes?, name?, expires?}`. The answer is the only place where the key's text ever stands.
pub(crate) async fn create(State(app): State<App>, caller: Caller, request: Request) -> Result<Response> {
    let wanted: Wanted = receive_json(&app, request).await?;
    let named = wanted.project.map_or(ProjectScope::All, ProjectScope::One);
    let ProjectScope::One(project) = caller.scope(named)? else {
        return Err(ApiError::new(
            Kind::BadRequest,
            "the key's project is missing",
            "Send {\"project\": …}.",
        ));
    };
    let word = |word: &String| {
        Scope::from_word(word).ok_or_else(|| {
            ApiError::new(Kind::BadRequest, "a scope is none of those that exist", "Use ingest, read, admin.")
        })
    };
    let scopes = wanted.scopes.iter().map(word).collect::<Result<Vec<_>>>()?;
    let expires = wanted.expires.map(|text| text.parse().map_err(|_| bad_time())).transpose()?;
    let made = app.ring.keys().create(WantedKey { project, scopes, name: wanted.name, expires }).await;
    let made = made.map_err(|error| ApiError::writing(&error))?;
    app.ring.forget();
    audit::did(&caller, "key created", &made.project, &made.id);
    let mut told = json!({"id": made.id, "key": made.key, "project": made.project, "scopes": made.scopes});
    if let Some(end) = made.expires {
        told["expires"] = end.to_string().into();
    }
    Ok(answer(&told))
}

fn bad_time() -> ApiError {
    ApiError::new(
        Kind::BadRequest,
        "the time at which the key is to expire cannot be read",
        "Send RFC 3339, like 2027-01-31T00:00:00Z.",
    )
}

/// `DELETE /api/key/{id}`.
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response> {
    let scope = caller.scope(query::project(&uri)?)?;
    let id = path.map(|Path(id)| id).unwrap_or_default();
    let revoked = app.ring.keys().revoke(&scope, &id).await.map_err(|error| ApiError::writing(&error))?;
    app.ring.forget();
    let Some(revoked) = revoked else {
        return Err(ApiError::new(
            Kind::NotFound,
            "there is no key of this id",
            "`aitrace keys list` shows all.",
        ));
    };
    audit::did(&caller, "key revoked", &revoked.key.project, &revoked.key.id);
    Ok(answer(&line(&app, &revoked)))
}

fn line(app: &App, ListedKey { key, created }: &ListedKey) -> Value {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "id": key.id, "project": key.project, "scopes": key.scopes, "name": key.name,
        "created": created.to_string(), "expires": text(key.expires),
        "last_used": text(app.ring.last_used(key)), "revoked": text(key.revoked),
    })
}

fn answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], Body::from(value.to_string())).into_response()
}
