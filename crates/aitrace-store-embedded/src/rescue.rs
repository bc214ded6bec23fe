//! A database that cannot be read is set aside; what can be read of it and the files make a new one.

use std::collections::BTreeMap;
use std::path::Path;

use aitrace_model::{SpanState, TraceId};
use aitrace_store::{Problem, ProblemKind, Result, Rollup, UsageTree};
use arrow::array::AsArray as _;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::catalog::{Catalog, SegmentRow, TraceRow};
use crate::hot::add_state;
use crate::segment::{self, Segment, Segments, scan};
use crate::shared::SUSPECT;
use crate::steps::Watch;
use crate::{faults, read, rows, wal};

/// Databases up to this size are checked at every start.
const SMALL: u64 = 64 << 20;

/// Tables that are taken over as they are, and how their rows are told apart.
const TABLES: [(&str, &str); 10] = [
    ("log", "seq"),
    ("segment", "id"),
    ("superseded", "segment, project, trace_id, span_id"),
    ("tombstone", "segment, project, trace_id"),
    ("loose_log", "project, id"),
    ("project", "name"),
    ("session", "project, session_id"),
    ("document", "kind, project, id"),
    ("document_reference", "kind, reference, project, id"),
    ("problem", "number"),
];

/// Whether the database must be made anew before it is used.
pub(crate) fn is_needed(dir: &Path, database: &Path) -> bool {
    if dir.join(SUSPECT).is_file() {
        return true;
    }
    let size = std::fs::metadata(database).map_or(0, |file| file.len());
    if size == 0 && has_files(dir) {
        return true;
    }
    (1..=SMALL).contains(&size) && !is_sound(database)
}

/// Keeps a copy of SQLite's log if it is damaged; what lies behind the damage is lost.
pub(crate) fn keep_damaged_log(database: &Path, stamp: &str) -> Result<Option<Problem>> {
    let log = database.with_extension("db-wal");
    let Some(damage) = wal::damage(&log) else { return Ok(None) };
    let aside = database.with_extension(format!("db-wal.corrupt-{stamp}"));
    std::fs::copy(&log, &aside).map_err(faults::io("copying", &log))?;
    tracing::error!(at = damage.at, commits = damage.commits, aside = %aside.display(), "the log is damaged");
    Ok(Some(Problem {
        kind: ProblemKind::LogRowLost,
        text: format!(
            "the database's log is damaged from byte {} on: {} of its commits or more are lost",
            damage.at, damage.commits
        ),
        file: aside.display().to_string(),
        rows: None,
        since: None,
        until: None,
    }))
}

/// Whether there are sealed files: then there was a database.
fn has_files(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir.join("segments")).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().extension().is_some_and(|suffix| suffix == "parquet"))
}

/// Whether SQLite finds nothing wrong with a database.
pub(crate) fn is_sound(database: &Path) -> bool {
    let check = || -> rusqlite::Result<bool> {
        let connection = Connection::open(database)?;
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok(found == "ok")
    };
    check().unwrap_or(false)
}

/// Sets the database aside and makes a new one.
pub(crate) fn rescue(dir: &Path, database: &Path, stamp: &str, watch: &Watch) -> Result<()> {
    let aside = segment::quarantine(database, stamp)?;
    for suffix in ["-wal", "-shm"] {
        let beside = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            std::path::PathBuf::from(name)
        };
        let old = beside(database);
        // Without its database a log is nothing; a shared index is made anew in any case.
        match &aside {
            Some(aside) if suffix == "-wal" => drop(std::fs::rename(&old, beside(aside))),
            _ => drop(std::fs::remove_file(&old)),
        }
    }
    let mut catalog = Catalog::writer(database, watch)?;
    let folder = dir.join("segments");
    let taken = catalog.transaction(|catalog| {
        let taken = aside.as_deref().map_or(0, |aside| take_over(aside, catalog.connection()));
        register_files(catalog, &folder)?;
        recount(catalog, &folder, stamp)?;
        catalog.add_problem(&Problem {
            kind: ProblemKind::DatabaseRebuilt,
            text: format!(
                "the database could not be read; {taken} of its rows and all files were taken over"
            ),
            file: aside.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            rows: None,
            since: None,
            until: None,
        })?;
        Ok(taken)
    })?;
    tracing::error!(taken, aside = ?aside, "the database could not be read and was made anew");
    drop(std::fs::remove_file(dir.join(SUSPECT)));
    Ok(())
}

