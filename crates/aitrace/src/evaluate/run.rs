//! A run from its dataset to its result.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use aitrace_eval::{
    Aggregate, CellKey, DatapointResult, Dataset, EvalError, EvaluationResult, RunFile, RunStatus, Started,
    summarise,
};
use aitrace_model::SystemClock;

use super::cell::{self, Cell, Plan};
use super::place::{self, Wanted};
use super::timer::{Timer, block_on};
use super::{Evaluation, Rows, Stop, slots};
use crate::finish::FlushResult;
use crate::ids::Random;
use crate::instant::instant;
use crate::tracer::Tracer;

/// How long spans may take to get out at the end.
const FLUSH: Duration = Duration::from_secs(10);

/// A run that is ready to go.
pub(super) struct Run {
    plan: Arc<Plan>,
    file: RunFile,
    name: String,
    table: Vec<Cell>,
    done: BTreeMap<CellKey, DatapointResult>,
    /// The first failure to write the file.
    unwritten: Option<EvalError>,
    started: Started,
    workers: usize,
    aggregate: Aggregate,
    warnings: Vec<String>,
    own_tracer: bool,
    stop: Stop,
    began: Instant,
}

impl Run {
    pub(super) fn prepare(evaluation: Evaluation) -> Result<Self, EvalError> {
        check(&evaluation)?;
        let dataset = match &evaluation.rows {
            Rows::Given(rows) => Dataset::new(rows.clone(), evaluation.dataset_id.as_deref())?,
            Rows::File(path) => Dataset::read(path, evaluation.dataset_id.as_deref())?,
            Rows::Loaded(dataset) => dataset.clone(),
        };
        let (file, done) = file(&evaluation, &dataset)?;
        let run_id = file.run_id().to_owned();
        let short = run_id.get(..8).unwrap_or(&run_id);
        let name = evaluation.name.clone().unwrap_or_else(|| format!("experiment-{short}"));
        let own_tracer = evaluation.tracer.is_none();
        let (tracer, warnings) = tracer(&evaluation, &name, &file);
        let table = table(&dataset, evaluation.repetitions);
        let started = Started {
            name: name.clone(),
            function: evaluation.function_name.clone(),
            evaluators: evaluation.evaluators.iter().map(|one| one.name().to_owned()).collect(),
            datapoints: dataset.datapoints.len(),
            repetitions: evaluation.repetitions,
            cells: table.len(),
            resumed: done.len(),
            dataset_id: dataset.id.clone(),
            project: tracer.identity().project.to_string(),
        };
        let plan = Plan {
            function: evaluation.function,
            name: evaluation.function_name,
            evaluators: evaluation.evaluators,
            run_id: run_id.into(),
            dataset_id: dataset.id.into(),
            tracer,
            retries: evaluation.retries,
            timeout: evaluation.timeout,
            timer: evaluation.timeout.and_then(|_| Timer::start()),
        };
        Ok(Self {
            plan: Arc::new(plan),
            file,
            name,
            table,
            done,
            unwritten: None,
            started,
            workers: evaluation.max_workers,
            aggregate: evaluation.aggregate,
            warnings,
            own_tracer,
            stop: evaluation.stop,
            began: instant(),
        })
    }

    pub(super) fn on_threads(mut self) -> Result<EvaluationResult, EvalError> {
        self.file.started(&self.started)?;
        let todo = self.todo();
        let workers = self.workers.min(todo.len());
        let todo = Mutex::new(todo.into_iter());
        let (stop, plan) = (self.stop.clone(), self.plan.clone());
        let take = || {
            let mut todo = todo.lock().unwrap_or_else(PoisonError::into_inner);
            if stop.is_set() { None } else { todo.next() }
        };
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel(workers.max(1));
            for index in 0..workers {
                let (sender, plan, take) = (sender.clone(), &plan, &take);
                let work = move || {
                    while let Some(cell) = take() {
                        let result = block_on(cell::run(plan.clone(), cell));
                        // The receiver waits for all.
                        sender.send(result).unwrap_or_default();
                    }
                };
                let thread = thread::Builder::new().name(format!("aitrace-evaluate-{index}"));
                if thread.spawn_scoped(scope, work).is_err() && index == 0 {
                    self.warnings.push("the system gives no thread: nothing was run".to_owned());
                }
            }
            drop(sender);
            for result in receiver {
                self.keep(result);
            }
        });
        let flushed = flush(&self.plan.tracer, self.own_tracer);
        self.finish(&flushed)
    }

    pub(super) async fn in_task(mut self) -> Result<EvaluationResult, EvalError> {
        self.file.started(&self.started)?;
        let mut todo = self.todo().into_iter();
        let (stop, plan, workers) = (self.stop.clone(), self.plan.clone(), self.workers);
        let next = || {
            let cell = if stop.is_set() { None } else { todo.next() }?;
            Some(Box::pin(cell::run(plan.clone(), cell)) as super::call::Pending<_>)
        };
        slots::drive(workers, next, |result| self.keep(result)).await;
        // Flushing waits: not on the caller's task.
        let (tracer, own) = (self.plan.tracer.clone(), self.own_tracer);
        let flushed = elsewhere(move || flush(&tracer, own)).await;
        self.finish(&flushed)
    }

    /// Cells that are not done, in the order of the table.
    fn todo(&self) -> Vec<Cell> {
        let todo = self.table.iter().filter(|cell| !self.done.contains_key(&key(cell)));
        todo.cloned().collect()
    }

    fn keep(&mut self, result: DatapointResult) {
        if let Err(error) = self.file.finished(&result) {
            // Without its file a run could not be resumed: no further cell begins.
            self.unwritten.get_or_insert(error);
            self.stop.stop();
        }
        self.done.insert(result.key(), result);
    }

    fn finish(mut self, flushed: &FlushResult) -> Result<EvaluationResult, EvalError> {
        if let Some(error) = self.unwritten {
            return Err(error);
        }
        if !flushed.ok {
            self.warnings.push(format!(
                "not all spans were delivered: {} remain, {} spooled, dropped: {:?}",
                flushed.remaining, flushed.spooled, flushed.dropped
            ));
        }
        let complete = self.table.iter().all(|cell| self.done.contains_key(&key(cell)));
        let cells: Vec<_> = self.table.iter().filter_map(|cell| self.done.remove(&key(cell))).collect();
        let status = match () {
            () if !complete => RunStatus::Interrupted,
            () if cells.iter().all(|cell| cell.error.is_some()) => RunStatus::Failed,
            () => RunStatus::Completed,
        };
        let duration = self.began.elapsed();
        self.file.ended(status, duration.as_secs_f64())?;
        let summary = summarise(&cells, &self.started.evaluators, &self.aggregate);
        Ok(EvaluationResult {
            run_id: self.file.run_id().to_owned(),
            name: self.name,
            dataset_id: self.plan.dataset_id.to_string(),
            status,
            success: status == RunStatus::Completed && summary.failed.is_empty(),
            passed: summary.passed,
            failed: summary.failed,
            metrics: summary.metrics,
            datapoints: cells,
            duration,
            path: self.file.path().to_owned(),
            warnings: self.warnings,
        })
    }
}

