"""The tracer: a recorder of ours behind the interface of `honeyhive`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import aitrace
from aitrace.honeyhive import _carriers, _free, _known, _spans, _traced
from aitrace.honeyhive._settings_of import resolve
from aitrace.honeyhive._tracer_sessions import SessionsMixin

if TYPE_CHECKING:
    from typing_extensions import Self

    from aitrace import FinishedSpan
    from aitrace.honeyhive._carriers import ExtractedContext
    from aitrace.honeyhive.config.models import EvaluationConfig, SessionConfig, TracerConfig

F = TypeVar("F", bound=Callable[..., Any])
_log = logging.getLogger("aitrace.honeyhive")


class HoneyHiveTracer(SessionsMixin):
    """Records spans of one project, source and session; tracers do not see each other's.

    Settings win in this order: keyword, ``session_config``, ``evaluation_config``, ``config``, variable
    ``HH_NAME``. Names without prefix (``RUN_ID``, ``SESSION_NAME``, …) are read only where
    ``AITRACE_HONEYHIVE_BARE_ENV=true`` stands in the environment.

    - ``api_key``: a server on loopback needs none; without one spans are sent without.
    - ``server_url``: default ``HH_API_URL``, ``AITRACE_TARGET``, ``AITRACE_SERVER_URL``,
      ``http://localhost:8000``. No server there: the application runs on, spans wait and are then dropped.
    - ``project``: default ``HH_PROJECT``, ``AITRACE_PROJECT``, ``default``.
    - ``session_id``: a UUID; anything else gets a new one.
    - ``test_mode``: nothing is sent; ``spans()`` holds what was recorded.
    - ``is_evaluation`` is implied by ``run_id``, ``dataset_id`` and ``datapoint_id`` together.

    Other keywords of `honeyhive` are accepted. Nothing here connects to a server or raises for its absence.
    """

    def __init__(
        self,
        config: TracerConfig | str | None = None,
        session_config: SessionConfig | str | None = None,
        evaluation_config: EvaluationConfig | str | None = None,
        *,
        api_key: str | None = None,
        ingestion_api_key: str | None = None,
        project: str | None = None,
        session_name: str | None = None,
        source: str | None = None,
        server_url: str | None = None,
        session_id: str | None = None,
        disable_http_tracing: bool | None = None,
        disable_batch: bool | None = None,
        verbose: bool | None = None,
        inputs: dict[str, Any] | None = None,
        is_evaluation: bool | None = None,
        run_id: str | None = None,
        dataset_id: str | None = None,
        datapoint_id: str | None = None,
        link_carrier: Mapping[str, Any] | None = None,
        test_mode: bool | None = None,
        requests_session: Any = None,
        **others: Any,
    ) -> None:
        # Version 0.2 has api_key, project and session_name first.
        if isinstance(config, str):
            api_key, config = api_key or config, None
        if isinstance(session_config, str):
            project, session_config = project or session_config, None
        if isinstance(evaluation_config, str):
            session_name, evaluation_config = session_name or evaluation_config, None
        keywords = {
            "api_key": api_key, "ingestion_api_key": ingestion_api_key, "project": project,
            "session_name": session_name, "source": source, "server_url": server_url,
            "session_id": session_id, "disable_http_tracing": disable_http_tracing,
            "disable_batch": disable_batch, "verbose": verbose, "inputs": inputs,
            "is_evaluation": is_evaluation, "run_id": run_id, "dataset_id": dataset_id,
            "datapoint_id": datapoint_id, "link_carrier": link_carrier, "test_mode": test_mode,
            "requests_session": requests_session, **others,
        }  # fmt: skip
        given = {name: value for name, value in keywords.items() if value is not None}
        self._start(given, (session_config, evaluation_config, config))

    def _start(self, given: dict[str, Any], configs: tuple[Any, ...]) -> None:
        settings = resolve(given, configs)
        self._settings = settings
        self._client: Any = None
        self._links: dict[str, Any] = {}
        exporter = settings.exporter or _spans.exporter_of(self._create_span_processor())
        self._recorder = aitrace.Tracer(
            project=settings.project,
            source=settings.source,
            session_id=settings.session_id,
            server_url=None if settings.test_mode else settings.server_url,
            api_key=settings.api_key,
            target=settings.target,
            exporter=_spans.Nowhere() if settings.disabled and exporter is None else exporter,
            service=settings.service,
            test_mode=settings.test_mode,
            verbose=settings.verbose,
            is_evaluation=settings.is_evaluation,
            run_id=settings.run_id,
            dataset_id=settings.dataset_id,
            datapoint_id=settings.datapoint_id,
        )
        _known.remember(self._recorder, self)
        self._recorder.create_session(
            settings.session_name,
            session_id=self._recorder.session_id,
            inputs=settings.inputs,
            metadata=settings.metadata,
        )
        if settings.link_carrier:
            self.link(settings.link_carrier)

    def __repr__(self) -> str:
        about = f"project={self.project!r}, source={self.source!r}, session_id={self.session_id!r}"
        return f"HoneyHiveTracer({about})"

    @classmethod
    def init(cls, *args: Any, **settings: Any) -> Self:
        """The same as ``HoneyHiveTracer(...)``."""
        return cls(*args, **settings)

    def _create_api_client(self) -> Any:
        """Makes what ``client`` is. One of a subclass gets the calls about sessions and events instead."""
        from aitrace.honeyhive.api.client import HoneyHive

        return HoneyHive(
            api_key=self._settings.api_key,
            server_url=self._settings.server_url,
            test_mode=self.test_mode,
            verbose=self.verbose,
            tracer_instance=self,
        )

    def _create_span_processor(self) -> Any:
        """Makes what takes finished spans in place of the export: ``on_end(span)``, or ``export(spans)``.

        None, the default, leaves the export as it is.
        """
        return None

    @property
    def client(self) -> Any:
        """The client of the REST interface; it connects at its first call."""
        if self._client is None:
            self._client = self._create_api_client()
        return self._client

    @property
    def tracer_id(self) -> str:
        """Unique id of this tracer."""
        return self._recorder.tracer_id

    @property
    def project(self) -> str:
        """Project of everything it records."""
        return self._recorder.project_name

    project_name = project

    @property
    def source(self) -> str:
        """Environment of everything it records."""
        return self._recorder.source

    source_environment = source

    @property
    def run_id(self) -> str | None:
        """Evaluation run: its own, else the context's."""
        return self._recorder.run_id or self._recorder.get_baggage("run_id")

    @property
    def dataset_id(self) -> str | None:
        """Evaluation dataset: its own, else the context's."""
        return self._recorder.dataset_id or self._recorder.get_baggage("dataset_id")

    @property
    def datapoint_id(self) -> str | None:
        """Evaluation datapoint: its own, else the context's."""
        return self._recorder.datapoint_id or self._recorder.get_baggage("datapoint_id")

    @property
    def test_mode(self) -> bool:
        """Whether nothing is sent."""
        return self._recorder.test_mode

    is_test_mode = test_mode

    @property
    def verbose(self) -> bool:
        """Whether it was asked to say more."""
        return self._recorder.verbose

    @property
    def is_evaluation(self) -> bool:
        """Whether it records for an evaluation."""
        return self._recorder.is_evaluation

    @property
    def is_initialized(self) -> bool:
        """True: there is no tracer that is not."""
        return True

    @property
    def provider(self) -> Any:
        """An OpenTelemetry TracerProvider over this tracer. Needs ``opentelemetry-api``."""
        return self._recorder.provider

    @property
    def tracer(self) -> Any:
        """An OpenTelemetry Tracer over this tracer. Needs ``opentelemetry-api``."""
        return self.provider.get_tracer("aitrace.honeyhive")

    @property
    def is_main_provider(self) -> bool:
        """Whether OpenTelemetry's global provider is this tracer's; it is never set unasked."""
        module = sys.modules.get("opentelemetry.trace")
        return module is not None and module.get_tracer_provider() is vars(self._recorder).get("provider")

    def start_span(
        self,
        name: str,
        *,
        kind: Any = None,
        attributes: Mapping[str, Any] | None = None,
        links: Any = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        event_type: str | None = None,
        **said: Any,
    ) -> Any:
        """Starts a span at once, under what is current; ``with`` makes it current and ends it.

        Without ``with`` it is not current and ``end()`` ends it. ``kind`` is OpenTelemetry's or one of
        llm, agent, retriever, …; ``start_time`` is in nanoseconds since 1970; other names go to its
        ``enrich``.
        """
        span = _spans.start(
            self._recorder,
            name,
            kind=kind,
            attributes=attributes,
            links=links,
            start_time=start_time,
            event_type=event_type,
        )
        if said:
            span.enrich(**said)
        if record_exception and set_status_on_exception:
            return span
        return _spans.QuietSpan(span, record=record_exception, mark=set_status_on_exception)

    def trace(self, name: Any = None, event_type: str | None = None, **options: Any) -> Any:
        """A span of this tracer around a block or around the calls of a function.

        ``with tracer.trace("name", event_type="tool") as span:``, ``@tracer.trace``,
        ``@tracer.trace(event_type="tool")``. Options are those of ``trace``; around a block other names are
        attributes.
        """
        if callable(name) and not isinstance(name, str):
            return _traced.trace(event_type=event_type, tracer=self, **options)(name)
        name = options.pop("event_name", name)
        return _spans.Traced(
            self, None if name is None else str(name), event_type=event_type, options=options
        )

    atrace = trace

    def enrich_span(  # noqa: PLR0917 (the signature that callers know)
        self,
        attributes: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        metrics: dict[str, Any] | None = None,
        feedback: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        outputs: Any = None,
        config: dict[str, Any] | None = None,
        user_properties: dict[str, Any] | None = None,
        error: Any = None,
        event_id: str | None = None,
        update_event_id: str | None = None,
        **others: Any,
    ) -> bool:
        """Adds to this tracer's current span, never to another's; whether there is one.

        ``attributes`` and names that are no parameter are metadata. ``event_id`` names an earlier event to
        add to instead; ``update_event_id`` gives this span's event that id.
        """
        said = {
            "metrics": metrics, "feedback": feedback, "inputs": inputs, "outputs": outputs, "config": config,
            "user_properties": user_properties, "error": error, **others,
        }  # fmt: skip
        if event_id is not None and self._foreign_client() is not None:
            merged = {**(attributes or {}), **(metadata or {}), **others} or None
            said = {name: value for name, value in said.items() if name not in others}
            return self._told("events", "update", {"event_id": event_id, "metadata": merged, **said})
        return bool(
            _free.enrich(
                self._recorder,
                attributes,
                metadata=metadata,
                event_id=event_id,
                update_event_id=update_event_id,
                **said,
            )
        )

    def get_baggage(self, key: str) -> str | None:
        """A value of the current baggage, None where it is not set."""
        return self._recorder.get_baggage(key)

    def set_baggage(self, key: str, value: Any) -> None:
        """Sets a value of the baggage for the rest of the current context; None takes it out.

        Only run_id, dataset_id, datapoint_id and tracer_id travel to other processes.
        """
        self._recorder.set_baggage(key, value)

    def inject_context(self, carrier: dict[str, Any] | None = None) -> dict[str, Any]:
        """Writes the headers of the current context into ``carrier`` and returns it."""
        carrier = {} if carrier is None else carrier
        self._recorder.inject_context(carrier)
        return carrier

    inject = inject_context

    def extract_context(self, carrier: Mapping[str, Any] | None) -> ExtractedContext | None:
        """What the headers in ``carrier`` say, for ``with``; None where there are none."""
        try:
            return _carriers.read(carrier) if carrier else None
        except Exception:  # a carrier of another kind than promised must not cost a request
            _log.debug("a carrier could not be read", exc_info=True)
            return None

    def link(self, carrier: Mapping[str, Any] | None = None) -> str:
        """Makes current, until ``unlink``, what the headers in ``carrier`` say; what to call that with."""
        context = self.extract_context(carrier)
        if context is None:
            return ""
        token = aitrace._native.attach(context._scope)
        name = f"link-{id(token):x}"
        self._links[name] = token
        return name

    def unlink(self, _token: str) -> None:
        """Undoes ``link``; an unknown token does nothing."""
        token = self._links.pop(str(_token), None)
        if token is not None:
            aitrace._native.detach(token)

    def log(self, event: str, level: Any = "info", **fields: Any) -> str | None:
        """Writes a log record under the current span; its id, None where nothing is recorded."""
        return self._recorder.log(event, level, **fields)

    flush = _spans.Flush()
    force_flush = flush

    @staticmethod
    def flush_all(timeout_millis: float = 30000) -> bool:
        """Flushes every tracer; whether everything was sent."""
        results = [tracer.flush(timeout_millis) for tracer in _known.living()]
        return all(results)

    def shutdown(self) -> None:
        """Flushes, then records nothing more; functions run on untraced, other tracers record on."""
        self._recorder.shutdown()

    @staticmethod
    def reset() -> None:
        """Takes back ``set_default_tracer``."""
        _free.set_default_tracer(None)

    def spans(self) -> list[FinishedSpan]:
        """The finished spans in test mode, in the order they ended; else none."""
        return self._recorder.spans()
