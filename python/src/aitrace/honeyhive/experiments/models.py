"""What a run gave."""

from __future__ import annotations

import sys
from enum import Enum
from typing import Any

from aitrace.honeyhive.models._base import Model


class ExperimentRunStatus(str, Enum):
    """Where a run is."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    def __str__(self) -> str:
        return self.value


class MetricDatapoints(Model):
    """Ids of the datapoints that passed and failed by one metric."""

    fields = ("passed", "failed")


class MetricDetail(Model):
    """One metric of a run; ``values`` are its numbers, ``aggregate`` what they come to."""

    fields = ("metric_name", "metric_type", "event_name", "event_type", "aggregate", "values", "datapoints")

    def __init__(self, **members: Any) -> None:
        datapoints = _of(MetricDatapoints, members.pop("datapoints", None) or {})
        super().__init__(**members, datapoints=datapoints)


class DatapointMetric(Model):
    """One metric of one datapoint."""

    fields = ("name", "event_name", "event_type", "value", "passed")


class DatapointResult(Model):
    """One datapoint of a run."""

    fields = ("datapoint_id", "session_id", "passed", "metrics")

    def __init__(self, **members: Any) -> None:
        metrics = [_of(DatapointMetric, one) for one in members.pop("metrics", None) or []]
        super().__init__(**members, metrics=metrics)


class AggregatedMetrics(Model):
    """The metrics of a run."""

    fields = ("aggregation_function", "details")

    def __init__(self, **members: Any) -> None:
        details = [_of(MetricDetail, one) for one in members.pop("details", None) or []]
        super().__init__(**members, details=details)

    def get_metric(self, metric_name: str) -> MetricDetail | None:
        """The metric of a name, None where there is none."""
        return next((one for one in self.details if one.get("metric_name") == metric_name), None)

    def list_metrics(self) -> list[str]:
        """The names of the metrics."""
        return [one.metric_name for one in self.details]

    def get_all_metrics(self) -> dict[str, MetricDetail]:
        """The metrics by name."""
        return {one.metric_name: one for one in self.details}


class ExperimentResultSummary(Model):
    """A run that has ended. Read by attributes or items: ``result.status``, ``result["status"]``.

    ``status`` is completed, failed (every row raised) or cancelled. ``warnings`` say what did not reach the
    server, ``path`` is the run's file.
    """

    fields = (
        "run_id", "status", "success", "passed", "failed", "metrics", "datapoints", "warnings", "path",
    )  # fmt: skip
    required = ("run_id", "status")

    def __init__(self, **members: Any) -> None:
        metrics = members.pop("metrics", None) or {}
        datapoints = [_of(DatapointResult, one) for one in members.pop("datapoints", None) or []]
        members = {"success": False, "passed": [], "failed": [], **members}
        super().__init__(**members, metrics=_of(AggregatedMetrics, metrics), datapoints=datapoints)

    def print_table(self, run_name: str | None = None) -> None:
        """Prints metrics and totals to stdout."""
        lines = [
            f"{run_name or self.run_id}: {self.status}, {len(self.passed)} passed, {len(self.failed)} failed"
        ]
        for one in self.metrics.details:
            aggregate = one.aggregate
            shown = f"{aggregate:.4g}" if isinstance(aggregate, (int, float)) else str(aggregate)
            lines.append(f"  {one.metric_name}: {shown} over {len(one['values'] or [])}")
        lines += [f"  failed: {one}" for one in self.failed[:20]]
        lines += [f"  note: {one}" for one in self.get("warnings") or []]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()


class RunComparisonResult(Model):
    """Two runs by their common datapoints; ``metric_deltas`` holds the comparison of each metric by name."""

    fields = (
        "new_run_id", "old_run_id", "common_datapoints", "new_only_datapoints", "old_only_datapoints",
        "metric_deltas",
    )  # fmt: skip

    def get_metric_delta(self, metric_name: str) -> dict[str, Any] | None:
        """The comparison of one metric, None where there is none."""
        found: dict[str, Any] | None = self.metric_deltas.get(metric_name)
        return found

    def list_improved_metrics(self) -> list[str]:
        """Metrics that some datapoint is better by."""
        return [name for name, delta in self.metric_deltas.items() if (delta.get("improved_count") or 0) > 0]

    def list_degraded_metrics(self) -> list[str]:
        """Metrics that some datapoint is worse by."""
        return [name for name, delta in self.metric_deltas.items() if (delta.get("degraded_count") or 0) > 0]


def _of(kind: type[Any], given: Any) -> Any:
    return given if isinstance(given, kind) else kind.model_validate(given)


def summary_of(run_id: str, said: dict[str, Any]) -> ExperimentResultSummary:
    """The server's answer as a summary."""
    return ExperimentResultSummary(
        run_id=run_id,
        status=said.get("status") or "unknown",
        success=bool(said.get("success")),
        passed=list(said.get("passed") or []),
        failed=list(said.get("failed") or []),
        metrics=said.get("metrics") or {},
        datapoints=said.get("datapoints") or [],
    )
