"""GenEval: its prompts by path, marked by its rules with the detector and classifier of a profile.

    sightloop bench geneval --profile sdxl --file evaluation_metadata.jsonl

Ghosh et al. 2023 (arXiv:2310.11513). A line of the file holds `tag`, `prompt`, `include` (class,
count, colour, position to an earlier entry) and `exclude`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import prompted
from benchmarks.bench import Bench
from benchmarks.prompted import Item, ask
from tools.classify import ClassifyInput, ClassifyOutput
from tools.errors import InvalidInput
from tools.ground import GroundInput, GroundOutput
from tools.toolbox import Toolbox
from tools.values import Box, Image

BENCH = Bench(
    seeds="of each prompt its place in the file",
    higher=("mark.model", "mark.single", "mark.best", "mark.loop"),
    over={"mark.*": "marked"},
    needs="--file evaluation_metadata.jsonl",
)
COLOURS = (
    *("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white"),
)
APART = 0.1  # of both sizes, by which centres must differ before a side is told
SIDE = 0.5  # of the offset's length, by which an axis must hold


def read(path: Path) -> list[Item]:
    """The prompts of an `evaluation_metadata.jsonl`.

    Raises:
        InvalidInput: it is no such file.
    """
    items = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines()):
        try:
            held = json.loads(text)
            items.append(_item(number, text, held))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(
                f"{path} line {number + 1} is no GenEval metadata ({error!r}); wanted is a line "
                "such as {'tag': …, 'include': [{'class': …, 'count': 1}], 'prompt': …}"
            ) from error
    return items


def _item(number: int, text: str, held: dict[str, Any]) -> Item:
    async def mark(image: Image, toolbox: Toolbox) -> float:
        return float(not await missing(held, image, toolbox))

    folder = f"{number:05}"
    return Item(
        *(folder, held["tag"], held["prompt"], number, mark, f"{folder}/samples/00000.png"),
        beside=((f"{folder}/metadata.jsonl", text),),
    )


async def missing(held: dict[str, Any], image: Image, toolbox: Toolbox) -> list[str]:
    """What of one prompt's metadata a picture does not show; of none, it is right."""
    wanted, banned = held.get("include", []), held.get("exclude", [])
    classes = tuple(dict.fromkeys(entry["class"] for entry in (*wanted, *banned)))
    found: GroundOutput = await ask(toolbox, "ground", GroundInput(image=image, phrases=classes))
    boxes = {name: [one.box for one in found.boxes if one.phrase == name] for name in classes}
    wrong: list[str] = []
    matched: list[list[Box]] = []
    for entry in wanted:
        name, count = entry["class"], entry["count"]
        seen = boxes[name][:count]
        fault = f"fewer than {count} {name}" if len(seen) < count else ""
        if not fault and "color" in entry:
            colours = [await _colour(name, box, image, toolbox) for box in seen]
            if colours.count(entry["color"]) < count:
                fault = f"{name} is {', '.join(colours)}"
        if not fault and "position" in entry:
            side, other = entry["position"]
            pairs = [(one, target) for one in seen for target in matched[other]]
            if not pairs or any(side not in sides(*pair) for pair in pairs):
                fault = f"{name} is not {side}"
        matched.append([] if fault else seen)
        wrong += [fault] if fault else []
    wrong += [
        f"{entry['count']} or more {entry['class']}"
        for entry in banned
        if len(boxes[entry["class"]]) >= entry["count"]
    ]
    return wrong


async def _colour(name: str, box: Box, image: Image, toolbox: Toolbox) -> str:
    labels = tuple(f"{colour} {name}" for colour in COLOURS)
    asked = ClassifyInput(image=image, labels=labels, box=box)
    answer: ClassifyOutput = await ask(toolbox, "classify", asked)
    return answer.probabilities[0].label.partition(" ")[0]


def sides(one: Box, other: Box) -> set[str]:
    """Where `one` lies of `other`: GenEval's rule, which lets things overlap by a tenth."""
    offset, beyond = [], []
    for low, high in ((0, 2), (1, 3)):
        apart = (one[low] + one[high] - other[low] - other[high]) / 2
        room = APART * (one[high] - one[low] + other[high] - other[low])
        offset.append(apart)
        beyond.append(max(abs(apart) - room, 0) * (1 if apart > 0 else -1))
    length = (offset[0] ** 2 + offset[1] ** 2) ** 0.5 or 1.0
    x, y = beyond[0] / length, beyond[1] / length
    told = {"left of": x < -SIDE, "right of": x > SIDE, "above": y < -SIDE, "below": y > SIDE}
    return {side for side, holds in told.items() if holds}


if __name__ == "__main__":
    prompted.main("geneval", "GenEval prompts", read)
