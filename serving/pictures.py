"""Pictures: how they come in from outside, as bytes, data URLs or, where allowed, addresses."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import ipaddress
import socket
import warnings
from collections.abc import Callable
from urllib.parse import urlsplit

from PIL import Image as PIL
from PIL import UnidentifiedImageError

from serving.config import Limits
from tools.errors import InvalidInput, ToolError
from tools.values import FORMATS, Image, load_image

Resolve = Callable[[str, int], str]
FETCH_S = 10.0  # s for the whole of it, however slowly it comes
REDIRECT = range(300, 400)
# An IPv4 address, perhaps a private one, wrapped into an IPv6 address.
TRANSLATED = [ipaddress.ip_network(each) for each in ("64:ff9b::/96", "2002::/16", "::ffff:0:0/96")]


class TooLarge(ToolError):  # noqa: N818 - read as words: it is too large
    """More bytes or pixels than are read."""


def from_bytes(data: bytes, limits: Limits) -> Image:
    """Decode a picture file.

    Raises:
        TooLarge: too many bytes, or pixels by its header; nothing is decoded then.
        InvalidInput: it is no picture.
    """
    most = int(limits.upload_mib * 2**20)
    if len(data) > most:
        raise TooLarge(f"the picture has more than {most} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own limit is below
            with PIL.open(io.BytesIO(data), formats=FORMATS) as header:
                width, height = header.size
    except PIL.DecompressionBombError as error:
        raise TooLarge(f"at most {limits.pixels} pixels are read") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError):
        width = height = 0  # load_image says what is wrong with it
    if width * height > limits.pixels:
        raise TooLarge(f"the picture is {width}x{height}; at most {limits.pixels} pixels are read")
    return load_image(data).image


async def from_url(url: str, limits: Limits, *, resolve: Resolve | None = None) -> Image:
    """A picture from a data URL, or fetched where that is allowed.

    Args:
        url: data:, http: or https:.
        limits: whether it is fetched, and how large it may be.
        resolve: host and port to the address that is connected to; `public_address` if not given.

    Raises:
        InvalidInput: it is no such URL, leads to a private address, or fetching is off.
        TooLarge: see `from_bytes`.
    """
    if url.startswith("data:"):
        return await asyncio.to_thread(from_bytes, _data(url, limits), limits)
    if not limits.fetch_urls:
        raise InvalidInput("picture URLs are not fetched here; send the picture as a data: URL")
    data = await _fetch(url, limits, resolve or public_address)
    return await asyncio.to_thread(from_bytes, data, limits)


def _data(url: str, limits: Limits) -> bytes:
    head, comma, body = url.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise InvalidInput("a picture's data URL is data:image/png;base64,…")
    if len(body) > limits.upload_mib * 2**20 * 4 / 3 + 4:
        raise TooLarge(f"the picture has more than {limits.upload_mib:g} MiB")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("the data URL's base64 is damaged") from error


def public_address(host: str, port: int) -> str:
    """An address of a host, if every address it has is a public one.

    Raises:
        InvalidInput: it has none, or a private, loopback, link-local or otherwise special one.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InvalidInput(f"host {host[:80]!r} has no address") from error
    addresses = [str(each[4][0]) for each in found]
    for text in addresses:
        address = ipaddress.ip_address(text.split("%")[0])
        translated = any(address in network for network in TRANSLATED if address.version == 6)
        if not address.is_global or address.is_multicast or translated:
            raise InvalidInput(f"host {host[:80]!r} is not a public address")
    return addresses[0]


async def _fetch(url: str, limits: Limits, resolve: Resolve) -> bytes:
    """Bytes behind a URL; the address that was checked is the one connected to."""
    import httpx

    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise InvalidInput("that is no URL") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise InvalidInput("a picture's URL is http:// or https://, without a user's name")
    address = await asyncio.to_thread(resolve, parts.hostname, port)
    where = httpx.URL(url).copy_with(host=address)
    most = int(limits.upload_mib * 2**20)
    data = bytearray()
    try:
        async with (
            asyncio.timeout(FETCH_S),
            httpx.AsyncClient(trust_env=False, follow_redirects=False) as client,
            client.stream(
                "GET",
                where,
                headers={"Host": parts.netloc},
                extensions={"sni_hostname": parts.hostname},
            ) as answer,
        ):
            if answer.status_code in REDIRECT:
                raise InvalidInput("the picture's URL leads elsewhere; give the last address")
            if answer.status_code != 200:
                raise InvalidInput(f"the picture's URL answered {answer.status_code}")
            async for part in answer.aiter_bytes():
                data += part
                if len(data) > most:
                    raise TooLarge(f"the picture has more than {most} bytes")
    except (httpx.HTTPError, TimeoutError) as error:
        raise InvalidInput("the picture's URL could not be read") from error
    return bytes(data)
