"""Profile: which checkpoint serves each tool, on what device, in what number format."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from tools.base import Record, explain
from tools.errors import InvalidInput

FOLDER = Path(__file__).resolve().parent.parent / "profiles"

Dtype = Literal["auto", "float32", "bfloat16", "float16"]


class ToolProfile(Record):
    """How one tool is served."""

    checkpoint: str = Field(
        min_length=1, description="folder relative to the install root, hub id, or package:NAME"
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$")
    dtype: Dtype = "auto"
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="expected tree digest of the folder"
    )
    options: dict[str, Any] = Field(default_factory=dict, description="see the tool's options")
    parts: dict[str, str] = Field(
        default_factory=dict, description="checkpoints of the other networks that the tool holds"
    )


class Profile(Record):
    """A set of tools that work together."""

    name: str
    description: str = ""
    tools: dict[str, ToolProfile]
    memory_gib: float | None = Field(
        None,
        gt=0,
        description="of weights on one device; to load more, the least recently used leave",
    )
    serving: dict[str, Any] = Field(
        default_factory=dict, description="replicas and limits; see serving/config.py"
    )


def profile_names() -> list[str]:
    """The profiles that come with the installation."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_profile(name_or_path: str | Path) -> Profile:
    """Read a profile by its name or from a YAML file.

    A profile may say `extends: NAME`, of those that come with the installation: what it does not
    say, and each tool that it does not name, are as in that one.

    Raises:
        InvalidInput: there is no such profile, or the file is not a valid one.
    """
    text = str(name_or_path)
    path, content = _read(text)
    if (base := content.pop("extends", None)) is not None:
        if base not in profile_names():
            raise InvalidInput(
                f"profile {text!r} extends {base!r}; it can extend: {', '.join(profile_names())}"
            )
        under = load_profile(base)
        own = content.get("tools", {})
        tools = {**under.tools, **own} if isinstance(own, dict) else own
        content = {**dict(under), "name": path.stem, **content, "tools": tools}
    try:
        return Profile.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        raise InvalidInput(f"profile {text!r}: {explain(error)}") from error


def _read(text: str) -> tuple[Path, dict[str, Any]]:
    """Where a profile lies, and what its file says."""
    own = text.endswith((".yaml", ".yml"))
    path = Path(text) if own else FOLDER / f"{text}.yaml"
    if not (path.is_file() if own else text in profile_names()):
        raise InvalidInput(
            f"no profile {text!r}; there are: {', '.join(profile_names())}; "
            "or give the path of a .yaml file"
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InvalidInput(f"profile {text!r} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise InvalidInput(f"profile {text!r} holds no mapping; it needs the key 'tools'")
    return path, content
