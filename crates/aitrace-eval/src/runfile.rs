//! The file of a run: trace records, one line each, appended as cells finish.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aitrace_model::Clock;
use serde_json::{Map, Value, json};

use crate::cell::{CellKey, DatapointResult};
use crate::error::{EvalError, Result};
use crate::meta::{self, META_KEY};
use crate::result::RunStatus;

/// Appends to `RUN_ID.jsonl`; reads back which cells are done.
///
/// A line is written with one call, so that a killed process loses at most the line it was writing; a torn
/// last line is skipped on reading, and ended before the next is written.
#[derive(Debug)]
pub struct RunFile {
    run_id: String,
    path: PathBuf,
    file: Option<File>,
    clock: Arc<dyn Clock>,
}

/// What a run says of itself when it begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Started {
    /// Name of the run.
    pub name: String,
    /// Name of the function.
    pub function: String,
    /// Names of the evaluators.
    pub evaluators: Vec<String>,
    /// Rows of the dataset.
    pub datapoints: usize,
    /// How often each row runs.
    pub repetitions: u32,
    /// Cells of the table.
    pub cells: usize,
    /// Cells that an earlier process has done.
    pub resumed: usize,
    /// The dataset.
    pub dataset_id: String,
    /// The project of its spans.
    pub project: String,
}

/// A run as its file tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInfo {
    /// Its id.
    pub run_id: String,
    /// Its name.
    pub name: String,
    /// The dataset.
    pub dataset_id: String,
    /// `completed`, `failed` or `interrupted`; `None` for one that runs or was killed.
    pub status: Option<String>,
    /// When it was started, as written.
    pub started: String,
    /// Cells of the table.
    pub cells: usize,
    /// Cells that ended without an error.
    pub finished: usize,
}

impl RunFile {
    /// The file of a run in a folder of runs. Nothing is opened yet.
    ///
    /// Errors: an id that cannot be a file's name.
    pub fn new(run_id: &str, folder: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let fine = |(index, byte): (usize, u8)| {
            byte.is_ascii_alphanumeric() || (index > 0 && matches!(byte, b'.' | b'_' | b'-'))
        };
        if run_id.is_empty() || run_id.len() > 128 || !run_id.bytes().enumerate().all(fine) {
            return Err(EvalError::RunId(run_id.to_owned()));
        }
        let path = folder.join(format!("{run_id}.jsonl"));
        Ok(Self { run_id: run_id.to_owned(), path, file: None, clock })
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the spans of the run are kept if no server takes them.
    pub fn spans_path(&self) -> PathBuf {
        self.path.with_file_name(format!("{}.spans.jsonl", self.run_id))
    }

    /// Creates the folder and opens the file for appending.
    pub fn open(&mut self) -> Result<()> {
        let fault = |source| EvalError::File { path: self.path.clone(), source };
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(fault)?;
        }
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(&self.path).map_err(fault)?;
        end_torn_line(&mut file).map_err(fault)?;
        self.file = Some(file);
        Ok(())
    }

    /// Notes that the run begins, or goes on.
    pub fn started(&mut self, about: &Started) -> Result<()> {
        let data = json!({
            "name": about.name,
            "function": about.function,
            "evaluators": about.evaluators,
            "datapoints": about.datapoints,
            "repetitions": about.repetitions,
            "cells": about.cells,
            "resumed": about.resumed,
        });
        self.append("run.started", data, &[("dataset_id", &about.dataset_id), ("project", &about.project)])
    }

    /// Notes a finished cell.
    pub fn finished(&mut self, cell: &DatapointResult) -> Result<()> {
        self.append("cell.finished", json!({ "cell": cell }), &[("datapoint_id", &cell.datapoint_id)])
    }

    /// Notes how the run ended.
    pub fn ended(&mut self, status: RunStatus, seconds: f64) -> Result<()> {
        self.append("run.finished", json!({ "status": status, "duration_s": seconds }), &[])
    }

