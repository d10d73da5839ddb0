"""Encoders: pictures, and with some words too, as unit vectors; one verb each, many networks.

Which library reads a checkpoint is told by its own files, never by its name:
transformers by the class in config.json, timm by the architecture there, open_clip by
open_clip_config.json.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image as PIL

from models import clip, weights
from models.device import copies, loading, network, parts, place, processor
from models.errors import InvalidInput, Unavailable
from models.shelf import kept

BATCH = 32
Pictures = Sequence[NDArray[np.uint8]]


class Encoder(Protocol):
    """A loaded network that turns pictures into vectors.

    Attributes:
        speaks: whether it reads words into the same space.
    """

    speaks: bool

    def pictures(self, pictures: Pictures) -> torch.Tensor:
        """Unit vectors of pictures, each RGB, uint8, (H, W, 3): float32, (N, D)."""
        ...

    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit vectors of texts: float32, (N, D).

        Raises:
            InvalidInput: it reads none.
        """
        ...


class Named(NamedTuple):
    """An encoder that can be asked for by name."""

    paper: str
    hub: str


ENCODERS: dict[str, Named] = {
    "clip": Named("Radford et al. 2021, arXiv:2103.00020", "openai/clip-vit-base-patch32"),
    "align": Named("Jia et al. 2021, arXiv:2102.05918", "kakaobrain/align-base"),
    "coca": Named("Yu et al. 2022, arXiv:2205.01917", "laion/CoCa-ViT-B-32-laion2B-s13B-b90k"),
    "vit": Named("Dosovitskiy et al. 2021, arXiv:2010.11929", "google/vit-base-patch16-224"),
    "dino": Named("Caron et al. 2021, arXiv:2104.14294", "facebook/dino-vits16"),
    "beit": Named("Bao et al. 2022, arXiv:2106.08254", "microsoft/beit-base-patch16-224-pt22k"),
    "beitv2": Named(
        "Peng et al. 2022, arXiv:2208.06366", "timm/beitv2_base_patch16_224.in1k_ft_in22k"
    ),
    "eva": Named("Fang et al. 2023, arXiv:2303.11331", "timm/eva02_tiny_patch14_224.mim_in22k"),
}


def checkpoint(name: str) -> str:
    """The checkpoint of an encoder asked for by name; a folder or a hub id stays what it is.

    Raises:
        InvalidInput: there is no encoder of that name.
    """
    if name in ENCODERS:
        return ENCODERS[name].hub
    if "/" in name or Path(name).is_dir():
        return name
    raise InvalidInput(
        f"no encoder {name!r}; there are: {', '.join(ENCODERS)}; or give a folder or a hub id"
    )


@kept
def load(name: str, device: str, dtype: str) -> Encoder:
    """Load a checkpoint as an encoder; a second call gives the same network.

    Args:
        name: the checkpoint, as in `weights.locate`.
        device: as in `device.place`.
        dtype: as in `device.place`.

    Raises:
        Unavailable: it is missing, damaged, or of a class that encodes no pictures.
    """
    folder = weights.locate(name)
    if (folder / "open_clip_config.json").is_file():
        return _OpenClip(name, folder, device, dtype)
    kind = weights.architecture(folder)
    if kind == "CLIPModel":
        return clip.load(name, device, dtype)
    if kind == "AlignModel":
        return _Align(name, device, dtype)
    if kind in _VISION:
        return _Vision(name, kind, device, dtype)
    if _timm_architecture(folder):
        return _Timm(name, folder, device, dtype)
    known = ", ".join(("CLIPModel", "AlignModel", *_VISION))
    raise Unavailable(
        f"checkpoint {name!r} is {'a ' + kind if kind else 'of no known class'}; an encoder is "
        f"one of {known}, or a folder of open_clip or timm: name another one"
    )


# How each class sums up its tokens: DINO and supervised training shape the first one; what was
# trained on masked patches has its meaning in them, so their mean is taken.
_VISION: dict[str, tuple[str, str]] = {
    "ViTModel": ("ViTModel", "first"),
    "ViTForImageClassification": ("ViTModel", "first"),
    "Dinov2Model": ("Dinov2Model", "first"),
    "BeitModel": ("BeitModel", "mean"),
    "BeitForImageClassification": ("BeitModel", "mean"),
    "BeitForMaskedImageModeling": ("BeitModel", "mean"),
    "ViTMAEModel": ("ViTModel", "mean"),
    "ViTMAEForPreTraining": ("ViTModel", "mean"),
}


class _Silent:
    """An encoder that reads no words."""

    speaks = False

    def __init__(self, name: str) -> None:
        self._name = name

    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        raise InvalidInput(
            f"encoder {self._name!r} reads no words; give a picture, or take clip, align or coca"
        )


