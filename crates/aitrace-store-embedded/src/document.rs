//! Sessions, projects and the other documents.

use aitrace_model::{Json, Timestamp};
use aitrace_store::{
    Document, DocumentKind, DocumentPage, DocumentQuery, DocumentWrite, ErrorKind, ProjectScope, Result,
    Session, SessionPatch, StoreError, document_page,
};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};

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
    catalog.place_session(&session.project, &session.session_id)?;
    Ok(session)
}

/// Removes a session's document; whether there was one. Call it within a transaction.
pub(crate) fn remove_session(catalog: &Catalog, project: &str, session_id: &str) -> Result<bool> {
    let fail = faults::sqlite("removing a session");
    let sql = "DELETE FROM session WHERE project = ?1 AND session_id = ?2";
    let removed = catalog.connection().execute(sql, params![project, session_id]).map_err(&fail)?;
    catalog.place_session(project, session_id)?;
    Ok(removed > 0)
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

const COLUMNS: &str = "kind, project, id, created, updated, version, data";

/// Writes documents. Call it within a transaction.
pub(crate) fn put(catalog: &Catalog, writes: Vec<DocumentWrite>) -> Result<Vec<Document>> {
    let fail = faults::sqlite("writing a document");
    let mut written = Vec::with_capacity(writes.len());
    for write in writes {
        let known = get(catalog, write.kind, &write.project, &write.id)?;
        let document = write.apply(known.as_ref())?;
        if document.kind != DocumentKind::Key {
            add_project(catalog, &document.project)?;
        }
        let Document { kind, project, id, references, created, updated, version, data } = &document;
        let sql = format!("INSERT OR REPLACE INTO document ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
        let values = params![
            kind.as_str(),
            project,
            id,
            created.nanos(),
            updated.nanos(),
            *version as i64,
            data.as_str()
        ];
        catalog.connection().prepare_cached(&sql).map_err(&fail)?.execute(values).map_err(&fail)?;
        let sql = "DELETE FROM document_reference WHERE kind = ?1 AND project = ?2 AND id = ?3";
        let mut clear = catalog.connection().prepare_cached(sql).map_err(&fail)?;
        clear.execute(params![kind.as_str(), project, id]).map_err(&fail)?;
        let sql =
            "INSERT OR IGNORE INTO document_reference (kind, reference, project, id) VALUES (?1, ?2, ?3, ?4)";
        let mut refer = catalog.connection().prepare_cached(sql).map_err(&fail)?;
        for reference in references {
            refer.execute(params![kind.as_str(), reference, project, id]).map_err(&fail)?;
        }
        written.push(document);
    }
    Ok(written)
}

/// One document.
pub(crate) fn get(
    catalog: &Catalog,
    kind: DocumentKind,
    project: &str,
    id: &str,
) -> Result<Option<Document>> {
    let fail = faults::sqlite("reading a document");
    let sql = format!("SELECT {COLUMNS} FROM document WHERE kind = ?1 AND project = ?2 AND id = ?3");
    let mut select = catalog.connection().prepare_cached(&sql).map_err(&fail)?;
    let mut rows = select.query(params![kind.as_str(), project, id]).map_err(&fail)?;
    rows.next().map_err(&fail)?.map(|row| read(catalog, row)).transpose()
}

/// The corrections that were put last, as many as take so many bytes, and whether there are more.
pub(crate) fn corrections(catalog: &Catalog, bytes: usize) -> Result<(Vec<Document>, bool)> {
    let fail = faults::sqlite("reading corrections");
    let sql = format!("SELECT {COLUMNS} FROM document WHERE kind = ?1 ORDER BY updated DESC");
    let mut select = catalog.connection().prepare_cached(&sql).map_err(&fail)?;
    let mut rows = select.query([DocumentKind::Correction.as_str()]).map_err(&fail)?;
    let (mut found, mut left) = (Vec::new(), bytes);
    while let Some(row) = rows.next().map_err(&fail)? {
        let document = read(catalog, row)?;
        let size = size_of::<Document>() + document.data.as_str().len() + 256;
        let Some(rest) = left.checked_sub(size) else { return Ok((found, true)) };
        left = rest;
        found.push(document);
    }
    Ok((found, false))
}

/// A page of documents.
pub(crate) fn find(catalog: &Catalog, query: &DocumentQuery) -> Result<DocumentPage> {
    let fail = faults::sqlite("listing documents");
    let mut sql = format!("SELECT {COLUMNS} FROM document AS d WHERE kind = ?");
    let mut values: Vec<Value> = vec![query.kind.as_str().to_owned().into()];
    if let ProjectScope::One(project) = &query.scope {
        sql.push_str(" AND project = ?");
        values.push(project.clone().into());
    }
    if let Some(reference) = &query.reference {
        sql.push_str(
            " AND EXISTS (SELECT 1 FROM document_reference AS r
              WHERE r.kind = d.kind AND r.reference = ? AND r.project = d.project AND r.id = d.id)",
        );
        values.push(reference.clone().into());
    }
    if let Some(at) = &query.cursor {
        sql.push_str(" AND (created, id, project) < (?, ?, ?)");
        values.extend([at.created.nanos().into(), at.id.clone().into(), at.project.clone().into()]);
    }
    sql.push_str(" ORDER BY created DESC, id DESC, project DESC LIMIT ?");
    values.push((query.bounded_limit() as i64 + 1).into());
    let mut select = catalog.connection().prepare_cached(&sql).map_err(&fail)?;
    let mut rows = select.query(params_from_iter(values)).map_err(&fail)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        found.push(read(catalog, row)?);
    }
    Ok(document_page(found, query.bounded_limit()))
}

