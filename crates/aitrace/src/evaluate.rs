//! Evaluation: a function over a dataset, judged by evaluators, one cell at a time.
//!
//! ```
//! use aitrace::evaluate::{evaluate, Case, Evaluator};
//! use serde_json::json;
//!
//! let folder = tempfile::tempdir()?;
//! let rows = vec![json!({"inputs": {"n": 2}, "ground_truth": 4}), json!({"inputs": {"n": 3}, "ground_truth": 7})];
//! let result = evaluate(|row, _tracer| {
//!         let n = row.inputs["n"].as_i64().ok_or("no n")?;
//!         Ok::<_, &str>(n * 2)
//!     })
//!     .name("doubling")
//!     .dataset(rows)
//!     .evaluator(Evaluator::new("correct", |case: &Case| Some(&case.outputs) == case.ground_truth.as_ref()))
//!     .data_dir(folder.path())
//!     .offline()
//!     .run()?;
//! assert_eq!((result.passed.len(), result.failed.len()), (1, 1));
//! assert_eq!(result.metric("correct").and_then(|metric| metric.aggregate), Some(0.5));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! Each cell (a row in one repetition) runs in a context of its own, with `run_id`, `dataset_id` and
//! `datapoint_id` in its baggage: every span below it carries them. The span of a cell is named after the
//! function. What a cell gave is written to `runs/RUN_ID.jsonl` in the data directory before the next is
//! counted: a run that was cut off is resumed from there ([`Evaluation::resume`]), by any process, with or
//! without a server, also one that Python began.

mod call;
mod cell;
mod evaluator;
mod place;
mod run;
mod slots;
mod timer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

pub use aitrace_eval::{
    Aggregate, Datapoint, DatapointResult, Dataset, EvalError, EvaluationResult, Judgement, Metric, RunFile,
    RunInfo, RunStatus, ScoreValue, list_runs,
};
pub use evaluator::{Case, Evaluator};
pub use place::runs_folder;

use crate::tracer::Tracer;
use call::{AsyncFunction, Function, SyncFunction};

/// Evaluates a function: `function(row, tracer)` gives an output or an error. See the [module](self).
pub fn evaluate<F, T, E>(function: F) -> Evaluation
where
    F: Fn(&Datapoint, &Tracer) -> Result<T, E> + Send + Sync + 'static,
    T: serde::Serialize,
    E: std::fmt::Display,
{
    Evaluation::of(Function::Sync(SyncFunction::new(function)), call::name_of::<F>())
}

/// Evaluates an async function. [`Evaluation::run_async`] polls it in the caller's task, so that it finds the
/// caller's runtime.
///
/// ```
/// use aitrace::evaluate::{evaluate_async, Datapoint};
/// use serde_json::json;
///
/// async fn shout(row: Datapoint, _tracer: aitrace::Tracer) -> Result<String, String> {
///     tokio::task::yield_now().await;
///     Ok(row.inputs["text"].as_str().ok_or("no text")?.to_uppercase())
/// }
///
/// let folder = tempfile::tempdir()?;
/// let run = evaluate_async(shout).dataset(vec![json!({"text": "a"})]).data_dir(folder.path()).offline();
/// let result = tokio::runtime::Builder::new_current_thread().build()?.block_on(run.run_async())?;
/// assert_eq!(result.datapoints[0].outputs, "A");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn evaluate_async<F, R, T, E>(function: F) -> Evaluation
where
    F: Fn(Datapoint, Tracer) -> R + Send + Sync + 'static,
    R: Future<Output = Result<T, E>> + Send + 'static,
    T: serde::Serialize,
    E: std::fmt::Display,
{
    Evaluation::of(Function::Async(AsyncFunction::new(function)), call::name_of::<F>())
}

/// Stops a run from outside, for example when the program is told to end: no further cell begins, what runs is
/// finished, and the run is `interrupted`, to be resumed.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Not yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Now.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Rows as given: in memory or a file's path.
enum Rows {
    Given(Vec<Value>),
    File(PathBuf),
    Loaded(Dataset),
}

/// A run to be: made by [`evaluate`], run by [`Evaluation::run`] or [`Evaluation::run_async`].
#[must_use = "`run` or `run_async` runs it"]
pub struct Evaluation {
    function: Function,
    function_name: String,
    rows: Rows,
    dataset_id: Option<String>,
    evaluators: Vec<Evaluator>,
    name: Option<String>,
    project: Option<String>,
    run_id: Option<String>,
    resume: Option<String>,
    max_workers: usize,
    repetitions: u32,
    retries: u32,
    timeout: Option<Duration>,
    aggregate: Aggregate,
    server_url: Option<String>,
    api_key: Option<String>,
    offline: bool,
    data_dir: Option<PathBuf>,
    tracer: Option<Tracer>,
    stop: Stop,
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $($(#[$doc])*
        pub fn $name(mut self, $name: impl Into<String>) -> Self {
            self.$name = Some($name.into());
            self
        })+
    };
}

