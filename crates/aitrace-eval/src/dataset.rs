//! Datasets as callers give them, turned into datapoints with stable ids.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::digest::external_id;
use crate::error::{EvalError, Result};

const GROUND_TRUTH_KEYS: [&str; 3] = ["ground_truth", "ground_truths", "expected"];
const ID_KEYS: [&str; 3] = ["id", "datapoint_id", "_id"];

/// One row of a dataset. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Datapoint(Arc<Content>);

/// What a [`Datapoint`] holds.
#[derive(Debug, PartialEq)]
pub struct Content {
    /// Its own `id`, else `EXT-` and a hash of its content: the same row has the same id in each run.
    pub id: String,
    /// The row as it stands in the dataset.
    pub row: Value,
    /// `row["inputs"]`, else the row without its id and expected value.
    pub inputs: Value,
    /// `ground_truth`, `ground_truths` or `expected`; `None` where the row has none.
    pub ground_truth: Option<Value>,
}

impl std::ops::Deref for Datapoint {
    type Target = Content;

    fn deref(&self) -> &Content {
        &self.0
    }
}

/// Datapoints and the id of the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Its own id, else `EXT-` and a hash of its datapoints' ids.
    pub id: String,
    /// At least one.
    pub datapoints: Vec<Datapoint>,
}

impl Dataset {
    /// A dataset of these rows, each an object. Equal rows without ids of their own stay two.
    ///
    /// Errors: no row, a row that is no object, an id that stands twice.
    pub fn new(rows: Vec<Value>, dataset_id: Option<&str>) -> Result<Self> {
        if rows.is_empty() {
            return Err(EvalError::EmptyDataset);
        }
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut datapoints = Vec::with_capacity(rows.len());
        for (index, row) in rows.into_iter().enumerate() {
            let Value::Object(members) = &row else {
                return Err(EvalError::Row { index, found: kind(&row) });
            };
            let own = own_id(members);
            let mut id = own.clone().unwrap_or_else(|| external_id(&[&row]));
            if let Some(first) = seen.get(&id) {
                if own.is_some() {
                    return Err(EvalError::SameId { first: *first, second: index, id });
                }
                id = external_id(&[&row, &Value::from(index)]);
            }
            seen.insert(id.clone(), index);
            datapoints.push(datapoint(id, row));
        }
        let ids: Vec<Value> = datapoints.iter().map(|datapoint| Value::from(datapoint.id.as_str())).collect();
        let id = dataset_id.map_or_else(|| external_id(&ids.iter().collect::<Vec<_>>()), str::to_owned);
        Ok(Self { id, datapoints })
    }

    /// Reads a `.json` file (an array of objects), or a `.jsonl` file (an object a line).
    ///
    /// Errors: those of [`Dataset::new`], and a file that cannot be read, with the line.
    pub fn read(path: &Path, dataset_id: Option<&str>) -> Result<Self> {
        let fault = |place: String, reason: String| EvalError::DatasetFile { place, reason };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| fault(name.clone(), error.to_string()))?;
        if path.extension().is_some_and(|extension| extension == "json") {
            let value =
                serde_json::from_str(&text).map_err(|error| fault(name.clone(), error.to_string()))?;
            let Value::Array(rows) = value else {
                return Err(fault(name, "expected a JSON array of objects".to_owned()));
            };
            return Self::new(rows, dataset_id);
        }
        let mut rows = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let row = serde_json::from_str(line);
            rows.push(row.map_err(|error| fault(format!("{name}:{}", index + 1), error.to_string()))?);
        }
        Self::new(rows, dataset_id)
    }
}

fn datapoint(id: String, row: Value) -> Datapoint {
    let get = |key: &str| row.get(key).filter(|value| !value.is_null()).cloned();
    let ground_truth = GROUND_TRUTH_KEYS.iter().find_map(|key| get(key));
    let inputs = get("inputs").unwrap_or_else(|| {
        let members = row.as_object().into_iter().flatten();
        let plain = members.filter(|(key, _)| !is_special(key));
        Value::Object(plain.map(|(key, value)| (key.clone(), value.clone())).collect())
    });
    Datapoint(Arc::new(Content { id, row, inputs, ground_truth }))
}

fn is_special(key: &str) -> bool {
    ID_KEYS.contains(&key) || GROUND_TRUTH_KEYS.contains(&key)
}

fn own_id(row: &Map<String, Value>) -> Option<String> {
    let id = ID_KEYS.iter().find_map(|key| row.get(*key).filter(|id| !id.is_null()))?;
    Some(id.as_str().map_or_else(|| id.to_string(), str::to_owned))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
