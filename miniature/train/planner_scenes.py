"""Planner scenes: what a picture shall show, said cleanly and as people say it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from miniature.train.planner_phrases import WORDS, counted, expand, grammar, plural, tidy
from miniature.world.language import article, listed
from miniature.world.vocabulary import BACKGROUNDS, OBJECTS

Entry = dict[str, Any]
"""One call of a compact plan."""
RELATIONS = {
    "to the left of": "to the left of|left of|on the left of|on the left side of|left from",
    "to the right of": "to the right of|right of|on the right of|on the right side of",
    "above": "above|over|on top of|higher than",
    "below": "below|under|beneath|underneath|lower than",
}
OPEN_RELATIONS = ("next to", "in front of", "behind", "inside", "near", "with", "on")


@dataclass
class Scene:
    """What a picture shall show, said the clean way (`caption`) and in many (`said`)."""

    things: list[tuple[int, str, str]]  # count, adjective, noun
    relation: str = ""
    background: str = ""
    absent: str = ""
    open: str = ""

    def caption(self) -> str:
        if self.open:
            return self.open
        phrases = [counted(*thing) for thing in self.things]
        body = f" {self.relation} ".join(phrases) if self.relation else listed(phrases)
        return f"{body} on {article(self.background)} background" if self.background else body

    def entry(self) -> Entry:
        made: Entry = {"generate": self.caption()}
        return made | {"negative_prompt": self.absent} if self.absent else made


class Scenes:
    """Makes up scenes and says them; one seed, one sequence."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.words = grammar()
        known = [*OBJECTS, *OBJECTS]
        self.nouns = sorted({*self.words["nouns"], *known}) + known
        self.near: list[str] = []  # what was just drawn, so that questions are about it

    def pick(self, name: str) -> str:
        return self.rng.choice(self.words[name])

    def say(self, name: str, **slots: str) -> str:
        text = expand(self.pick(name), self.rng)
        for slot, value in slots.items():
            text = text.replace("{" + slot + "}", value)
        return tidy(text)

    def noun(self) -> str:
        near = self.near if self.rng.random() < 0.6 else []
        return self.rng.choice(near or self.nouns)

    def adjective(self, chance: float = 0.4) -> str:
        if self.rng.random() >= chance:
            return ""
        sizes = ("small", "large", "big", "tiny", "old", "happy", "wooden", "shiny", "striped")
        return self.rng.choice([*self.words["colours"][:7], *self.words["colours"], *sizes])

    def scene(self) -> Scene:
        """A scene of any kind: the world's, or one of the wide world's."""
        rng = self.rng
        if rng.random() < 0.3:
            return self.open_scene()
        kind = rng.choice(["one", "one", "colour", "count", "two", "two", "relation", "relation"])
        count = rng.choice([2, 2, 3, 3, 4, 5, 6, 8]) if kind == "count" else 1
        adjective = self.adjective(1.0 if kind == "colour" else 0.35)
        scene = Scene([(count, adjective, self.noun())])
        if kind in ("two", "relation"):
            scene.things.append((rng.choice([1, 1, 1, 2, 3]), self.adjective(), self.noun()))
            if kind == "relation":
                scene.things[1] = (1, *scene.things[1][1:])
                scene.relation = rng.choice([*RELATIONS, *RELATIONS, rng.choice(OPEN_RELATIONS)])
            elif rng.random() < 0.2:
                scene.things.append((1, self.adjective(), self.noun()))
        if rng.random() < 0.35:
            scene.background = rng.choice([*BACKGROUNDS, *BACKGROUNDS, "black", "red", "orange"])
        if rng.random() < 0.12:
            scene.absent = self.absent()
        return scene

    def absent(self) -> str:
        noun = self.noun()
        return self.rng.choice([noun, plural(noun), plural(noun), "people", "text", "cars"])

    def open_scene(self) -> Scene:
        rng, words = self.rng, self.words
        if rng.random() < 0.12:
            return Scene([], open=self.pick("open_titles"))
        body = rng.choice(words["open_objects"])
        if rng.random() < 0.35:
            body = counted(1, self.adjective(), self.noun())
        if rng.random() < 0.5:
            body += " " + self.pick("open_actions")
        if rng.random() < 0.5:
            body += " " + self.pick("open_places")
        if rng.random() < 0.25:
            style = self.pick("open_styles")
            body = rng.choice([f"{body}, {style}", f"{style} of {body}", f"{body} in {style}"])
        absent = self.absent() if rng.random() < 0.1 else ""
        return Scene([], open=body, absent=absent)

    def said(self, scene: Scene) -> str:
        """The scene in a person's words."""
        rng = self.rng
        text = scene.open
        if not text:
            parts = [self.said_thing(*thing) for thing in scene.things]
            text = listed(parts)
            if scene.relation:
                wordings = RELATIONS.get(scene.relation, scene.relation)
                middle = rng.choice([scene.relation, expand(f"({wordings})", rng)])
                placed = rng.choice(["", "", "", "that is ", "placed "])
                text = f"{parts[0]} {placed}{middle} {parts[1]}"
            elif len(parts) == 2:
                text = self.pick("two_kinds").format(*parts)
        if scene.background:
            grey = scene.background == "gray" and rng.random() < 0.5
            colour = "grey" if grey else scene.background
            text = self.say("on_background", t=text, c=colour, a=article(colour).split()[0])
        return text + expand(self.pick("without"), rng) + scene.absent if scene.absent else text

    def told(self) -> tuple[str, Scene]:
        """A scene told in several short sentences, and the scene."""
        rng, noun, count = self.rng, self.noun(), self.rng.choice([1, 1, 1, 2, 3, 4])
        it = {"they": "it" if count == 1 else "they", "them": "it" if count == 1 else "them"}
        if rng.random() < 0.25:
            things = [(1, self.adjective(), noun), (1, self.adjective(), self.noun())]
            scene = Scene(things, rng.choice([*RELATIONS]))
            s, s2 = (counted(*thing) for thing in things)
            r = expand(f"({RELATIONS[scene.relation]})", rng)
            text = self.say("told_relation", s=s, s2=s2, o=noun, o2=things[1][2], r=r)
        else:
            c = rng.choice(self.words["colours"])
            scene = Scene([(count, c, noun)])
            one = f"(one in {c}|one that is {c}|{article(c)} one|just one, in {c})"
            many = f"({WORDS[count]} in {c}|{WORDS[count]} {c} ones|{count} that are {c})"
            s, ones = counted(count, "", noun), expand(one if count == 1 else many, rng)
            bare = rng.choice([s, noun]) if count == 1 else s
            text = self.say("told", s=s, bare=bare, os=plural(noun), c=c, ones=ones, **it)
        if rng.random() < 0.5:
            scene.background = rng.choice(self.words["colours"])
            text = self.say("told_ground", t=text.rstrip(".!"), b=scene.background, **it)
        return text, scene

    def corrected(self) -> tuple[str, Scene]:
        """A scene of which something else was said first, and the scene."""
        rng, noun, roll = self.rng, self.noun(), self.rng.random()
        c, c2 = rng.sample(self.words["colours"], 2)
        if roll < 0.5:
            scene, x = self.scene(), counted(1, self.adjective(), noun)
            s = self.said(scene)
        elif roll < 0.75:
            scene, x = Scene([(1, c, noun)]), counted(1, c2, noun)
            s = expand(f"({article(c)} one|{c}|{article(f'{c} {noun}')})", rng)
        else:
            scene = Scene([(1, self.adjective(), noun)], background=c)
            x, s = f"{counted(*scene.things[0])} on {c2}", expand(f"(on |){c}", rng)
        name = "corrected" if roll < 0.2 else "slip"
        return self.say(name, x=x, s=s), scene

    def said_thing(self, count: int, adjective: str, noun: str) -> str:
        rng, many = self.rng, plural(noun)
        if rng.random() < 0.6:
            return counted(count, adjective, noun)
        if count == 1:
            coloured = adjective in self.words["colours"] and rng.random() < 0.5
            name = "one_coloured" if coloured else "one_thing"
            return self.say(name, w=f"{adjective} {noun}".strip(), n=article(noun), c=adjective)
        name = "two_things" if count == 2 and rng.random() < 0.3 else "many_things"
        return self.say(name, w=f"{adjective} {many}".strip(), d=str(count), k=WORDS[count])
