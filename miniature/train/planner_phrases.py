"""Planner phrases: the written grammar of requests, read and expanded."""

from __future__ import annotations

import functools
import random
import re
from pathlib import Path

import yaml

from miniature.world.language import article
from miniature.world.vocabulary import OBJECTS

GRAMMAR = Path(__file__).with_name("planner_grammar.yaml")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight")
SPACED = ("joins", "ask_joins", "before", "behind")
SAME = ("sheep", "deer", "scissors", "glasses", "sushi", "broccoli", "bread", "dice", "cheese")
IRREGULAR = {
    "mouse": "mice",
    "man": "men",
    "woman": "women",
    "child": "children",
    "person": "people",
    "knife": "knives",
    "wolf": "wolves",
    "leaf": "leaves",
    "potato": "potatoes",
    "tomato": "tomatoes",
}


def plural(noun: str) -> str:
    """The plural of any noun of the grammar."""
    if noun in OBJECTS:
        return OBJECTS[noun].plural
    if noun in SAME:
        return noun
    if noun in IRREGULAR:
        return IRREGULAR[noun]
    if noun.endswith(("s", "sh", "ch", "x")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def counted(count: int, adjective: str, noun: str) -> str:
    """Such as "a red apple" or "three cats"."""
    words = f"{adjective} {noun if count == 1 else plural(noun)}".strip()
    return article(words) if count == 1 else f"{WORDS[count]} {words}"


@functools.cache
def grammar() -> dict[str, list[str]]:
    """Every list of the grammar file; a text is a list too, split at its bars or else commas.

    Joining words keep the spaces around them.
    """
    lists: dict[str, list[str]] = {}
    for name, held in yaml.safe_load(GRAMMAR.read_text(encoding="utf-8")).items():
        if isinstance(held, list):
            lists[name] = held
        elif name in SPACED:
            lists[name] = held.split("|")
        else:
            lists[name] = [part.strip() for part in held.split("|" if "|" in held else ",")]
    return lists


def expand(template: str, rng: random.Random) -> str:
    """Choose one of each (a|b|), nested; a backslash makes the next character plain."""
    out, at = _expand(template, 0, rng, top=True)
    assert at == len(template), template
    return out


def _expand(text: str, at: int, rng: random.Random, top: bool) -> tuple[str, int]:
    choices: list[str] = []
    now = ""
    while at < len(text):
        char = text[at]
        if char == "\\":
            now, at = now + text[at + 1], at + 2
        elif char == "(":
            inner, at = _expand(text, at + 1, rng, top=False)
            now += inner
        elif char == ")" and not top:
            return rng.choice([*choices, now]), at + 1
        elif char == "|":
            choices, now, at = [*choices, now], "", at + 1
        else:
            now, at = now + char, at + 1
    return rng.choice([*choices, now]), at


def tidy(text: str) -> str:
    """One space between words, none before a comma, stop or question mark."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r" ([,.;?!])", r"\1", text)
    text = re.sub(r"\?[?.,]+", "?", text)
    text = re.sub(r"([.!])[?.,]+", r"\1", text)
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
