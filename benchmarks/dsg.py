"""DSG: the questions of Davidsonian Scene Graphs by path, answered by `vqa` of a profile.

    sightloop bench dsg --profile sd15 --file dsg-1k-anns.csv

Cho et al. 2024 (arXiv:2310.18235). The mark of a picture is the share of its questions answered
yes; a question counts as no where one that it depends on was.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

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
    needs="--file dsg-1k-anns.csv",
)
WANTED = ("item_id", "text", "proposition_id", "dependency", "question_natural_language")


class Question(NamedTuple):
    """One question, and the numbers of those that must hold before it can."""

    number: int
    needs: tuple[int, ...]
    text: str


def read(path: Path) -> list[Item]:
    """The prompts of a `dsg-1k-anns.csv`, each with its questions.

    Raises:
        InvalidInput: a column is missing, or a row cannot be read.
    """
    asked: dict[str, tuple[str, list[Question]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if absent := [name for name in WANTED if name not in (rows.fieldnames or ())]:
            raise InvalidInput(f"{path} is no DSG file: it has no column {', '.join(absent)}")
        for row in rows:
            try:
                needs = tuple(int(one) for one in row["dependency"].split(",") if int(one))
                number = int(row["proposition_id"])
            except ValueError as error:
                raise InvalidInput(f"{path} line {rows.line_num}: {error}") from error
            question = Question(number, needs, row["question_natural_language"])
            asked.setdefault(row["item_id"], (row["text"], []))[1].append(question)
    return [
        _item(seed, item, text, questions)
        for seed, (item, (text, questions)) in enumerate(asked.items())
    ]


def _item(seed: int, item: str, text: str, questions: list[Question]) -> Item:
    async def mark(image: Image, toolbox: Toolbox) -> float:
        return await answered(questions, image, toolbox)

    return Item(item, item.rpartition("_")[0], text, seed, mark, f"{item}.png")


async def answered(questions: list[Question], image: Image, toolbox: Toolbox) -> float:
    """Share of the questions that hold, 0..1, parents before children."""
    holds: dict[int, bool] = {}
    for question in questions:
        asked = VqaInput(image=image, question=question.text)
        answer: VqaOutput = await ask(toolbox, "vqa", asked)
        said = answer.answer.strip().lower() == "yes"
        holds[question.number] = said and all(holds.get(need, True) for need in question.needs)
    return sum(holds.values()) / len(holds)


if __name__ == "__main__":
    prompted.main("dsg", "DSG questions", read)
