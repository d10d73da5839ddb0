"""Ocr: text read off pictures by the PP-OCR networks that come inside RapidOCR's package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models import weights
from models.errors import Unavailable

CHECKPOINT = "package:rapidocr"


class Line(NamedTuple):
    """A line of text: box is x0, y0, x1, y1 in pixels, upright; confidence in 0..1."""

    text: str
    box: tuple[float, float, float, float]
    confidence: float


class Ocr:
    """Finds lines, turns them upright, reads them: Chinese, Japanese and Latin script."""

    def __init__(self, folder: Path) -> None:
        # Its own import is heavy, and fails where the package was installed without ONNX Runtime.
        from rapidocr import RapidOCR

        paths = {f"{stage}.model_path": _network(folder, stage) for stage in ("Det", "Cls", "Rec")}
        threads = {"EngineConfig.onnxruntime.intra_op_num_threads": torch.get_num_threads()}
        self._engine = RapidOCR(params={"Global.log_level": "critical", **paths, **threads})
        blank = np.full((32, 32, 3), 255, np.uint8)
        self._engine(blank, use_det=True, use_cls=False, use_rec=False)  # loads what finds
        self._engine(blank, use_det=False, use_cls=True, use_rec=True)  # loads what reads

    def read(
        self, pictures: Sequence[NDArray[np.uint8]], *, threshold: float
    ) -> list[tuple[Line, ...]]:
        """Read pictures, one after another: lines of other pictures would change the padding.

        Args:
            pictures: RGB, uint8, (H, W, 3), 0..255, of any sizes.
            threshold: lines that are believed less are left out, 0..1.

        Returns:
            The lines of each picture, in no particular order; boxes lie inside the picture.
        """
        return [self._lines(pixels, threshold) for pixels in pictures]

    def _lines(self, pixels: NDArray[np.uint8], threshold: float) -> tuple[Line, ...]:
        found: Any = self._engine(
            np.ascontiguousarray(pixels[..., ::-1]),  # it wants BGR
            use_det=True, use_cls=True, use_rec=True, text_score=threshold,
        )  # fmt: skip
        if not getattr(found, "txts", None):  # what finds nothing answers in another class
            return ()
        height, width = pixels.shape[:2]
        corners = np.clip(np.asarray(found.boxes, np.float64), 0, (width, height))  # (N, 4, 2)
        boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1).round(1).tolist()
        lines = zip(found.txts, boxes, found.scores, strict=True)
        return tuple(
            Line(str(text), (x0, y0, x1, y1), float(score))
            for text, (x0, y0, x1, y1), score in lines
            if x0 < x1 and y0 < y1
        )


def load(checkpoint: str, device: str, dtype: str) -> Ocr:
    """Load the networks, on the CPU: ONNX Runtime's GPU build is another package.

    Raises:
        Unavailable: the package or its networks are not here, or another device is wanted.
    """
    folder = weights.expect(checkpoint, CHECKPOINT)
    if device not in ("auto", "cpu") or dtype not in ("auto", "float32"):
        raise Unavailable(
            f"text is read on the CPU in float32, not on {device!r} in {dtype!r}; "
            "take device 'cpu' and dtype 'auto' in the profile"
        )
    try:
        return Ocr(folder / "rapidocr" / "models")
    except ImportError as error:
        raise Unavailable(
            f"RapidOCR cannot be imported ({error}); `pip install rapidocr onnxruntime` mends it"
        ) from error


def _network(folder: Path, stage: str) -> str:
    """The file of one stage. Named, so that the library never looks for it on a network.

    Raises:
        Unavailable: it does not lie in the package.
    """
    found = sorted(folder.glob(f"*_{stage.lower()}_*.onnx"))
    if not found:
        raise Unavailable(
            f"the package rapidocr lacks its network {stage!r}; "
            "`pip install --force-reinstall rapidocr` brings it"
        )
    return str(found[0])