impl Evaluation {
    fn of(function: Function, function_name: String) -> Self {
        Self {
            function,
            function_name,
            rows: Rows::Given(Vec::new()),
            dataset_id: None,
            evaluators: Vec::new(),
            name: None,
            project: None,
            run_id: None,
            resume: None,
            max_workers: 10,
            repetitions: 1,
            retries: 0,
            timeout: None,
            aggregate: Aggregate::default(),
            server_url: None,
            api_key: None,
            offline: false,
            data_dir: None,
            tracer: None,
            stop: Stop::new(),
        }
    }

    /// The rows, each an object: `{"inputs": …, "ground_truth": …}`, or any.
    pub fn dataset(mut self, rows: impl IntoIterator<Item = Value>) -> Self {
        self.rows = Rows::Given(rows.into_iter().collect());
        self
    }

    /// The rows of a `.json` or `.jsonl` file.
    pub fn dataset_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.rows = Rows::File(path.into());
        self
    }

    /// Rows that are loaded already.
    pub fn loaded(mut self, dataset: Dataset) -> Self {
        self.rows = Rows::Loaded(dataset);
        self
    }

    /// Adds an evaluator. Names must be distinct.
    pub fn evaluator(mut self, evaluator: Evaluator) -> Self {
        self.evaluators.push(evaluator);
        self
    }

    texts! {
        /// Id of the dataset. Default: a hash of its rows.
        dataset_id,
        /// Name of the run. Default: `experiment-` and the beginning of its id.
        name,
        /// Project of its spans. Default: `AITRACE_PROJECT`, else `default`.
        project,
        /// Id of the run. Default: random.
        run_id,
        /// Goes on with the run of this id: cells that ended without an error are taken from its file.
        resume,
        /// Where its spans go. Default: `AITRACE_SERVER_URL`, else a server that answers on localhost:8000,
        /// else the file `RUN_ID.spans.jsonl` beside the run.
        server_url,
        /// Key for the server. Default: `AITRACE_API_KEY`.
        api_key,
    }

    /// Name of the span of a cell. Default: the function's, for a closure that of the function it stands in.
    pub fn function_name(mut self, name: impl Into<String>) -> Self {
        self.function_name = name.into();
        self
    }

    /// Cells that run at the same time, at least 1. Default: 10.
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.max_workers = workers;
        self
    }

    /// How often each row runs, at least 1. Default: 1.
    pub fn repetitions(mut self, repetitions: u32) -> Self {
        self.repetitions = repetitions;
        self
    }

    /// Further attempts where the function fails. Default: 0.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The longest that one attempt may take. Default: no limit.
    ///
    /// A thread cannot be stopped: what overran in a function that is not async goes on unheard.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How the numbers of a metric become one. Default: the average.
    pub fn aggregate(mut self, aggregate: Aggregate) -> Self {
        self.aggregate = aggregate;
        self
    }

    /// Looks for no server: spans stay beside the run.
    pub fn offline(mut self) -> Self {
        self.offline = true;
        self
    }

    /// The data directory. Default: `AITRACE_DATA_DIR`, else the platform's.
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// Records with this tracer. It is flushed at the end, and stays usable.
    pub fn tracer(mut self, tracer: &Tracer) -> Self {
        self.tracer = Some(tracer.clone());
        self
    }

    /// Ends early once this says so.
    pub fn stop(mut self, stop: &Stop) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Runs it on threads of its own and waits for the end.
    ///
    /// Async functions find no runtime on these threads: one that needs tokio's timers or sockets panics there,
    /// which fails its row. [`Evaluation::run_async`] is for those.
    ///
    /// What a row or an evaluator fails with is in the result. Errors are those of arguments that cannot be
    /// right, and of a run's file that cannot be written.
    pub fn run(self) -> Result<EvaluationResult, EvalError> {
        run::Run::prepare(self)?.on_threads()
    }

    /// Runs it in the caller's task: async functions and evaluators find the caller's runtime.
    ///
    /// A function that is not async would block the task; [`Evaluation::run`] is for those.
    pub async fn run_async(self) -> Result<EvaluationResult, EvalError> {
        run::Run::prepare(self)?.in_task().await
    }
}

impl std::fmt::Debug for Evaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Evaluation");
        out.field("function", &self.function_name)
            .field("evaluators", &self.evaluators)
            .finish_non_exhaustive()
    }
}
