"""Picture routes: pictures in, and out again as files of any of three formats and any size."""

from __future__ import annotations

import asyncio
import io
from typing import Annotated, Any, Literal, get_args

from fastapi import FastAPI, Query, Request, Response

from serving.answers import NotFound
from serving.front import Front
from serving.owner import Owner
from serving.pictures import from_bytes
from tools.base import Record
from tools.errors import InvalidInput
from tools.values import Image

Format = Literal["png", "jpeg", "webp"]
_BYTES = {"schema": {"type": "string", "format": "binary"}}
FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {f"image/{kind}": _BYTES for kind in get_args(Format)}}
}


class Uploaded(Record):
    """A picture that was taken in."""

    id: str
    width: int
    height: int


def add(app: FastAPI, front: Front) -> None:
    """Add the routes to an application."""
    body = {"content": {"image/*": _BYTES}}

    @app.post("/v1/pictures", status_code=201, openapi_extra={"requestBody": body})
    async def upload(request: Request, owner: Owner) -> Uploaded:
        """Take a picture in: the bytes of a PNG, JPEG, WEBP, GIF, BMP or TIFF file."""
        image = await asyncio.to_thread(from_bytes, await request.body(), front.limits)
        identity = await asyncio.to_thread(front.upload, owner, image)
        return Uploaded(id=identity, width=image.width, height=image.height)

    @app.get("/v1/pictures/{identity}", response_class=Response, responses=FILES)
    async def picture(
        owner: Owner,
        identity: str,
        format: Format = "png",  # noqa: A002 - its name in the address
        side: Annotated[int | None, Query(ge=8, le=4096)] = None,
    ) -> Response:
        """A picture; with `side`, scaled down so that neither side is longer."""
        image = await asyncio.to_thread(_own, front, owner, identity)
        data = await asyncio.to_thread(encoded, image, format, side)
        kept = {"cache-control": "private, max-age=31536000, immutable"}
        return Response(data, media_type=f"image/{format}", headers=kept)


def _own(front: Front, owner: str, identity: str) -> Image:
    try:
        return front.picture(owner, identity)
    except InvalidInput as error:
        raise NotFound(str(error)) from error


def encoded(image: Image, format: Format, side: int | None) -> bytes:  # noqa: A002
    """A picture as a file, scaled down where `side` is shorter than it is."""
    if format == "png" and side is None:
        return image.png()
    picture = image.to_pil()
    if side is not None:
        picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, format=format.upper())
    return buffer.getvalue()
