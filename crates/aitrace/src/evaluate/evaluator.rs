//! Evaluators: functions that judge one output.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aitrace_eval::{Datapoint, Judgement, Score};
use aitrace_model::ErrorInfo;
use serde_json::Value;

use super::call::{Pending, Unwinding, failure, panicked};

/// What an evaluator judges.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What the function gave.
    pub outputs: Value,
    /// What it was given.
    pub inputs: Value,
    /// What was expected; `None` where the row has none.
    pub ground_truth: Option<Value>,
    /// The whole row.
    pub datapoint: Datapoint,
}

impl Case {
    pub(super) fn new(datapoint: &Datapoint, outputs: &Value) -> Self {
        Self {
            outputs: outputs.clone(),
            inputs: datapoint.inputs.clone(),
            ground_truth: datapoint.ground_truth.clone(),
            datapoint: datapoint.clone(),
        }
    }
}

type Judged = Result<Judgement, ErrorInfo>;

#[derive(Clone)]
enum Judge {
    Sync(Arc<dyn Fn(&Case) -> Judged + Send + Sync>),
    Async(Arc<dyn Fn(Case) -> Pending<Judged> + Send + Sync>),
}

/// A judging function with a name and, optionally, a threshold.
///
/// It gives what converts into a [`Judgement`]: a boolean, a number, a word, an `Option` of one (none:
/// it abstains), or a pair of one with an explanation. One that fails or panics has no score; the failure is
/// in the result, and its row may pass all the same.
#[derive(Clone)]
pub struct Evaluator {
    name: String,
    threshold: Option<f64>,
    judge: Judge,
}

impl Evaluator {
    /// An evaluator that cannot fail.
    ///
    /// ```
    /// use aitrace::evaluate::{Case, Evaluator};
    ///
    /// let exact = Evaluator::new("exact", |case: &Case| Some(&case.outputs) == case.ground_truth.as_ref());
    /// let short = Evaluator::new("short", |case: &Case| {
    ///     let length = case.outputs.as_str()?.len() as f64;
    ///     Some(1.0 / length)
    /// }).threshold(0.1);
    /// ```
    pub fn new<J: Into<Judgement>>(
        name: impl Into<String>,
        judge: impl Fn(&Case) -> J + Send + Sync + 'static,
    ) -> Self {
        Self::of(name.into(), Judge::Sync(Arc::new(move |case| Ok(judge(case).into()))))
    }

    /// An evaluator that may fail.
    pub fn fallible<J: Into<Judgement>, E: fmt::Display>(
        name: impl Into<String>,
        judge: impl Fn(&Case) -> Result<J, E> + Send + Sync + 'static,
    ) -> Self {
        let judge = move |case: &Case| judge(case).map(Into::into).map_err(|error| failure(&error));
        Self::of(name.into(), Judge::Sync(Arc::new(judge)))
    }

    /// An async evaluator, which may fail.
    pub fn from_async<F, R, J, E>(name: impl Into<String>, judge: F) -> Self
    where
        F: Fn(Case) -> R + Send + Sync + 'static,
        R: Future<Output = Result<J, E>> + Send + 'static,
        J: Into<Judgement>,
        E: fmt::Display,
    {
        let judge = move |case: Case| -> Pending<Judged> {
            let future = judge(case);
            Box::pin(async move { future.await.map(Into::into).map_err(|error| failure(&error)) })
        };
        Self::of(name.into(), Judge::Async(Arc::new(judge)))
    }

    fn of(name: String, judge: Judge) -> Self {
        Self { name, threshold: None, judge }
    }

    /// A number below fails its row. Default: no threshold.
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Judges; also gives what it failed with.
    pub(super) async fn score(&self, case: Case) -> (Score, Option<ErrorInfo>) {
        let judged = match &self.judge {
            Judge::Sync(judge) => {
                catch_unwind(AssertUnwindSafe(|| judge(&case))).unwrap_or_else(|panic| Err(panicked(&*panic)))
            }
            Judge::Async(judge) => match catch_unwind(AssertUnwindSafe(|| judge(case))) {
                Ok(future) => Unwinding(future).await.unwrap_or_else(Err),
                Err(panic) => Err(panicked(&*panic)),
            },
        };
        match judged {
            Ok(judgement) => (Score::new(&self.name, judgement, self.threshold), None),
            Err(error) => (Score::failed(&self.name, super::call::told(&error)), Some(error)),
        }
    }
}

impl fmt::Debug for Evaluator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Evaluator");
        out.field("name", &self.name).field("threshold", &self.threshold).finish_non_exhaustive()
    }
}
