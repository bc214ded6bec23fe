"""Rules and processors: what happens to spans before they are exported.

Rules are done by the recorder's own thread. Processors are functions of the program: they run in the thread
that ends the span, because the recorder's thread never takes the interpreter.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from aitrace import _native, _settings
from aitrace._errors import ConfigurationError

GROUP = "aitrace.processors"

Processor = Callable[[_native.Span], _native.Span | None]
"""Takes a span that is about to end; returns it, perhaps changed, or None to leave it out.

What it raises, or returns instead, has the span's contents replaced: nothing leaves that was not processed.
"""

RulesArgument = str | os.PathLike[str] | Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Rules in any form."""

Source = tuple[str, str, str]
"""``file`` or ``json``, the path or the text, and how errors name it."""

_busy = threading.local()
_told: set[str] = set()


class Chain:
    """The processors of one tracer, one after the other."""

    def __init__(self, processors: Iterable[tuple[str, Processor]]) -> None:
        self._processors = tuple(processors)

    def __call__(self, span: _native.Span) -> str | bool:
        """True where the span goes on, False where processing failed, else who left it out."""
        if getattr(_busy, "flag", False):
            # A span that a processor made itself: to process it would never end.
            return "made_by_a_processor"
        _busy.flag = True
        name = ""
        try:
            for name, processor in self._processors:
                answer: Any = processor(span)
                if answer is None:
                    return name
                if answer is not span:
                    tell(f"processor {name} returned {type(answer).__name__}, neither the span nor None")
                    return False
        except Exception as error:  # whatever it is, the span must not leave unprocessed
            tell(f"processor {name} raised {type(error).__name__}: {_text(error)}")
            return False
        finally:
            _busy.flag = False
        return True


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a message that cannot be made is no message
        return ""


def tell(problem: str) -> None:
    """Says on stderr what is wrong, each thing once."""
    if problem not in _told and len(_told) < 100 and sys.stderr is not None:
        _told.add(problem)
        try:
            print(f"aitrace: {problem}", file=sys.stderr)
        except Exception:  # a stderr that is closed must not cost the program anything
            return


def source_of(rules: Any, place: str) -> Source:
    """How rules reach the recorder; raises ConfigurationError for what cannot be rules, with the line."""
    if isinstance(rules, os.PathLike):
        source: Source = ("file", os.fspath(rules), place)
    elif isinstance(rules, str):
        kind = "json" if rules.lstrip().startswith("{") else "file"
        source = (kind, rules if kind == "json" else os.path.expanduser(rules), place)
    elif isinstance(rules, Mapping):
        source = ("json", _dump(rules, place), place)
    elif isinstance(rules, Sequence) and all(isinstance(rule, Mapping) for rule in rules):
        source = ("json", _dump({"rules": list(rules)}, place), place)
    else:
        raise ConfigurationError(
            f"{place} must be the path of a file, a dict with mask, tail and rules, or a list of rules, "
            f"not {type(rules).__name__}"
        )
    try:
        _native.check_rules(*source)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    return source


def _dump(rules: Any, place: str) -> str:
    try:
        return json.dumps(rules, indent=1)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{place}: {error}") from None


def checked(processors: Iterable[Processor]) -> list[tuple[str, Processor]]:
    """Processors given to a tracer, with their names; raises ConfigurationError for what is none."""
    named = []
    for processor in processors:
        if not callable(processor):
            raise ConfigurationError(f"a processor must be callable, not {type(processor).__name__}")
        named.append((str(getattr(processor, "__name__", type(processor).__name__)), processor))
    return named


class Installed:
    """What the entry points of the environment bring: rules, processors, and whether any was broken."""

    def __init__(self) -> None:
        self.rules: list[Source] = []
        self.processors: list[tuple[str, Processor]] = []
        self.broken = False

    def add(self, name: str, found: Any) -> None:
        """Takes what an entry point names: a processor, or rules in any form."""
        place = f"entry point {name}"
        if callable(found) and not isinstance(found, (str, Mapping)):
            self.processors.append((name, found))
        else:
            self.rules.append(source_of(found, place))


_installed: Installed | None = None


def installed() -> Installed:
    """The entry points of the group ``aitrace.processors``, by name; loaded once, by the first tracer.

    One that is broken is told of on stderr and left out; masking stays on then. ``AITRACE_PROCESSORS=off``
    loads none.
    """
    global _installed
    if _installed is not None:
        return _installed
    from importlib import metadata

    loaded = Installed()
    wanted = (_settings.variable("AITRACE_PROCESSORS") or "on").lower() not in {"0", "false", "no", "off"}
    points = metadata.entry_points(group=GROUP) if wanted else ()
    for point in sorted(points, key=lambda point: point.name):
        try:
            loaded.add(point.name, point.load())
        except Exception as error:  # another's package must not break the program that it is installed with
            loaded.broken = True
            tell(f"entry point {point.name} of {GROUP} is not used: {type(error).__name__}: {_text(error)}")
    _installed = loaded
    return loaded


def settings(rules: Any, processors: Iterable[Processor], mask: Any) -> dict[str, Any]:
    """The settings of a native tracer that are about processing."""
    if mask is not None and not isinstance(mask, bool):
        raise ConfigurationError(f"mask must be True, False or None, not {type(mask).__name__}")
    found = installed()
    sources = [*found.rules, *([] if rules is None else [source_of(rules, "rules")])]
    chain = [*found.processors, *checked(processors)]
    return {
        "rules": sources or None,
        "processors": Chain(chain) if chain else None,
        # Nobody knows what a broken one would have masked.
        "mask": True if found.broken else mask,
    }
