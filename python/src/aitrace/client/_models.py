"""What a server answers, typed. ``raw`` keeps each object as it came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aitrace._errors import APIError
from aitrace._finished import Code, ErrorInfo, Event, Link
from aitrace.client import _read as read


@dataclass(frozen=True)
class TraceInfo:
    """A trace in a list. Times are RFC 3339, costs US dollars; ``events`` counts log records."""

    trace_id: str
    name: str
    project: str
    session_id: str | None
    start_ts: str
    end_ts: str | None
    duration_ms: float | None
    status: str
    spans: int
    events: int
    errors: int
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    raw: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: dict[str, Any]) -> TraceInfo:
        """From the API's ``T``."""
        return cls(
            trace_id=read.text(data, "trace_id"),
            name=read.text(data, "name"),
            project=read.text(data, "project"),
            session_id=read.maybe_text(data, "session_id"),
            start_ts=read.text(data, "start_ts"),
            end_ts=read.maybe_text(data, "end_ts"),
            duration_ms=read.maybe_number(data, "duration_ms"),
            status=read.text(data, "status"),
            spans=read.integer(data, "spans"),
            events=read.integer(data, "events"),
            errors=read.integer(data, "errors"),
            input_tokens=read.maybe_integer(data, "input_tokens"),
            output_tokens=read.maybe_integer(data, "output_tokens"),
            cost=read.maybe_number(data, "cost"),
            raw=data,
        )


@dataclass(frozen=True)
class SpanInfo:
    """A span as the server keeps it: nanoseconds since 1970, ``status`` running, ok, error or lost."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    event_type: str
    status: str
    error: ErrorInfo | None
    start_ns: int
    end_ns: int | None
    project: str
    source: str | None
    service: str | None
    session_id: str | None
    user_id: str | None
    run_id: str | None
    dataset_id: str | None
    datapoint_id: str | None
    provider: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    inputs: Any
    outputs: Any
    metadata: Any
    metrics: Any
    feedback: Any
    config: Any
    user_properties: Any
    attributes: dict[str, Any]
    code: Code | None
    events: list[Event]
    links: list[Link]
    depth: int
    has_children: bool
    raw: dict[str, Any] = field(repr=False, compare=False)

    @property
    def duration_ns(self) -> int | None:
        """How long it took, None while it runs."""
        return None if self.end_ns is None else self.end_ns - self.start_ns

    @classmethod
    def read(cls, data: dict[str, Any]) -> SpanInfo:
        """From the API's ``S``."""
        plain: dict[str, Any] = {name: read.text(data, name) for name in _SPAN_TEXTS}
        plain |= {name: read.maybe_text(data, name) for name in _SPAN_MAYBE}
        plain |= {name: data.get(name) for name in _SPAN_CONTENTS}
        return cls(
            **plain,
            error=_error(data.get("error")),
            start_ns=read.integer(data, "start_ns"),
            end_ns=read.maybe_integer(data, "end_ns"),
            input_tokens=read.maybe_integer(data, "input_tokens"),
            output_tokens=read.maybe_integer(data, "output_tokens"),
            cost=read.maybe_number(data, "cost"),
            attributes=read.members_of(data, "attributes"),
            code=_code(data.get("code")),
            events=_events(data),
            links=_links(data),
            depth=read.integer(data, "depth"),
            has_children=data.get("has_children") is True,
            raw=data,
        )


_SPAN_TEXTS = ("trace_id", "span_id", "name", "kind", "event_type", "status", "project")
_SPAN_MAYBE = (
    "parent_span_id", "source", "service", "session_id", "user_id", "run_id", "dataset_id", "datapoint_id",
    "provider", "model",
)  # fmt: skip
_SPAN_CONTENTS = ("inputs", "outputs", "metadata", "metrics", "feedback", "config", "user_properties")


def _error(value: Any) -> ErrorInfo | None:
    if not isinstance(value, dict):
        return None
    return ErrorInfo(*(read.maybe_text(value, name) or "" for name in ("type", "message", "stacktrace")))


def _code(value: Any) -> Code | None:
    if not isinstance(value, dict):
        return None
    return Code(
        read.maybe_text(value, "file") or "",
        read.integer(value, "line"),
        read.maybe_text(value, "function") or "",
    )


def _objects(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = data.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _events(data: dict[str, Any]) -> list[Event]:
    return [
        Event(
            read.maybe_text(item, "name") or "",
            read.integer(item, "time_ns"),
            read.members_of(item, "attributes"),
        )
        for item in _objects(data, "events")
    ]


def _links(data: dict[str, Any]) -> list[Link]:
    return [
        Link(
            read.maybe_text(item, "trace_id") or "",
            read.maybe_text(item, "span_id") or "",
            read.members_of(item, "attributes"),
        )
        for item in _objects(data, "links")
    ]


@dataclass(frozen=True)
class LogInfo:
    """A log record; ``ts`` is RFC 3339, ``attrs`` the user's data."""

    trace_id: str | None
    span_id: str | None
    ts: str
    event: str
    level: str
    logger: str | None
    code: Code | None
    attrs: dict[str, Any]
    raw: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: dict[str, Any]) -> LogInfo:
        """From the API's ``L``."""
        return cls(
            trace_id=read.maybe_text(data, "trace_id"),
            span_id=read.maybe_text(data, "span_id"),
            ts=read.text(data, "ts"),
            event=read.text(data, "event"),
            level=read.text(data, "level"),
            logger=read.maybe_text(data, "logger"),
            code=_code(data.get("code")),
            attrs=read.members_of(data, "attrs"),
            raw=data,
        )


