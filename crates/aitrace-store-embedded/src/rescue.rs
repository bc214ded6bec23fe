//! A database that cannot be read is set aside; what can be read of it and the files make a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aitrace_model::{SpanState, TraceId};
use aitrace_store::{Problem, ProblemKind, Result, Rollup, UsageTree};
use arrow::array::AsArray as _;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};

use crate::bodies;
use crate::catalog::{Catalog, SUMMED, SegmentRow, TraceRow};
use crate::codec::{self, Entry};
use crate::hot::add_state;
use crate::segment::{self, Segment, Segments, Summing, scan};
use crate::shared::SUSPECT;
use crate::steps::Watch;
use crate::{document, faults, pages, read, rows, wal};

/// A table that is taken over.
struct Table {
    name: &'static str,
    /// How its rows are told apart.
    key: &'static str,
    /// Which rows of damaged pages are taken as well; they may not be what was written. Empty: none.
    doubtful: &'static str,
}

/// What a damaged page says of files could hide them: they are looked at themselves. A key could be brought back to
/// life. Rows of the log have a sum of their own.
const TABLES: [Table; 10] = [
    Table { name: "log", key: "seq", doubtful: "1" },
    Table { name: "segment", key: "id", doubtful: "" },
    Table {
        name: "superseded",
        key: "segment, project, trace_id, span_id",
        doubtful: "length(trace_id) = 16 AND length(span_id) = 8",
    },
    Table { name: "tombstone", key: "segment, project, trace_id", doubtful: "length(trace_id) = 16" },
    Table { name: "loose_log", key: "project, id", doubtful: "" },
    Table { name: "project", key: "name", doubtful: "" },
    Table { name: "session", key: "project, session_id", doubtful: "json_valid(data)" },
    Table { name: "document", key: "kind, project, id", doubtful: "kind <> 'key' AND json_valid(data)" },
    Table {
        name: "document_reference",
        key: "kind, reference, project, id",
        doubtful: "(kind, project, id) IN (SELECT kind, project, id FROM document)",
    },
    Table { name: "problem", key: "number", doubtful: "1" },
];

/// Whether the database must be made anew before it is used; `checked` is the size up to which all of it is looked at.
pub(crate) fn is_needed(dir: &Path, database: &Path, checked: u64) -> bool {
    if dir.join(SUSPECT).is_file() {
        return true;
    }
    let size = std::fs::metadata(database).map_or(0, |file| file.len());
    if size == 0 && has_files(dir) {
        return true;
    }
    (1..=checked).contains(&size) && !is_sound(database)
}

/// Sets flipped bits of the database right, of its first page before it is opened. What is to be noted, if it did.
pub(crate) fn mend(database: &Path, all: bool) -> Result<Option<Problem>> {
    if all && pages::flipped(database).is_empty() || !database.is_file() {
        return Ok(None);
    }
    let mended = match pages::mend(database, all) {
        Ok(0) => return Ok(None),
        // Shorter than a page: others find out what that means.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        mended => mended.map_err(faults::io("mending", database))?,
    };
    tracing::error!(pages = mended, database = %database.display(), "flipped bits of the database are set right");
    Ok(Some(Problem {
        kind: ProblemKind::DatabaseRebuilt,
        text: format!(
            "in {mended} pages of the database a bit was flipped; it is set right, nothing was lost"
        ),
        file: String::new(),
        rows: None,
        since: None,
        until: None,
    }))
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
        let connection = pages::open(database, OpenFlags::default())?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version >= SUMMED as i64 && !pages::have_sums(&connection) {
            return Ok(false);
        }
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
        let (taken, doubtful) =
            aside.as_deref().map_or((0, 0), |aside| take_over(aside, catalog.connection()));
        register_files(catalog, &folder)?;
        recount(catalog, &folder, stamp)?;
        name_projects(catalog, &dir.join(bodies::FOLDER))?;
        let more = if doubtful > 0 {
            format!("; {doubtful} further rows stand on damaged pages and may not be what was written")
        } else {
            String::new()
        };
        let text = format!(
            "the database could not be read; {taken} of its rows and all files were taken over{more}"
        );
        catalog.add_problem(&Problem {
            kind: ProblemKind::DatabaseRebuilt,
            text,
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

/// Copies what can be read, from both ends of each table: first what stands on good pages, then what may be taken of
/// damaged ones. What is lost is what lies around the damage. How many rows were good, and how many were not.
fn take_over(aside: &Path, new: &Connection) -> (u64, u64) {
    let copy_all = |old: &Connection, good: bool| {
        let mut taken = 0;
        for Table { name, key, doubtful } in &TABLES {
            let which = if good { "1" } else { doubtful };
            for order in ["ASC", "DESC"] {
                let key: Vec<String> = key.split(", ").map(|column| format!("{column} {order}")).collect();
                let sql = format!("SELECT * FROM {name} WHERE {which} ORDER BY {}", key.join(", "));
                taken += if which.is_empty() { 0 } else { copy(old, new, name, &sql).unwrap_or(0) };
            }
        }
        taken
    };
    let good = pages::open(aside, OpenFlags::default()).map_or(0, |old| copy_all(&old, true));
    // SQLite alone compares no sums.
    let doubtful = Connection::open(aside).map_or(0, |old| copy_all(&old, false));
    (good, doubtful)
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

/// Remembers the projects of all that was taken over: their own rows may be lost.
fn name_projects(catalog: &Catalog, bodies: &Path) -> Result<()> {
    let fail = faults::sqlite("naming projects");
    let sql = "INSERT OR IGNORE INTO project SELECT project FROM trace UNION SELECT project FROM session
        UNION SELECT project FROM loose_log UNION SELECT project FROM document WHERE kind <> 'key'";
    catalog.connection().execute(sql, []).map_err(&fail)?;
    let mut seq = 0;
    while let Some((next, row)) = catalog.log_next(seq)? {
        // What cannot be read is set aside when the log is read.
        let read = bodies::get(bodies, row).and_then(|body| codec::decode(&body));
        if let Ok(Entry::Batch(batch)) = read {
            for project in
                batch.spans.iter().map(|span| &span.project).chain(batch.logs.iter().map(|log| &log.project))
            {
                document::add_project(catalog, project)?;
            }
        }
        seq = next;
    }
    Ok(())
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

/// Number of rows, day of receipt and sums, from the file itself. One that cannot be read is found out later.
fn describe(row: &mut SegmentRow, folder: &Path) {
    row.sums = sums(&folder.join(&row.file)).ok();
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

/// The sums of a file's blocks as they are now.
fn sums(path: &Path) -> std::io::Result<Vec<u32>> {
    let mut summing = Summing::new(std::io::sink());
    std::io::copy(&mut std::fs::File::open(path)?, &mut summing)?;
    Ok(summing.finish().1)
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
    let (mut lines, mut loose) = (BTreeMap::<(String, TraceId), Line>::new(), BTreeSet::new());
    for row in catalog.segments()? {
        let segment = Segment::new(folder, &row);
        let count = || count_file(&segments, &segment, &mut lines, &mut loose);
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
        catalog.put_trace(row, [0; 3])?;
    }
    loose.iter().try_for_each(|(project, id)| catalog.add_loose_log(project, id))?;
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
    loose: &mut BTreeSet<(String, String)>,
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
                if dead.has(&log.project, log.trace_id, None) {
                    continue;
                }
                let Some(trace_id) = log.trace_id else {
                    loose.insert((log.project, log.id));
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
