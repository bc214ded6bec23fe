//! Sessions and projects.

use aitrace_model::{Json, Timestamp};
use aitrace_store::{ErrorKind, ProjectScope, Result, Session, SessionPatch, StoreError};
use rusqlite::{OptionalExtension, params};

use crate::catalog::Catalog;
use crate::faults;

/// Creates or changes a session. Call it within a transaction.
pub(crate) fn put_session(catalog: &Catalog, patch: SessionPatch) -> Result<Session> {
    let known = session(catalog, &patch.project, &patch.session_id)?;
    let session = patch.apply(known)?;
    add_project(catalog, &session.project)?;
    let fail = faults::sqlite("writing a session");
    catalog
        .connection()
        .execute(
            "INSERT OR REPLACE INTO session (project, session_id, name, started, updated, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                session.project,
                session.session_id,
                session.name,
                session.started.nanos(),
                session.updated.nanos(),
                session.data.as_str()
            ],
        )
        .map_err(&fail)?;
    Ok(session)
}

/// One session.
pub(crate) fn session(catalog: &Catalog, project: &str, session_id: &str) -> Result<Option<Session>> {
    let fail = faults::sqlite("reading a session");
    let sql = "SELECT name, started, updated, data FROM session WHERE project = ?1 AND session_id = ?2";
    let row = catalog
        .connection()
        .query_row(sql, params![project, session_id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?))
        })
        .optional()
        .map_err(&fail)?;
    let Some((name, started, updated, data)) = row else { return Ok(None) };
    let data = Json::parse(&data).map_err(|error| {
        let text = format!("data of session {session_id:?} cannot be read: run `aitrace doctor`");
        StoreError::new(ErrorKind::Corrupt, text).with_source(error)
    })?;
    let (started, updated) = (Timestamp::from_nanos(started), Timestamp::from_nanos(updated));
    Ok(Some(Session {
        project: project.to_owned(),
        session_id: session_id.to_owned(),
        name,
        started,
        updated,
        data,
    }))
}

/// Remembers a project.
pub(crate) fn add_project(catalog: &Catalog, name: &str) -> Result<()> {
    let fail = faults::sqlite("writing a project");
    let sql = "INSERT OR IGNORE INTO project (name) VALUES (?1)";
    catalog.connection().prepare_cached(sql).map_err(&fail)?.execute(params![name]).map_err(&fail)?;
    Ok(())
}

/// Names of projects, sorted.
pub(crate) fn projects(catalog: &Catalog, scope: &ProjectScope) -> Result<Vec<String>> {
    let fail = faults::sqlite("reading projects");
    let mut select =
        catalog.connection().prepare_cached("SELECT name FROM project ORDER BY name").map_err(&fail)?;
    let names = select.query_map([], |row| row.get(0)).map_err(&fail)?;
    let names: Vec<String> = names.collect::<Result<_, _>>().map_err(&fail)?;
    Ok(names.into_iter().filter(|name| scope.contains(name)).collect())
}