/// The run's file, open, and the cells that are done.
fn file(
    evaluation: &Evaluation,
    dataset: &Dataset,
) -> Result<(RunFile, BTreeMap<CellKey, DatapointResult>), EvalError> {
    let folder = place::runs_folder(evaluation.data_dir.as_deref())?;
    let run_id = evaluation.resume.clone().or_else(|| evaluation.run_id.clone());
    let run_id = run_id.unwrap_or_else(|| Random::seeded().uuid());
    let mut file = RunFile::new(&run_id, &folder, Arc::new(SystemClock))?;
    let mut done = BTreeMap::new();
    if evaluation.resume.is_some() {
        done = file.resume(&dataset.id)?;
        let known: BTreeSet<&str> =
            dataset.datapoints.iter().map(|datapoint| datapoint.id.as_str()).collect();
        done.retain(|key, _| known.contains(key.0.as_str()));
    }
    file.open()?;
    Ok((file, done))
}

/// The caller's tracer, else one for this run; and what to tell about it.
fn tracer(evaluation: &Evaluation, name: &str, file: &RunFile) -> (Tracer, Vec<String>) {
    if let Some(tracer) = &evaluation.tracer {
        return (tracer.clone(), Vec::new());
    }
    let wanted = Wanted {
        server_url: evaluation.server_url.as_deref(),
        api_key: evaluation.api_key.as_deref(),
        project: evaluation.project.as_deref(),
        session: name,
        offline: evaluation.offline,
    };
    place::tracer(&wanted, file)
}

fn key(cell: &Cell) -> CellKey {
    (cell.datapoint.id.clone(), cell.repetition)
}

fn table(dataset: &Dataset, repetitions: u32) -> Vec<Cell> {
    let rows = || dataset.datapoints.iter().cloned();
    (0..repetitions)
        .flat_map(|repetition| rows().map(move |datapoint| Cell { datapoint, repetition }))
        .collect()
}

fn check(evaluation: &Evaluation) -> Result<(), EvalError> {
    let counts = [("max_workers", evaluation.max_workers), ("repetitions", evaluation.repetitions as usize)];
    if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count < 1) {
        return Err(EvalError::Count { name });
    }
    let names: Vec<&str> = evaluation.evaluators.iter().map(super::Evaluator::name).collect();
    let twice = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
    twice.map_or(Ok(()), |(_, name)| Err(EvalError::SameEvaluator((*name).to_owned())))
}

/// A tracer of the run's own ends with it.
fn flush(tracer: &Tracer, own: bool) -> FlushResult {
    if own { tracer.shutdown(FLUSH) } else { tracer.flush(FLUSH) }
}

/// Does something that waits on a thread of its own; here, where the system gives none.
async fn elsewhere<T: Default + Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let shared: Arc<Mutex<(Option<T>, Option<std::task::Waker>)>> = Arc::default();
    let there = shared.clone();
    let spawned = thread::Builder::new().name("aitrace-evaluate-flush".to_owned()).spawn(move || {
        let output = work();
        let mut shared = there.lock().unwrap_or_else(PoisonError::into_inner);
        shared.0 = Some(output);
        if let Some(waker) = shared.1.take() {
            waker.wake();
        }
    });
    if spawned.is_err() {
        return T::default();
    }
    std::future::poll_fn(|task| {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(output) = shared.0.take() {
            return std::task::Poll::Ready(output);
        }
        shared.1 = Some(task.waker().clone());
        std::task::Poll::Pending
    })
    .await
}