    fn append(&mut self, event: &str, data: Value, more: &[(&str, &str)]) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let data = if let Value::Object(data) = data { data } else { Map::new() };
        let line = meta::line(self.clock.now(), &self.run_id, event, data, more);
        file.write_all(line.as_bytes()).map_err(|source| EvalError::File { path: self.path.clone(), source })
    }

    /// The dataset that the run was started over; `None` where there is no such run.
    pub fn dataset_id(&self) -> Result<Option<Option<String>>> {
        let records = self.records()?;
        let started = records.iter().find(|record| event(record) == "run.started");
        Ok(started.map(|record| record[META_KEY]["dataset_id"].as_str().map(str::to_owned)))
    }

    /// The cells that ended without an error; of one that was written twice the last counts.
    pub fn done(&self) -> Result<BTreeMap<CellKey, DatapointResult>> {
        Ok(done(&self.records()?))
    }

    /// Checks that the run can go on over a dataset, and gives the cells that are done.
    ///
    /// Errors: no such run, or one over another dataset.
    pub fn resume(&self, dataset_id: &str) -> Result<BTreeMap<CellKey, DatapointResult>> {
        match self.dataset_id()? {
            None => Err(EvalError::NoSuchRun { run_id: self.run_id.clone(), path: self.path.clone() }),
            Some(Some(was)) if was != dataset_id => Err(EvalError::OtherDataset {
                run_id: self.run_id.clone(),
                was,
                given: dataset_id.to_owned(),
            }),
            Some(_) => self.done(),
        }
    }

    /// What the file says of the run; `None` where there is none.
    pub fn info(&self) -> Result<Option<RunInfo>> {
        let records = self.records()?;
        let Some(started) = records.iter().find(|record| event(record) == "run.started") else {
            return Ok(None);
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        // What came after the last beginning counts: a resumed run is running again.
        let last = records.iter().rfind(|record| matches!(event(record), "run.started" | "run.finished"));
        Ok(Some(RunInfo {
            run_id: self.run_id.clone(),
            name: text(&started["name"]),
            dataset_id: text(&started[META_KEY]["dataset_id"]),
            status: last.and_then(|record| record["status"].as_str()).map(str::to_owned),
            started: text(&started[META_KEY]["timestamp"]),
            cells: started["cells"].as_u64().and_then(|cells| usize::try_from(cells).ok()).unwrap_or(0),
            finished: done(&records).len(),
        }))
    }

    /// All whole records. What is no record costs nothing but itself.
    fn records(&self) -> Result<Vec<Value>> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(EvalError::File { path: self.path.clone(), source }),
        };
        let lines = bytes.split(|byte| *byte == b'\n');
        let records = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        Ok(records.filter(|record| record.get(META_KEY).is_some_and(Value::is_object)).collect())
    }
}

fn event(record: &Value) -> &str {
    record[META_KEY]["event"].as_str().unwrap_or_default()
}

fn done(records: &[Value]) -> BTreeMap<CellKey, DatapointResult> {
    let mut cells = BTreeMap::new();
    for record in records.iter().filter(|record| event(record) == "cell.finished") {
        let Some(cell) = DatapointResult::read(&record["cell"]) else { continue };
        let key = cell.key();
        if cell.error.is_none() {
            cells.insert(key, cell);
        } else {
            cells.remove(&key);
        }
    }
    cells
}

fn end_torn_line(file: &mut File) -> std::io::Result<()> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

/// All runs of a folder, the newest first. A file that is no run is left out; no folder has no runs.
pub fn list_runs(folder: &Path, clock: &Arc<dyn Clock>) -> Result<Vec<RunInfo>> {
    let fault = |source| EvalError::File { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(fault(source)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let name = entry.map_err(fault)?.file_name();
        let Some(run_id) = name.to_str().and_then(|name| name.strip_suffix(".jsonl")) else { continue };
        // The spans of a run stand beside it.
        let spans = Path::new(run_id).extension().is_some_and(|extension| extension == "spans");
        if !spans && let Ok(file) = RunFile::new(run_id, folder, clock.clone()) {
            runs.extend(file.info()?);
        }
    }
    runs.sort_by(|one, two| (&two.started, &two.run_id).cmp(&(&one.started, &one.run_id)));
    Ok(runs)
}