/// Removes documents; how many there were. Call it within a transaction.
pub(crate) fn remove(catalog: &Catalog, kind: DocumentKind, project: &str, ids: &[String]) -> Result<u64> {
    let fail = faults::sqlite("removing documents");
    let mut removed = 0;
    for table in ["document_reference", "document"] {
        let sql = format!("DELETE FROM {table} WHERE kind = ?1 AND project = ?2 AND id = ?3");
        let mut delete = catalog.connection().prepare_cached(&sql).map_err(&fail)?;
        removed = 0;
        for id in ids {
            removed += delete.execute(params![kind.as_str(), project, id]).map_err(&fail)? as u64;
        }
    }
    Ok(removed)
}

/// Removes everything of a project that is no telemetry and no key: how many sessions, how many documents.
pub(crate) fn remove_project(catalog: &Catalog, project: &str) -> Result<(u64, u64)> {
    let fail = faults::sqlite("removing a project");
    let delete = |table: &str, which: &str| {
        let sql = format!("DELETE FROM {table} WHERE {which}");
        Ok(catalog.connection().execute(&sql, params![project]).map_err(&fail)? as u64)
    };
    let no_key = format!("project = ?1 AND kind <> '{}'", DocumentKind::Key.as_str());
    let (sessions, documents) = (delete("session", "project = ?1")?, delete("document", &no_key)?);
    delete("session_line", "project = ?1")?;
    delete("document_reference", &no_key)?;
    delete("project", "name = ?1")?;
    Ok((sessions, documents))
}

fn read(catalog: &Catalog, row: &Row<'_>) -> Result<Document> {
    let fail = faults::sqlite("reading a document");
    let text = |index: usize| row.get::<_, String>(index).map_err(&fail);
    let number = |index: usize| row.get::<_, i64>(index).map_err(&fail);
    let (kind, project, id, data) = (text(0)?, text(1)?, text(2)?, text(6)?);
    let corrupt = || {
        StoreError::new(ErrorKind::Corrupt, format!("document {id:?} cannot be read: run `aitrace doctor`"))
    };
    let sql = "SELECT reference FROM document_reference WHERE kind = ?1 AND project = ?2 AND id = ?3";
    let mut select = catalog.connection().prepare_cached(sql).map_err(&fail)?;
    let references = select.query_map(params![kind, project, id], |row| row.get(0)).map_err(&fail)?;
    let references = references.collect::<Result<_, _>>().map_err(&fail)?;
    Ok(Document {
        kind: DocumentKind::from_word(&kind).ok_or_else(corrupt)?,
        references,
        created: Timestamp::from_nanos(number(3)?),
        updated: Timestamp::from_nanos(number(4)?),
        version: number(5)? as u64,
        data: Json::parse(&data).map_err(|error| corrupt().with_source(error))?,
        project,
        id,
    })
}
