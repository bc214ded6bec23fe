"""Log records of the user's own loggers, joined to the current span."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, TextIO

from aitrace import _native, _place
from aitrace._records import log_line

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_busy = threading.local()


def level_name(number: int) -> str:
    """A level of ``logging`` as one of debug, info, warning, error."""
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


class LogHandler(logging.Handler):
    """Gives records of ``logging`` to the tracer of the current span, else to the default one.

    Fields given by ``extra=`` go along. With no tracer nothing happens. What our own export logs is
    not taken, so that nothing goes in circles.
    """

    def __init__(self, level: int = logging.NOTSET, *, tracer: _native.Tracer | None = None) -> None:
        super().__init__(level)
        self._tracer = tracer

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one record; raises nothing but what ``logging.raiseExceptions`` asks for."""
        if getattr(_busy, "flag", False) or record.name.partition(".")[0] == "aitrace":
            return
        _busy.flag = True
        try:
            tracer = _native.discover_tracer(self._tracer)
            if tracer is not None:
                fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
                if record.exc_info and record.exc_info[0] is not None:
                    fields["exception"] = self._exception(record)
                place = (_place.relative(record.pathname), record.lineno, record.funcName or "")
                tracer._log(record.getMessage(), level_name(record.levelno), fields, place, record.name)
        except Exception:
            self.handleError(record)
        finally:
            _busy.flag = False

    @staticmethod
    def _exception(record: logging.LogRecord) -> str:
        return logging.Formatter().formatException(record.exc_info) if record.exc_info else ""


class RecordRenderer:
    """A structlog processor, the last of its chain: an event as one line of the trace record format."""

    def __call__(self, _: Any, method: str, event_dict: MutableMapping[str, Any]) -> str:
        """Renders one event; every key of it but ``event``, ``level`` and ``logger`` is the user's."""
        fields = dict(event_dict)
        event = str(fields.pop("event", ""))
        level = str(fields.pop("level", method))
        logger = fields.pop("logger", None)
        return log_line(
            event,
            level=_LEVELS.get(level.lower(), "info"),
            fields=fields,
            place=_caller(),
            logger=None if logger is None else str(logger),
        )


_LEVELS = {
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
    "exception": "error",
    "critical": "error",
    "fatal": "error",
}


def _caller() -> _place.Place | None:
    frame = sys._getframe(1)
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] not in {"aitrace", "structlog", "logging"}:
            return _place.of_frame(frame)
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None


def setup_logging(*, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Configures structlog to write trace records to stdout, one a line, with the ids of the current span.

    ``stream`` takes the place of stdout. Needs ``structlog`` (``pip install aitrace[logging]``).
    """
    import structlog

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            RecordRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
