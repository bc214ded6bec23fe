//! Evaluation runs: datasets, cells, run files, aggregation.
//!
//! A run is a table of cells: datapoint × repetition, each with its scores. This crate knows what a run is
//! and how it is kept, not how functions are called and traced; the SDK does that (`aitrace::evaluate`).
//!
//! A run is kept as trace records in `runs/RUN_ID.jsonl` of the data directory ([`RunFile`]): one
//! `run.started`, one `cell.finished` for each cell, one `run.finished`. Runs of every SDK read the same.
//!
//! ```
//! use aitrace_eval::{Aggregate, Dataset};
//! use serde_json::json;
//!
//! let rows = vec![json!({"inputs": {"n": 1}, "ground_truth": 2}), json!({"id": "own", "n": 2})];
//! let dataset = Dataset::new(rows, None)?;
//! assert_eq!(dataset.datapoints[0].ground_truth, Some(json!(2)));
//! assert_eq!((dataset.datapoints[1].id.as_str(), &dataset.datapoints[1].inputs), ("own", &json!({"n": 2})));
//! assert_eq!(Aggregate::Median.of(&[3.0, 1.0, 2.0]), Some(2.0));
//! # Ok::<_, aitrace_eval::EvalError>(())
//! ```

mod aggregate;
mod cell;
mod dataset;
mod digest;
mod error;
mod meta;
mod result;
mod runfile;
mod score;
mod table;

pub use aggregate::{Aggregate, Metric, Summary, summarise};
pub use cell::{CellKey, DatapointResult};
pub use dataset::{Datapoint, Dataset};
pub use error::{EvalError, Result};
pub use result::{EvaluationResult, RunStatus};
pub use runfile::{RunFile, RunInfo, Started, list_runs};
pub use score::{Judgement, Score, ScoreValue};
