"""Errors: what a tool says when it cannot answer; on the lowest floor, so that all can say it."""

from __future__ import annotations


class ToolError(Exception):
    """A tool gives no answer.

    Takes one string, so that it crosses process borders. Its text says what was given,
    what is allowed, and what to do.
    """


class InvalidInput(ToolError):  # noqa: N818 - named for who must act
    """The request is wrong; the planner or the user can mend it."""


class Unavailable(ToolError):  # noqa: N818 - named for who must act
    """The tool cannot work on this machine now; no other argument helps."""
