"""GPU: public architectures at full size: our families, the bare libraries, and the roofline.

    python -m benchmarks.gpu

Weights are random, so that nothing is fetched: what a network computes a second does not depend on
them. Each network runs three ways, on the same pictures and in the same number format:

- ours: the family in `models/`, as tools call it;
- bare: the library's own pipeline or forward pass, nothing of ours around it;
- roofline: the operations of the bare way, counted by torch, over the rate that this device
  reaches in a product of large matrices.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.hub_size import SIZES, Size, save_clip, save_diffusion, save_sam
from models import clip, diffusion, sam
from models.device import place
from models.diffusion import Order

BENCH = Bench(
    seeds="weights from seed 0, pictures from seed 1, noise from seeds 0, 1, …",
    higher=("networks.*.ours_per_s", "networks.*.ours_to_bare_ratio", "networks.*.of_roofline"),
    needs="a GPU: takes hours on a CPU",
)
STEPS = 20  # of the diffusion loop
GUIDANCE = 7.5
PRODUCT = {"cuda": 8192, "cpu": 512}  # rows of the matrices that show the device's rate
_DIFFUSERS: Any = diffusers  # untyped
_TRANSFORMERS: Any = transformers
Pixels = NDArray[np.uint8]


class Ways(NamedTuple):
    """Two ways through the same network, each over one batch."""

    ours: Callable[[], object]
    bare: Callable[[], object]


def drawing(folder: Path, size: Size, device: str, batch: int) -> Ways:
    """Stable Diffusion: words to pictures, guided."""
    save_diffusion(folder, size)
    ours = diffusion.load(str(folder), device, "auto")
    where, number = place(device, "auto")
    bare = _DIFFUSERS.StableDiffusionPipeline.from_pretrained(
        folder, dtype=number, safety_checker=None, requires_safety_checker=False
    ).to(where)
    bare.set_progress_bar_config(disable=True)
    orders = [Order("a photo", "", seed) for seed in range(batch)]
    square = (size.side, size.side)
    return Ways(
        lambda: ours.draw(orders, manner=diffusion.Manner(STEPS, GUIDANCE), size_wh=square),
        lambda: bare(
            ["a photo"] * batch,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            width=size.side,
            height=size.side,
        ),
    )


def masking(folder: Path, size: Size, device: str, batch: int) -> Ways:
    """SAM: for each picture the mask in one box."""
    save_sam(folder, size)
    ours = sam.load(str(folder), device, "auto")
    where, number = place(device, "auto")
    bare = _TRANSFORMERS.SamModel.from_pretrained(folder, dtype=number).eval().to(where)
    images = _TRANSFORMERS.SamImageProcessor.from_pretrained(folder)
    pictures = noise(batch, size.sam_side)
    box = (8.0, 8.0, size.sam_side / 2, size.sam_side / 2)
    turn = iter(range(1_000_000))

    def cut() -> None:
        fresh = next(turn)  # a picture that was read before would cost only the decoder
        for index, picture in enumerate(pictures):
            ours.in_boxes(picture, f"{fresh}-{index}", [box])

    def plain() -> None:
        asked = torch.tensor([[box]], device=where)
        for picture in pictures:
            values = images([picture], return_tensors="pt")["pixel_values"].to(where, number)
            bare(pixel_values=values, input_boxes=asked, multimask_output=False).pred_masks.cpu()

    return Ways(cut, plain)


def matching(folder: Path, size: Size, device: str, batch: int) -> Ways:
    """CLIP: pictures to vectors."""
    save_clip(folder, size)
    ours = clip.load(str(folder), device, "auto")
    where, number = place(device, "auto")
    bare = _TRANSFORMERS.CLIPModel.from_pretrained(folder, dtype=number).eval().to(where)
    images = _TRANSFORMERS.CLIPImageProcessor.from_pretrained(folder)
    pictures = noise(batch, size.clip_side)

    def plain() -> None:
        values = images(pictures, return_tensors="pt")["pixel_values"].to(where, number)
        bare.get_image_features(pixel_values=values).pooler_output.cpu()

    return Ways(lambda: ours.pictures(pictures).cpu(), plain)


NETWORKS = {"diffusion": drawing, "sam": masking, "clip": matching}


def noise(count: int, side: int) -> list[Pixels]:
    """Pictures of noise: RGB, uint8, (side, side, 3)."""
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (side, side, 3), np.uint8) for _ in range(count)]


def seconds(run: Callable[[], object], times: int) -> float:
    """Median wall time of a run, all of its kernels finished, s."""
    taken = []
    for _ in range(times):
        _finish()
        start = time.perf_counter()
        run()
        _finish()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def rate(device: str, times: int) -> float:
    """Operations a second in a product of large matrices, the faster part of what there is."""
    where, number = place(device, "auto")
    side = PRODUCT[where.type]
    one = torch.randn(side, side, device=where, dtype=number)
    one @ one  # chooses and loads the kernel
    return 2 * side**3 / seconds(lambda: one @ one, max(5, times))


def measured(ways: Ways, batch: int, times: int, peak: float) -> dict[str, float]:
    """Both ways, once untimed and then in turn; and how near the bare way is to the roofline."""
    with FlopCounterMode(display=False) as counted:
        ways.bare()
    ways.ours()
    bare = seconds(ways.bare, times) / batch
    ours = seconds(ways.ours, times) / batch
    operations = counted.get_total_flops() / batch
    return {
        "pictures": batch,
        "teraflop_a_picture": operations / 1e12,
        "ours_per_s": 1 / ours,
        "bare_per_s": 1 / bare,
        "ours_to_bare_ratio": bare / ours,
        "of_roofline": operations / peak / ours,
    }


@contextmanager
def folders() -> Iterator[Path]:
    """A place for checkpoints: 7 GB at full size."""
    with tempfile.TemporaryDirectory() as root:
        yield Path(root)


@torch.inference_mode()
def measure(size: Size, device: str, batch: int, times: int) -> dict[str, Any]:
    """All networks, one after the other."""
    torch.manual_seed(0)
    peak = rate(device, times)
    found = {}
    with folders() as root:
        for name, make in NETWORKS.items():
            found[name] = measured(make(root / name, size, device, batch), batch, times, peak)
            print(name, found[name], flush=True)
    return {"device": device, "product_teraflop_per_s": peak / 1e12, "networks": found}


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    rows = [
        (
            name,
            f"{one['teraflop_a_picture']:.3g}",
            f"{one['ours_per_s']:.3g}",
            f"{one['bare_per_s']:.3g}",
            f"{one['ours_to_bare_ratio']:.2f}×",
            report.percent(one["of_roofline"]),
        )
        for name, one in found["networks"].items()
    ]
    head = ("network", "Tflop a picture", "ours, pictures/s", "bare", "ours to bare", "of roofline")
    return "\n\n".join(
        (
            report.table(head, rows),
            f"Random weights, {found['size']} size. The device multiplies large matrices at "
            f"{found['product_teraflop_per_s']:.3g} Tflop/s, which is the roofline; reading, "
            "resizing and copying pictures are in all times.",
        )
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Hub-size networks, timed.")
    parser.add_argument("--size", choices=SIZES, default="hub")
    parser.add_argument("--device", default="auto", help="as in a profile")
    parser.add_argument("--batch", type=int, default=4, help="pictures at once")
    parser.add_argument("--times", type=int, default=5, help="of each way; the median counts")
    given = parser.parse_args()
    if given.size == "hub" and given.device == "auto" and not torch.cuda.is_available():
        parser.error("no GPU here; --device cpu takes hours, --size tiny tries the benchmark out")
    found = measure(SIZES[given.size], given.device, given.batch, given.times)
    found["size"] = given.size
    print(body(found))
    command = f"python -m benchmarks.gpu --size {given.size} --batch {given.batch}"
    if given.size == "hub":  # tiny networks say nothing about a machine
        report.write("gpu", "GPU: hub-size networks", command, found, body(found))


if __name__ == "__main__":
    main()
