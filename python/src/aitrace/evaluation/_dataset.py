"""Datasets as callers give them, turned into datapoints with stable ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aitrace._errors import ConfigurationError

_GROUND_TRUTH_KEYS = ("ground_truth", "ground_truths", "expected")
_ID_KEYS = ("id", "datapoint_id", "_id")


@dataclass(frozen=True, slots=True)
class Datapoint:
    """One row of a dataset."""

    id: str
    """Its own ``id``, else ``EXT-`` and a hash of its content: the same row has the same id in each run."""
    row: Mapping[str, Any]
    """What the function is called with: the caller's object, untouched."""
    inputs: Any
    """``row["inputs"]``, else the row without its id and expected value."""
    ground_truth: Any
    """``ground_truth``, ``ground_truths`` or ``expected``; None where the row has none."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Datapoints and the id of the whole."""

    id: str
    datapoints: tuple[Datapoint, ...]


def load_dataset(source: Iterable[Mapping[str, Any]] | str | Path, dataset_id: str | None) -> Dataset:
    """Reads a list of rows, or the path of a ``.jsonl`` or ``.json`` file of rows.

    Raises ConfigurationError with the row's number where a row is no object, an id stands twice,
    or the dataset is empty.
    """
    rows = _read_file(Path(source)) if isinstance(source, (str, Path)) else list(source)
    if not rows:
        raise ConfigurationError("dataset is empty: give at least one datapoint")
    datapoints: list[Datapoint] = []
    seen: dict[str, int] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ConfigurationError(
                f"dataset row {index} is {type(row).__name__}, not an object: "
                "use {'inputs': ..., 'ground_truth': ...}"
            )
        datapoint = _datapoint(row)
        if datapoint.id in seen:
            if _own_id(row) is not None:
                raise ConfigurationError(
                    f"dataset rows {seen[datapoint.id]} and {index} share the id {datapoint.id!r}"
                )
            datapoint = _datapoint(row, salt=index)
        seen[datapoint.id] = index
        datapoints.append(datapoint)
    whole = dataset_id or "EXT-" + _digest([datapoint.id for datapoint in datapoints])
    return Dataset(whole, tuple(datapoints))


def _datapoint(row: Mapping[str, Any], salt: int | None = None) -> Datapoint:
    ground_truth = next((row[key] for key in _GROUND_TRUTH_KEYS if row.get(key) is not None), None)
    inputs = row.get("inputs")
    if inputs is None:
        inputs = {key: row[key] for key in row if key not in _ID_KEYS and key not in _GROUND_TRUTH_KEYS}
    own = _own_id(row)
    identity = (
        own if own is not None else "EXT-" + _digest([dict(row)] if salt is None else [dict(row), salt])
    )
    return Datapoint(identity, row, inputs, ground_truth)


def _own_id(row: Mapping[str, Any]) -> str | None:
    return next((str(row[key]) for key in _ID_KEYS if row.get(key) is not None), None)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=repr)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _read_file(path: Path) -> list[Any]:
    try:
        text = path.expanduser().read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(f"dataset {path}: {error.strerror or error}") from error
    if path.suffix == ".json":
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise ConfigurationError(f"dataset {path}: {error}") from error
        if not isinstance(rows, list):
            raise ConfigurationError(f"dataset {path}: expected a JSON array of objects")
        return rows
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise ConfigurationError(f"dataset {path}:{number}: {error}") from error
    return rows
