"""What a tracer is made with, from keywords, config objects and the environment."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aitrace.honeyhive import _environment as environment

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger("aitrace.honeyhive")
# Our queue, batches, context and export have nothing that these would set; a session costs no request.
_WITHOUT_EFFECT = frozenset(
    {
        "cache_cleanup_interval", "cache_enabled", "cache_max_size", "cache_ttl", "disable_batch",
        "disable_http_tracing", "disable_tracing", "max_attributes", "max_events", "max_links",
        "max_span_size", "preserve_core_attributes", "requests_session",
        "skip_backend_session_creation", "span_name_filters",
    }
)  # fmt: skip
_KNOWN = frozenset(
    {
        "api_key", "datapoint_id", "dataset_id", "exporter", "ingestion_api_key", "inputs", "is_evaluation",
        "link_carrier", "metadata", "project", "run_id", "server_url", "service", "session_id",
        "session_name", "source", "target", "test_mode", "verbose",
    }
)  # fmt: skip


@dataclass
class Settings:
    """Settings after all sources were asked."""

    api_key: str | None
    project: str | None
    source: str
    server_url: str | None
    session_id: str | None
    session_name: str | None
    inputs: dict[str, Any] | None
    metadata: dict[str, Any] | None
    link_carrier: Mapping[str, Any] | None
    is_evaluation: bool
    run_id: str | None
    dataset_id: str | None
    datapoint_id: str | None
    test_mode: bool
    verbose: bool
    disabled: bool
    service: str | None
    target: Any
    exporter: Any


def resolve(keywords: Mapping[str, Any], configs: Sequence[Any]) -> Settings:
    """Keywords win over configs in their order, these over ``HH_*`` variables. None is not given."""
    for name in keywords.keys() - _KNOWN - _WITHOUT_EFFECT:
        _log.debug("a tracer has no setting %r; it is ignored", name)

    def given(name: str) -> Any:
        value = keywords.get(name)
        for config in configs:
            if value is not None:
                break
            # Also a dict, or a config object of the real package.
            value = config.get(name) if isinstance(config, Mapping) else getattr(config, name, None)
        return value

    def text(name: str, *, bare: bool = False) -> str | None:
        value = given(name)
        return environment.text(name.upper(), bare=bare) if value is None else str(value)

    ids = {name: text(name, bare=True) for name in ("run_id", "dataset_id", "datapoint_id")}
    implied = True if all(ids.values()) else None
    return Settings(
        api_key=given("api_key") or given("ingestion_api_key") or environment.api_key(),
        project=text("project"),
        source=text("source") or "dev",
        server_url=environment.given_url(given("server_url")),
        session_id=as_uuid(text("session_id", bare=True)),
        session_name=text("session_name", bare=True),
        inputs=given("inputs") or environment.members("INPUTS", bare=True),
        metadata=_metadata(given("metadata")),
        link_carrier=given("link_carrier") or environment.members("LINK_CARRIER", bare=True),
        is_evaluation=environment.flag("IS_EVALUATION", given("is_evaluation") or implied, bare=True),
        **ids,
        test_mode=environment.flag("TEST_MODE", given("test_mode")),
        verbose=environment.flag("VERBOSE", given("verbose")),
        disabled=(environment.text("OTLP_ENABLED") or "").lower() in {"0", "false", "no", "off"},
        service=given("service") or environment.text("SERVICE_NAME"),
        target=given("target"),
        exporter=given("exporter"),
    )


def as_uuid(session_id: str | None) -> str | None:
    """A session's id, None for one that is no UUID: a new one is made then."""
    if session_id is None:
        return None
    try:
        return str(uuid.UUID(session_id))
    except ValueError:
        _log.warning("session_id %r is no UUID: the session gets a new one", session_id)
        return None


def _metadata(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """The session's metadata: what was given, over what ``HH_EXPERIMENT_*`` say."""
    found: dict[str, Any] = {}
    for name in ("ID", "NAME", "VARIANT", "GROUP"):
        value = environment.text(f"EXPERIMENT_{name}")
        if value is not None:
            found[f"experiment_{name.lower()}"] = value
    more = environment.members("EXPERIMENT_METADATA")
    if more is not None:
        found["experiment_metadata"] = more
    return {**found, **(given or {})} or None
