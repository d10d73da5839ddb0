"""Registry: finds the tools of this folder, each a module whose last line names its class TOOL."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

from tools.base import Tool

_PLUMBING = {
    "base",
    "cache",
    "concepts",
    "cutout",
    "drawing",
    "errors",
    "home",
    "profile",
    "region",
    "registry",
    "rle",
    "toolbox",
    "selector",
    "values",
    "view",
}


@cache
def discover() -> dict[str, type[Tool[Any, Any]]]:
    """Every tool class by name, in the order of their names. Imports no network library.

    Raises:
        ImportError: a module has no TOOL, repeats a name, or lies in another folder, as when an
            installed package of the same name hides this one.
    """
    folder = Path(__file__).resolve().parent
    found: dict[str, type[Tool[Any, Any]]] = {}
    for path in sorted(folder.glob("*.py")):
        if path.stem in _PLUMBING or path.stem.startswith("_"):
            continue
        module = importlib.import_module(f"tools.{path.stem}")
        if module.__file__ is None or Path(module.__file__).resolve() != path:
            raise ImportError(f"tools.{path.stem} comes from {module.__file__}, not from {folder}")
        tool = getattr(module, "TOOL", None)
        if not (isinstance(tool, type) and issubclass(tool, Tool)):
            raise ImportError(f"tools/{path.name} must end in `TOOL = ` and its Tool class")
        if tool.name in found:
            raise ImportError(f"two tools are named {tool.name!r}: {found[tool.name]} and {tool}")
        found[tool.name] = tool
    return dict(sorted(found.items()))