@dataclass(frozen=True)
class TraceDetail:
    """A trace with all of its spans, in the order of the tree, and log records."""

    trace: TraceInfo
    spans: list[SpanInfo]
    logs: list[LogInfo]

    @classmethod
    def read(cls, answer: Any) -> TraceDetail:
        """From the answer of ``/api/trace/ID``."""
        members = read.mapping(answer)
        return cls(
            trace=TraceInfo.read(read.mapping(members.get("trace"), "trace")),
            spans=read.items(members, "spans", SpanInfo.read),
            logs=read.items(members, "logs", LogInfo.read),
        )


@dataclass(frozen=True)
class SessionInfo:
    """A session: traces that belong together. What else the server says about it stands in ``raw``."""

    session_id: str
    project: str | None
    name: str | None
    raw: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: dict[str, Any]) -> SessionInfo:
        """From an object of ``/api/sessions``."""
        return cls(
            session_id=read.text(data, "session_id"),
            project=read.maybe_text(data, "project"),
            name=read.maybe_text(data, "name") or read.maybe_text(data, "session_name"),
            raw=data,
        )


@dataclass(frozen=True)
class SessionDetail:
    """A session with its traces."""

    session: SessionInfo
    traces: list[TraceInfo]

    @classmethod
    def read(cls, answer: Any) -> SessionDetail:
        """From the answer of ``/api/session/ID``."""
        members = read.mapping(answer)
        return cls(
            session=SessionInfo.read(read.mapping(members.get("session"), "session")),
            traces=read.items(members, "traces", TraceInfo.read),
        )


@dataclass(frozen=True)
class SearchHit:
    """One place where a text was found; the rest stands in ``raw``."""

    trace_id: str | None
    span_id: str | None
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, data: dict[str, Any]) -> SearchHit:
        """From an object of ``/api/search``."""
        return cls(read.maybe_text(data, "trace_id"), read.maybe_text(data, "span_id"), data)


@dataclass(frozen=True)
class SqlResult:
    """Rows of a query. ``truncated``: the server's bound cut them off."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    truncated: bool = False

    def dicts(self) -> list[dict[str, Any]]:
        """Each row as a dict by the names of the columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    @classmethod
    def read(cls, answer: Any) -> SqlResult:
        """From the answer of ``/api/sql``: columns are names or objects with one, rows lists or objects."""
        members = read.mapping(answer)
        given, rows = members.get("columns"), members.get("rows")
        if not isinstance(given, list) or not isinstance(rows, list):
            raise APIError("the server's answer has no 'columns' and 'rows'")
        columns = [read.text(name, "name") if isinstance(name, dict) else str(name) for name in given]
        table: list[tuple[Any, ...]] = []
        for row in rows:
            values = [row.get(name) for name in columns] if isinstance(row, dict) else row
            if not isinstance(values, list) or len(values) != len(columns):
                raise APIError("a row of the server's answer has not one value a column")
            table.append(tuple(values))
        return cls(columns, table, members.get("truncated") is True)


@dataclass(frozen=True)
class Dataset:
    """A dataset: ``datapoints`` are ids."""

    id: str
    name: str
    description: str | None
    datapoints: list[str]
    raw: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: dict[str, Any]) -> Dataset:
        """From an object of ``/v1/datasets``."""
        return cls(
            id=read.text(data, "id"),
            name=read.text(data, "name"),
            description=read.maybe_text(data, "description"),
            datapoints=read.strings(data, "datapoints"),
            raw=data,
        )


@dataclass(frozen=True)
class Datapoint:
    """One row of datasets; ``linked_datasets`` are ids."""

    id: str
    inputs: dict[str, Any]
    ground_truth: dict[str, Any]
    metadata: dict[str, Any]
    history: list[Any]
    linked_event: str | None
    linked_datasets: list[str]
    raw: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: dict[str, Any]) -> Datapoint:
        """From an object of ``/v1/datapoints``."""
        history = data.get("history")
        return cls(
            id=read.text(data, "id"),
            inputs=read.members_of(data, "inputs"),
            ground_truth=read.members_of(data, "ground_truth"),
            metadata=read.members_of(data, "metadata"),
            history=history if isinstance(history, list) else [],
            linked_event=read.maybe_text(data, "linked_event"),
            linked_datasets=read.strings(data, "linked_datasets"),
            raw=data,
        )


@dataclass(frozen=True)
class RunInfo:
    """An evaluation run as the server keeps it."""

    run_id: str
    name: str | None
    status: str | None
    dataset_id: str | None
    metadata: dict[str, Any]
    results: dict[str, Any]
    configuration: dict[str, Any]
    event_ids: list[str]
    raw: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: dict[str, Any]) -> RunInfo:
        """From an object of ``/v1/runs``."""
        return cls(
            run_id=read.text(data, "run_id"),
            name=read.maybe_text(data, "name"),
            status=read.maybe_text(data, "status"),
            dataset_id=read.maybe_text(data, "dataset_id"),
            metadata=read.members_of(data, "metadata"),
            results=read.members_of(data, "results"),
            configuration=read.members_of(data, "configuration"),
            event_ids=read.strings(data, "event_ids"),
            raw=data,
        )