/// Copies what can be read, from both ends of each table: what is lost is what lies around the damage.
fn take_over(aside: &Path, new: &Connection) -> u64 {
    let Ok(old) = Connection::open(aside) else { return 0 };
    let mut taken = 0;
    for (table, key) in TABLES {
        for order in ["ASC", "DESC"] {
            let key: Vec<String> = key.split(", ").map(|column| format!("{column} {order}")).collect();
            let sql = format!("SELECT * FROM {table} ORDER BY {}", key.join(", "));
            taken += copy(&old, new, table, &sql).unwrap_or(0);
        }
    }
    taken
}

fn copy(old: &Connection, new: &Connection, table: &str, sql: &str) -> rusqlite::Result<u64> {
    let mut select = old.prepare(sql)?;
    let names: Vec<String> = select.column_names().map(str::to_owned).collect();
    let marks = vec!["?"; names.len()].join(", ");
    let insert = format!("INSERT OR IGNORE INTO {table} ({}) VALUES ({marks})", names.join(", "));
    let mut insert = new.prepare(&insert)?;
    let (mut rows, mut taken) = (select.query([])?, 0);
    while let Ok(Some(row)) = rows.next() {
        let values: rusqlite::Result<Vec<Value>> = (0..names.len()).map(|index| row.get(index)).collect();
        // A row that the new tables do not take is damaged.
        taken += values.and_then(|values| insert.execute(params_from_iter(values))).unwrap_or(0) as u64;
    }
    Ok(taken)
}

/// Registers files that no row speaks of.
fn register_files(catalog: &Catalog, folder: &Path) -> Result<()> {
    let fail = faults::io("reading", folder);
    let moved: Vec<i64> = catalog.moved_segments()?.into_iter().map(|(id, _)| id).collect();
    let live: Vec<i64> = catalog.segments()?.into_iter().map(|row| row.id).collect();
    for entry in std::fs::read_dir(folder).map_err(&fail)? {
        let name = entry.map_err(&fail)?.file_name().to_string_lossy().into_owned();
        let mut parts = name.split('.');
        let (id, kind, suffix) = (parts.next().and_then(|id| id.parse().ok()), parts.next(), parts.next());
        let (Some(id), Some(kind @ ("spans" | "logs")), Some("parquet"), None) =
            (id, kind, suffix, parts.next())
        else {
            continue;
        };
        if !moved.contains(&id) && !live.contains(&id) {
            let bytes = std::fs::metadata(folder.join(&name)).map_err(&fail)?.len();
            let mut row = SegmentRow {
                id,
                kind: kind.to_owned(),
                file: name,
                bytes,
                rows: 0,
                day: 0,
                starts: None,
                sums: None,
            };
            describe(&mut row, folder);
            catalog.add_segment(&row)?;
        }
    }
    Ok(())
}

/// Number of rows and day of receipt, from the file itself. One that cannot be read is found out later.
fn describe(row: &mut SegmentRow, folder: &Path) {
    let (segments, segment) = (Segments::default(), Segment::new(folder, row));
    let Ok(reader) = scan(&segments, &segment, &["received", "project", "trace_id", "span_id", "id"], 8192)
    else {
        return;
    };
    // A reader that fails once fails for ever.
    for batch in reader.map_while(std::result::Result::ok) {
        row.rows += batch.num_rows() as u64;
        let received = batch
            .column_by_name("received")
            .and_then(|column| column.as_primitive_opt::<arrow::datatypes::TimestampNanosecondType>());
        let last = received.and_then(arrow::compute::max).map(aitrace_model::Timestamp::from_nanos);
        row.day = row.day.max(last.map_or(0, segment::day_of));
    }
}