class _Vision(_Silent):
    """A vision tower of transformers."""

    def __init__(self, name: str, kind: str, device: str, dtype: str) -> None:
        import transformers

        super().__init__(name)
        library: Any = transformers
        towers, self._pool = _VISION[kind]
        tower = getattr(library, towers)
        extra = {} if towers == "Dinov2Model" else {"add_pooling_layer": False}
        self._model = network(_with(tower, extra), name, device, dtype)
        with loading(name):
            self._prepare = library.AutoImageProcessor.from_pretrained(
                weights.locate(name), local_files_only=True
            )

    @torch.inference_mode()
    def pictures(self, pictures: Pictures) -> torch.Tensor:
        found = []
        for part in parts(pictures, BATCH):
            values = self._prepare(copies(part), return_tensors="pt")["pixel_values"]
            tokens = self._model(values.to(self._model.device, self._model.dtype))
            states = tokens.last_hidden_state.float()  # (N, 1 + patches, D)
            found.append(states[:, 0] if self._pool == "first" else states[:, 1:].mean(1))
        return F.normalize(torch.cat(found), dim=-1)


def _with(kind: Any, extra: dict[str, Any]) -> Any:
    """A class whose from_pretrained is given more."""

    class Loader:
        @staticmethod
        def from_pretrained(*arguments: Any, **options: Any) -> Any:
            return kind.from_pretrained(*arguments, **options, **extra)

    return Loader


class _Align:
    """ALIGN: an EfficientNet and a BERT."""

    speaks = True

    def __init__(self, name: str, device: str, dtype: str) -> None:
        from transformers import AlignModel, AlignProcessor

        self._model = network(AlignModel, name, device, dtype)
        self._processor = processor(AlignProcessor, name)

    @torch.inference_mode()
    def pictures(self, pictures: Pictures) -> torch.Tensor:
        found = []
        for part in parts(pictures, BATCH):
            values = self._processor.image_processor(copies(part), return_tensors="pt")
            values = values["pixel_values"].to(self._model.device, self._model.dtype)
            found.append(self._model.get_image_features(pixel_values=values).pooler_output)
        return F.normalize(torch.cat(found).float(), dim=-1)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        length = self._model.config.text_config.max_position_embeddings
        inputs = self._processor.tokenizer(
            list(texts), padding=True, truncation=True, max_length=length, return_tensors="pt"
        ).to(self._model.device)
        return F.normalize(self._model.get_text_features(**inputs).pooler_output.float(), dim=-1)


class _OpenClip:
    """CLIP and CoCa as open_clip saves them: open_clip_config.json and open_clip_model."""

    speaks = True

    def __init__(self, name: str, folder: Path, device: str, dtype: str) -> None:
        open_clip = _library("open_clip", name)
        self._where, self._dtype = place(device, dtype)
        if not any(folder.glob("*.safetensors")):  # its loader would go on with a pickle
            raise Unavailable(f"checkpoint {name!r} has no safetensors; take one that has")
        source = f"local-dir:{folder}"
        with loading(name):
            model, self._prepare = open_clip.create_model_from_pretrained(source)
            self._tokenize = open_clip.get_tokenizer(source)
        self._model = model.eval().to(self._where, self._dtype)

    @torch.inference_mode()
    def pictures(self, pictures: Pictures) -> torch.Tensor:
        encode = self._model.encode_image
        return _encode(pictures, self._prepare, encode, self._where, self._dtype)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        ids = self._tokenize(list(texts)).to(self._where)
        return F.normalize(self._model.encode_text(ids).float(), dim=-1)


class _Timm(_Silent):
    """Any network of timm, as its hub folders are: config.json and model.safetensors."""

    def __init__(self, name: str, folder: Path, device: str, dtype: str) -> None:
        timm = _library("timm", name)
        super().__init__(name)
        self._where, self._dtype = place(device, dtype)
        if not (folder / "model.safetensors").is_file():
            raise Unavailable(f"checkpoint {name!r} has no model.safetensors; fetch it again")
        with loading(name):
            model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0)
            facts = timm.data.resolve_model_data_config(model)
            self._prepare = timm.data.create_transform(**facts, is_training=False)
        self._model = model.eval().to(self._where, self._dtype)

    @torch.inference_mode()
    def pictures(self, pictures: Pictures) -> torch.Tensor:
        return _encode(pictures, self._prepare, self._model, self._where, self._dtype)


def _encode(
    pictures: Pictures,
    prepare: Callable[[PIL.Image], torch.Tensor],
    encode: Callable[[torch.Tensor], torch.Tensor],
    where: torch.device,
    dtype: torch.dtype,
) -> torch.Tensor:
    found = []
    for part in parts(pictures, BATCH):
        values = torch.stack([prepare(PIL.fromarray(picture)) for picture in part])
        found.append(encode(values.to(where, dtype)).float())
    return F.normalize(torch.cat(found), dim=-1)


def _library(module: str, name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Unavailable(
            f"checkpoint {name!r} needs {module}: `pip install 'sightloop[encoders]'`"
        ) from error


def _timm_architecture(folder: Path) -> str:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return str(config["architecture"]) if "pretrained_cfg" in config else ""
    except (OSError, ValueError, LookupError, TypeError):
        return ""
