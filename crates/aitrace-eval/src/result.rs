//! What a run gave.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::aggregate::Metric;
use crate::cell::DatapointResult;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// All cells have run; some may have failed.
    Completed,
    /// Every cell failed.
    Failed,
    /// It was stopped, and can be resumed.
    Interrupted,
}

impl RunStatus {
    /// The word in run files: `completed`, `failed`, `interrupted`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A finished, failed or interrupted run.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationResult {
    /// Its id: what it is resumed by.
    pub run_id: String,
    /// Its name.
    pub name: String,
    /// The dataset.
    pub dataset_id: String,
    /// How it ended.
    pub status: RunStatus,
    /// Completed, and no datapoint failed.
    pub success: bool,
    /// Datapoints of which all repetitions passed.
    pub passed: Vec<String>,
    /// All other datapoints.
    pub failed: Vec<String>,
    /// In the order of the evaluators.
    pub metrics: Vec<Metric>,
    /// Finished cells in the order of the dataset, repetition by repetition.
    pub datapoints: Vec<DatapointResult>,
    /// How long this process worked on it.
    pub duration: Duration,
    /// The file that the run can be resumed from.
    pub path: PathBuf,
    /// What was not as it should be, yet did not stop the run.
    pub warnings: Vec<String>,
}

impl EvaluationResult {
    /// The metric of an evaluator.
    pub fn metric(&self, evaluator: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == evaluator)
    }

    /// The result as JSON; the same members as in Python.
    pub fn to_json(&self) -> Value {
        let metrics = self.metrics.iter().map(|metric| (metric.name.clone(), json!(metric)));
        json!({
            "run_id": self.run_id,
            "name": self.name,
            "dataset_id": self.dataset_id,
            "status": self.status,
            "success": self.success,
            "passed": self.passed,
            "failed": self.failed,
            "metrics": Value::Object(metrics.collect()),
            "datapoints": self.datapoints,
            "duration_s": self.duration.as_secs_f64(),
            "path": self.path.to_string_lossy(),
            "warnings": self.warnings,
        })
    }
}
