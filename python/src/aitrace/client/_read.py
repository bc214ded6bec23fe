"""Members of an answer, checked as they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from aitrace._errors import APIError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def mapping(value: Any, what: str = "answer") -> dict[str, Any]:
    """A JSON object."""
    if isinstance(value, dict):
        return value
    raise APIError(f"the server's {what} is no object: {str(value)[:80]!r}")


def items(value: Any, name: str, read: Callable[[dict[str, Any]], T]) -> list[T]:
    """The objects of a list that is a member of an answer; a missing list is an error, null an empty one."""
    members = mapping(value)
    if name not in members:
        raise APIError(f"the server's answer has no {name!r}: is this an aitrace server?")
    found = members[name]
    if found is None:
        return []
    if not isinstance(found, list):
        raise APIError(f"{name!r} in the server's answer is no list")
    return [read(mapping(item, name)) for item in found]


def text(members: dict[str, Any], name: str) -> str:
    """A string that must be there."""
    value = members.get(name)
    if isinstance(value, str):
        return value
    raise APIError(f"{name!r} in the server's answer is no string: {str(value)[:80]!r}")


def maybe_text(members: dict[str, Any], name: str) -> str | None:
    """A string or None."""
    value = members.get(name)
    return value if isinstance(value, str) else None


def maybe_integer(members: dict[str, Any], name: str) -> int | None:
    """A whole number; those of 64 bits come as strings."""
    value = members.get(name)
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, str)):
        try:
            return int(value)
        except ValueError:
            return None
    return None


def integer(members: dict[str, Any], name: str) -> int:
    """A whole number, 0 where it is missing."""
    return maybe_integer(members, name) or 0


def maybe_number(members: dict[str, Any], name: str) -> float | None:
    """A number or None."""
    value = members.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def members_of(members: dict[str, Any], name: str) -> dict[str, Any]:
    """An object, an empty one where it is missing."""
    value = members.get(name)
    return value if isinstance(value, dict) else {}


def strings(members: dict[str, Any], name: str) -> list[str]:
    """A list of strings, an empty one where it is missing."""
    value = members.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
