"""Config: how many replicas hold which tools, what each may use, what each may be asked."""

from __future__ import annotations

from pydantic import Field, ValidationError

from tools.base import Record, explain
from tools.errors import InvalidInput
from tools.profile import Profile


class Group(Record):
    """One kind of replica: a process that holds these tools."""

    tools: tuple[str, ...] = Field(default=(), description="names; empty: all no other group has")
    replicas: int = Field(1, ge=1, le=1000, description="processes to begin with")
    most_replicas: int | None = Field(
        None, ge=1, le=1000, description="above `replicas`: more are started under load"
    )
    cpus: float = Field(1.0, ge=0, description="cores of a replica; its threads, at least 1")
    gpus: float = Field(0.0, ge=0, description="share of a GPU of a replica")
    batch: int = Field(8, ge=1, le=256, description="most requests that run as one")
    running: int = Field(32, ge=1, description="most requests inside a replica")
    waiting: int = Field(64, ge=0, description="most requests that wait before the replicas")
    timeout_s: float = Field(120.0, gt=0, description="s after which a caller gives up")
    drain_s: float = Field(20.0, ge=0, description="s that a stopping replica has to finish")


class Limits(Record):
    """What callers may ask of the doors. Per key where not said otherwise."""

    upload_mib: float = Field(20.0, gt=0, le=64, description="MiB of one request's body")
    pixels: int = Field(40_000_000, ge=1, description="of one picture, before it is decoded")
    requests_per_minute: float = Field(600.0, gt=0)
    running: int = Field(4, ge=1, description="runs at once")
    waiting: int = Field(16, ge=0, description="runs that wait for those")
    run_seconds: float = Field(300.0, gt=0, description="most seconds that one run may take")
    seconds_per_day: float = Field(86_400.0, gt=0, description="of runs, added up")
    fetch_urls: bool = Field(False, description="whether picture URLs are fetched at all")


class ServingConfig(Record):
    """The `serving` part of a profile."""

    groups: dict[str, Group] = Field(default_factory=lambda: {"tools": Group.model_validate({})})
    limits: Limits = Field(default_factory=lambda: Limits.model_validate({}))

    @classmethod
    def of(cls, profile: Profile) -> ServingConfig:
        """Read a profile's `serving`; every tool ends up in exactly one group.

        Raises:
            InvalidInput: it names a tool that is not in the profile, or one twice.
        """
        try:
            config = cls.model_validate(profile.serving)
        except ValidationError as error:
            raise InvalidInput(f"serving of profile {profile.name!r}: {explain(error)}") from error
        named = [tool for group in config.groups.values() for tool in group.tools]
        for tool in named:
            if tool not in profile.tools:
                known = ", ".join(profile.tools)
                raise InvalidInput(f"serving: no tool {tool!r} in the profile; there are: {known}")
            if named.count(tool) > 1:
                raise InvalidInput(f"serving: tool {tool!r} is in two groups")
        rest = tuple(tool for tool in profile.tools if tool not in named)
        open_groups = [name for name, group in config.groups.items() if not group.tools]
        if len(open_groups) > 1:
            raise InvalidInput(f"serving: groups {', '.join(open_groups)} name no tools; one may")
        groups = dict(config.groups)
        home = open_groups[0] if open_groups else "tools"
        if rest:
            groups[home] = groups.get(home, Group.model_validate({})).model_copy(
                update={"tools": (*groups[home].tools, *rest) if home in groups else rest}
            )
        return config.model_copy(update={"groups": groups})
