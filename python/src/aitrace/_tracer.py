"""The tracer: its arguments, its members, its end."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Generator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from aitrace import _decorators, _native, _place, _processors
from aitrace._errors import ConfigurationError
from aitrace._events import Event
from aitrace._exporter import adapt
from aitrace._finished import Code, FinishedLog, FinishedSpan
from aitrace._types import EventType, EventTypeName, FlushResult, LevelName
from aitrace._values import loads

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.trace import TracerProvider
    from typing_extensions import Self

    from aitrace._exporter import Exporter

F = TypeVar("F", bound=Callable[..., Any])
_EXIT_SECONDS = 2.0


class Tracer(_native.Tracer):
    """Records spans of one project, source and session; tracers do not see each other's.

    - ``project``: default ``AITRACE_PROJECT``, else ``default``; ``source``: environment, default ``dev``.
    - ``target``: ``http(s)://…``, a path of a ``.jsonl`` file, ``"-"`` (stdout) or ``"memory"``; goes before
      ``server_url``, then ``AITRACE_TARGET``/``LOG_TRG``, ``AITRACE_SERVER_URL``, ``http://localhost:8000``.
    - ``exporter``: instead of a target, any object with ``export(spans) -> bool | None`` and perhaps
      ``shutdown()``.
    - ``rules``: what happens to spans before they are exported: the path of a file, a dict with ``mask``,
      ``tail`` and ``rules``, or a list of rules; after those of the configuration file, of ``AITRACE_RULES``
      and of the entry points ``aitrace.processors``.
    - ``processors``: functions that take a span that is about to end and return it, or None to leave it out.
    - ``mask``: whether secrets are masked; default ``AITRACE_MASK``, else what the rules say, else yes.
    - ``test_mode``: nothing is sent; without a target of its own the spans are kept in memory.
    - ``verbose``: one line on stderr when the tracer is made, and one for each batch that was sent or not.
    - ``clock``, ``sequential_ids``: for tests, see ``aitrace.testing``.

    What is not given comes from ``AITRACE_*``, then from the configuration file (``aitrace.config``).

    Raises ConfigurationError for arguments that cannot be right, and nothing afterwards.
    """

    def __new__(
        cls,
        *,
        project: str | None = None,
        source: str | None = None,
        session_name: str | None = None,
        session_id: str | None = None,
        server_url: str | None = None,
        api_key: str | None = None,
        target: str | os.PathLike[str] | None = None,
        exporter: Exporter | None = None,
        service: str | None = None,
        test_mode: bool = False,
        verbose: bool = False,
        is_evaluation: bool = False,
        run_id: str | None = None,
        dataset_id: str | None = None,
        datapoint_id: str | None = None,
        rules: _processors.RulesArgument | None = None,
        processors: Sequence[_processors.Processor] = (),
        mask: bool | None = None,
        clock: _native.Clock | None = None,
        sequential_ids: bool = False,
    ) -> Self:
        """Makes a tracer; connects to nothing yet."""
        texts = {
            "project": project,
            "source": source,
            "session_name": session_name,
            "session_id": session_id,
            "server_url": server_url,
            "api_key": api_key,
            "service": service,
            "run_id": run_id,
            "dataset_id": dataset_id,
            "datapoint_id": datapoint_id,
        }
        settings: dict[str, Any] = {name: _text(name, value) for name, value in texts.items()}
        settings["target"] = _target(target, server_url, test_mode=test_mode)
        settings["exporter"] = None if exporter is None else adapt(exporter)
        settings.update(_processors.settings(rules, processors, mask))
        settings["verbose"] = verbose
        settings["clock"], settings["sequential_ids"] = clock, sequential_ids
        self = super().__new__(cls, settings)
        self.test_mode = test_mode
        self.verbose = verbose
        self.is_evaluation = is_evaluation
        if verbose:
            print(f"aitrace: {self.project_name}: session {self.session_id}", file=sys.stderr)
        # A run's own tracer must not take the place of one that the user did not keep.
        _native.register(self, keep=not is_evaluation)
        if session_name is not None:
            _native.Tracer.create_session(self, session_name, session_id=self.session_id)
        return self

    test_mode: bool
    verbose: bool
    is_evaluation: bool

    @classmethod
    def init(cls, **settings: Any) -> Self:
        """The same as ``Tracer(...)``."""
        return cls(**settings)

    @overload
    def trace(self, func: F, /) -> F: ...
    @overload
    def trace(
        self,
        func: None = None,
        /,
        *,
        event_type: EventType | EventTypeName | None = None,
        name: str | None = None,
        kind: str | None = None,
        capture_inputs: bool = True,
        capture_outputs: bool = True,
    ) -> Callable[[F], F]: ...
    def trace(self, func: Any = None, /, **options: Any) -> Any:
        """Makes each call of a function a span of this tracer: ``@tracer.trace`` and ``@tracer.trace(...)``.

        Options are those of ``aitrace.trace``, less ``tracer``.
        """
        wrap = _decorators.trace(tracer=self, **options)
        return wrap if func is None else wrap(func)

    atrace = trace

    def start_span(
        self,
        name: str,
        *,
        event_type: EventType | EventTypeName | None = None,
        kind: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        links: list[tuple[str, str]] | None = None,
        start_time: int | None = None,
        **enrichment: Any,
    ) -> _native.Span:
        """Starts a span at once, under what is current.

        ``with`` makes it current and ends it; without, it is not current and ``end()`` ends it. Other
        names (``inputs``, ``metadata``, ``metrics``, …) go to ``span.enrich``. ``start_time`` is in
        nanoseconds since 1970, ``links`` are pairs of trace and span id.
        """
        span = self._start_span(
            name,
            event_type=event_type,
            kind=kind,
            attributes=attributes,
            links=links,
            start_time=start_time,
            place=_place.of_caller(),
        )
        if enrichment:
            span.enrich(**enrichment)
        return span

    def log(self, event: str, level: LevelName = "info", **fields: Any) -> str | None:
        """Writes a log record under the current span; its id, None where nothing is recorded.

        ``level`` is debug, info, warning or error.
        """
        return self._log(event, level, fields, _place.of_caller())

    def create_event(
        self,
        name: Any,
        *,
        event_type: EventType | EventTypeName | None = None,
        inputs: Any | None = None,
        outputs: Any | None = None,
        error: Any | None = None,
        duration: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        feedback: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Event | None:
        """Records something that happened outside of traced code, under the current span if there is one.

        Its id, None where nothing is recorded. ``duration`` is in milliseconds. The id works with ``with``:
        then the block's duration, and the error that leaves it, are told when it ends.
        """
        event_id = super().create_event(
            name,
            event_type=event_type,
            inputs=inputs,
            outputs=outputs,
            error=error,
            duration=duration,
            metadata=metadata,
            config=config,
            feedback=feedback,
            metrics=metrics,
            **kwargs,
        )
        return None if event_id is None else Event(event_id, self)

    def inject_context(self, carrier: MutableMapping[str, str] | None = None) -> MutableMapping[str, str]:
        """Writes the headers of the current context into ``carrier``, or a new dict, and returns it.

        These are ``traceparent`` and ``baggage`` with run_id, dataset_id, datapoint_id and tracer_id.
        """
        carrier = {} if carrier is None else carrier
        for name, value in self._headers():
            carrier[name] = value
        return carrier

    @contextlib.contextmanager
    def extract_context(self, carrier: Mapping[str, Any]) -> Generator[None]:
        """Makes current, for a block, what the headers in ``carrier`` say; names may be of any case.

        What is malformed is left out. Nothing but the parent span and the four keys is taken.
        """
        token = _native.attach(self._scope(_headers(carrier)))
        try:
            yield
        finally:
            _native.detach(token)

    def flush(self, timeout: float = 10.0) -> FlushResult:
        """Sends everything that has ended, waiting up to ``timeout`` seconds; says truly what came of it."""
        return _result(self._flush(timeout))

    def shutdown(self, timeout: float = 10.0) -> FlushResult:
        """Flushes, then records nothing more; functions run on untraced. A second call does nothing."""
        result = _result(self._shutdown(timeout))
        _native.unregister(self)
        return result

    def stats(self) -> dict[str, Any]:
        """What was counted since this tracer was made.

        ``sent``, ``remaining``; ``dropped``: what was lost, by reason; ``filtered``: what rules left out, by
        rule; ``masked``: values that were masked, by rule; ``problem``: the last thing that went wrong.
        """
        return self._stats()

    def spans(self) -> list[FinishedSpan]:
        """The finished spans of a tracer with the target ``memory``, in the order they ended; else none."""
        return [FinishedSpan(record) for record in self._spans()]

    def logs(self) -> list[FinishedLog]:
        """The log records of a tracer with the target ``memory``; else none."""
        from datetime import datetime, timedelta, timezone

        epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
        logs = []
        for (event, level, trace_id, span_id, logger, attrs), nanos, place in self._log_records():
            code = None if place is None else Code(*place)
            ts = epoch + timedelta(microseconds=nanos // 1000)
            logs.append(FinishedLog(trace_id, span_id, ts, event, level, logger, code, loads(attrs)))
        return logs

    @functools.cached_property
    def provider(self) -> TracerProvider:
        """An OpenTelemetry TracerProvider over this tracer, for any instrumentor.

        Its spans nest under ours, and ours under its. Needs ``opentelemetry-api``. The global provider
        is left alone.
        """
        from aitrace._otel import Provider

        return Provider(self)

    @functools.cached_property
    def logger_provider(self) -> LoggerProvider:
        """An OpenTelemetry LoggerProvider over this tracer, for what instrumentors send as log records.

        What they say of a model's call, prompts and answers, stands in its span; everything else is a log
        record. Needs ``opentelemetry-api``. The global provider is left alone.
        """
        from aitrace._otel_logs import Logs

        return Logs(self)

    def install_global(self) -> bool:
        """Records what goes through OpenTelemetry's global provider, too; whether it does so now.

        Where there is no global provider, ``provider`` becomes it. Where the SDK's is installed, it stays,
        with all its processors, and this tracer sees its spans besides. False where neither can be. Where
        there is no global provider of log records, ``logger_provider`` becomes it.
        """
        from aitrace import _otel_logs
        from aitrace._otel import install_global

        _otel_logs.install_global(self.logger_provider)
        return install_global(self, self.provider)


def _text(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ConfigurationError(f"{name} must be a string, not {type(value).__name__}")


def _target(target: Any, server_url: str | None, *, test_mode: bool) -> str | None:
    if target is None:
        return "memory" if test_mode and server_url is None else None
    if not isinstance(target, (str, os.PathLike)):
        raise ConfigurationError(
            f"target must be a URL, a path, '-' or 'memory', not {type(target).__name__}"
        )
    text = os.fspath(target)
    scheme = text.partition("://")[0] if "://" in text else ""
    if not text.strip() or (scheme and scheme.lower() not in {"http", "https"}):
        raise ConfigurationError(f"target must be an http(s) URL, a path, '-' or 'memory', not {text!r}")
    return text


def _headers(carrier: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    try:
        for name, value in carrier.items():
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if isinstance(text, str):
                headers[str(name).lower()] = text
    except Exception:  # a carrier of another kind than promised must not cost a request
        return headers
    return headers


def _result(parts: tuple[bool, int, int, int, list[tuple[str, int]]]) -> FlushResult:
    ok, sent, remaining, spooled, dropped = parts
    return FlushResult(ok, sent, remaining, spooled=spooled, dropped=dict(dropped))


def shutdown_all() -> None:
    """At exit: sends what there is, within two seconds for all tracers, and says what was not sent."""
    deadline = time.monotonic() + _EXIT_SECONDS
    buffered = sys.modules.get("aitrace._buffered")
    if buffered is not None:
        buffered.flush_all(deadline)
    for tracer in _native.tracers():
        result = _result(tracer._shutdown(_left(deadline)))
        if not getattr(tracer, "test_mode", False):
            _tell(tracer.project_name, result)
    for project, parts in _native.shutdown_leaving(_left(deadline)):
        _tell(project, _result(parts))
    _native.forget_interpreter()


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _tell(project: str, result: FlushResult) -> None:
    if result.ok:
        return
    details = [f"{result.sent} sent"]
    if result.spooled:
        details.append(f"{result.spooled} put aside on disk for the next start")
    if result.remaining:
        details.append(f"{result.remaining} not sent in time")
    if result.dropped:
        reasons = ", ".join(f"{reason} {count}" for reason, count in result.dropped.items())
        details.append(f"{sum(result.dropped.values())} lost ({reasons})")
    # Without a stderr, `print` would take stdout; one that is closed raises.
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(f"aitrace: {project}: {', '.join(details)}", file=sys.stderr)
