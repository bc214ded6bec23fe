//! One cell of the table: a datapoint in one repetition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::score::ScoreValue;

/// Where a result belongs: the datapoint's id and the repetition, from 0.
pub type CellKey = (String, u32);

/// What one datapoint gave in one repetition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatapointResult {
    /// The datapoint.
    pub datapoint_id: String,
    /// From 0.
    pub repetition: u32,
    /// What the function was given.
    pub inputs: Value,
    /// What was expected; null where the row has none.
    pub ground_truth: Value,
    /// What the function gave; null where it failed.
    pub outputs: Value,
    /// `Type: message` of how the function failed last.
    pub error: Option<String>,
    /// Scores by evaluator; null where one abstained or failed.
    pub scores: BTreeMap<String, Option<ScoreValue>>,
    /// Reasons by evaluator.
    pub explanations: BTreeMap<String, String>,
    /// Failures by evaluator.
    pub evaluator_errors: BTreeMap<String, String>,
    /// It did not fail, no boolean score is false, and no threshold was missed.
    pub passed: bool,
    /// How long function and evaluators took, with retries.
    pub duration_ms: f64,
    /// The trace of its span, 32 hex digits.
    pub trace_id: Option<String>,
}

/// Members that a recorded cell must have: one that lacks any is no cell.
const FIELDS: [&str; 12] = [
    "datapoint_id",
    "repetition",
    "inputs",
    "ground_truth",
    "outputs",
    "error",
    "scores",
    "explanations",
    "evaluator_errors",
    "passed",
    "duration_ms",
    "trace_id",
];

impl DatapointResult {
    /// Where it belongs.
    pub fn key(&self) -> CellKey {
        (self.datapoint_id.clone(), self.repetition)
    }

    pub(crate) fn read(value: &Value) -> Option<Self> {
        let complete = FIELDS.iter().all(|field| value.get(field).is_some());
        if complete { Self::deserialize(value).ok() } else { None }
    }
}
