"""What a run gave."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from aitrace._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aitrace.evaluation._evaluators import ScoreValue

RunStatus: TypeAlias = Literal["completed", "failed", "interrupted"]
Aggregate: TypeAlias = "str | Callable[[Sequence[float]], float]"

_AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "average": statistics.fmean,
    "mean": statistics.fmean,
    "median": statistics.median,
    "min": min,
    "max": max,
    "sum": sum,
}


@dataclass(slots=True)
class DatapointResult:
    """One cell: a datapoint in one repetition."""

    datapoint_id: str
    repetition: int
    """From 0."""
    inputs: Any
    ground_truth: Any
    outputs: Any
    error: str | None
    """``Type: message`` of what the function raised last."""
    scores: dict[str, ScoreValue | None]
    explanations: dict[str, str]
    evaluator_errors: dict[str, str]
    passed: bool
    duration_ms: float
    trace_id: str | None

    def to_dict(self) -> dict[str, Any]:
        """The cell as a dict; the user's values in it are not copied."""
        return _shallow(self)


@dataclass(slots=True)
class Metric:
    """All scores of one evaluator."""

    name: str
    aggregate: float | None
    """The aggregate of the numeric and boolean values (true is 1); None where there are none."""
    values: list[ScoreValue | None]
    """In the order of the cells; None where the evaluator abstained or failed."""


@dataclass(slots=True)
class EvaluationResult:
    """A finished, failed or interrupted run.

    ``status`` is ``completed`` (rows may have failed), ``failed`` when every row raised, or
    ``interrupted``. ``passed`` and ``failed`` hold ids of datapoints; a datapoint passes when all its
    repetitions do. ``result["status"]`` reads the same fields.
    """

    run_id: str
    name: str
    dataset_id: str
    status: RunStatus
    success: bool
    """Completed, and no datapoint failed."""
    passed: list[str]
    failed: list[str]
    metrics: dict[str, Metric]
    datapoints: list[DatapointResult]
    duration_s: float
    path: str
    """The file that the run can be resumed from."""
    warnings: list[str] = field(default_factory=list)

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self, key)
        except AttributeError:
            raise KeyError(key) from None

    def to_dict(self) -> dict[str, Any]:
        """The result as dicts and lists; the user's values in it are not copied."""
        plain = _shallow(self)
        plain["metrics"] = {name: _shallow(metric) for name, metric in self.metrics.items()}
        plain["datapoints"] = [cell.to_dict() for cell in self.datapoints]
        return plain

    def print_table(self) -> None:
        """Prints metrics, totals and the rows that failed to stdout."""
        sys.stdout.write(render_table(self))
        sys.stdout.flush()


def _shallow(value: Any) -> dict[str, Any]:
    """Fields of a dataclass. Unlike ``dataclasses.asdict`` it does not descend: outputs may have cycles."""
    return {one.name: getattr(value, one.name) for one in fields(value)}


def aggregate_with(function: Aggregate) -> Callable[[Sequence[float]], float]:
    """The aggregate function of a name, or the caller's own."""
    if callable(function):
        return function
    try:
        return _AGGREGATES[function]
    except KeyError:
        known = ", ".join(sorted(_AGGREGATES))
        raise ConfigurationError(
            f"aggregate_function {function!r} is unknown: use {known}, or a callable"
        ) from None


def summarise(
    cells: Sequence[DatapointResult], names: Sequence[str], aggregate: Callable[[Sequence[float]], float]
) -> tuple[dict[str, Metric], list[str], list[str]]:
    """Metrics by name, ids that passed, ids that failed; in the order of the cells."""
    metrics: dict[str, Metric] = {}
    for name in names:
        values = [cell.scores.get(name) for cell in cells]
        numbers = [float(value) for value in values if isinstance(value, (bool, int, float))]
        metrics[name] = Metric(name, aggregate(numbers) if numbers else None, values)
    outcome: dict[str, bool] = {}
    for cell in cells:
        outcome[cell.datapoint_id] = outcome.get(cell.datapoint_id, True) and cell.passed
    return (
        metrics,
        [one for one, good in outcome.items() if good],
        [one for one, good in outcome.items() if not good],
    )


def render_table(result: EvaluationResult) -> str:
    """The printed table as text."""
    rows = [("metric", "aggregate", "scored", "missing")]
    for metric in result.metrics.values():
        scored = sum(value is not None for value in metric.values)
        aggregate = "-" if metric.aggregate is None else f"{metric.aggregate:.4g}"
        rows.append((metric.name, aggregate, str(scored), str(len(metric.values) - scored)))
    head = (
        f"{result.name} ({result.run_id}) {result.status}: {len(result.passed)} passed, "
        f"{len(result.failed)} failed, {result.duration_s:.2f} s"
    )
    lines = [head, *(_grid(rows) if len(rows) > 1 else [])]
    bad = [cell for cell in result.datapoints if not cell.passed]
    if bad:
        lines.append("failed rows:")
        lines += [f"  {cell.datapoint_id}  {_reason(cell)}" for cell in bad[:20]]
        if len(bad) > 20:
            lines.append(f"  and {len(bad) - 20} more")
    lines += [f"note: {warning}" for warning in result.warnings]
    return "\n".join(lines) + "\n"


def _grid(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    line = "+".join("-" * (width + 2) for width in widths).join("++")
    body = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return [line, body[0], line, *body[1:], line]


def _reason(cell: DatapointResult) -> str:
    if cell.error:
        return cell.error.splitlines()[0][:120]
    misses = [f"{name}={value}" for name, value in cell.scores.items() if value is not None]
    return ", ".join([*misses, *(f"{name}: {why}" for name, why in cell.evaluator_errors.items())])[:120]
