//! Errors of the libraries below as errors of the store.

use std::path::Path;

use aitrace_store::{ErrorKind, StoreError};

/// An error of SQLite, while `doing`.
pub(crate) fn sqlite(doing: &str) -> impl Fn(rusqlite::Error) -> StoreError + '_ {
    move |error| {
        use rusqlite::ErrorCode as Code;
        let kind = match error.sqlite_error_code() {
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => ErrorKind::Corrupt,
            Some(Code::DiskFull | Code::SystemIoFailure | Code::DatabaseBusy | Code::CannotOpen) => {
                ErrorKind::Unavailable
            }
            _ => ErrorKind::Internal,
        };
        StoreError::new(kind, format!("the store's database failed while {doing}: {error}"))
            .with_source(error)
    }
}

/// An error of the file system at `path`, while `doing`. Passing: a full disk can be emptied.
pub(crate) fn io(doing: &str, path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    let text = format!("the file system failed while {doing} {}", path.display());
    move |error| StoreError::new(ErrorKind::Unavailable, format!("{text}: {error}")).with_source(error)
}

/// An error while a file at `path` is written.
pub(crate) fn parquet(path: &Path) -> impl Fn(parquet::errors::ParquetError) -> StoreError {
    let text = format!("writing {} failed", path.display());
    move |error| StoreError::new(ErrorKind::Unavailable, format!("{text}: {error}")).with_source(error)
}

/// Rows that cannot be put into columns: a defect of ours.
pub(crate) fn arrow(doing: &str) -> impl Fn(arrow::error::ArrowError) -> StoreError + '_ {
    move |error| {
        StoreError::new(ErrorKind::Internal, format!("columns failed while {doing}: {error}"))
            .with_source(error)
    }
}

/// An error of the query engine.
pub(crate) fn query(error: datafusion::error::DataFusionError) -> StoreError {
    use datafusion::error::DataFusionError as Cause;
    let (kind, text) = match error.find_root() {
        Cause::ResourcesExhausted(text) => (
            ErrorKind::Overloaded,
            format!("the statement needs too much: {text}; narrow it by project or time"),
        ),
        Cause::ParquetError(_) | Cause::IoError(_) => {
            (ErrorKind::Corrupt, format!("the query failed: {error}"))
        }
        Cause::SQL(refused, _) => {
            let text = refused.to_string();
            let text = text.trim_start_matches("sql parser error: ");
            (ErrorKind::Invalid, format!("the statement is not SQL: {text}"))
        }
        Cause::Plan(text) if text.contains("not supported: ") => {
            (ErrorKind::Invalid, format!("one SELECT is all that is allowed: {text}"))
        }
        Cause::NotImplemented(text) if text.contains("single SQL statement") => {
            (ErrorKind::Invalid, "one SELECT is all that is allowed: these are several statements".to_owned())
        }
        other => {
            // All columns are too many for an error; the schema has them.
            let text = other.message();
            let text = text.split("\nValid fields are").next().unwrap_or_default();
            (ErrorKind::Invalid, format!("the statement cannot be run: {text}"))
        }
    };
    // What the parser refuses says where itself; what names nothing says it beside.
    let place = error.diagnostic().and_then(|diagnostic| diagnostic.span).map(|span| span.start);
    let place = place.filter(|_| !text.contains(" at Line: "));
    let place = place.map_or_else(String::new, |at| format!(" at Line: {}, Column: {}", at.line, at.column));
    StoreError::new(kind, text + &place).with_source(error)
}

/// The store is closed.
pub(crate) fn closed() -> StoreError {
    StoreError::new(ErrorKind::Closed, "the store was shut down")
}
