"""Remote: the tools of a `sightloop serve` elsewhere, called over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx

from tools.base import Progress, Record, Tool
from tools.cache import pictures_in
from tools.errors import InvalidInput, ToolError, Unavailable
from tools.profile import Profile, ToolProfile
from tools.registry import discover
from tools.toolbox import Toolbox
from tools.values import Image, load_image

FRESH = 5.0  # s for which the list of tools is believed
PATIENCE = 600.0  # s that a call may take


class RemoteToolbox(Toolbox):
    """A toolbox on another machine.

    Pictures are sent once and fetched when a result names them. Progress is not told.

    Args:
        url: of the server, such as http://127.0.0.1:8000.
        key: `sl-…`, where the server wants one.
    """

    def __init__(self, url: str, *, key: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._classes = discover()
        self._alive: tuple[str, ...] = ()
        self._absent: dict[str, str] = {}
        self._asked = -FRESH
        self._sent: set[str] = set()

    @property
    def profile(self) -> Profile:
        """What can be said of the server's profile from outside."""
        tools = {name: ToolProfile(checkpoint=self.url) for name in self.names()}
        return Profile(name="server", description=f"The tools of {self.url}.", tools=tools)

    def names(self) -> list[str]:
        """The tools that can be called now; those of the last look while the server is away."""
        if time.monotonic() - self._asked > FRESH:
            self._asked = time.monotonic()
            try:
                answer = httpx.get(f"{self.url}/v1/tools", headers=self._headers, timeout=10)
                self._list(_read(answer))
            except (httpx.HTTPError, ToolError) as error:
                self._absent = dict.fromkeys(self._alive, f"{self.url} does not answer: {error}")
        return [name for name in self._alive if name not in self._absent]

    def absent(self) -> dict[str, str]:
        """The tools that the server has and cannot use, each with the reason."""
        self.names()
        return dict(self._absent)

    def tool(self, name: str) -> Tool[Any, Any]:
        if name in self._absent:
            raise Unavailable(self._absent[name])
        if name not in self._alive or name not in self._classes:
            raise InvalidInput(f"no tool {name!r}; there are: {', '.join(self._alive) or 'none'}")
        return self._classes[name]({}, {})

    def checkpoint_digest(self, name: str) -> str:
        return f"{self.url}/{name}"  # the server alone knows its weights

    async def call_many(
        self, name: str, inputs: Sequence[Record], progress: Progress | None = None
    ) -> list[Record | ToolError]:
        async with httpx.AsyncClient(
            base_url=self.url, headers=self._headers, timeout=PATIENCE
        ) as client:
            return await asyncio.gather(*(self._call(client, name, one) for one in inputs))

    async def _call(
        self, client: httpx.AsyncClient, name: str, given: Record
    ) -> Record | ToolError:
        try:
            for image in pictures_in(given):
                await self._send(client, image)
            shown = given.model_dump(mode="json", exclude_none=True)
            made = _read(await client.post(f"/v1/tools/{name}", json=shown))
            return await self._received(client, name, made)
        except httpx.HTTPError as error:
            return Unavailable(f"{self.url} does not answer: {error or type(error).__name__}")
        except ToolError as error:
            return error

    async def _send(self, client: httpx.AsyncClient, image: Image) -> None:
        if image.id not in self._sent:
            _read(await client.post("/v1/pictures", content=image.png()))
            self._sent.add(image.id)

    async def _received(self, client: httpx.AsyncClient, name: str, made: dict[str, Any]) -> Record:
        wanted = made.get("images", [made["image"]] if "image" in made else [])
        held: dict[str, Image] = {}
        for identity in wanted:
            answer = await client.get(f"/v1/pictures/{identity}")
            if answer.is_error:
                _read(answer)
            held[identity] = load_image(answer.content).image
            self._sent.add(identity)
        output: Record = self._classes[name].output.model_validate(
            made, context={"pictures": held.__getitem__}
        )
        return output

    def _list(self, told: dict[str, Any]) -> None:
        self._alive = tuple(sorted(card["name"] for card in told["tools"]))
        self._absent = dict(told["absent"])


def _read(answer: httpx.Response) -> dict[str, Any]:
    """What a server says.

    Raises:
        InvalidInput: it refuses what was asked.
        Unavailable: it cannot answer.
    """
    try:
        said: dict[str, Any] = answer.json()
    except ValueError as error:
        raise Unavailable(f"{answer.url} is no Sightloop server") from error
    if answer.is_error:
        problem = said.get("error", {})
        message = str(problem.get("message", f"status {answer.status_code}"))
        raise (InvalidInput if answer.status_code in (400, 404, 422) else Unavailable)(message)
    return said
