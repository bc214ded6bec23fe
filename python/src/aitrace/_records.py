"""Trace records (format 2.1) that Python itself writes: lines of loggers."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from aitrace import _native

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aitrace._place import Place

VERSION = "2.1"
LEVELS = {
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
    "exception": "error",
    "critical": "error",
    "fatal": "error",
}


def meta_of(event: str, *, level: str, place: Place | None, logger: str | None = None) -> dict[str, Any]:
    """``__tracer_meta__`` of a log record that is written now, with the current span's ids."""
    meta: dict[str, Any] = {
        "timestamp": datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "event": event,
        "level": level,
        "lifecycle": "log",
        "version": VERSION,
        "id": uuid.uuid4().hex,
    }
    span = _native.current_span()
    if span is not None:
        meta["trace_id"] = span.trace_id
        meta["span_id"] = span.span_id
        if span.parent_span_id is not None:
            meta["parent_span_id"] = span.parent_span_id
        meta["project"] = span.tracer.project_name
        meta["source"] = span.tracer.source
        meta["session_id"] = span.tracer.session_id
    if place is not None:
        meta["file"], meta["line"], meta["function"] = place
    if logger is not None:
        meta["logger"] = logger
    return meta


def log_line(
    event: str, *, level: str, fields: Mapping[str, Any], place: Place | None, logger: str | None = None
) -> str:
    """One log record as a line of JSON, with the ids of the current span where there is one."""
    meta = meta_of(event, level=level, place=place, logger=logger)
    record = {key: value for key, value in fields.items() if key != "__tracer_meta__"}
    if _native.compat_mode():
        record["timestamp"] = meta["timestamp"]
    line = _native.masked_line(_native.to_json({"__tracer_meta__": meta, **record}))
    # What cannot be masked is not shown; that there was something is.
    return line or _native.to_json({"__tracer_meta__": meta})
