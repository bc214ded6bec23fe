"""Runs on the server: registering them, reading and comparing their results."""

from __future__ import annotations

import logging
from typing import Any

from aitrace.honeyhive._errors import HoneyHiveError
from aitrace.honeyhive.experiments.models import ExperimentResultSummary, RunComparisonResult, summary_of

_log = logging.getLogger("aitrace.honeyhive")


class ExperimentContext:
    """Which run a call of ``run_experiment`` belongs to. ``project`` is 1.0's and decides nothing."""

    def __init__(
        self,
        run_id: str,
        dataset_id: str,
        project: str | None = None,
        *,
        run_name: str | None = None,
        source: str = "evaluation",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.run_id = run_id
        self.dataset_id = dataset_id
        self.project = project
        self.run_name = run_name
        self.source = source
        self.metadata = metadata or {}

    def to_tracer_config(self, datapoint_id: str) -> dict[str, Any]:
        """Keywords of a tracer for one datapoint."""
        return {
            "is_evaluation": True,
            "run_id": self.run_id,
            "dataset_id": self.dataset_id,
            "datapoint_id": datapoint_id,
            "source": self.source,
        }


def prepare_run_request_data(
    run_id: str,
    name: str,
    *,
    dataset_id: str | None,
    event_ids: list[str] | None = None,
    datapoint_ids: list[str] | None = None,
    configuration: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    description: str | None = None,
    results: dict[str, Any] | None = None,
    status: str = "pending",
) -> dict[str, Any]:
    """A request that creates a run. A dataset of the caller's own is named in the metadata."""
    request: dict[str, Any] = {
        "run_id": run_id,
        "name": name,
        "status": status,
        "event_ids": event_ids or [],
        "datapoint_ids": datapoint_ids or [],
        "configuration": configuration or {},
        "metadata": dict(metadata or {}),
        "dataset_id": dataset_id,
    }
    if dataset_id is not None and dataset_id.startswith("EXT-"):
        request["dataset_id"] = None
        request["metadata"]["offline_dataset_id"] = dataset_id
    optional = {"description": description, "results": results}
    return {**request, **{name: value for name, value in optional.items() if value is not None}}


def get_run_result(  # noqa: PLR0917 (the signature that callers know)
    client: Any, run_id: str, project_id: str | None = None, aggregate_function: str = "average"
) -> ExperimentResultSummary:
    """The result of a run as the server computes it; ``project_id`` decides nothing."""
    del project_id
    said = client.experiments.get_result(run_id=run_id, aggregate_function=aggregate_function)
    return summary_of(run_id, dict(said))


def get_run_metrics(client: Any, run_id: str, project_id: str | None = None) -> dict[str, Any]:
    """The result of a run as the server sends it."""
    del project_id
    said: dict[str, Any] = client.experiments.get_result(run_id=run_id)
    return said


def compare_runs(  # noqa: PLR0917 (the signature that callers know)
    client: Any,
    new_run_id: str,
    old_run_id: str,
    project_id: str | None = None,
    aggregate_function: str = "average",
) -> RunComparisonResult:
    """Two runs by their common datapoints, as the server compares them."""
    del project_id
    said = client.experiments.compare_runs(
        new_run_id=new_run_id, old_run_id=old_run_id, aggregate_function=aggregate_function
    )
    common = said.get("commonDatapoints") or []
    deltas = {one["metric_name"]: dict(one) for one in said.get("metrics") or []}
    return RunComparisonResult(
        new_run_id=new_run_id,
        old_run_id=old_run_id,
        common_datapoints=len(common) if isinstance(common, list) else common,
        new_only_datapoints=_only(said.get("new_run"), common),
        old_only_datapoints=_only(said.get("old_run"), common),
        metric_deltas=deltas,
    )


def _only(run: Any, common: Any) -> int:
    ids = ((run or {}).get("metadata") or {}).get("datapoint_ids")
    return len(set(ids) - set(common)) if isinstance(ids, list) and isinstance(common, list) else 0


class Registration:
    """A run on the server. What fails costs a warning, never the run."""

    def __init__(self, client: Any, run_id: str, warnings: list[str]) -> None:
        self._client = client
        self._run_id = run_id
        self._warnings = warnings
        self._known = False

    def begin(self, request: dict[str, Any]) -> None:
        """Creates the run."""
        self._known = self._try("created", lambda: self._client.experiments.create_run(request))

    def end(self, request: dict[str, Any]) -> None:
        """Says what became of it."""
        if self._known:
            self._try("updated", lambda: self._client.experiments.update_run(self._run_id, request))

    def _try(self, what: str, call: Any) -> bool:
        try:
            call()
        except HoneyHiveError as error:
            self._warnings.append(f"the run was not {what} on the server: {error}")
            return False
        return True
