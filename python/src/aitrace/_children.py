"""Processes of ``multiprocessing`` end past ``atexit``: what they recorded is sent by a hook of its own.

A child, forked or fresh, ends with ``os._exit`` after it has run its finalisers. Those are cleared when the
child begins, so each child has to be given its own; a module that is imported in the parent cannot do that
at once.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from aitrace._tracer import shutdown_all

_LAST = -1000
"""Finalisers run by descending priority: ours after those of the user, which may still trace."""


class _Hook:
    """What ``register_after_fork`` holds, weakly."""


_hook = _Hook()


def watch() -> None:
    """Has this process's children deliver, and this process, if it is such a child itself."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_prepare)
    _prepare()


def _prepare() -> None:
    """In a new child, before ``multiprocessing`` clears the finalisers and calls those who registered."""
    util: Any = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    try:
        util.register_after_fork(_hook, _finalise)
        _finalise(_hook)
    except Exception:  # a module of that name that is another; a program must not notice
        return


def _finalise(_: object) -> None:
    util: Any = sys.modules.get("multiprocessing.util")
    process: Any = sys.modules.get("multiprocessing.process")
    # The first process runs its finalisers at exit too, where `atexit` calls us already.
    if process is not None and process.parent_process() is not None:
        util.Finalize(None, shutdown_all, exitpriority=_LAST)
