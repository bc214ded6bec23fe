"""Evaluation under its older path."""

from aitrace.honeyhive.experiments import (
    BaseEvaluator,
    EvalResult,
    EvalSettings,
    EvaluatorSettings,
    aevaluator,
    compare_runs,
    evaluate,
    evaluator,
    get_run_metrics,
    get_run_result,
    run_experiment,
)
from aitrace.honeyhive.experiments import ExperimentContext as EvaluationContext
from aitrace.honeyhive.experiments import ExperimentResultSummary as EvaluationResult

__all__ = [
    "BaseEvaluator",
    "EvalResult",
    "EvalSettings",
    "EvaluationContext",
    "EvaluationResult",
    "EvaluatorSettings",
    "aevaluator",
    "compare_runs",
    "evaluate",
    "evaluator",
    "get_run_metrics",
    "get_run_result",
    "run_experiment",
]
