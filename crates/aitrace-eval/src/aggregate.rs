//! From cells to metrics, and to the datapoints that passed and failed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::cell::DatapointResult;
use crate::error::{EvalError, Result};
use crate::score::ScoreValue;

/// A caller's own aggregate.
type Own = Arc<dyn Fn(&[f64]) -> f64 + Send + Sync>;

/// How the numbers of a metric become one.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Aggregate {
    /// The mean.
    #[default]
    Average,
    /// The middle one, or the mean of the two in the middle.
    Median,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// All together.
    Sum,
    /// The caller's own; it is given at least one number.
    Custom(Own),
}

impl fmt::Debug for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Average => "Average",
            Self::Median => "Median",
            Self::Min => "Min",
            Self::Max => "Max",
            Self::Sum => "Sum",
            Self::Custom(_) => "Custom",
        })
    }
}

impl std::str::FromStr for Aggregate {
    type Err = EvalError;

    /// `average`, `mean`, `median`, `min`, `max` or `sum`.
    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "average" | "mean" => Self::Average,
            "median" => Self::Median,
            "min" => Self::Min,
            "max" => Self::Max,
            "sum" => Self::Sum,
            other => return Err(EvalError::Aggregate(other.to_owned())),
        })
    }
}

impl Aggregate {
    /// The aggregate of some numbers, `None` where there are none.
    pub fn of(&self, numbers: &[f64]) -> Option<f64> {
        if numbers.is_empty() {
            return None;
        }
        Some(match self {
            Self::Average => numbers.iter().sum::<f64>() / numbers.len() as f64,
            Self::Median => median(numbers),
            Self::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Sum => numbers.iter().sum(),
            Self::Custom(function) => function(numbers),
        })
    }
}

fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// All scores of one evaluator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metric {
    /// The evaluator.
    pub name: String,
    /// Of the numbers and booleans (true is 1); `None` where there are none.
    pub aggregate: Option<f64>,
    /// In the order of the cells; `None` where the evaluator abstained or failed.
    pub values: Vec<Option<ScoreValue>>,
}

/// What a table of cells comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// In the order of the evaluators.
    pub metrics: Vec<Metric>,
    /// Datapoints of which all repetitions passed, in the order of the cells.
    pub passed: Vec<String>,
    /// All others.
    pub failed: Vec<String>,
}

/// Metrics of these evaluators, and which datapoints passed.
pub fn summarise(cells: &[DatapointResult], evaluators: &[String], aggregate: &Aggregate) -> Summary {
    let metrics = evaluators.iter().map(|name| {
        let values: Vec<_> = cells.iter().map(|cell| cell.scores.get(name).cloned().flatten()).collect();
        let numbers: Vec<f64> = values.iter().flatten().filter_map(ScoreValue::number).collect();
        Metric { name: name.clone(), aggregate: aggregate.of(&numbers), values }
    });
    let mut outcome: BTreeMap<&str, bool> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for cell in cells {
        let good = outcome.entry(&cell.datapoint_id).or_insert_with(|| {
            order.push(&cell.datapoint_id);
            true
        });
        *good &= cell.passed;
    }
    let (passed, failed) = order.into_iter().map(str::to_owned).partition(|id| outcome[id.as_str()]);
    Summary { metrics: metrics.collect(), passed, failed }
}
