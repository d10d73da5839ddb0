"""Outside: how well the face tells photos from pictures of the miniature's world.

    python -m benchmarks.outside FOLDER

FOLDER holds photos of any kind, such as those inside the package scikit-image (`skimage/data`).
With its 22 and two of scikit-learn, whole and cut to the middle, against 40 held-out scenes:
every scene above the threshold, every photo below. It was set on these very pictures.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from miniature.world import scene
from tools.errors import InvalidInput, ToolError
from tools.profile import load_profile
from tools.toolbox import LocalToolbox
from tools.values import Image, load_image
from ui.face.outside import LEAST

FIRST = 1_000_000_100  # a held-out seed
SIDES = (128, 192, 256)  # px


async def sureness_times_fit(toolbox: LocalToolbox, images: list[Image]) -> list[float]:
    """For each picture the number that is compared with the threshold."""
    caption, score = toolbox.tool("caption"), toolbox.tool("score")
    told: list[Any] = await toolbox.call_many(
        "caption", [caption.parse({"image": i}) for i in images]
    )
    fits: list[Any] = await toolbox.call_many(
        "score",
        [score.parse({"image": i, "text": t.text}) for i, t in zip(images, told, strict=True)],
    )
    if failed := [one for one in (*told, *fits) if isinstance(one, ToolError)]:
        raise failed[0]
    return [one.score * fit.raw for one, fit in zip(told, fits, strict=True)]


def photos(folder: Path) -> list[Image]:
    """Every picture below a folder, whole and its middle."""
    found: list[Image] = []
    for path in sorted(folder.rglob("*")):
        try:
            image = load_image(path).image
        except InvalidInput:
            continue
        width, height = image.size_wh
        middle = (width / 4, height / 4, 3 * width / 4, 3 * height / 4)
        found += [image, image.crop(middle)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, default=40)
    options = parser.parse_args()
    toolbox = LocalToolbox(load_profile("miniature"))
    scenes = [
        Image.from_pixels(scene.draw(scene.sample(FIRST + number), SIDES[number % len(SIDES)]))
        for number in range(options.scenes)
    ]
    for name, images in (("scenes", scenes), ("photos", photos(options.folder))):
        values = sorted(asyncio.run(sureness_times_fit(toolbox, images)))
        below = sum(value < LEAST for value in values)
        print(
            f"{name}: {len(values)}, {below} below {LEAST}; "
            f"least {values[0]:.3f}, median {values[len(values) // 2]:.3f}, most {values[-1]:.3f}"
        )


if __name__ == "__main__":
    main()
