"""Diffusion: pictures out of words (latent diffusion, Rombach et al. 2022, arXiv:2112.10752).

One network, several verbs: each runs through the stock diffusers pipeline for it, which shares
U-Net, autoencoder and text encoder with the others. A U-Net that sees 9 channels (noise, mask,
masked picture) draws from nothing when all is masked and nothing is shown.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models import diffusion_concept, diffusion_layout, diffusion_load, diffusion_pixels
from models.diffusion_concept import Concept as Concept
from models.diffusion_concept import Lesson as Lesson
from models.diffusion_concept import OnLesson
from models.diffusion_layout import Place as Place
from models.diffusion_pixels import Pixels
from models.diffusion_schedulers import OWN, Schedulers
from models.diffusion_words import Order as Order
from models.diffusion_words import Words
from models.errors import Unavailable
from models.shelf import kept

OnStep = Callable[[int, Pixels | None], None]
_PREVIEWS = 4  # in a run; each costs one decoding
_STOCK: Any = diffusers  # untyped


class Manner(NamedTuple):
    """How to draw."""

    steps: int
    """Of the scheduler."""
    guidance: float
    """Classifier-free guidance scale; 1 and below is none."""
    scheduler: str = OWN
    """A name in `models/diffusion_schedulers.py`."""


class Diffusion:
    """A loaded pipeline and those that share its networks."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._others: dict[str, Any] = {}
        self._words = Words(pipeline)
        self._schedulers = Schedulers(pipeline.scheduler)
        self._alone = threading.Lock()  # the scheduler keeps the state of one run at a time
        self._family = (
            "StableDiffusionXL"
            if type(pipeline).__name__.startswith("StableDiffusionXL")
            else "StableDiffusion"
        )
        self.channels: int = pipeline.unet.config.in_channels
        side = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
        self.size_wh: tuple[int, int] = (side, side)
        """What it was trained to draw, width and height in pixels."""
        config = pipeline.unet.config
        self.kin = f"{self._family} {config.cross_attention_dim} {config.block_out_channels}"
        """Networks of one kin can draw each other's concepts."""
        self.places_things: bool = diffusion_layout.is_gated(pipeline.unet)
        """Whether `draw` takes things with their places."""

    def room(self, size_wh: tuple[int, int]) -> int:
        """How many pictures of a size memory holds at once: 16, fewer above 256x256."""
        return max(1, min(16, 16 * 256 * 256 // (size_wh[0] * size_wh[1])))

    def draw(
        self,
        orders: Sequence[Order],
        *,
        manner: Manner,
        size_wh: tuple[int, int],
        things: Sequence[Place] = (),
        on_step: OnStep | None = None,
    ) -> list[Pixels]:
        """Draw a batch; each picture from noise of its own seed.

        Args:
            orders: at most `room(size_wh)`; float kernels round by the size of a batch, so the
                same bytes again need the same number of orders.
            manner: how.
            size_wh: width and height in pixels, multiples of 8.
            things: where what goes, for one order and a U-Net with gated attention.
            on_step: called after each step with its number from 1 and sometimes a preview of the
                first picture, RGB, uint8, (H, W, 3). What it raises ends the run.

        Returns:
            For each order RGB, uint8, (H, W, 3).

        Raises:
            Unavailable: this checkpoint cannot do it, or its numbers overflowed.
        """
        more: dict[str, Any] = {"width": size_wh[0], "height": size_wh[1]}
        if things:
            self._need(self.places_things, "place things")
            told = diffusion_layout.tokens(self._pipeline, things, guided=manner.guidance > 1)
            more["cross_attention_kwargs"] = {"gligen": told}
        if self.channels == 4:
            return self._run("Pipeline", orders, manner, on_step, **more)
        self._need(self.channels == 9, "draw from words alone")
        more |= self._blank(len(orders), size_wh)
        return self._run("InpaintPipeline", orders, manner, on_step, **more)

    def paint(
        self,
        order: Order,
        picture: Pixels,
        mask: NDArray[np.bool_],
        *,
        manner: Manner,
        on_step: OnStep | None = None,
    ) -> Pixels:
        """Paint anew what lies under a mask, in the light of what lies around it.

        Args:
            order: what to paint there.
            picture: RGB, uint8, (H, W, 3), sides multiples of 8.
            mask: bool, (H, W), true where to paint. A latent cell that it touches is repainted.
            manner: how.
            on_step: see `draw`.

        Returns:
            RGB, uint8, (H, W, 3); close to the picture outside the mask, not equal to it.
        """
        self._need(self.channels in (4, 9), "paint under a mask")
        more: dict[str, Any] = {
            "image": Image.fromarray(picture),
            "mask_image": Image.fromarray(self._cells(mask).astype(np.uint8) * 255),
            "height": picture.shape[0],
            "width": picture.shape[1],
            "strength": 1.0,
        }
        return self._run("InpaintPipeline", [order], manner, on_step, **more)[0]

    def edit(
        self,
        order: Order,
        picture: Pixels,
        *,
        manner: Manner,
        fidelity: float,
        on_step: OnStep | None = None,
    ) -> Pixels:
        """Change a picture as an instruction says (Brooks et al. 2022, arXiv:2211.09800).

        Args:
            order: its prompt is the instruction.
            picture: RGB, uint8, (H, W, 3), sides multiples of 8.
            manner: how.
            fidelity: how hard the picture pulls; read by 8-channel networks only.
            on_step: see `draw`.
        """
        if self.channels == 8:
            more: dict[str, Any] = {
                "image": Image.fromarray(picture),
                "image_guidance_scale": fidelity,
            }
            return self._run("InstructPix2PixPipeline", [order], manner, on_step, **more)[0]
        self._need(self.channels == 9, "follow an instruction")
        more = self._blank(1, (picture.shape[1], picture.shape[0]))
        more |= {"height": picture.shape[0], "width": picture.shape[1]}
        more["masked_image_latents"] = diffusion_pixels.encode(self._pipeline, picture)
        return self._run("InpaintPipeline", [order], manner, on_step, **more)[0]

    def restyle(
        self,
        order: Order,
        picture: Pixels,
        *,
        manner: Manner,
        strength: float,
        on_step: OnStep | None = None,
    ) -> Pixels:
        """Draw a picture again from its own blur (SDEdit, Meng et al. 2021, arXiv:2108.01073).

        Args:
            order: what it shall show.
            picture: RGB, uint8, (H, W, 3), sides multiples of 8.
            manner: how; `strength` of its steps are taken.
            strength: above 0 up to 1, how much of it is drawn anew.
            on_step: see `draw`.
        """
        steps = max(manner.steps, ceil(1 / strength))
        manner = manner._replace(steps=steps)
        more: dict[str, Any] = {"image": Image.fromarray(picture), "strength": strength}
        if self.channels == 4:
            return self._run("Img2ImgPipeline", [order], manner, on_step, **more)[0]
        self._need(self.channels == 9, "draw a picture again")
        blank = self._blank(1, (picture.shape[1], picture.shape[0]))
        more = {**blank, **more, "height": picture.shape[0], "width": picture.shape[1]}
        return self._run("InpaintPipeline", [order], manner, on_step, **more)[0]

    def follow(
        self,
        order: Order,
        condition: Pixels,
        *,
        net: Any,
        manner: Manner,
        scale: float,
        on_step: OnStep | None = None,
    ) -> Pixels:
        """Draw along a map of edges, regions, depth or joints.

        Args:
            order: what to draw.
            condition: RGB, uint8, (H, W, 3), sides multiples of 8.
            net: what `load_control` gave, made for this family of U-Nets.
            manner: how.
            scale: how hard the map pulls, 0..2.
            on_step: see `draw`.
        """
        self._need(self.channels in (4, 9), "follow a map")
        shown = Image.fromarray(condition)
        more: dict[str, Any] = {"controlnet_conditioning_scale": scale}
        if self.channels == 4:
            more |= {"image": shown}
            return self._run("ControlNetPipeline", [order], manner, on_step, net=net, **more)[0]
        more |= self._blank(1, shown.size) | {"control_image": shown}
        return self._run("ControlNetInpaintPipeline", [order], manner, on_step, net=net, **more)[0]

    def rebuild(self, picture: Pixels) -> Pixels:
        """The picture as the autoencoder gives it back: what an edit that changes nothing shows."""
        latents = diffusion_pixels.encode(self._pipeline, picture)
        return diffusion_pixels.decode(self._pipeline, latents)[0]

    def learn(
        self,
        pictures: Sequence[Pixels],
        subjects: Sequence[NDArray[np.bool_]],
        folder: Path,
        *,
        kind: str,
        lesson: Lesson,
        on_lesson: OnLesson,
    ) -> None:
        """Learn a thing from pictures of it and write its files into a folder; see Concept.

        Args:
            pictures: RGB, uint8, (H, W, 3), all of `size_wh`.
            subjects: bool, (H, W), where the thing is on each.
            folder: must exist.
            kind: what it is, such as "dog"; may be empty.
            lesson: how.
            on_lesson: called after each step with its number from 1 and the loss.
        """
        self._need(self.channels in (4, 9) and self._family == "StableDiffusion", "learn a thing")
        with self._alone:
            self._pipeline.scheduler = self._schedulers.named(OWN)
            latents = torch.cat([diffusion_pixels.encode(self._pipeline, one) for one in pictures])
            where = torch.from_numpy(np.stack([self._cells(one) for one in subjects]))
            cell = self._pipeline.vae_scale_factor
            diffusion_concept.learn(
                self._pipeline,
                latents.clone(),  # what inference made takes no gradient
                where[:, None, ::cell, ::cell].to(latents.device, torch.float32),
                folder,
                kind=kind,
                lesson=lesson,
                on_lesson=on_lesson,
            )

    def _run(
        self,
        kind: str,
        orders: Sequence[Order],
        manner: Manner,
        on_step: OnStep | None,
        *,
        net: Any = None,
        **more: Any,
    ) -> list[Pixels]:
        """One run of a stock pipeline, up to pictures."""
        with self._alone:
            pipeline = self._sharing(kind, net)
            pipeline.scheduler = self._schedulers.named(manner.scheduler)
            diffusion_concept.wear(self._pipeline, orders[0].concepts)
            made = pipeline(
                **self._words.told(orders),
                # On the CPU whatever the device: a seed means the same noise everywhere.
                generator=[torch.Generator("cpu").manual_seed(order.seed) for order in orders],
                num_inference_steps=manner.steps,
                guidance_scale=manner.guidance,
                output_type="latent",
                callback_on_step_end=self._reporter(on_step, manner.steps),
                **more,
            )
        return diffusion_pixels.safe(
            self._pipeline, diffusion_pixels.decode(self._pipeline, made.images)
        )

    def _sharing(self, kind: str, net: Any) -> Any:
        """The stock pipeline of a kind, on the networks that are in memory already."""
        stock = getattr(_STOCK, self._family + kind)
        if type(self._pipeline) is stock and net is None:
            return self._pipeline
        if kind not in self._others or net is not None:
            # from_pipe would refuse an AutoencoderTiny, which the pipelines themselves take
            held = {**self._pipeline.config, **self._pipeline.components, "controlnet": net}
            wanted = inspect.signature(stock).parameters
            made = stock(**{name: value for name, value in held.items() if name in wanted})
            made.set_progress_bar_config(disable=True)
            self._others[kind] = made
        return self._others[kind]

    def _need(self, able: bool, what: str) -> None:
        if not able:
            raise Unavailable(
                f"a {self._family} network of {self.channels} channels cannot {what}; "
                "name a checkpoint that can in the profile"
            )

    def _blank(self, count: int, size_wh: tuple[int, int]) -> dict[str, Any]:
        """Arguments of the inpainting pipeline for drawing from nothing: all masked, none shown."""
        width, height = size_wh
        cell = self._pipeline.vae_scale_factor
        return {
            "image": torch.zeros(count, 3, height, width),
            "mask_image": torch.ones(count, 1, height, width),
            "masked_image_latents": torch.zeros(count, 4, height // cell, width // cell),
            "strength": 1.0,
        }

    def _cells(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The mask grown to whole latent cells: shrinking it later loses no thin part."""
        cell = self._pipeline.vae_scale_factor
        height, width = mask.shape[0] // cell, mask.shape[1] // cell
        touched = mask.reshape(height, cell, width, cell).any((1, 3))  # (h, w)
        return touched.repeat(cell, 0).repeat(cell, 1)

    def _reporter(self, on_step: OnStep | None, steps: int) -> Callable[..., dict[str, Any]]:
        every = max(1, steps // (_PREVIEWS + 1))

        def report(pipeline: Any, index: int, _: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            if not bool(torch.isfinite(tensors["latents"]).all()):
                raise Unavailable(
                    f"the network's numbers overflowed at step {index + 1}; "
                    "take dtype float32 or another checkpoint in the profile"
                )
            if on_step is not None:
                number = min(index + 1, steps)
                shown = number % every == 0 and number < steps
                clean = self._clean(pipeline.scheduler, tensors["latents"])[:1] if shown else None
                on_step(
                    number,
                    None if clean is None else diffusion_pixels.decode(self._pipeline, clean)[0],
                )
            return {}

        return report

    def _clean(self, scheduler: Any, latents: torch.Tensor) -> torch.Tensor:
        """What the scheduler expects the end to be, where it keeps that; else the noisy latents."""
        kept = getattr(scheduler, "model_outputs", None) or [None]
        kind = str(scheduler.config.get("algorithm_type", ""))
        return kept[-1] if kind.startswith("dpmsolver++") and kept[-1] is not None else latents


@kept
def load(checkpoint: str, device: str, dtype: str) -> Diffusion:
    """Load a pipeline folder; a second call gives the same networks.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    return Diffusion(diffusion_load.pipeline(checkpoint, device, dtype))


@kept
def load_control(checkpoint: str, device: str, dtype: str) -> Any:
    """Load a ControlNet for `Diffusion.follow`; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    return diffusion_load.control(checkpoint, device, dtype)
