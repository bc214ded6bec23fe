"""Holds ``HTTPException`` under the path that code imports it from."""

from aitrace.honeyhive._errors import HTTPException

__all__ = ["HTTPException"]
