"""Functions that find their tracer: ``tracer=``, else the current span's, else the default one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aitrace import _native
from aitrace.honeyhive import _sessions
from aitrace.honeyhive._known import discover, recorder_of, tracer_of

if TYPE_CHECKING:
    from aitrace.honeyhive._tracer import HoneyHiveTracer


def enrich_span(  # noqa: PLR0917 (the signature that callers know)
    attributes: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
    feedback: dict[str, Any] | None = None,
    inputs: dict[str, Any] | None = None,
    outputs: Any = None,
    config: dict[str, Any] | None = None,
    error: Any = None,
    event_id: str | None = None,
    tracer: Any = None,
    tracer_instance: Any = None,
    user_properties: dict[str, Any] | None = None,
    **others: Any,
) -> _native.Enrichment:
    """Adds to the current span of the tracer that is found here; true where there is one.

    ``attributes`` and names that are no parameter are metadata; ``event_type`` sets the span's type. The
    answer works with ``with`` and gives the span. It is made anew by each call.
    """
    return enrich(
        recorder_of(tracer if tracer is not None else tracer_instance),
        attributes,
        metadata=metadata,
        metrics=metrics,
        feedback=feedback,
        inputs=inputs,
        outputs=outputs,
        config=config,
        error=error,
        event_id=event_id,
        user_properties=user_properties,
        **others,
    )


def enrich(
    recorder: _native.Tracer | None,
    attributes: Any,
    /,
    *,
    metadata: Any = None,
    event_id: str | None = None,
    update_event_id: str | None = None,
    **said: Any,
) -> _native.Enrichment:
    """What both forms of ``enrich_span`` do."""
    if attributes:
        metadata = {**attributes, **(metadata or {})} if isinstance(attributes, dict) else attributes
    given = {name: value for name, value in said.items() if value is not None}
    done = _native.enrich_span(metadata, tracer=recorder, event_id=event_id, **given)
    if update_event_id is not None:
        with done as span:
            if span is not None:
                span.set_attribute("honeyhive_event_id", update_event_id)
    return done


def enrich_session(  # noqa: PLR0917 (the signature that callers know)
    session_id: str | None = None,
    metadata: dict[str, Any] | None = None,
    tracer: Any = None,
    tracer_instance: Any = None,
    **groups: Any,
) -> None:
    """Adds to a session, by default that of the tracer that is found here.

    Groups are ``inputs, outputs, metrics, feedback, config, user_properties``; other names are metadata.
    """
    recorder = discover(tracer if tracer is not None else tracer_instance)
    if recorder is None:
        return
    found = tracer_of(recorder)
    if found is not None:
        found.enrich_session(metadata, session_id=session_id, **groups)
    else:
        _sessions.update(recorder, session_id or _sessions.current(recorder), metadata=metadata, **groups)


def flush(tracer: Any = None, timeout_millis: float = 30000) -> bool:
    """Sends what the tracer that is found here has recorded; whether it was all."""
    recorder = discover(tracer)
    return True if recorder is None else bool(recorder._flush(timeout_millis / 1000)[0])


def set_default_tracer(tracer: HoneyHiveTracer | None) -> None:
    """Sets the tracer of free functions outside of any span; None goes back to the oldest one."""
    _native.set_default_tracer(recorder_of(tracer))


def get_default_tracer() -> HoneyHiveTracer | None:
    """The tracer that free functions use here."""
    return tracer_of(discover())
