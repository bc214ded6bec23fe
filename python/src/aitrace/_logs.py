"""Log records of the user's own loggers, joined to the current span."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, TextIO

from aitrace import _native, _place, _stream
from aitrace._errors import ConfigurationError
from aitrace._records import LEVELS, log_line, meta_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from aitrace._tracer import Tracer

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LOGGERS = frozenset({"aitrace", "structlog", "logging"})
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


def _split(method: str, event_dict: MutableMapping[str, Any]) -> tuple[str, str, str | None, dict[str, Any]]:
    """Event, level, logger and the user's own fields of a structlog event."""
    fields = dict(event_dict)
    event = str(fields.pop("event", ""))
    level = LEVELS.get(str(fields.pop("level", method)).lower(), "info")
    logger = fields.pop("logger", None)
    return event, level, None if logger is None else str(logger), fields


def add_tracer_meta(
    _logger: Any, method: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor: puts what is ours into ``__tracer_meta__``, next to the user's own fields.

    Event, level, logger and a ``timestamp`` that another processor set move in there; ids of the current
    span and the place in the code are added. Put it before the renderer, for example ``JSONRenderer()``.
    """
    event, level, logger, fields = _split(method, event_dict)
    fields.pop("timestamp", None)
    fields.pop("__tracer_meta__", None)
    meta = meta_of(event, level=level, place=_caller(), logger=logger)
    compatible = {"timestamp": meta["timestamp"]} if _native.compat_mode() else {}
    return {**fields, **compatible, "__tracer_meta__": meta}


class RecordRenderer:
    """A structlog processor, the last of its chain: an event as one line of the trace record format."""

    def __call__(self, _: Any, method: str, event_dict: MutableMapping[str, Any]) -> str:
        """Renders one event; every key of it but ``event``, ``level`` and ``logger`` is the user's."""
        event, level, logger, fields = _split(method, event_dict)
        return log_line(event, level=level, fields=fields, place=_caller(), logger=logger)


def _caller() -> _place.Place | None:
    frame = sys._getframe(1)
    while True:
        name = str(frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] not in _LOGGERS:
            return _place.of_frame(frame)
        if frame.f_back is None:
            return None
        frame = frame.f_back


def setup_logging(*, level: int = logging.INFO, stream: TextIO | None = None) -> Any:
    """Configures structlog to write trace records to stdout, one a line, with the ids of the current span.

    Returns a logger of structlog. The records of ``auto_span`` and ``trace_context`` go the same way.
    ``stream`` takes the place of stdout. Raises ConfigurationError without ``structlog``
    (``pip install 'aitrace[logging]'``).
    """
    try:
        import structlog
    except ImportError as error:
        raise ConfigurationError("setup_logging needs structlog: pip install 'aitrace[logging]'") from error
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
    _stream.open_stream(stream)
    return structlog.get_logger()


def setup_tracing(name: str, **settings: Any) -> Tracer:
    """Makes the tracer of a program and sets it as the default one; ``name`` is the name of the service.

    ``settings`` are those of ``Tracer``. Called again with the same name and no settings it returns the
    same tracer.
    """
    from aitrace._free import set_default_tracer
    from aitrace._tracer import Tracer

    known = _named.get(name)
    if known is not None and not settings and known in _native.tracers():
        set_default_tracer(known)
        return known
    tracer = Tracer(**{"service": name, **settings})
    _named[name] = tracer
    set_default_tracer(tracer)
    return tracer


_named: dict[str, Tracer] = {}
