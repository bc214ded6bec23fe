"""Datasets of a run: given as rows, or managed by the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aitrace import ConfigurationError as _NativeConfigurationError
from aitrace.evaluation._dataset import Datapoint, Dataset, load_dataset
from aitrace.honeyhive._errors import ConfigurationError
from aitrace.honeyhive.models._base import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PREFIX = "EXT-"


def external(rows: Any, dataset_id: str | None = None) -> Dataset:
    """Rows of the caller's own. An ``id`` of a row becomes ``EXT-id``; others are a hash of the content."""
    try:
        loaded = load_dataset(rows, None)
    except _NativeConfigurationError as error:
        raise ConfigurationError(str(error)) from error
    datapoints = tuple(
        Datapoint(_external(one.id), one.row, one.inputs, one.ground_truth) for one in loaded.datapoints
    )
    return Dataset(_external(dataset_id or loaded.id), datapoints)


def managed(client: Any, dataset_id: str) -> Dataset:
    """A dataset of the server, with its datapoints in order."""
    found = client.datasets.list(dataset_id=dataset_id).get("datasets") or []
    if not found:
        raise ConfigurationError(f"the server has no dataset {dataset_id!r}")
    ids = [str(one) for one in found[0].get("datapoints") or []]
    if not ids:
        raise ConfigurationError(f"dataset {dataset_id!r} is empty")
    rows = {}
    for one in client.datapoints.list(datapoint_ids=ids).get("datapoints") or []:
        row = plain(one)
        rows[str(row.get("id"))] = row
    missing = [one for one in ids if one not in rows]
    if missing:
        raise ConfigurationError(f"dataset {dataset_id!r}: the server has no datapoint {missing[0]!r}")
    return Dataset(dataset_id, tuple(_managed(one, rows[one]) for one in ids))


def _managed(identity: str, row: Mapping[str, Any]) -> Datapoint:
    return Datapoint(identity, row, row.get("inputs") or {}, row.get("ground_truth") or None)


def _external(identity: str) -> str:
    return identity if identity.startswith(_PREFIX) else _PREFIX + identity


def generate_external_dataset_id(datapoints: list[dict[str, Any]], custom_id: str | None = None) -> str:
    """The id of a dataset of the caller's own: ``EXT-`` and ``custom_id`` or a hash of its rows."""
    return external(datapoints, custom_id).id


def generate_external_datapoint_id(
    datapoint: dict[str, Any],
    index: int = 0,  # noqa: ARG001 (content decides)
    custom_id: str | None = None,
) -> str:
    """The id of a row of the caller's own: ``EXT-`` and ``custom_id``, its ``id`` or its content's hash."""
    return _external(custom_id) if custom_id else external([datapoint]).datapoints[0].id


def prepare_external_dataset(
    datapoints: list[dict[str, Any]], custom_dataset_id: str | None = None
) -> tuple[str, list[str]]:
    """The id of a dataset and those of its rows."""
    dataset = external(datapoints, custom_dataset_id)
    return dataset.id, [one.id for one in dataset.datapoints]


def with_ids(rows: Iterable[Mapping[str, Any]], ids: Iterable[str], dataset_id: str) -> Dataset:
    """Rows under ids that the caller chose."""
    rows, ids = list(rows), [str(one) for one in ids]
    loaded = external(rows, dataset_id)
    if len(ids) != len(rows):
        raise ConfigurationError(f"there are {len(rows)} rows and {len(ids)} ids of datapoints")
    points = [
        Datapoint(identity, one.row, one.inputs, one.ground_truth)
        for identity, one in zip(ids, loaded.datapoints, strict=True)
    ]
    return Dataset(loaded.id, tuple(points))
