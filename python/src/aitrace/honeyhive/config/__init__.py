"""Settings of a tracer as objects."""

from aitrace.honeyhive.config.models import EvaluationConfig, SessionConfig, TracerConfig

__all__ = ["EvaluationConfig", "SessionConfig", "TracerConfig"]
