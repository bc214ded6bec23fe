"""A dict whose members are attributes, too."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

_NOTHING = object()


class DotDict(dict[str, Any]):
    """A dict that is read and written by attributes and by dotted keys: ``d.a.b``, ``d["a.b"]``.

    A key that is there as it stands wins over its dotted reading. Dicts put into it become of this class.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.update(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        found = self._find(name)
        if found is _NOTHING:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, key: str) -> Any:
        found = self._find(key)
        if found is _NOTHING:
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        head, rest = str(key), ""
        if not super().__contains__(key):
            head, _, rest = head.partition(".")
        if not rest:
            super().__setitem__(key, self._own(value))
            return
        inner = super().get(head)
        if not isinstance(inner, DotDict):
            inner = type(self)()
            super().__setitem__(head, inner)
        inner[rest] = value

    def __contains__(self, key: object) -> bool:
        return self._find(key) is not _NOTHING

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, dotted or not, or ``default``."""
        found = self._find(key)
        return default if found is _NOTHING else found

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key, which is set to ``default`` first where it is missing."""
        if self._find(key) is _NOTHING:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Sets members from a mapping or pairs, and from keywords."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def copy(self) -> DotDict:
        """A copy of the outermost level."""
        made = type(self)()
        for key, value in self.items():
            dict.__setitem__(made, key, value)
        return made

    def deepcopy(self) -> DotDict:
        """A copy that shares nothing."""
        return copy.deepcopy(self)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain dicts."""
        return {key: _plain(value) for key, value in self.items()}

    def _find(self, key: object) -> Any:
        if super().__contains__(key):
            return super().__getitem__(key)  # type: ignore[index]
        if not isinstance(key, str) or "." not in key:
            return _NOTHING
        head, _, rest = key.partition(".")
        inner = super().get(head)
        return inner._find(rest) if isinstance(inner, DotDict) else _NOTHING

    def _own(self, value: Any) -> Any:
        if isinstance(value, Mapping) and not isinstance(value, DotDict):
            return type(self)(value)
        return value

    def __deepcopy__(self, memo: dict[int, Any]) -> DotDict:
        made = type(self)()
        memo[id(self)] = made
        for key, value in self.items():
            dict.__setitem__(made, key, copy.deepcopy(value, memo))
        return made


def _plain(value: Any) -> Any:
    if isinstance(value, DotDict):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value) if type(value) in (list, tuple) else value
    return value
