"""For the site: what the native module's classes say of themselves. Its stub has signatures only."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import griffe

_NATIVE = "aitrace._native"


class NativeDocstrings(griffe.Extension):
    """Gives objects of the native module the docstrings that they have when they are loaded."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Looks at one object."""
        if obj.docstring is not None or not obj.path.startswith(_NATIVE + "."):
            return
        found: Any = importlib.import_module(_NATIVE)
        for name in obj.path.removeprefix(_NATIVE + ".").split("."):
            found = getattr(found, name, None)
        text = None if found is None else inspect.getdoc(found)
        if text:
            obj.docstring = griffe.Docstring(text, parent=obj)