#[derive(Default)]
struct Line {
    rollup: Rollup,
    usage: aitrace_store::Usage,
    segments: Vec<i64>,
}

/// Writes the lines of traces and sessions anew from the rows of files.
fn recount(catalog: &Catalog, folder: &Path, stamp: &str) -> Result<()> {
    let segments = Segments::default();
    for old in catalog.superseded()? {
        segments.supersede(old);
    }
    for tomb in catalog.tombstones()? {
        segments.bury(tomb);
    }
    let mut lines: BTreeMap<(String, TraceId), Line> = BTreeMap::new();
    for row in catalog.segments()? {
        let segment = Segment::new(folder, &row);
        let count = || count_file(&segments, &segment, &mut lines);
        // The reader panics on some footers that do not add up.
        let counted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(count));
        let why = match counted {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its footer does not add up".to_owned(),
        };
        let aside = segment::quarantine(&segment.path, stamp)?;
        catalog.retire_segment(row.id, "corrupt", None)?;
        catalog.add_problem(&Problem {
            kind: ProblemKind::SegmentLost,
            text: format!("{} cannot be read: {why}", segment.path.display()),
            file: aside.map(|path| path.display().to_string()).unwrap_or_default(),
            rows: Some(row.rows),
            since: None,
            until: None,
        })?;
    }
    for ((project, trace_id), mut line) in lines {
        line.rollup.set_usage(line.usage);
        let row = TraceRow { project, trace_id, rollup: line.rollup, segments: line.segments };
        catalog.put_trace(&row, [0; 3])?;
    }
    let fail = faults::sqlite("counting log records");
    let loose: i64 = catalog
        .connection()
        .query_row("SELECT count(*) FROM loose_log", [], |row| row.get(0))
        .map_err(&fail)?;
    catalog.add_total("logs", loose)?;
    let sql = "SELECT project, session_id FROM session";
    let mut select = catalog.connection().prepare(sql).map_err(&fail)?;
    let sessions = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(&fail)?;
    let sessions: Vec<(String, String)> = sessions.flatten().collect();
    sessions.iter().try_for_each(|(project, id)| catalog.place_session(project, id))
}

fn count_file(
    segments: &Segments,
    file: &Segment,
    lines: &mut BTreeMap<(String, TraceId), Line>,
) -> parquet::errors::Result<()> {
    let dead = segments.dead(file.id);
    let mut usage: BTreeMap<(String, TraceId), UsageTree> = BTreeMap::new();
    let columns = if file.spans {
        read::LINE
    } else {
        &["project", "id", "trace_id", "span_id", "time", "event", "level", "session_id", "attrs", "received"]
    };
    for batch in scan(segments, file, columns, 4096)? {
        let batch = batch?;
        if file.spans {
            for (span, _) in rows::spans(&batch).unwrap_or_default() {
                if dead.has(&span.project, Some(span.trace_id), Some(span.span_id)) {
                    continue;
                }
                let key = (span.project.clone(), span.trace_id);
                usage.entry(key.clone()).or_default().set(&span);
                let line = lines.entry(key).or_default();
                line.note(file.id);
                let state = SpanState::new(read::phased(span.clone()));
                add_state(&mut line.rollup, Some(&span), Some(&state));
            }
        } else {
            for log in rows::logs(&batch).unwrap_or_default() {
                let Some(trace_id) = log.trace_id.filter(|id| !dead.has(&log.project, Some(*id), None))
                else {
                    continue;
                };
                let line = lines.entry((log.project.clone(), trace_id)).or_default();
                line.note(file.id);
                line.rollup.add_log(&log);
            }
        }
    }
    for (key, tree) in usage {
        lines.entry(key).or_default().usage.add(tree.total());
    }
    Ok(())
}

impl Line {
    fn note(&mut self, file: i64) {
        if self.segments.last() != Some(&file) {
            self.segments.push(file);
        }
    }
}
