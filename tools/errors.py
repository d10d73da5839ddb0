"""Errors: what a tool may say when it cannot answer, split by who can mend it."""

from __future__ import annotations

from models.errors import InvalidInput, ToolError, Unavailable

__all__ = ["InvalidInput", "ToolError", "Unavailable"]
