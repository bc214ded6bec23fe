"""The client of the REST interface."""

from aitrace.honeyhive.api.client import HoneyHive

__all__ = ["HoneyHive"]
