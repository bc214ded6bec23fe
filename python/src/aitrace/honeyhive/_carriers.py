"""Headers of a context as a value that can be handed on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from aitrace import _native

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExtractedContext(dict[str, Any]):
    """What headers say. ``with`` makes it current for a block.

    Where OpenTelemetry is in use it is one of its contexts, for ``opentelemetry.context.attach``.
    """

    def __init__(self, scope: _native.Scope, members: Mapping[str, Any]) -> None:
        super().__init__(members)
        self._scope = scope
        self._tokens: list[Any] = []

    def __enter__(self) -> ExtractedContext:
        self._tokens.append(_native.attach(self._scope))
        return self

    def __exit__(self, *_error: object) -> None:
        _native.detach(self._tokens.pop())


def read(carrier: Mapping[str, Any]) -> ExtractedContext:
    """What the headers in ``carrier`` say; names may be of any case, malformed ones are left out."""
    headers = {}
    for name, value in dict(carrier).items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if isinstance(text, str):
            headers[str(name).lower()] = text
    return ExtractedContext(_native.Tracer._scope(headers), _for_otel(headers))


def _for_otel(headers: dict[str, str]) -> Mapping[str, Any]:
    if "aitrace._otel" not in sys.modules:  # our spans are not OpenTelemetry's: it need not know
        return {}
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract(headers)
