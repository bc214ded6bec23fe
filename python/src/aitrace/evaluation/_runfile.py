"""The file of a run: trace records, one line each, appended and flushed as cells finish."""

from __future__ import annotations

import json
import math
import os
import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from aitrace._errors import ConfigurationError
from aitrace.evaluation._result import DatapointResult

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MAX_DEPTH = 32
_FIELDS = tuple(one.name for one in fields(DatapointResult))


def runs_directory() -> Path:
    """``runs`` in the data directory: ``AITRACE_DATA_DIR``, else the platform's."""
    configured = os.environ.get("AITRACE_DATA_DIR")
    if configured:
        return Path(configured).expanduser() / "runs"
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif os.uname().sysname == "Darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "aitrace" / "runs"


class RunFile:
    """Appends to ``RUN_ID.jsonl``; reads back which cells are done.

    A line is written with one call and flushed to the operating system, so that a killed process
    loses at most the line it was writing; a torn last line is skipped on reading.
    """

    def __init__(self, run_id: str, directory: Path | None = None) -> None:
        if not _RUN_ID.fullmatch(run_id):
            raise ConfigurationError(f"run_id {run_id!r} must be 1 to 128 letters, digits, '.', '_' or '-'")
        self.run_id = run_id
        self.path = (directory or runs_directory()) / f"{run_id}.jsonl"
        self._lock = threading.Lock()
        self._file: int | None = None

    def open(self) -> None:
        """Creates the folder and opens the file for appending."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                os.write(self._file, b"\n")
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the run to {self.path}: {error.strerror or error}; set AITRACE_DATA_DIR"
            ) from error

    def close(self) -> None:
        """Closes the file; later appends are ignored."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def append(self, event: str, data: Mapping[str, Any], **meta: Any) -> None:
        """Appends one log record with ``data`` at its top level."""
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        head: dict[str, Any] = {
            "timestamp": now,
            "event": event,
            "level": "info",
            "version": "2.1",
            "id": uuid.uuid4().hex,
            "lifecycle": "log",
            "run_id": self.run_id,
        }
        head.update({key: value for key, value in meta.items() if value is not None})
        body = {**data, "__tracer_meta__": head}
        raw = json_line(body).encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            if self._file is not None:
                os.write(self._file, raw)

    def finished(self) -> dict[tuple[str, int], DatapointResult]:
        """The cells that ended without an error, by datapoint and repetition; the last entry counts."""
        cells: dict[tuple[str, int], DatapointResult] = {}
        for record in self._records():
            if record["__tracer_meta__"].get("event") != "cell.finished":
                continue
            cell = record.get("cell")
            if not isinstance(cell, dict) or any(name not in cell for name in _FIELDS):
                continue
            result = DatapointResult(**{name: cell[name] for name in _FIELDS})
            key = (result.datapoint_id, result.repetition)
            cells.pop(key, None)
            if result.error is None:
                cells[key] = result
        return cells

    def started(self) -> dict[str, Any] | None:
        """What the run said of itself when it began; None where there is no such run."""
        for record in self._records():
            if record["__tracer_meta__"].get("event") == "run.started":
                return record
        return None

    def _records(self) -> list[dict[str, Any]]:
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        records = []
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and isinstance(record.get("__tracer_meta__"), dict):
                records.append(record)
        return records


def json_line(value: Any) -> str:
    """The value as one line of JSON; what JSON cannot say (NaN, cycles, odd keys, odd types) becomes text."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=repr)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_plain(value, 0), ensure_ascii=False)


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if depth >= _MAX_DEPTH:
        return f"<{type(value).__name__}: deeper than {_MAX_DEPTH}>"
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    return repr(value)
