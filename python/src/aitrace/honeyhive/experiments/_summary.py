"""A run's cells as the metrics and datapoints of `honeyhive`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aitrace.evaluation._result import DatapointResult, EvaluationResult


def metrics_of(
    result: EvaluationResult, function: str, aggregate: Callable[[Sequence[float]], float]
) -> list[dict[str, Any]]:
    """Each numeric metric over all rows; text and abstentions are no values."""
    details: dict[str, dict[str, Any]] = {}
    for cell in result.datapoints:
        for name, value in _numbers(cell):
            detail = details.setdefault(name, {"values": [], "passed": [], "failed": []})
            detail["values"].append(value)
            detail["failed" if value is False else "passed"].append(cell.datapoint_id)
    return [
        {
            "metric_name": name,
            "metric_type": "CLIENT_SIDE",
            "event_name": function,
            "event_type": "chain",
            "aggregate": float(aggregate([float(value) for value in detail["values"]])),
            "values": detail["values"],
            "datapoints": {"passed": detail["passed"], "failed": detail["failed"]},
        }
        for name, detail in details.items()
    ]


def points_of(result: EvaluationResult, function: str, sessions: dict[str, str]) -> list[dict[str, Any]]:
    """Each row with its session and its metrics."""
    return [
        {
            "datapoint_id": cell.datapoint_id,
            "session_id": sessions.get(cell.datapoint_id, ""),
            "passed": cell.passed,
            "metrics": [
                {
                    "name": name,
                    "event_name": function,
                    "event_type": "chain",
                    "value": value,
                    "passed": value is not False,
                }
                for name, value in _numbers(cell)
            ],
        }
        for cell in result.datapoints
    ]


def _numbers(cell: DatapointResult) -> list[tuple[str, bool | int | float]]:
    return [(name, value) for name, value in cell.scores.items() if isinstance(value, (bool, int, float))]


def quantile(share: float, values: Sequence[float]) -> float:
    """The nearest-rank quantile."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
