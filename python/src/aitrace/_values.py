"""Stored values as Python's: the way back of what the native module captured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aitrace import _native

_DOUBLES = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_DEPTH = 16


def loads(text: str | None) -> Any:
    """The value of a JSON text; None for None. Non-finite floats and bytes come back as such."""
    if text is None:
        return None
    import json  # a program that only records never comes here

    return json.loads(text, object_hook=_typed)


def _typed(members: dict[str, Any]) -> Any:
    if len(members) == 1:
        double = members.get("$double")
        if isinstance(double, str) and double in _DOUBLES:
            return _DOUBLES[double]
        encoded = members.get("$bytes")
        if isinstance(encoded, str):
            import base64

            try:
                return base64.b64decode(encoded, validate=True)
            except ValueError:
                return members
    return members


def flatten(members: dict[str, Any]) -> dict[str, Any]:
    """Nested dicts as one: names joined by dots, lower case, ``-`` as ``_``; lists stay values."""
    flat: dict[str, Any] = {}
    _flatten(flat, members, path=())
    return flat


def _flatten(flat: dict[str, Any], members: dict[str, Any], *, path: tuple[str, ...]) -> None:
    for name, value in members.items():
        key = (*path, str(name).lower().replace("-", "_"))
        if isinstance(value, dict) and value and len(key) <= _DEPTH:
            _flatten(flat, value, path=key)
        else:
            flat[".".join(key)] = value


def read_back(record: _native.SpanRecord | None) -> dict[str, Any]:
    """What a span carries, flattened; the user's plain attributes stand under their own names."""
    if record is None:
        return {}
    groups = {name: loads(getattr(record, name)) for name in _GROUPS}
    plain = {key: value for key, value in (loads(record.attributes) or {}).items() if key not in _ON_THE_WIRE}
    scalars = {name: getattr(record, name) for name in _SCALARS}
    error = record.error
    known = {"error": error[1] or error[0] if error else None, **scalars, **groups}
    return flatten({**plain, **{name: value for name, value in known.items() if value is not None}})


_GROUPS = ("inputs", "outputs", "metadata", "metrics", "feedback", "config", "user_properties")
_SCALARS = (
    "project", "source", "service", "session_id", "user_id", "run_id", "dataset_id", "datapoint_id",
    "event_type", "kind",
)  # fmt: skip
# Stand above under the names that people use.
_ON_THE_WIRE = frozenset(
    {
        "aitrace.config", "aitrace.dataset_id", "aitrace.datapoint_id", "aitrace.event_type",
        "aitrace.feedback", "aitrace.metrics", "aitrace.run_id", "aitrace.user_properties",
        "input.mime_type", "input.value", "metadata", "openinference.span.kind", "output.mime_type",
        "output.value", "session.id", "user.id",
    }
)  # fmt: skip
