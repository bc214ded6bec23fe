"""Evaluation: a function over a dataset, judged by evaluators, one cell at a time.

A run is a table of cells (datapoint x repetition). Each cell runs in a context of its own with
``run_id``, ``dataset_id`` and ``datapoint_id`` in its baggage, so every span below it carries them.
What a cell gave is written to ``runs/RUN_ID.jsonl`` in the data directory before the next one is
counted: a run that was cut off can be resumed from there, by any process, with or without a server.
"""

from aitrace.evaluation._evaluate import evaluate
from aitrace.evaluation._evaluators import Evaluator, evaluator
from aitrace.evaluation._result import DatapointResult, EvaluationResult, Metric

__all__ = ["DatapointResult", "EvaluationResult", "Evaluator", "Metric", "evaluate", "evaluator"]
