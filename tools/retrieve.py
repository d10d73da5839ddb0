"""Retrieve: the pictures of a person's own folders that fit words, a picture, or both, best."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from models import weights
from tools.base import Progress, Record, Text, Tool
from tools.errors import InvalidInput
from tools.index.catalogue import Catalogue, Vectors
from tools.index.nearest import Hit, nearest, spread
from tools.values import Image, load_image


class RetrieveInput(Record):
    """What to look for."""

    query: Text | None = Field(None, description="words, such as: a red car next to a tree")
    image: Image | None = Field(None, description="a picture that the others should be like")
    index: str = Field("default", description="which index; `sightloop index add` makes them")
    k: int = Field(5, ge=1, le=100, description="how many pictures, 1 to 100")


class Match(Record):
    """One picture that was found."""

    path: str
    score: float = Field(ge=-1, le=1, description="cosine similarity to what was asked for")
    image: str = Field(description="id of the picture")


class RetrieveOutput(Record):
    """The pictures found, the best first; those whose file is gone or changed are left out."""

    matches: tuple[Match, ...]
    images: tuple[Image, ...] = Field(description="the i-th is that of the i-th match")


class Retrieve(Tool[RetrieveInput, RetrieveOutput]):
    """Find pictures of the person's own folders by words, by a picture, or by both.

    The index knows which encoder made it; CLIP unless another was chosen (Radford et al. 2021,
    arXiv:2103.00020).

    Raises:
        InvalidInput: nothing was asked for, there is no such index, it is empty or damaged, was
            made with other weights, or its encoder reads no words.
        Unavailable: the checkpoint is not on this machine, or the index cannot be read.
    """

    name = "retrieve"
    cached: ClassVar[bool] = False  # the index may have changed since
    input = RetrieveInput
    output = RetrieveOutput

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import encoders

        encoders.load(checkpoint, device, dtype)
        self._place = (device, dtype)

    def check(self, request: RetrieveInput) -> None:
        if request.query is None and request.image is None:
            raise InvalidInput("retrieve needs words (query), a picture (image), or both")
        with Catalogue(request.index) as catalogue:
            if len(catalogue) == 0:
                raise InvalidInput(
                    f"index {request.index!r} holds no pictures; `sightloop index add FOLDER`"
                )
            if request.query is not None and not catalogue.speaks:
                raise InvalidInput(
                    f"index {request.index!r} was made with {catalogue.checkpoint!r}, which reads "
                    "no words; give a picture, or make an index with --encoder clip"
                )
            if weights.digest(catalogue.checkpoint) != catalogue.digest:
                raise InvalidInput(
                    f"index {request.index!r} was made with other weights of "
                    f"{catalogue.checkpoint!r} than are here now; `sightloop index remove "
                    f"{request.index}` and add its folders again"
                )

    def answer(
        self, requests: Sequence[RetrieveInput], progress: Progress | None
    ) -> list[RetrieveOutput]:
        return [self._find(request) for request in requests]

    def _find(self, request: RetrieveInput) -> RetrieveOutput:
        with Catalogue(request.index) as catalogue:
            query = self._vector(request, catalogue)
            wanted = request.k
            while True:  # more, when files of the first ones are gone
                (hits,) = nearest(catalogue, query[None], wanted)
                shown = [(hit, image) for hit in hits if (image := _picture(hit)) is not None]
                if len(shown) >= request.k or len(hits) < wanted:
                    break
                wanted *= 2
        shown = shown[: request.k]
        return RetrieveOutput(
            matches=tuple(
                Match(path=hit.entry.path, score=_cosine(hit.score), image=image.id)
                for hit, image in shown
            ),
            images=tuple(image for _, image in shown),
        )

    def _vector(self, request: RetrieveInput, catalogue: Catalogue) -> Vectors:
        """Unit vector of the request: float32, (D,).

        Words and pictures lie in different corners of the space, and a picture is always closer
        to pictures; so each is weighed by how far its cosines spread over the index.
        """
        from models import encoders

        encoder = encoders.load(catalogue.checkpoint, *self._place)
        asked: list[Vectors] = []
        if request.query is not None:
            asked.append(encoder.texts([request.query])[0].cpu().numpy())
        if request.image is not None:
            asked.append(encoder.pictures([request.image.pixels])[0].cpu().numpy())
        if len(asked) == 1:
            return asked[0]
        wide = spread(catalogue.vectors(), asked)
        mixed = sum(
            vector / max(width, 1e-6) for vector, width in zip(asked, wide, strict=True)
        ) + np.zeros_like(asked[0])
        return np.asarray(mixed / np.linalg.norm(mixed), np.float32)


def _picture(hit: Hit) -> Image | None:
    """The picture behind a hit, if its file still holds it."""
    try:
        image = load_image(Path(hit.entry.path)).image
    except InvalidInput:
        return None
    return image if image.id == hit.entry.image else None


def _cosine(raw: float) -> float:
    return round(min(1.0, max(-1.0, raw)), 4)


TOOL = Retrieve
