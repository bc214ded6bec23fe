//! One cell: call the function, judge what it gave, within a span of the run's tracer.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use aitrace_eval::{Datapoint, DatapointResult, Score};
use aitrace_model::{ErrorInfo, EventType, SpanKind};
use serde_json::Value;

use super::call::{Function, Outcome, SyncFunction, told};
use super::evaluator::{Case, Evaluator};
use super::timer::Timer;
use crate::attach::InSpan as _;
use crate::context::{Baggage, Context};
use crate::data::SpanStatus;
use crate::fields::Enrich;
use crate::instant::instant;
use crate::span::{Parent, SpanHandle, SpanOptions};
use crate::tracer::Tracer;

/// What all cells of a run have in common.
pub(super) struct Plan {
    pub(super) function: Function,
    pub(super) name: String,
    pub(super) evaluators: Vec<Evaluator>,
    pub(super) run_id: Arc<str>,
    pub(super) dataset_id: Arc<str>,
    pub(super) tracer: Tracer,
    pub(super) retries: u32,
    pub(super) timeout: Option<Duration>,
    /// There where there is a timeout.
    pub(super) timer: Option<Timer>,
}

/// Where a result belongs in the table.
#[derive(Clone)]
pub(super) struct Cell {
    pub(super) datapoint: Datapoint,
    pub(super) repetition: u32,
}

/// What a function and its evaluators gave.
struct Given {
    outcome: Outcome,
    scores: Vec<Score>,
}

/// Runs a cell in a context of its own, whatever the caller's is.
pub(super) async fn run(plan: Arc<Plan>, cell: Cell) -> DatapointResult {
    let began = instant();
    let baggage = Baggage {
        run_id: Some(plan.run_id.clone()),
        dataset_id: Some(plan.dataset_id.clone()),
        datapoint_id: Some(cell.datapoint.id.as_str().into()),
        tracer_id: Some(plan.tracer.identity().tracer_id.clone()),
    };
    let outer = Context::default().with_baggage(baggage);
    let options = SpanOptions::new(plan.name.clone()).event_type(EventType::Chain);
    let span = plan.tracer.start(options.parent(Parent::Context(outer.clone())));
    span.enrich(about(&cell));
    let trace_id = span.context().map(|ids| ids.trace_id.to_string());
    let given = inside(&plan, &cell, &span).in_context(span.within(&outer)).await;
    let mut enrich = Enrich::new();
    if let Ok(outputs) = &given.outcome {
        enrich = enrich.outputs(outputs);
    }
    for score in &given.scores {
        enrich = enrich.metric(score.name.clone(), &score.value);
        if let Some(explanation) = &score.explanation {
            enrich = enrich.metric(format!("{}_explanation", score.name), explanation);
        }
    }
    span.enrich(enrich);
    span.end();
    result(&cell, given, began.elapsed(), trace_id)
}

fn about(cell: &Cell) -> Enrich {
    let mut enrich = Enrich::new().inputs(&cell.datapoint.inputs);
    if cell.repetition > 0 {
        enrich = enrich.metadata("repetition", cell.repetition);
    }
    match &cell.datapoint.ground_truth {
        Some(ground_truth) => enrich.metadata("ground_truth", ground_truth),
        None => enrich,
    }
}

async fn inside(plan: &Plan, cell: &Cell, span: &SpanHandle) -> Given {
    let mut outcome = attempt(plan, cell).await;
    for number in 1..=plan.retries {
        let Err(error) = &outcome else { break };
        let attributes = vec![("attempt".into(), number.into()), ("error".into(), told(error).into())];
        span.add_event("retry", attributes, None);
        outcome = attempt(plan, cell).await;
    }
    let mut scores = Vec::new();
    match &outcome {
        Ok(outputs) => {
            for evaluator in &plan.evaluators {
                scores.push(judge(plan, evaluator, Case::new(&cell.datapoint, outputs)).await);
            }
        }
        Err(error) => span.record_exception(error.clone()),
    }
    Given { outcome, scores }
}

async fn attempt(plan: &Plan, cell: &Cell) -> Outcome {
    let row = &cell.datapoint;
    match (&plan.function, plan.timeout) {
        (Function::Sync(function), None) => function.call(row, &plan.tracer),
        (Function::Sync(function), Some(limit)) => on_a_thread(function, row, &plan.tracer, limit),
        (Function::Async(function), limit) => {
            let call = function.call(row.clone(), plan.tracer.clone());
            match (limit, &plan.timer) {
                (Some(limit), Some(timer)) => {
                    timer.limit(limit, call).await.unwrap_or_else(|| Err(too_late(limit)))
                }
                _ => call.await,
            }
        }
    }
}

/// Calls within the limit. A thread cannot be stopped: what overran goes on unheard.
fn on_a_thread(function: &SyncFunction, row: &Datapoint, tracer: &Tracer, limit: Duration) -> Outcome {
    let (sender, receiver) = sync_channel(1);
    let (function, row, tracer, context) =
        (function.clone(), row.clone(), tracer.clone(), Context::current());
    let thread = std::thread::Builder::new().name("aitrace-evaluate-row".to_owned());
    let spawned = thread.spawn(move || {
        let _context = context.attach();
        // Nobody hears it where the time is over.
        sender.send(function.call(&row, &tracer)).unwrap_or_default();
    });
    if let Err(error) = spawned {
        return Err(super::call::failure(&error));
    }
    match receiver.recv_timeout(limit) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(too_late(limit)),
    }
}

fn too_late(limit: Duration) -> ErrorInfo {
    let message = format!("no answer within {} s", limit.as_secs_f64());
    ErrorInfo { kind: "TimeoutError".to_owned(), message, ..ErrorInfo::default() }
}

async fn judge(plan: &Plan, evaluator: &Evaluator, case: Case) -> Score {
    let options = SpanOptions::new(evaluator.name().to_owned()).event_type(EventType::Chain);
    let span = plan.tracer.start(options.kind(SpanKind::Evaluator));
    let context = span.within(&Context::current());
    let (score, error) = evaluator.score(case).in_context(context).await;
    match error {
        Some(error) => {
            span.record_exception(error.clone());
            span.set_status(SpanStatus::Error, Some(&error.message));
        }
        None => span.enrich(
            Enrich::new()
                .outputs(serde_json::json!({ "score": score.to_json(), "explanation": score.explanation })),
        ),
    }
    span.end();
    score
}

fn result(cell: &Cell, given: Given, took: Duration, trace_id: Option<String>) -> DatapointResult {
    let Given { outcome, scores } = given;
    let passed = outcome.is_ok() && scores.iter().all(|score| score.passed);
    let (outputs, error) = match outcome {
        Ok(outputs) => (outputs, None),
        Err(error) => (Value::Null, Some(told(&error))),
    };
    let said = |score: &Score| Some((score.name.clone(), score.explanation.clone()?));
    let failed = |score: &Score| Some((score.name.clone(), score.error.clone()?));
    DatapointResult {
        datapoint_id: cell.datapoint.id.clone(),
        repetition: cell.repetition,
        inputs: cell.datapoint.inputs.clone(),
        ground_truth: cell.datapoint.ground_truth.clone().unwrap_or_default(),
        outputs,
        error,
        explanations: scores.iter().filter_map(said).collect(),
        evaluator_errors: scores.iter().filter_map(failed).collect(),
        scores: scores.into_iter().map(|score| (score.name, score.value)).collect(),
        passed,
        duration_ms: took.as_secs_f64() * 1e3,
        trace_id,
    }
}
