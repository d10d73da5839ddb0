"""T2I-CompBench: its prompts by path; colours, shapes and textures marked by `vqa` of a profile.

    sightloop bench t2i_compbench --profile sd15 --file color_val.txt

Huang et al. 2023 (arXiv:2307.06350). A line of a file is a prompt. In the files about attributes
the mark is B-VQA's: the product over the noun phrases of the belief that each is there. The other
files have marks that need its own evaluator; of these only the pictures are made.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from benchmarks import prompted
from benchmarks.bench import Bench
from benchmarks.prompted import Item, ask
from tools.errors import InvalidInput
from tools.toolbox import Toolbox
from tools.values import Image
from tools.vqa import VqaInput, VqaOutput

BENCH = Bench(
    seeds="of each prompt its place in the file",
    higher=("mark.model", "mark.single", "mark.best", "mark.loop"),
    needs="--file color_val.txt",
)
ATTRIBUTES = ("color", "shape", "texture")


def read(path: Path) -> list[Item]:
    """The prompts of a file; its name says what they are about.

    Raises:
        InvalidInput: the file has none.
    """
    kind = path.stem.partition("_")[0]
    # the train and test files of some parts hold more than the prompt, after a tab
    lines = [line.partition("\t")[0].strip() for line in path.read_text("utf-8").splitlines()]
    prompts = [line for line in lines if line]
    if not prompts:
        raise InvalidInput(f"{path} has no prompts: one line each is wanted")
    return [
        Item(
            *(f"{kind}-{seed:06}", kind, text, seed, partial(_mark, kind, text)),
            f"{kind}/samples/{text[:150].replace('/', ' ')}_{seed:06}.png",
        )
        for seed, text in enumerate(prompts)
    ]


async def _mark(kind: str, prompt: str, image: Image, toolbox: Toolbox) -> float | None:
    if kind not in ATTRIBUTES:
        return None
    belief = 1.0
    for phrase in phrases(prompt):
        asked = VqaInput(image=image, question=f"{phrase}?")
        answer: VqaOutput = await ask(toolbox, "vqa", asked)
        yes = answer.answer.strip().lower() == "yes"
        belief *= answer.confidence if yes else 1 - answer.confidence
    return belief


def phrases(prompt: str) -> list[str]:
    """The noun phrases of a prompt about attributes, split where articles and "and" say so."""
    parts = re.split(r"\s+and\s+(?=an?\s|the\s|two\s)|\s*,\s*|\s+with\s+|\.", prompt)
    return [part.strip() for part in parts if part.strip()]


if __name__ == "__main__":
    prompted.main("t2i_compbench", "T2I-CompBench prompts", read)
