"""Our own requests are not traced: OpenTelemetry's suppression keys, where OpenTelemetry is loaded."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

# Known to older instrumentors; the others have names that only their module knows.
_PLAIN = "suppress_instrumentation"
_NAMES = ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")


def is_asked_for(context: Any = None) -> bool:
    """Whether nothing is to be recorded in a context, by default the current one."""
    loaded = sys.modules.get("opentelemetry.context")
    if loaded is None:
        return False
    keys = (_PLAIN, getattr(loaded, _NAMES[0], _PLAIN))
    return any(loaded.get_value(key, context) for key in keys)


@contextlib.contextmanager
def suppressed() -> Generator[None]:
    """A block in which instrumentors record nothing."""
    loaded = sys.modules.get("opentelemetry.context")
    if loaded is None:
        yield
        return
    context = loaded.get_current()
    for key in (_PLAIN, *(getattr(loaded, name, _PLAIN) for name in _NAMES)):
        context = loaded.set_value(key, True, context)
    token = loaded.attach(context)
    try:
        yield
    finally:
        loaded.detach(token)
