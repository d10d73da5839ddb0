"""Owner: whose request this is, as the guard at the door found."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request


def owner_of(request: Request) -> str:
    """Id of the owner; set by the guard before any route runs."""
    owner: str = request.state.owner
    return owner


Owner = Annotated[str, Depends(owner_of)]
