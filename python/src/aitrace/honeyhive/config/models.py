"""Settings of a tracer as objects. A field that is None was not given; unknown fields are kept and unused."""

from __future__ import annotations

from typing import ClassVar

from aitrace.honeyhive.models._base import Model

_COMMON = ("api_key", "ingestion_api_key", "server_url", "project", "test_mode", "verbose")


class BaseHoneyHiveConfig(Model):
    """What all have in common."""

    fields: ClassVar[tuple[str, ...]] = _COMMON


class TracerConfig(BaseHoneyHiveConfig):
    """Everything about a tracer."""

    fields = (
        *_COMMON, "session_name", "source", "disable_http_tracing", "disable_batch", "disable_tracing",
        "span_name_filters", "max_attributes", "max_events", "max_links", "max_span_size",
        "preserve_core_attributes", "cache_enabled", "cache_max_size", "cache_ttl",
        "cache_cleanup_interval", "requests_session", "session_id", "inputs", "link_carrier",
        "is_evaluation", "run_id", "dataset_id", "datapoint_id",
    )  # fmt: skip


class SessionConfig(BaseHoneyHiveConfig):
    """What concerns the session; wins over a TracerConfig."""

    fields = (
        *_COMMON,
        "session_id",
        "session_name",
        "skip_backend_session_creation",
        "inputs",
        "link_carrier",
    )


class EvaluationConfig(BaseHoneyHiveConfig):
    """What concerns an evaluation; wins over a TracerConfig, less than a SessionConfig."""

    fields = (*_COMMON, "is_evaluation", "run_id", "dataset_id", "datapoint_id")


__all__ = ["BaseHoneyHiveConfig", "EvaluationConfig", "SessionConfig", "TracerConfig"]
