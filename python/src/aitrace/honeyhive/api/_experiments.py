"""Runs of evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aitrace.honeyhive.api._http import segment
from aitrace.honeyhive.api._space import Request, Space, body_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aitrace.honeyhive.models._base import Answer


class Experiments(Space):
    """Runs of evaluations."""

    def create_run(self, request: Request) -> Answer:
        """Creates a run; a ``run_id`` in the request is kept."""
        return self._ask("POST", "/v1/runs", "createRun", body=body_of(request))

    def get_run(self, run_id: str) -> Answer:
        """A run, under ``evaluation``."""
        return self._ask("GET", f"/v1/runs/{segment(run_id)}", "getRun")

    def update_run(self, run_id: str, request: Request) -> Answer:
        """Changes a run: metadata, results and configuration are merged, event ids replaced."""
        return self._ask("PUT", f"/v1/runs/{segment(run_id)}", "updateRun", body=body_of(request))

    def delete_run(self, run_id: str) -> Answer:
        """Deletes a run."""
        return self._ask("DELETE", f"/v1/runs/{segment(run_id)}", "deleteRun")

    def list_runs(  # noqa: PLR0917 (the signature that callers know)
        self,
        dataset_id: str | None = None,
        page: int | None = None,
        limit: int | None = None,
        run_ids: Sequence[str] | None = None,
        name: str | None = None,
        status: str | None = None,
        dateRange: Any = None,
        sort_by: str | None = None,
        sort_order: str | None = None,
        project: str | None = None,  # noqa: ARG002 (the key decides)
    ) -> Answer:
        """Runs by page, under ``evaluations``."""
        query = {
            "dataset_id": dataset_id,
            "page": page,
            "limit": limit,
            "run_ids": run_ids,
            "name": name,
            "status": status,
            "dateRange": dateRange,
            "sort_by": sort_by,
            "sort_order": sort_order,
        }
        return self._ask("GET", "/v1/runs", "getRuns", query=query)

    def get_result(
        self, run_id: str, aggregate_function: str | None = None, filters: Any = None
    ) -> dict[str, Any]:
        """The result of a run, as the server sends it."""
        query = {"aggregate_function": aggregate_function or "average", "filters": filters}
        said = self._call("GET", f"/v1/runs/{segment(run_id)}/result", "getRunResult", query=query)
        return dict(said or {})

    def get_run_result(
        self, run_id: str, aggregate_function: str | None = None, filters: Any = None
    ) -> dict[str, Any]:
        """The same as ``get_result``."""
        return self.get_result(run_id, aggregate_function, filters)

    def compare_runs(  # noqa: PLR0917 (the signature that callers know)
        self,
        new_run_id: str,
        old_run_id: str,
        aggregate_function: str | None = None,
        filters: Any = None,
    ) -> dict[str, Any]:
        """Two runs by their common datapoints, as the server sends it."""
        path = f"/v1/runs/{segment(new_run_id)}/compare-with/{segment(old_run_id)}"
        query = {"aggregate_function": aggregate_function or "average", "filters": filters}
        return dict(self._call("GET", path, "compareRuns", query=query) or {})

    def compare_run_events(  # noqa: PLR0917 (the signature that callers know)
        self,
        new_run_id: str,
        old_run_id: str,
        event_name: str | None = None,
        event_type: str | None = None,
        filter: Any = None,  # noqa: A002
        limit: int | None = None,
        page: int | None = None,
    ) -> Answer:
        """Pairs of events of two runs, one for each common datapoint, under ``events``."""
        query = {
            "run_id_1": new_run_id,
            "run_id_2": old_run_id,
            "event_name": event_name,
            "event_type": event_type,
            "filter": filter,
            "limit": limit,
            "page": page,
        }
        return self._ask("GET", "/v1/runs/compare/events", "compareRunEvents", query=query)

    def get_schema(self, dateRange: Any = None, evaluation_id: str | None = None) -> Answer:
        """Which fields events have."""
        query = {"dateRange": dateRange, "evaluation_id": evaluation_id}
        return self._ask("GET", "/v1/events/schema", "getEventsSchema", query=query)
