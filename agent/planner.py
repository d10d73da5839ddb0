"""Planner: the interface of whatever turns words into a plan.

This file does not know which language model stands behind it: `agent/language.py` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from agent.messages import Message, Observation
from agent.plan import Plan
from tools.toolbox import Toolbox


@dataclass(frozen=True)
class PlanRequest:
    """All that a planner may look at. It never sees pixels."""

    text: str
    """What the person wrote, as written."""
    tools: Toolbox
    """The tools that are alive in this profile; a plan may use no other."""
    history: tuple[Message, ...] = ()
    """Earlier turns of this conversation, oldest first, without `text`."""
    handles: tuple[str, ...] = ()
    """Names of the pictures of this conversation, oldest first, such as img1."""
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Handle to width and height in px, for places inside pictures; may be left empty."""
    observations: tuple[Observation, ...] = ()
    """What became of the plans made so far for this very request; empty the first time."""


@runtime_checkable
class Planner(Protocol):
    """Turns a request into a plan, or into a reply when no tool is needed."""

    async def plan(self, request: PlanRequest) -> Plan:
        """Plan one request.

        Raises:
            InvalidInput: what the language model said cannot be read as a plan.
            Unavailable: the language model cannot be reached or loaded.
        """
        ...
