"""What can be made and changed: scores, datasets, datapoints, runs."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from aitrace._errors import APIError, ConfigurationError
from aitrace.client import _read as read
from aitrace.client._models import Datapoint, Dataset, RunInfo
from aitrace.client._pages import Pages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aitrace.client._http import Transport

Aggregate = Literal["average", "min", "max", "median", "p90", "p95", "p99", "sum", "count"]


def given(**members: Any) -> dict[str, Any]:
    """Those members that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def segment(value: str, what: str) -> str:
    """An id as a part of a path; an empty one would ask for something else."""
    if not value or value in {".", ".."}:
        raise ConfigurationError(f"{what} must be an id, not {value!r}")
    return quote(value, safe="")


class Scores:
    """Judgements about a trace, a span, a session or a run."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        name: str,
        value: float | bool | str | None = None,
        *,
        trace_id: str | None = None,
        span_id: str | None = None,
        session_id: str | None = None,
        run_id: str | None = None,
        label: str | None = None,
        comment: str | None = None,
        source: Literal["code", "llm", "human"] = "code",
    ) -> dict[str, Any]:
        """Writes a score; the server's answer. Of a span, ``trace_id`` has to be given as well."""
        if not any((trace_id, span_id, session_id, run_id)):
            raise ConfigurationError("a score is about a trace_id, span_id, session_id or run_id: give one")
        about = given(trace_id=trace_id, span_id=span_id, session_id=session_id, run_id=run_id)
        body = {
            **about,
            "name": name,
            "value": value,
            **given(label=label, comment=comment),
            "source": source,
        }
        answer = self._transport.json("POST", "/api/scores", body=body)
        return {} if answer is None else read.mapping(answer)


class Datasets:
    """Named lists of datapoints on the server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, *, description: str | None = None, datapoints: Sequence[str] = ()) -> str:
        """Makes a dataset; its id."""
        body = {**given(name=name, description=description), "datapoints": list(datapoints)}
        answer = read.mapping(self._transport.json("POST", "/v1/datasets", body=body))
        return read.text(read.members_of(answer, "result"), "insertedId")

    def list(self, *, name: str | None = None) -> list[Dataset]:
        """All datasets, or those of this name."""
        answer = self._transport.json("GET", "/v1/datasets", query={"name": name})
        return read.items(answer, "datasets", Dataset.read)

    def get(self, dataset_id: str) -> Dataset | None:
        """One dataset, None where there is none."""
        answer = self._transport.json("GET", "/v1/datasets", query={"dataset_id": dataset_id})
        found = read.items(answer, "datasets", Dataset.read)
        return found[0] if found else None

    def update(
        self,
        dataset_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        datapoints: Sequence[str] | None = None,
    ) -> None:
        """Changes what is given; ``datapoints`` replaces the list."""
        ids = None if datapoints is None else [*datapoints]
        body = given(dataset_id=dataset_id, name=name, description=description, datapoints=ids)
        self._transport.json("PUT", "/v1/datasets", body=body)

    def delete(self, dataset_id: str) -> None:
        """Deletes a dataset."""
        segment(dataset_id, "dataset_id")
        self._transport.json("DELETE", "/v1/datasets", query={"dataset_id": dataset_id})

    def add_datapoints(
        self,
        dataset_id: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        inputs: Sequence[str] = (),
        ground_truth: Sequence[str] = (),
        history: Sequence[str] = (),
    ) -> Sequence[str]:
        """Adds rows; the ids of the new datapoints in the order of ``rows``.

        The names of columns say what a column is; those that are not named become metadata.
        """
        columns = {"inputs": [*inputs], "ground_truth": [*ground_truth], "history": [*history]}
        path = f"/v1/datasets/{segment(dataset_id, 'dataset_id')}/datapoints"
        body = {"data": [dict(row) for row in rows], "mapping": columns}
        return read.strings(read.mapping(self._transport.json("POST", path, body=body)), "datapoint_ids")

    def remove_datapoint(self, dataset_id: str, datapoint_id: str) -> None:
        """Takes a datapoint out of a dataset; the datapoint itself stays."""
        where = f"{segment(dataset_id, 'dataset_id')}/{segment(datapoint_id, 'datapoint_id')}"
        self._transport.json("DELETE", f"/v1/datasets/{where}")


class Datapoints:
    """Rows of datasets on the server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        inputs: Mapping[str, Any],
        *,
        ground_truth: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        history: Sequence[Any] | None = None,
        linked_event: str | None = None,
        datasets: Sequence[str] = (),
    ) -> str:
        """Makes a datapoint and puts it into ``datasets`` (ids); its id."""
        body = given(
            inputs=dict(inputs),
            ground_truth=ground_truth,
            metadata=metadata,
            history=history,
            linked_event=linked_event,
            linked_datasets=[*datasets],
        )
        answer = read.mapping(self._transport.json("POST", "/v1/datapoints", body=body))
        ids = read.strings(read.members_of(answer, "result"), "insertedIds")
        if not ids:
            raise APIError("the server's answer has no 'insertedIds'")
        return ids[0]

    def list(self, ids: Sequence[str] | None = None, *, dataset_name: str | None = None) -> list[Datapoint]:
        """All datapoints, those with these ids, or those of a dataset."""
        query = {"datapoint_ids": ids, "dataset_name": dataset_name}
        return read.items(
            self._transport.json("GET", "/v1/datapoints", query=query), "datapoints", Datapoint.read
        )

    def get(self, datapoint_id: str) -> Datapoint | None:
        """One datapoint, None where there is none."""
        path = f"/v1/datapoints/{segment(datapoint_id, 'datapoint_id')}"
        found = read.items(self._transport.json("GET", path), "datapoint", Datapoint.read)
        return found[0] if found else None

    def update(
        self,
        datapoint_id: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        ground_truth: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        history: Sequence[Any] | None = None,
    ) -> None:
        """Changes what is given."""
        body = given(inputs=inputs, ground_truth=ground_truth, metadata=metadata, history=history)
        self._transport.json("PUT", f"/v1/datapoints/{segment(datapoint_id, 'datapoint_id')}", body=body)

    def delete(self, datapoint_id: str) -> None:
        """Deletes a datapoint."""
        self._transport.json("DELETE", f"/v1/datapoints/{segment(datapoint_id, 'datapoint_id')}")


