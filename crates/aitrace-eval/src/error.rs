//! What can be wrong with a run.

use std::path::PathBuf;

/// What can be wrong with a run: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// No rows.
    #[error("dataset is empty: give at least one datapoint")]
    EmptyDataset,
    /// A row that is not an object.
    #[error("dataset row {index} is {found}, not an object: use {{\"inputs\": …, \"ground_truth\": …}}")]
    Row {
        /// From 0.
        index: usize,
        /// What it is.
        found: &'static str,
    },
    /// Two rows with one id.
    #[error("dataset rows {first} and {second} share the id {id:?}")]
    SameId {
        /// From 0.
        first: usize,
        /// From 0.
        second: usize,
        /// The id.
        id: String,
    },
    /// A dataset's file that cannot be read; `place` is its path, with a line where one is at fault.
    #[error("dataset {place}: {reason}")]
    DatasetFile {
        /// Path, or `path:line`.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// An id that cannot be a file's name.
    #[error("run_id {0:?} must be 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit")]
    RunId(String),
    /// Nothing to resume.
    #[error("no run {run_id:?} to resume: there is no {}", path.display())]
    NoSuchRun {
        /// The run.
        run_id: String,
        /// Where it would be.
        path: PathBuf,
    },
    /// A run over other data.
    #[error("run {run_id:?} was started over dataset {was:?}, not {given:?}: give the same dataset")]
    OtherDataset {
        /// The run.
        run_id: String,
        /// The dataset of the run.
        was: String,
        /// The dataset that was given.
        given: String,
    },
    /// A number that makes no sense.
    #[error("{name} must be at least 1")]
    Count {
        /// The option.
        name: &'static str,
    },
    /// Two evaluators with one name.
    #[error("evaluators share the name {0:?}: give them distinct names")]
    SameEvaluator(String),
    /// A name that is none of the aggregates.
    #[error("aggregate function {0:?} is unknown: use average, mean, median, min, max or sum")]
    Aggregate(String),
    /// The platform has no folder for data.
    #[error("no folder for the run: set AITRACE_DATA_DIR")]
    NoFolder,
    /// A run's file that cannot be written or read.
    #[error("cannot use the run's file {}: {source}; set AITRACE_DATA_DIR", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What an operation on runs gives.
pub type Result<T> = std::result::Result<T, EvalError>;
