"""Evaluation: runs of a function over a dataset, their results, their comparison."""

from aitrace.honeyhive.experiments.core import evaluate, run_experiment
from aitrace.honeyhive.experiments.datasets import (
    generate_external_datapoint_id,
    generate_external_dataset_id,
    prepare_external_dataset,
)
from aitrace.honeyhive.experiments.evaluators import (
    BaseEvaluator,
    EvalResult,
    EvalSettings,
    EvaluatorSettings,
    aevaluator,
    evaluator,
)
from aitrace.honeyhive.experiments.models import (
    AggregatedMetrics,
    ExperimentResultSummary,
    ExperimentRunStatus,
    RunComparisonResult,
)
from aitrace.honeyhive.experiments.runs import (
    ExperimentContext,
    compare_runs,
    get_run_metrics,
    get_run_result,
    prepare_run_request_data,
)

__all__ = [
    "AggregatedMetrics",
    "BaseEvaluator",
    "EvalResult",
    "EvalSettings",
    "EvaluatorSettings",
    "ExperimentContext",
    "ExperimentResultSummary",
    "ExperimentRunStatus",
    "RunComparisonResult",
    "aevaluator",
    "compare_runs",
    "evaluate",
    "evaluator",
    "generate_external_datapoint_id",
    "generate_external_dataset_id",
    "get_run_metrics",
    "get_run_result",
    "prepare_external_dataset",
    "prepare_run_request_data",
    "run_experiment",
]