class Runs:
    """Evaluation runs on the server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        name: str,
        *,
        run_id: str | None = None,
        project: str | None = None,
        dataset_id: str | None = None,
        status: str = "pending",
        metadata: Mapping[str, Any] | None = None,
        configuration: Mapping[str, Any] | None = None,
        event_ids: Sequence[str] = (),
        datapoint_ids: Sequence[str] = (),
    ) -> str:
        """Begins a run; its id, which is ``run_id`` where one is given."""
        body = {
            "run_id": run_id or str(uuid.uuid4()),
            "name": name,
            "status": status,
            "metadata": dict(metadata or {}),
            "configuration": dict(configuration or {}),
            "event_ids": [*event_ids],
            "datapoint_ids": [*datapoint_ids],
            **given(project=project, dataset_id=dataset_id),
        }
        return read.text(read.mapping(self._transport.json("POST", "/v1/runs", body=body)), "run_id")

    def list(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        dataset_id: str | None = None,
        limit: int | None = None,
    ) -> Pages[RunInfo]:
        """Runs, newest first; ``name`` is a part of the name."""

        def fetch(_size: int, cursor: str | None) -> tuple[list[RunInfo], str | None]:
            # All pages must have one size, or a page would not begin where the last one ended.
            page = int(cursor or 1)
            query = {"name": name, "status": status, "dataset_id": dataset_id, "limit": 100, "page": page}
            answer = read.mapping(
                self._transport.json(
                    "GET", "/v1/runs", query={**query, "sort_by": "created_at", "sort_order": "desc"}
                )
            )
            more = read.members_of(answer, "pagination").get("has_next") is True
            return read.items(answer, "evaluations", RunInfo.read), str(page + 1) if more else None

        return Pages(fetch, limit)

    def get(self, run_id: str) -> RunInfo:
        """One run; APIError 404 where there is none."""
        answer = read.mapping(self._transport.json("GET", f"/v1/runs/{segment(run_id, 'run_id')}"))
        return RunInfo.read(read.mapping(answer.get("evaluation"), "evaluation"))

    def update(
        self,
        run_id: str,
        *,
        name: str | None = None,
        status: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        results: Mapping[str, Any] | None = None,
        configuration: Mapping[str, Any] | None = None,
        event_ids: Sequence[str] | None = None,
    ) -> RunInfo:
        """Changes what is given: objects are merged, ``event_ids`` replaced."""
        body = given(
            name=name,
            status=status,
            metadata=metadata,
            results=results,
            configuration=configuration,
            event_ids=None if event_ids is None else [*event_ids],
        )
        path = f"/v1/runs/{segment(run_id, 'run_id')}"
        answer = read.mapping(self._transport.json("PUT", path, body=body))
        return RunInfo.read(read.mapping(answer.get("evaluation"), "evaluation"))

    def delete(self, run_id: str) -> None:
        """Deletes a run."""
        self._transport.json("DELETE", f"/v1/runs/{segment(run_id, 'run_id')}")

    def result(self, run_id: str, *, aggregate_function: Aggregate = "average") -> dict[str, Any]:
        """Status, metrics and datapoints of a run, as the server computes them."""
        path = f"/v1/runs/{segment(run_id, 'run_id')}/result"
        return read.mapping(
            self._transport.json("GET", path, query={"aggregate_function": aggregate_function})
        )

    def compare(
        self, new_run_id: str, old_run_id: str, *, aggregate_function: Aggregate = "average"
    ) -> dict[str, Any]:
        """What changed from the old run to the new one, by metric and datapoint."""
        new, old = segment(new_run_id, "new_run_id"), segment(old_run_id, "old_run_id")
        query = {"aggregate_function": aggregate_function}
        return read.mapping(self._transport.json("GET", f"/v1/runs/{new}/compare-with/{old}", query=query))
