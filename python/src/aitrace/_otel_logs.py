"""OpenTelemetry's log records on our tracer: ``tracer.logger_provider``.

Instrumentors that follow the conventions for generative AI send what was asked and answered as events by
this way, and not in the span. Such an event becomes one of its span, from which inputs and outputs are read;
where the span is another provider's or has ended, and for all other records, it is a log record of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry._logs import Logger, LoggerProvider, get_logger_provider, set_logger_provider

from aitrace import _native, _otel, _suppress
from aitrace._otel_ids import known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aitrace._types import LevelName

_SHUTDOWN_SECONDS = 10.0
_OF_MODELS = "gen_ai."
# The least severity number of each level, the highest first.
_LEVELS: tuple[tuple[int, LevelName], ...] = ((17, "error"), (13, "warning"), (9, "info"), (1, "debug"))


class BridgeLogger(Logger):
    """Takes the log records of one instrumentation library."""

    def __init__(self, tracer: _native.Tracer, name: str, version: str | None) -> None:
        super().__init__(name, version)
        self._tracer = tracer
        self._name_of = name

    def emit(self, record: Any = None, **about: Any) -> None:
        """Takes a record, or what would be one. What it lacks reads as None; it never raises."""
        said = about.get if record is None else lambda name, default=None: getattr(record, name, default)
        context = said("context")
        if _suppress.is_asked_for(context):
            return
        attributes: Mapping[str, Any] = said("attributes") or {}
        body = said("body")
        event = said("event_name") or attributes.get("event.name") or "log"
        when = said("timestamp") or None
        span = known(trace.get_current_span(context))
        if event.startswith(_OF_MODELS) and isinstance(span, _native.Span) and span.is_recording():
            members = body if isinstance(body, dict) else {} if body is None else {"content": body}
            span.add_event(event, {**attributes, **members}, when)
            return
        fields = {**attributes} if body is None else {**attributes, "body": body}
        token = None if context is None else otel_context.attach(context)
        try:
            self._tracer._log(event, _level(said("severity_number")), fields, None, self._name_of)
        finally:
            if token is not None:
                otel_context.detach(token)

    def enabled(self, **_about: Any) -> bool:
        """Whether records are taken here."""
        return not _suppress.is_asked_for()


class Logs(LoggerProvider):
    """A LoggerProvider whose records our tracer takes."""

    def __init__(self, tracer: _native.Tracer) -> None:
        # From now on our spans are OpenTelemetry's current ones, too.
        _native.set_otel_hook(_otel._Hook)
        self._tracer = tracer

    def get_logger(  # noqa: PLR0917 (OpenTelemetry's)
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,  # noqa: ARG002 (not recorded)
        attributes: Any = None,  # noqa: ARG002 (not recorded)
    ) -> Logger:
        """A logger for one instrumentation library."""
        return BridgeLogger(self._tracer, name, version)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Sends what there is; whether it was all."""
        return self._tracer._flush(timeout_millis / 1000)[0]

    def shutdown(self) -> None:
        """Sends what there is. The tracer goes on: it has spans of its own."""
        self._tracer._flush(_SHUTDOWN_SECONDS)


def install_global(logs: LoggerProvider) -> None:
    """Makes it the global provider of log records, where there is none."""
    if type(get_logger_provider()).__name__ == "ProxyLoggerProvider":
        set_logger_provider(logs)


def _level(severity: Any) -> LevelName:
    number = getattr(severity, "value", severity) or 0
    return next((level for least, level in _LEVELS if number >= least), "info")
